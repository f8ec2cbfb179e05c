// The page: one image is open, its targets are shown twice, and every action is a request whose answer is drawn.

import {get, pixels, post} from "./api.js";
import {Contrast} from "./contrast.js";
import * as dialogs from "./dialogs.js";
import {listen} from "./keys.js";
import {List} from "./list.js";
import {COLOURS, bits, bytes, decode, grade, outline} from "./masks.js";
import {Targets, describe} from "./targets.js";
import {Training} from "./training.js";
import {View} from "./view.js";

const byId = (id) => document.getElementById(id);
const AHEAD = [1, 2, -1];
const MOST_CACHED = 8;
const POLL_MS = 2000;

const contrast = new Contrast();
const state = {index: -1, targets: new Map(), order: [], version: 0, revision: -1, told: new Set(), flags: {}, mended: 0, offered: 0, fewest: 3, pending: false};
const cache = new Map(); // index -> promise of pixels and what is known of them
let image = null;
let queue = Promise.resolve();
let opening = 0;

const view = new View(byId("view"), contrast, {
  click: (place, target, event) => clicked(place, target, event),
  move: (target, x, y) => act({do: "move", target: target.number, x, y}),
  stroke: (on, drawn) => stroke(on, drawn),
  hover: (place) => readout(place),
  window: (low, high) => setWindow(low, high),
  painted: () => byId("view").dispatchEvent(new Event("painted")), // for who measures or tests the page
});
const targets = new Targets(byId("targets"), byId("targets-head"), contrast, {
  choose: (number) => choose(number),
  zoom: (number) => { choose(number); actions.zoomTarget(); },
});
const training = new Training(byId("train"), {
  chosen: () => list.trainable(),
  ended: (text, buttons) => banner(text, [...buttons, ["Not now", closeBanner]]),
  propose: () => {
    state.detector = true;
    closeBanner();
    if (finding) find();
    else actions.find();
  },
});
const list = new List(byId("list"), byId("rows"), byId("counts"), (index) => open(index));

// Do one action after the other, in the order of the clicks.
function act(action, index = state.index) {
  queue = queue.then(async () => {
    try {
      const answer = await post(`images/${index}/do`, action);
      list.update([answer.item]);
      state.mended = answer.mended;
      if (index === state.index) take(answer, action);
      offerStyle();
      return answer;
    } catch (error) {
      toast(error.message);
      return null;
    }
  });
  return queue;
}

function take(answer, action) {
  for (const target of answer.targets) {
    target.decoded = decode(target);
    target.path = outline(target.decoded);
    state.targets.set(target.number, target);
  }
  const there = new Set(answer.order);
  for (const number of state.targets.keys()) if (!there.has(number)) state.targets.delete(number);
  state.order = answer.order;
  state.revision = answer.item.revision;
  if (action.do === "add" && answer.changed) view.chosen = answer.order.at(-1);
  if (!there.has(view.chosen)) view.chosen = null;
  byId("undo").disabled = !answer.can_undo;
  byId("redo").disabled = !answer.can_redo;
  byId("accept").setAttribute("aria-pressed", String(answer.accepted));
  byId("accept").textContent = answer.accepted ? "Accepted" : "Accept";
  state.accepted = answer.accepted;
  show();
  const target = state.targets.get(view.chosen);
  if (action.do === "accept") say(answer.accepted ? "Accepted" : "No longer accepted");
  else if (action.do && target) say(`Target ${target.number}: ${describe(target)}`);
  else if (action.do === "remove") say(`${state.order.length} targets left`);
}

function show() {
  view.targets = state.order.map((number) => state.targets.get(number));
  view.draw();
  targets.show(image, view.targets, state.flags, view.chosen);
}

function choose(number, jump = true) {
  view.chosen = number;
  targets.choose(number);
  const target = state.targets.get(number);
  if (target && jump) {
    view.cursor = {x: Math.round(target.x), y: Math.round(target.y)};
    view.reveal(view.cursor.x, view.cursor.y);
    say(`Target ${number}: ${describe(target)}`);
  }
  view.draw();
}

function load(index) {
  if (!cache.has(index)) {
    const found = (async () => {
      const about = await get(`images/${index}`);
      return {about, pixels: await pixels(index, about.dtype)};
    })();
    found.catch(() => cache.delete(index));
    cache.set(index, found);
    if (cache.size > MOST_CACHED) cache.delete(cache.keys().next().value);
  }
  return cache.get(index);
}

