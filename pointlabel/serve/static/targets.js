// The targets of the image: each enlarged, with its figures, and its flags in words.

import {COLOURS, bytes, grade} from "./masks.js";

const MARGIN = 5;
const LEAST = 21;
// Flags that ask for nothing: said, but without a colour.
const QUIET = new Set(["clipped", "nan", "edited"]);

export class Targets {
  constructor(list, head, contrast, on) {
    Object.assign(this, {list, head, contrast, on});
    this.cards = new Map();
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        entry.target.inSight = entry.isIntersecting;
        if (entry.isIntersecting && entry.target.stale) this.paint(entry.target);
      }
    }, {root: list, rootMargin: "200px"});
  }

  show(image, targets, words, chosen) {
    Object.assign(this, {image, words});
    const numbers = new Set(targets.map((target) => target.number));
    for (const [number, card] of this.cards) {
      if (!numbers.has(number)) {
        this.seen.unobserve(card);
        card.parentElement.remove();
        this.cards.delete(number);
      }
    }
    this.list.querySelector(".empty")?.remove();
    targets.forEach((target, place) => {
      let card = this.cards.get(target.number);
      if (!card) {
        card = this.build(target.number);
        this.cards.set(target.number, card);
      }
      const there = this.list.children[place];
      if (there !== card.parentElement) this.list.insertBefore(card.parentElement, there ?? null);
      if (card.target !== target || card.image !== image) {
        card.target = target;
        card.image = image;
        this.fill(card);
      }
    });
    const doubtful = targets.filter((target) => target.doubtful).length;
    const counts = targets.length ? `${targets.length}${doubtful ? `, ${doubtful} doubtful` : ""}` : "";
    this.head.textContent = counts ? `Targets: ${counts}` : "Targets";
    this.choose(chosen);
    if (!targets.length) {
      this.list.innerHTML = '<li class="empty">No target yet. Click on one, or press f to have some proposed.</li>';
    }
  }

  build(number) {
    const item = document.createElement("li");
    const card = document.createElement("button");
    card.className = "card";
    card.innerHTML =
      '<canvas width="168" height="168"></canvas><span class="figures"><span class="head"></span><br><span class="rest"></span></span><span class="flags"></span>';
    card.addEventListener("click", () => this.on.choose(number));
    card.addEventListener("dblclick", () => this.on.zoom(number));
    item.append(card);
    this.seen.observe(card);
    return card;
  }

  fill(card) {
    const {target} = card;
    const colour = grade(target.trust);
    const presence = target.presence === null ? "" : `presence ${target.presence.toFixed(2)}<br>`;
    const label = card.querySelector(".head");
    label.textContent = `${target.number}${target.label ? ` ${target.label}` : ""} · ${target.area} px`;
    card.querySelector(".rest").innerHTML =
      `<span class="${colour}">quality ${target.quality.toFixed(2)}</span><br>${presence}` +
      `tightness ${target.tightness.toFixed(2)}${target.polarity === "dark" ? " · dark" : ""}`;
    const flags = target.flags.filter((flag) => flag !== "moved").map((flag) =>
      QUIET.has(flag) ? this.words[flag] : `<b>${flag.replaceAll("_", " ")}</b>: ${this.words[flag] ?? ""}`,
    );
    if (target.source === "carried") flags.unshift("carried from another frame");
    card.querySelector(".flags").innerHTML = flags.join("<br>");
    card.setAttribute("aria-label", `Target ${target.number}: ${describe(target)}`);
    this.repaint(card);
  }

  repaint(only) {
    for (const card of only ? [only] : this.cards.values()) {
      card.stale = true;
      if (card.inSight) this.paint(card);
    }
  }

  choose(number) {
    for (const [k, card] of this.cards) card.setAttribute("aria-current", String(k === number));
    if (number !== this.chosen) this.cards.get(number)?.scrollIntoView({block: "nearest"}); // costs a layout
    this.chosen = number;
  }

  paint(card) {
    card.stale = false;
    drawCrop(card.querySelector("canvas"), this.image, this.contrast, card.target.decoded, [
      {path: card.target.path, colour: COLOURS[grade(card.target.trust)]},
    ], card.target);
  }
}

export const describe = (target) =>
  `${target.area} pixels, quality ${target.quality.toFixed(2)}` +
  (target.presence === null ? "" : `, presence ${target.presence.toFixed(2)}`) +
  (target.flags.length ? `, ${target.flags.join(", ").replaceAll("_", " ")}` : "");

// A crop of the image around a mask, enlarged without smoothing, with outlines; the soft label is a strip at its foot.
export function drawCrop(canvas, image, contrast, mask, paths, target = null) {
  let [left, top, right, bottom] = [mask.left + mask.width, mask.top + mask.height, mask.left, mask.top];
  for (let i = 0; i < mask.bits.length; i++) {
    if (!mask.bits[i]) continue;
    const x = mask.left + (i % mask.width);
    const y = mask.top + Math.floor(i / mask.width);
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + 1);
    bottom = Math.max(bottom, y + 1);
  }
  if (right <= left) [left, top, right, bottom] = [target?.x ?? mask.left, target?.y ?? mask.top, (target?.x ?? mask.left) + 1, (target?.y ?? mask.top) + 1];
  const side = Math.max(right - left + 2 * MARGIN, bottom - top + 2 * MARGIN, LEAST);
  const x0 = Math.round((left + right - side) / 2);
  const y0 = Math.round((top + bottom - side) / 2);
  const part = {left: Math.max(x0, 0), top: Math.max(y0, 0)};
  part.width = Math.min(x0 + side, image.width) - part.left;
  part.height = Math.min(y0 + side, image.height) - part.top;
  const data = contrast.renderAlone(image.width, part);
  const small = new OffscreenCanvas(part.width, part.height);
  small.getContext("2d").putImageData(data, 0, 0);
  const context = canvas.getContext("2d");
  const scale = canvas.width / side;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale, 0, 0, scale, -x0 * scale, -y0 * scale);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, part.left, part.top);
  if (target) shadeSoft(context, target);
  for (const {path, colour} of paths) {
    for (const [stroke, width] of [["#000a", 5], [colour, 2.5]]) {
      context.strokeStyle = stroke;
      context.lineWidth = width / scale;
      context.stroke(path);
    }
  }
}

// The soft label as a tint: where the method sees the target, and where it is not sure.
function shadeSoft(context, target) {
  const [left, top, width, height] = target.crop;
  const soft = bytes(target.soft);
  const data = new ImageData(width, height);
  for (let i = 0; i < soft.length; i++) data.data.set([98, 184, 255, soft[i] * 0.32], 4 * i);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(data, 0, 0);
  context.drawImage(canvas, left, top);
}
