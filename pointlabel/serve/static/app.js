// The page: one image is open, its targets are shown twice, and every action is a request whose answer is drawn.

import {get, pixels, post} from "./api.js";
import {Carried} from "./carried.js";
import {Contrast} from "./contrast.js";
import * as dialogs from "./dialogs.js";
import {listen} from "./keys.js";
import {Levels} from "./levels.js";
import {List} from "./list.js";
import {decode, outline} from "./masks.js";
import {banner, closeBanner, say, toast} from "./messages.js";
import {Proposals} from "./proposals.js";
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
  window: (low, high) => levels.set(low, high),
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
    if (proposals.isOn) proposals.find();
    else proposals.toggle();
  },
});
const list = new List(byId("list"), byId("rows"), byId("counts"), (index) => open(index));
const proposals = new Proposals(view, byId("find"), {
  index: () => image && state.index,
  act: (action) => act(action),
  unit: () => (state.detector ? ["probability", 2] : ["contrast", 1]),
  polarity: () => state.settings.polarity,
});
const carried = new Carried(byId("strip"), {
  name: (index) => list.items[index].name,
  remove: (index, number) => act({do: "remove", target: number}, index),
  look: async (index, number) => {
    await open(index);
    choose(number);
  },
});
const levels = new Levels(contrast, () => {
  if (!image) return;
  contrast.drawHistogram(byId("histogram"));
  view.repaint();
  clearTimeout(levels.later);
  levels.later = setTimeout(() => targets.repaint(), 60);
});

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
  levels.show();
  byId("name").textContent = list.items[index].name;
  byId("position").textContent = `${list.position(index)} · ${about.width} × ${about.height} · ${about.depth}`;
  document.title = `${list.items[index].name} · pointlabel`;
  byId("position").title = about.notes.map((note) => note.text).join("\n");
  for (const note of about.notes) {
    if (!state.told.has(note.kind)) toast(note.text, "note"); // in a folder of such files once is enough
    state.told.add(note.kind);
  }
  readout(view.hovered);
  proposals.find();
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
  const proposal = proposals.at(x, y);
  if (proposal) proposals.take(proposal);
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

function readout(place) {
  if (!place || !image || !view.inside(place.x, place.y)) {
    byId("readout").textContent = "";
    return;
  }
  const value = image.pixels[place.y * image.width + place.x];
  byId("readout").textContent = `${place.x}, ${place.y}   ${Number.isInteger(value) ? value : value.toPrecision(6)}`;
}

function offerStyle() {
  if (state.mended >= state.fewest && state.mended > state.offered && !proposals.isOn) {
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
      const answer = await post(`images/${state.index}/carry`, {target: target.number});
      list.update(answer.images);
      carried.show(answer.carried);
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
    if (proposals.isOn) proposals.toggle();
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
  find: () => proposals.toggle(),
  take: () => proposals.take(),
  refuse: () => proposals.refuse(),
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
  nextRange: () => levels.next(),
  invert: () => levels.invert(),
  gamma: (by) => levels.gamma(by),
  fix: () => levels.fix(),
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