async function open(index) {
  const ticket = ++opening;
  list.select(index);
  let about;
  let loaded;
  try {
    loaded = await load(index);
    about = loaded.isFresh === false ? await get(`images/${index}`) : loaded.about;
    loaded.isFresh = false; // its targets may change before it is opened again
  } catch (error) {
    if (ticket === opening) showNothing(index, error.message);
    get(`changes?since=${state.version}`).then(changed).catch(() => {});
    return;
  }
  if (ticket !== opening) return; // another image was asked for meanwhile
  if (index !== state.index) setMode("click"); // the brush is for a target of the image that was open
  state.index = index;
  sessionStorage.setItem("pointlabel-image", list.items[index].name);
  image = {width: about.width, height: about.height, pixels: loaded.pixels, index};
  contrast.take(loaded.pixels);
  state.targets.clear();
  view.chosen = null;
  view.show(image);
  if (byId("strip").hidden) closeBanner();
  take(about, {});
  showContrast();
  byId("name").textContent = list.items[index].name;
  byId("position").textContent = `${list.position(index)} · ${about.width} × ${about.height} · ${about.depth}`;
  document.title = `${list.items[index].name} · pointlabel`;
  byId("position").title = about.notes.map((note) => note.text).join("\n");
  for (const note of about.notes) {
    if (!state.told.has(note.kind)) toast(note.text, "note"); // in a folder of such files once is enough
    state.told.add(note.kind);
  }
  readout(view.hovered);
  if (finding) find();
  for (const step of AHEAD) ahead(step);
}

// An image that cannot be opened: the one before must not stay in its place.
function showNothing(index, message) {
  setMode("click");
  state.index = index;
  image = null;
  state.targets.clear();
  Object.assign(state, {order: [], revision: -1});
  Object.assign(view, {chosen: null, proposals: []});
  view.show(null);
  show();
  byId("name").textContent = list.items[index].name;
  byId("position").textContent = list.position(index);
  document.title = `${list.items[index].name} · pointlabel`;
  readout(null);
  byId("strip").hidden = true;
  banner(message, [["Next (n)", () => actions.go(1)]]);
}

function ahead(step) {
  const place = list.place.get(state.index);
  const index = place === undefined ? undefined : list.order[place + step];
  if (index !== undefined && !cache.has(index)) {
    load(index).then((loaded) => { loaded.isFresh = false; }, () => {});
  }
}

function clicked(place, target, event) {
  const {x, y} = place;
  view.cursor = {x, y};
  if (event.shiftKey) {
    if (target) act({do: "remove", target: target.number});
    return;
  }
  if (target && !event.altKey) {
    choose(target.number, false);
    return;
  }
  const proposal = view.proposals.find((each) => Math.hypot(each.x - x, each.y - y) <= Math.max(each.reach, 2));
  if (proposal) takeProposal(proposal);
  else act({do: "add", x, y});
}

function stroke(on, drawn) {
  if (!state.targets.has(view.chosen)) {
    const near = view.target(...drawn[0]);
    if (near) choose(near.number, false);
  }
  const target = need();
  if (target) act({do: "brush", target: target.number, [on ? "on" : "off"]: drawn});
}

function need() {
  const target = state.targets.get(view.chosen);
  if (!target) toast("Choose a target first: click on its mask, or press j.", "note");
  return target;
}

// Proposals

let finding = false;

async function find() {
  const index = state.index;
  if (!image) return;
  try {
    const found = await get(`images/${index}/proposals`);
    if (index !== state.index || !finding) return;
    view.proposals = found.map((each) => {
      const decoded = decode(each);
      return {...each, decoded, path: outline(decoded), reach: Math.max(decoded.width, decoded.height) / 2 + 2};
    });
    showProposal();
  } catch (error) {
    toast(error.message);
  }
}

