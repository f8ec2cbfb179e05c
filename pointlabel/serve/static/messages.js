// What the page says: a line for screen readers, notes that go away, and a banner with buttons.

import {element} from "./dialogs.js";

const byId = (id) => document.getElementById(id);

export function say(text) {
  byId("said").textContent = text;
}

export function toast(text, kind = "") {
  const same = [...byId("toasts").children].some((each) => each.textContent === text);
  if (same) return;
  const made = element("div", `toast ${kind}`, text);
  byId("toasts").append(made);
  setTimeout(() => made.remove(), kind ? 4000 : 9000);
}

export function banner(text, buttons) {
  const box = byId("banner");
  box.replaceChildren(element("span", "", text));
  for (const [name, run] of buttons) {
    const button = element("button", "", name);
    button.addEventListener("click", run);
    box.append(button);
  }
  box.hidden = false;
}

export function closeBanner() {
  byId("strip").hidden = true;
  byId("banner").hidden = true;
}
