// "Train on this": a detector in training, its two curves, and its proposals when it has ended.

import {get, post} from "./api.js";
import {element, open} from "./dialogs.js";

const ASK_MS = 1000;
const WIDTH = 360;
const HEIGHT = 150;
const LEFT = 34;
const BOTTOM = 20;
const TOP = 8;
const RIGHT = 8;

export class Training {
  // `on` has: chosen, what a training would be on; ended, to say so with buttons; propose.
  constructor(button, on) {
    Object.assign(this, {button, on});
    this.box = element("div", "training");
    this.now = {status: "none"};
  }

  begin(needs, epochs, now) {
    Object.assign(this, {needs, epochs, now});
    this.mark();
  }

  // What the page hears of it every other second.
  take(now) {
    const before = this.now.status;
    Object.assign(this.now, now);
    this.mark();
    if (before !== "running" || now.status === "running" || this.isOpen()) return;
    if (now.status === "done") this.on.ended("The detector is trained.", [["Propose with it", () => this.use()], ["Curves", () => this.open()]]);
    if (now.status === "failed") this.on.ended("The training failed.", [["Why", () => this.open()]]);
  }

  mark() {
    this.button.textContent = this.now.status === "running" ? `Train ${this.now.epoch}/${this.now.epochs}` : "Train";
  }

  isOpen() {
    return this.box.isConnected && Boolean(this.box.closest("dialog[open]"));
  }

  async open() {
    this.box.replaceChildren();
    open("Train a detector on these masks", this.box);
    await this.ask(() => get("training"));
  }

  // Ask the server for something, and show what it answers; while it trains, again and again.
  async ask(request) {
    clearTimeout(this.later);
    let fault = "";
    try {
      this.now = await request();
    } catch (error) {
      fault = error.message;
    }
    this.mark();
    if (!this.isOpen()) return;
    this.show();
    if (fault) this.say(fault);
    if (this.now.status === "running") this.later = setTimeout(() => this.ask(() => get("training")), ASK_MS);
  }

  // What went wrong, here: behind the dialog it would not be seen.
  say(fault) {
    this.box.querySelector(".poor")?.remove();
    const line = element("p", "poor", fault);
    line.setAttribute("role", "alert");
    this.box.append(line);
  }

  show() {
    const {now, box} = this;
    const held = document.activeElement?.dataset?.name; // what the keys are at, so that it stays there
    const typed = box.querySelector("input")?.value ?? this.epochs;
    box.replaceChildren();
    if (now.status !== "none") box.append(element("p", "", this.sentence()));
    if (now.loss?.length) {
      const curves = element("div", "curves");
      curves.append(
        curve(`Loss ${now.loss.at(-1).toPrecision(3)}`, now.loss.map((y, k) => [k + 1, y]), now.epochs, ceiling(Math.max(...now.loss)), null),
        curve(this.best(), now.iou, now.epochs, 1, now.best),
      );
      box.append(curves);
    }
    if (now.status === "stopped" || now.status === "failed") {
      box.append(element("p", "", "To go on with it later, in a terminal:"), element("pre", "", now.command));
    }
    const actions = element("div", "actions");
    box.append(actions);
    if (now.status === "running") actions.append(this.make("Stop", () => this.ask(() => post("training/stop"))));
    else this.offer(actions, typed);
    box.querySelector(`[data-name="${held}"]`)?.focus();
    if (!box.contains(document.activeElement)) actions.querySelector("button")?.focus();
  }