function showProposal() {
  const [first] = view.proposals;
  if (!finding) return closeBanner();
  if (!first) {
    banner("No more proposals in this image.", [["Close (f)", () => actions.find()]]);
  } else {
    const presence = first.presence === null ? "" : `presence ${first.presence.toFixed(2)}, `;
    const what = state.detector ? `probability ${first.weight.toFixed(2)}` : `contrast ${first.weight.toFixed(1)}`;
    banner(`Proposal, ${view.proposals.length} left: ${presence}${what}`, [
      ["Take (y)", () => actions.take()], ["Refuse (x)", () => actions.refuse()], ["Close (f)", () => actions.find()],
    ]);
    view.cursor = {x: first.x, y: first.y};
    view.reveal(first.x, first.y);
  }
  view.draw();
  return undefined;
}

function takeProposal(proposal) {
  view.proposals = view.proposals.filter((each) => each !== proposal);
  const style = proposal.polarity === state.settings.polarity || state.settings.polarity === "auto" ? {} : {polarity: proposal.polarity};
  act({do: "add", x: proposal.x, y: proposal.y, source: "proposal", ...style}).then(showProposal);
}

// Contrast

function setWindow(low, high) {
  contrast.range = "";
  contrast.low = low;
  contrast.high = high > low ? high : low + 1e-6;
  showContrast();
}

function showContrast() {
  const round = (value) => Number(value.toPrecision(6));
  byId("low").value = round(contrast.low);
  byId("high").value = round(contrast.high);
  byId("range").value = contrast.range;
  byId("gamma").value = contrast.gamma;
  byId("invert").checked = contrast.inverted;
  byId("fixed").checked = contrast.fixed;
  if (!image) return;
  contrast.drawHistogram(byId("histogram"));
  view.repaint();
  clearTimeout(showContrast.later);
  showContrast.later = setTimeout(() => targets.repaint(), 60);
}

function readout(place) {
  if (!place || !image || !view.inside(place.x, place.y)) {
    byId("readout").textContent = "";
    return;
  }
  const value = image.pixels[place.y * image.width + place.x];
  byId("readout").textContent = `${place.x}, ${place.y}   ${Number.isInteger(value) ? value : value.toPrecision(6)}`;
}

// What is said

function say(text) {
  byId("said").textContent = text;
}

function toast(text, kind = "") {
  const same = [...byId("toasts").children].some((each) => each.textContent === text);
  if (same) return;
  const made = dialogs.element("div", `toast ${kind}`, text);
  byId("toasts").append(made);
  setTimeout(() => made.remove(), kind ? 4000 : 9000);
}

function banner(text, buttons) {
  const box = byId("banner");
  box.replaceChildren(dialogs.element("span", "", text));
  for (const [name, run] of buttons) {
    const button = dialogs.element("button", "", name);
    button.addEventListener("click", run);
    box.append(button);
  }
  box.hidden = false;
}

function closeBanner() {
  byId("strip").hidden = true;
  byId("banner").hidden = true;
}

function offerStyle() {
  if (state.mended >= state.fewest && state.mended > state.offered && !finding) {
    state.offered = state.mended;
    banner(`${state.mended} masks are mended by hand. Learn how you draw from them?`, [
      ["Learn (s)", () => actions.style()], ["Not now", closeBanner],
    ]);
  }
}

// What keys and buttons do

