// Requests to the server of this page. The token comes with the link, and stays in this tab.

const KEY = "pointlabel-token";
const given = location.hash.slice(1);
if (given) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem(KEY) || "";

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, {...options, headers: {"X-Pointlabel-Token": token, ...options.headers}});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("pointlabel serve has ended; start it again and open the new link. Nothing is lost.");
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw new Error(body.error || `the server answered ${answer.status}`);
  }
  return answer;
}

export const get = async (path) => (await ask(path)).json();

export const post = async (path, body = {}) =>
  (await ask(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)})).json();

const ARRAYS = {uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array};

export async function pixels(index, dtype) {
  return new ARRAYS[dtype](await (await ask(`images/${index}/pixels`)).arrayBuffer());
}

export const thumb = async (index, signal) => (await ask(`images/${index}/thumb`, {signal})).blob();
