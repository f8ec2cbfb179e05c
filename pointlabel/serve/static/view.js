// The canvas: the image without smoothing, outlines along the edges of pixels, and what the mouse does on it.
// Image coordinates have pixel (x, y) at [x, x + 1) by [y, y + 1); the screen is them times `scale` plus (`tx`, `ty`).

import {COLOURS, grade, holds} from "./masks.js";

const MOST_WHOLE = 4_000_000; // pixels; of a larger image only the part that is seen is drawn
const LEAST_DRAG = 4;
const NEAR = 9; // screen pixels around a point that mean its target

export class View {
  constructor(canvas, contrast, on) {
    Object.assign(this, {canvas, contrast, on});
    this.context = canvas.getContext("2d", {alpha: false});
    this.scale = 1;
    this.tx = this.ty = 0;
    this.cursor = null;
    this.targets = [];
    this.proposals = [];
    this.chosen = null;
    this.mode = "click";
    this.brushSize = 1;
    this.showMasks = true;
    this.stroke = null;
    this.ghost = null;
    this.pointers = new Map();
    new ResizeObserver(() => this.resize()).observe(canvas);
    const listen = (name, method, options) => canvas.addEventListener(name, (event) => this[method](event), options);
    listen("pointerdown", "down");
    listen("pointermove", "moved");
    listen("pointerup", "up");
    listen("pointercancel", "cancel");
    listen("wheel", "wheel", {passive: false});
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      this.draw();
      this.on.hover(null);
    });
  }

  // Show an image. The zoom stays where the image has the same size, so that frames of a sequence can be compared.
  show(image) {
    const same = this.image && image && this.image.width === image.width && this.image.height === image.height;
    this.image = image;
    this.proposals = [];
    this.stroke = this.ghost = null;
    if (!same) this.cursor = null;
    if (!same || this.isClose) this.fit(); // so near a target of one image, another has nothing to show
    this.repaint();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const {clientWidth, clientHeight} = this.canvas;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.ratio = ratio;
    if (this.image && !this.touched) this.fit();
    this.draw();
  }

  fit() {
    if (!this.image) return;
    const {width, height} = this.image;
    const [w, h] = [this.canvas.width, this.canvas.height];
    this.scale = Math.min(w / width, h / height) * 0.97;
    if (this.scale > 1) this.scale = Math.max(Math.floor(this.scale * 4) / 4, 1);
    this.tx = Math.round((w - width * this.scale) / 2);
    this.ty = Math.round((h - height * this.scale) / 2);
    this.touched = this.isClose = false;
    this.draw();
  }

  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const scale = Math.min(Math.max(this.scale * factor, 0.02), 128);
    this.tx = x - ((x - this.tx) * scale) / this.scale;
    this.ty = y - ((y - this.ty) * scale) / this.scale;
    this.scale = scale;
    this.touched = true;
    this.isClose = false;
    this.draw();
  }

  // Zoom to a target, until the next image.
  lookClosely(x, y, scale) {
    this.look(x, y, scale);
    this.isClose = true;
  }

  // Zoom at a pixel of the image.
  look(x, y, scale = this.scale) {
    this.scale = scale;
    this.tx = this.canvas.width / 2 - (x + 0.5) * scale;
    this.ty = this.canvas.height / 2 - (y + 0.5) * scale;
    this.touched = true;
    this.draw();
  }

  // Bring a pixel into sight where it is not.
  reveal(x, y) {
    const sx = (x + 0.5) * this.scale + this.tx;
    const sy = (y + 0.5) * this.scale + this.ty;
    const margin = 24;
    if (sx < margin || sy < margin || sx > this.canvas.width - margin || sy > this.canvas.height - margin) this.look(x, y);
    else this.draw();
  }

  pan(dx, dy) {
    this.tx += dx;
    this.ty += dy;
    this.touched = true;
    this.draw();
  }

  // The contrast or the image is another: the grey levels are made anew.
  repaint() {
    this.buffer = null;
    this.draw();
  }

  draw() {
    if (!this.scheduled) {
      this.scheduled = true;
      requestAnimationFrame(() => {
        this.scheduled = false;
        this.paint();
      });
    }
  }

  greys() {
    const {image, scale} = this;
    const whole = image.width * image.height <= MOST_WHOLE;
    const left = whole ? 0 : Math.max(Math.floor(-this.tx / scale), 0);
    const top = whole ? 0 : Math.max(Math.floor(-this.ty / scale), 0);
    const right = whole ? image.width : Math.min(Math.ceil((this.canvas.width - this.tx) / scale), image.width);
    const bottom = whole ? image.height : Math.min(Math.ceil((this.canvas.height - this.ty) / scale), image.height);
    const step = whole ? 1 : Math.max(Math.floor(1 / scale), 1);
    const key = [left, top, right, bottom, step].join();
    if (this.buffer?.key !== key) {
      if (right <= left || bottom <= top) return null;
      const part = {left, top, width: right - left, height: bottom - top};
      const data = this.contrast.render(image.width, part, step);
      const canvas = new OffscreenCanvas(data.width, data.height);
      canvas.getContext("2d").putImageData(data, 0, 0);
      this.buffer = {key, canvas, left, top, width: data.width * step, height: data.height * step};
    }
    return this.buffer;
  }

  paint() {
    const {context, canvas, image} = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#101216";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!image) return;
    const greys = this.greys();
    context.setTransform(this.scale, 0, 0, this.scale, this.tx, this.ty);
    context.imageSmoothingEnabled = false;
    if (greys) context.drawImage(greys.canvas, greys.left, greys.top, greys.width, greys.height);
    const thin = this.ratio / this.scale;
    context.lineJoin = context.lineCap = "round";
    if (this.showMasks) {
      for (const target of this.targets) this.paintTarget(target, thin);
      for (const proposal of this.proposals) this.paintProposal(proposal, thin);
    }
    if (this.stroke) {
      context.fillStyle = this.stroke.on ? "#62b8ff99" : "#ff7f7699";
      for (const [x, y] of this.stroke.pixels.values()) context.fillRect(x, y, 1, 1);
    }
    if (this.ghost) {
      context.strokeStyle = "#fff";
      context.lineWidth = 1.5 * thin;
      context.strokeRect(this.ghost.x, this.ghost.y, 1, 1);
    }
    if (this.cursor && this.byKeys) this.paintCursor(thin);
    else if (this.mode !== "click" && this.hovered) this.paintBrush(thin);
    this.on.painted();
  }

  paintTarget(target, thin) {
    const {context} = this;
    const isChosen = target.number === this.chosen;
    const colour = COLOURS[grade(target.trust)];
    context.strokeStyle = "#000a";
    context.lineWidth = (isChosen ? 4.5 : 2.6) * thin;
    context.stroke(target.path);
    context.strokeStyle = isChosen ? "#fff" : colour;
    context.lineWidth = (isChosen ? 2 : 1.3) * thin;
    context.setLineDash(target.doubtful && !isChosen ? [4 * thin, 3 * thin] : []);
    context.stroke(target.path);
    context.setLineDash([]);
    if (this.scale >= 3 * this.ratio || isChosen) {
      const [x, y] = [target.x + 0.5, target.y + 0.5];
      const arm = Math.min(0.4, 5 * thin);
      context.strokeStyle = isChosen ? "#fff" : colour;
      context.lineWidth = 1.2 * thin;
      context.beginPath();
      context.moveTo(x - arm, y);
      context.lineTo(x + arm, y);
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
      context.stroke();
    }
  }

  paintProposal(proposal, thin) {
    const {context} = this;
    const isChosen = proposal === this.proposals[0];
    context.setLineDash([3 * thin, 3 * thin]);
    for (const [colour, width] of [["#000c", 3.4], [isChosen ? "#ffffff" : "#c9a7ff", isChosen ? 2 : 1.3]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * thin;
      context.stroke(proposal.path);
    }
    context.setLineDash([]);
    context.strokeStyle = isChosen ? "#ffffff" : "#c9a7ff";
    context.lineWidth = 1.2 * thin;
    context.beginPath();
    context.arc(proposal.x + 0.5, proposal.y + 0.5, Math.max(proposal.reach, 14 * thin), 0, 7);
    context.stroke();
  }

  // What the brush would paint.
  paintBrush(thin) {
    const half = this.brushSize - 1;
    for (const [colour, width] of [["#000a", 3], [this.mode === "brush" ? "#62b8ff" : "#ff7f76", 1.3]]) {
      this.context.strokeStyle = colour;
      this.context.lineWidth = width * thin;
      this.context.strokeRect(this.hovered.x - half, this.hovered.y - half, 2 * half + 1, 2 * half + 1);
    }
  }

  paintCursor(thin) {
    const {context} = this;
    const {x, y} = this.cursor;
    const half = this.mode === "click" ? 0 : this.brushSize - 1;
    const box = [x - half - thin, y - half - thin, 2 * half + 1 + 2 * thin, 2 * half + 1 + 2 * thin];
    for (const [colour, width] of [["#000", 3.5], ["#ffe68a", 1.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * thin;
      context.strokeRect(...box);
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 0.5 + dx * (half + 0.5 + 6 * thin), y + 0.5 + dy * (half + 0.5 + 6 * thin));
        context.lineTo(x + 0.5 + dx * (half + 0.5 + 14 * thin), y + 0.5 + dy * (half + 0.5 + 14 * thin));
      }
      context.stroke();
    }
  }

  // Where an event is: on the canvas, and which pixel of the image.
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const sx = (event.clientX - box.left) * this.ratio;
    const sy = (event.clientY - box.top) * this.ratio;
    return {sx, sy, x: Math.floor((sx - this.tx) / this.scale), y: Math.floor((sy - this.ty) / this.scale)};
  }

  inside(x, y) {
    return this.image && x >= 0 && y >= 0 && x < this.image.width && y < this.image.height;
  }

  // The target at a pixel: by its mask, or by its point where that is near on the screen.
  target(x, y) {
    const reach = Math.max((NEAR * this.ratio) / this.scale, 0.5);
    let found = null;
    let nearest = reach;
    for (const target of this.targets) {
      const far = Math.hypot(target.x - x, target.y - y);
      if (far <= nearest) [found, nearest] = [target, far];
    }
    return this.targets.find((target) => holds(target.decoded, x, y)) || found;
  }

  down(event) {
    if (!this.image) return;
    this.canvas.focus({preventScroll: true});
    this.canvas.setPointerCapture(event.pointerId);
    this.byKeys = false;
    const place = this.at(event);
    this.pointers.set(event.pointerId, place);
    if (this.pointers.size === 2) {
      this.drag = {kind: "pinch"};
      this.stroke = this.ghost = null;
      return;
    }
    const {x, y} = place;
    const kind =
      event.button === 2 ? "window" : event.button === 1 ? "pan"
        : this.mode !== "click" && event.button === 0 ? "stroke" : "press";
    this.drag = {kind, start: place, last: place, target: kind === "press" && this.target(x, y), event};
    if (kind === "window") this.drag.window = {low: this.contrast.low, high: this.contrast.high};
    if (kind === "stroke") {
      const on = (this.mode === "brush") !== event.shiftKey;
      this.stroke = {on, pixels: new Map()};
      this.dab(x, y);
    }
    if (event.button === 1) event.preventDefault();
  }

  moved(event) {
    const place = this.at(event);
    if (this.byKeys && (event.movementX || event.movementY)) {
      this.byKeys = false; // the mouse shows where it is itself
      this.draw();
    }
    this.hovered = place;
    if (this.mode !== "click") this.draw();
    if (!this.drag) {
      this.canvas.classList.toggle("over", this.mode === "click" && Boolean(this.image && this.target(place.x, place.y)));
      this.on.hover(this.inside(place.x, place.y) ? place : null);
      return;
    }
    const {drag} = this;
    if (drag.kind === "pinch") {
      const before = [...this.pointers.values()];
      this.pointers.set(event.pointerId, place);
      const after = [...this.pointers.values()];
      if (after.length < 2) return;
      const middle = (points, key) => (points[0][key] + points[1][key]) / 2;
      const far = (points) => Math.hypot(points[0].sx - points[1].sx, points[0].sy - points[1].sy) || 1;
      this.pan(middle(after, "sx") - middle(before, "sx"), middle(after, "sy") - middle(before, "sy"));
      this.zoom(far(after) / far(before), middle(after, "sx"), middle(after, "sy"));
      return;
    }
    const far = Math.hypot(place.sx - drag.start.sx, place.sy - drag.start.sy);
    if (drag.kind === "press" && far > LEAST_DRAG * this.ratio) drag.kind = drag.target ? "move" : "pan";
    if (drag.kind === "pan") {
      this.canvas.classList.add("grab");
      this.pan(place.sx - drag.last.sx, place.sy - drag.last.sy);
    }
    if (drag.kind === "move" && this.inside(place.x, place.y)) {
      this.ghost = place;
      this.draw();
    }
    if (drag.kind === "window") {
      const span = drag.window.high - drag.window.low;
      const width = span * Math.exp((place.sx - drag.start.sx) / (220 * this.ratio));
      const centre = (drag.window.low + drag.window.high) / 2 + (span * (place.sy - drag.start.sy)) / (300 * this.ratio);
      this.on.window(centre - width / 2, centre + width / 2);
    }
    if (drag.kind === "stroke") {
      for (const each of event.getCoalescedEvents?.() ?? [event]) this.dabLine(this.at(each));
      this.draw();
    }
    drag.last = place;
    this.on.hover(this.inside(place.x, place.y) ? place : null);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const {drag} = this;
    if (!drag) return;
    if (drag.kind === "pinch") {
      if (!this.pointers.size) this.drag = null;
      return;
    }
    this.drag = null;
    this.canvas.classList.remove("grab");
    const {x, y} = this.at(event);
    if (drag.kind === "press" && this.inside(drag.start.x, drag.start.y)) this.on.click(drag.start, drag.target, drag.event);
    if (drag.kind === "move" && this.inside(x, y)) this.on.move(drag.target, x, y);
    if (drag.kind === "stroke") this.endStroke();
    this.ghost = null;
    this.draw();
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    this.drag = this.ghost = this.stroke = null;
    this.draw();
  }

  dab(x, y) {
    const half = this.brushSize - 1;
    for (let dy = -half; dy <= half; dy++) {
      for (let dx = -half; dx <= half; dx++) {
        if (dx * dx + dy * dy > (half + 0.3) ** 2 || !this.inside(x + dx, y + dy)) continue;
        this.stroke.pixels.set((y + dy) * this.image.width + x + dx, [x + dx, y + dy]);
      }
    }
    this.draw();
  }

  dabLine(place) {
    const from = this.drag.last;
    const n = Math.max(Math.abs(place.x - from.x), Math.abs(place.y - from.y), 1);
    for (let k = 1; k <= n; k++) {
      this.dab(Math.round(from.x + ((place.x - from.x) * k) / n), Math.round(from.y + ((place.y - from.y) * k) / n));
    }
    this.drag.last = place;
  }

  endStroke() {
    const {stroke} = this;
    this.stroke = null;
    if (stroke?.pixels.size) this.on.stroke(stroke.on, [...stroke.pixels.values()]);
  }

  wheel(event) {
    event.preventDefault();
    if (!this.image) return;
    const {sx, sy} = this.at(event);
    const unit = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
    this.zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0022)), sx, sy);
  }
}