const actions = {
  clickCursor() {
    if (!view.cursor) return this.cursor(0, 0);
    if (view.mode !== "click") {
      view.stroke = {on: view.mode === "brush", pixels: new Map()};
      view.dab(view.cursor.x, view.cursor.y);
      view.endStroke();
      return undefined;
    }
    const target = view.targets.find((each) => Math.round(each.x) === view.cursor.x && Math.round(each.y) === view.cursor.y);
    if (target) choose(target.number, false);
    else act({do: "add", x: view.cursor.x, y: view.cursor.y});
    return undefined;
  },
  cursor(dx, dy, event = {}) {
    if (!image) return;
    const step = event.shiftKey ? 10 : 1;
    const start = view.cursor ?? {x: Math.floor(image.width / 2), y: Math.floor(image.height / 2)};
    const x = Math.min(Math.max(start.x + dx * step, 0), image.width - 1);
    const y = Math.min(Math.max(start.y + dy * step, 0), image.height - 1);
    view.cursor = {x, y};
    view.byKeys = true;
    view.reveal(x, y);
    readout(view.cursor);
    clearTimeout(this.spoken);
    this.spoken = setTimeout(() => say(byId("readout").textContent), 300);
  },
  choose(step) {
    if (!state.order.length) return;
    const at = state.order.indexOf(view.chosen);
    const next = at < 0 ? (step > 0 ? 0 : state.order.length - 1) : (at + step + state.order.length) % state.order.length;
    choose(state.order[next]);
  },
  tighten(by) {
    const target = need();
    if (!target) return;
    const tightness = Math.round(Math.min(Math.max(target.tightness + by, 0), 1) * 100) / 100;
    target.tightness = tightness; // a held key goes on from here
    act({do: "restyle", target: target.number, tightness});
  },
  polarity() {
    const target = need();
    if (target) act({do: "restyle", target: target.number, polarity: target.polarity === "dark" ? "bright" : "dark"});
  },
  moveHere() {
    const target = need();
    if (target && view.cursor) act({do: "move", target: target.number, ...view.cursor});
  },
  label() {
    const target = need();
    if (!target) return;
    dialogs.ask(`Target ${target.number}`, "Label", target.label, (label) => {
      if (label !== target.label) act({do: "restyle", target: target.number, label});
    });
  },
  remove() {
    const target = need();
    if (target) act({do: "remove", target: target.number});
  },
  async carry() {
    const target = need();
    if (!target) return;
    try {
      const {carried, images} = await post(`images/${state.index}/carry`, {target: target.number});
      list.update(images);
      carriedBanner(carried);
    } catch (error) {
      toast(error.message);
    }
  },
  undo: () => act({do: "undo"}),
  redo: () => act({do: "redo"}),
  brush: () => setMode(view.mode === "brush" ? "click" : "brush"),
  eraser: () => setMode(view.mode === "eraser" ? "click" : "eraser"),
  brushSize(by) {
    view.brushSize = Math.min(Math.max(view.brushSize + by, 1), 20);
    say(`Brush of ${2 * view.brushSize - 1} pixels`);
    view.draw();
  },
  unbrush() {
    const target = need();
    if (target) act({do: "unbrush", target: target.number});
  },
  escape() {
    setMode("click");
    if (finding) this.find();
    closeBanner();
    choose(null);
    byId("view").focus();
  },
  go(step) {
    const index = list.beside(step);
    if (index === undefined) toast(step > 0 ? "This is the last image of the list." : "This is the first image of the list.", "note");
    else open(index);
  },
  worst() {
    const index = list.worst();
    if (index === undefined) toast("All images are accepted.", "note");
    else open(index);
  },
  accept: () => act({do: "accept", accepted: !state.accepted}),
  async acceptNext() {
    if (!state.accepted) await act({do: "accept"});
    this.go(1);
  },
  search: () => byId("search").focus(),
  find() {
    finding = !finding;
    byId("find").setAttribute("aria-pressed", String(finding));
    if (finding) find();
    else {
      view.proposals = [];
      closeBanner();
      view.draw();
    }
  },
  take() {
    if (view.proposals.length) takeProposal(view.proposals[0]);
  },
  refuse() {
    const proposal = view.proposals.shift();
    if (proposal) act({do: "refuse", x: proposal.x, y: proposal.y}).then(showProposal);
  },
  zoom: (factor) => view.zoom(factor),
  fit: () => view.fit(),
  actual: () => view.zoom(view.ratio / view.scale),
  zoomTarget() {
    const target = need();
    if (!target) return;
    const [left, top, width, height] = target.box ? [...target.box] : [target.x, target.y, 1, 1];
    const side = Math.max(width, height) * 4;
    const scale = Math.min(Math.max(Math.min(view.canvas.width, view.canvas.height) / side, 2), 48);
    view.lookClosely(left + (width - 1) / 2, top + (height - 1) / 2, scale);
  },
  hide() {
    view.showMasks = !view.showMasks;
    say(view.showMasks ? "Masks are shown" : "Masks are hidden");
    view.draw();
  },
  nextRange() {
    const options = [...byId("range").options].map((option) => option.value).filter(Boolean);
    contrast.choose(options[(options.indexOf(contrast.range) + 1) % options.length]);
    showContrast();
  },
  invert() {
    contrast.inverted = !contrast.inverted;
    showContrast();
  },
  gamma(by) {
    contrast.gamma = Math.min(Math.max(contrast.gamma + by, 0.3), 3);
    showContrast();
  },
  fix() {
    contrast.fixed = !contrast.fixed;
    showContrast();
  },
  async style() {
    banner("Learning from the masks that you mended …", []);
    try {
      const learned = await post("style/learn");
      closeBanner();
      dialogs.style(learned, pictureOf, async () => {
        try {
          await post("style/use");
          toast("All images are being labelled by your style; you can go on.", "note");
          await reload();
        } catch (error) {
          toast(error.message);
        }
      });
    } catch (error) {
      closeBanner();
      toast(error.message);
    }
  },
  train: () => training.open(),
  export() {
    dialogs.formats(state.formats, async (format) => {
      try {
        const done = await post("export", {format});
        toast(`${done.targets} targets of ${done.images} images are in ${done.folder}.`, "note");
      } catch (error) {
        toast(error.message);
      }
    });
  },
  help: () => dialogs.help(),
};