  // What can be done while nothing runs.
  offer(actions, typed) {
    const {now, box} = this;
    if (now.iou?.length) actions.append(this.make("Propose with it", () => this.use(), "primary"));
    if (now.status === "stopped") actions.append(this.make("Go on", () => this.ask(() => post("training/start", {resume: true}))));
    const {n, accepted} = this.on.chosen();
    const again = now.status === "none" ? "" : " anew";
    const which = accepted ? "those that you accepted" : "all with targets; once you accept images, only those count";
    if (n < 2) {
      actions.before(element("p", "", "It takes two images with targets, one to learn from and one to judge by. Click on some first."));
      return;
    }
    if (this.needs) actions.before(element("p", "", `${this.needs[0].toUpperCase()}${this.needs.slice(1)}. The data set can be written without it.`));
    else {
      actions.before(element("p", "", `A small detector learns from ${n} images: ${which}. A quarter of them is held out to choose its best epoch.`));
      const field = element("label", "", "Epochs ");
      const epochs = element("input");
      Object.assign(epochs, {type: "number", min: 1, max: 10000, value: typed});
      epochs.dataset.name = "epochs";
      field.append(epochs);
      const start = this.make(`Start${again}`, () => this.ask(() => post("training/start", {epochs: Number(epochs.value)})), again ? "" : "primary");
      actions.append(start, field);
    }
    actions.append(this.make("Only write the data set", async () => {
      try {
        const made = await post("dataset");
        box.replaceChildren(
          element("p", "", `${made.images} images are in ${made.folder}, with their masks and clicks. This trains on them:`),
          element("pre", "", made.command),
          element("p", "", "When it has run, pointlabel serve IMAGES --run RUN proposes by it."),
        );
      } catch (error) {
        this.say(error.message);
      }
    }));
  }

  sentence() {
    const {status, epoch, epochs, images, said, run} = this.now;
    const done = `${epoch} of ${epochs} epochs`;
    if (status === "running") return epoch ? `Training on ${images} images: ${done}. You can close this and go on.` : `Starting on ${images} images … ${said}`;
    if (status === "done") return `Done: ${done} on ${images} images. The run is in ${run}.`;
    if (status === "stopped") return `Stopped after ${done} on ${images} images.`;
    return `The training failed: ${said}`;
  }

  best() {
    const {best} = this.now;
    return best ? `IoU on the images held out ${this.now.iou.at(-1)[1].toFixed(3)}, best ${best[1].toFixed(3)} in epoch ${best[0]}` : "IoU";
  }

  make(text, act, kind = "") {
    const button = element("button", kind, text);
    button.type = "button";
    button.dataset.name = text;
    button.addEventListener("click", () => {
      button.disabled = true;
      Promise.resolve(act()).finally(() => { button.disabled = false; });
    });
    return button;
  }

  async use() {
    try {
      await post("training/use");
      document.getElementById("dialog").close();
      this.on.propose();
    } catch (error) {
      if (!this.isOpen()) await this.open();
      this.say(error.message);
    }
  }
}

// The next round number above.
function ceiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 5, 10].map((step) => step * unit).find((each) => each >= value);
}

// Points (x, y) over epochs 1 to `epochs` and values 0 to `top`, with a mark at the last and at the best one.
function curve(title, points, epochs, top, best) {
  const figure = element("figure");
  const svg = make("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title});
  const x = (epoch) => LEFT + ((WIDTH - LEFT - RIGHT) * (epoch - 1)) / Math.max(epochs - 1, 1);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / top;
  for (const share of [0, 0.5, 1]) {
    const height = y(share * top);
    svg.append(make("line", {class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: height, y2: height}));
    svg.append(make("text", {x: LEFT - 5, y: height + 4, "text-anchor": "end"}, String(Number((share * top).toPrecision(3)))));
  }
  svg.append(make("text", {x: LEFT, y: HEIGHT - 4}, "epoch 1"));
  if (epochs > 1) svg.append(make("text", {x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end"}, String(epochs)));
  svg.append(make("polyline", {class: "line", points: points.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join(" ")}));
  for (const [point, kind] of [[points.at(-1), "dot"], [best, "best"]]) {
    if (point) svg.append(make("circle", {class: kind, cx: x(point[0]), cy: y(point[1]), r: 3}));
  }
  figure.append(element("figcaption", "", title), svg);
  return figure;
}

function make(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}