// Each carried target as a small picture: choose it, or take it back.
function showStrip(carried) {
  const strip = byId("strip");
  strip.replaceChildren();
  for (const each of carried) {
    const [left, top, width, height] = each.crop;
    const name = list.items[each.index].name;
    const figure = dialogs.element("figure");
    const see = dialogs.element("button", "see");
    const canvas = dialogs.element("canvas");
    see.setAttribute("aria-label", `Look at ${name}, trust ${each.trust.toFixed(2)}`);
    see.title = name;
    drawGrey(canvas, each, left, top, width, height);
    see.append(canvas);
    see.addEventListener("click", async () => {
      await open(each.index);
      choose(each.number);
    });
    const no = dialogs.element("button", "no", "×");
    no.setAttribute("aria-label", `Take it back in ${name}`);
    no.addEventListener("click", async () => {
      await act({do: "remove", target: each.number}, each.index);
      figure.remove();
    });
    figure.append(see, no, dialogs.element("figcaption", grade(each.trust), each.trust.toFixed(2)));
    strip.append(figure);
  }
  strip.hidden = !carried.length;
}

function drawGrey(canvas, each, left, top, width, height) {
  const grey = bytes(each.grey);
  canvas.width = canvas.height = 128;
  const data = new ImageData(width, height);
  for (let i = 0; i < grey.length; i++) data.data.set([grey[i], grey[i], grey[i], 255], 4 * i);
  const small = new OffscreenCanvas(width, height);
  small.getContext("2d").putImageData(data, 0, 0);
  const context = canvas.getContext("2d");
  const scale = 128 / Math.max(width, height);
  context.imageSmoothingEnabled = false;
  context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
  context.drawImage(small, left, top);
  context.strokeStyle = COLOURS[grade(each.trust)];
  context.lineWidth = 2.5 / scale;
  context.stroke(outline({left, top, width, height, bits: bits(each.mask, width * height)}));
}

function carriedBanner(carried) {
  showStrip(carried);
  if (!carried.length) {
    banner("It is not found in the next image: lost, or another target is there.", [["Close", closeBanner]]);
    return;
  }
  const last = carried.at(-1);
  banner(`Carried to ${carried.length} ${carried.length === 1 ? "image" : "images"}, the last ${list.items[last.index].name}.`, [
    ["Undo all", async () => {
      for (const each of carried) await act({do: "remove", target: each.number}, each.index);
      closeBanner();
    }],
    ["Keep", closeBanner],
  ]);
}

async function pictureOf(index) {
  const {about, pixels: levels} = await load(index);
  const own = new Contrast();
  Object.assign(own, {gamma: contrast.gamma, inverted: contrast.inverted});
  own.take(levels);
  return {image: {width: about.width, height: about.height}, contrast: own};
}

function setMode(mode) {
  view.mode = mode;
  for (const each of ["click", "brush", "eraser"]) byId(`tool-${each}`).setAttribute("aria-pressed", String(each === mode));
  if (mode !== "click") {
    if (!state.targets.has(view.chosen) && state.order.length === 1) choose(state.order[0], false);
    need();
  }
  view.draw();
}

// Changes that happen behind the page: images that are labelled for the first time, or in another style.

function changed(answer) {
  state.version = answer.version;
  if (answer.images.length) list.update(answer.images);
  const here = answer.images.find((item) => item.index === state.index);
  if (here && here.revision !== state.revision) queue = queue.then(takeAnew);
  for (const note of answer.notes) if (!state.notes.has(note)) toast(note, "note");
  state.notes = new Set(answer.notes);
  state.detector = answer.detector;
  showSaved(answer.fault);
  training.take(answer.training);
}

// Another window may have done something in this image.
async function takeAnew() {
  const index = state.index;
  if (list.items[index].revision === state.revision) return;
  try {
    const about = await get(`images/${index}`);
    if (index === state.index) take(about, {});
  } catch (error) {
    toast(error.message);
  }
}

function showSaved(fault) {
  const box = byId("saved");
  box.textContent = fault ? `Not saved: ${fault}` : `Saved to ${state.out.split(/[\\/]/).pop()}`;
  box.title = fault ? "What you do is kept in the journal, and saved as soon as it can be" : state.out;
  box.classList.toggle("fault", Boolean(fault));
}

async function poll() {
  try {
    if (!document.hidden) changed(await get(`changes?since=${state.version}`));
  } catch (error) {
    toast(error.message);
  }
  setTimeout(poll, POLL_MS);
}

async function reload() {
  for (const loaded of cache.values()) loaded.then((each) => { each.isFresh = false; }, () => {});
  if (state.index >= 0) take(await get(`images/${state.index}`), {});
}

function wire() {
  const press = (id, action) => byId(id).addEventListener("click", () => actions[action]());
  press("undo", "undo");
  press("redo", "redo");
  press("find", "find");
  press("carry", "carry");
  press("accept", "accept");
  press("more", "help");
  press("train", "train");
  byId("tool-click").addEventListener("click", () => setMode("click"));
  press("tool-brush", "brush");
  press("tool-eraser", "eraser");
  byId("search").addEventListener("input", (event) => list.arrange({text: event.target.value}));
  byId("filter").addEventListener("change", (event) => list.arrange({status: event.target.value}));
  byId("sort").addEventListener("change", (event) => list.arrange({sort: event.target.value}));
  byId("range").addEventListener("change", (event) => { contrast.choose(event.target.value); showContrast(); });
  byId("gamma").addEventListener("input", (event) => { contrast.gamma = Number(event.target.value); showContrast(); });
  byId("invert").addEventListener("change", () => actions.invert());
  byId("fixed").addEventListener("change", () => actions.fix());
  for (const id of ["low", "high"]) {
    byId(id).addEventListener("change", () => setWindow(Number(byId("low").value), Number(byId("high").value)));
  }
  const histogram = byId("histogram");
  let end = "";
  const drag = (event) => {
    const box = histogram.getBoundingClientRect();
    const {lowest, highest} = contrast.histogram();
    const value = lowest + Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * (highest - lowest);
    end ||= Math.abs(value - contrast.low) < Math.abs(value - contrast.high) ? "low" : "high";
    if (end === "low") setWindow(Math.min(value, contrast.high), contrast.high);
    else setWindow(contrast.low, Math.max(value, contrast.low));
  };
  histogram.addEventListener("pointerdown", (event) => { histogram.setPointerCapture(event.pointerId); drag(event); });
  histogram.addEventListener("pointermove", (event) => { if (end) drag(event); });
  histogram.addEventListener("pointerup", () => { end = ""; });
  listen(actions);
  // After a press of the mouse the keys are those of the image again, not of the button; Tab works as everywhere.
  document.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("header button, #banner button, .strip button, input[type=checkbox]")) {
      byId("view").focus({preventScroll: true});
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("select, input[type=range], input[type=number]")) byId("view").focus({preventScroll: true});
  });
}

async function start() {
  wire();
  const about = await get("session");
  Object.assign(state, {
    version: about.version, flags: about.flags, settings: about.settings, detector: about.detector, formats: about.formats,
    mended: about.mended, offered: about.mended, fewest: about.fewest, notes: new Set(about.notes),
  });
  training.begin(about.train_needs, about.epochs, about.training);
  list.set(about.images);
  state.out = about.out;
  showSaved(null);
  for (const note of about.notes) toast(note, "note");
  const last = sessionStorage.getItem("pointlabel-image");
  const index = about.images.find((item) => item.name === last)?.index ?? list.order[0];
  await open(index);
  byId("view").focus();
  setTimeout(poll, POLL_MS);
}

start().catch((error) => toast(error.message));
