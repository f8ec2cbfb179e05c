// The list of images: only the rows that are seen exist, and their small pictures are fetched as they come into sight.

import {thumb} from "./api.js";
import {grade} from "./masks.js";

const ROW = 60;
const SPARE = 4;
const AT_ONCE = 4;
const MOST_KEPT = 600;
const FAST = 3 * ROW; // pixels between two drawings: nobody sees small pictures at this speed
const REST_MS = 60;
const BLANK = document.createElement("div");
BLANK.className = "row";
BLANK.setAttribute("role", "option");
BLANK.innerHTML = '<img class="thumb" alt=""><div><div class="name"></div><div class="about"></div></div>';
const WORDS = {todo: "to do", done: "done", doubtful: "doubtful", error: "error"};

export class List {
  constructor(box, rows, counts, choose) {
    Object.assign(this, {box, rows, counts, choose});
    this.items = [];
    this.order = [];
    this.current = -1;
    this.shown = new Map();
    this.thumbs = new Map();
    this.waiting = [];
    this.running = 0;
    this.filter = {text: "", status: "", sort: "name"};
    box.addEventListener("scroll", () => this.draw(), {passive: true});
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("keydown", (event) => this.key(event));
  }

  set(items) {
    this.items = items;
    this.arrange();
  }

  // Take images that changed. Their places stay until the list is arranged anew: nothing jumps under the hand.
  update(items) {
    for (const item of items) this.items[item.index] = item;
    for (const [index, row] of this.shown) this.fill(row, this.items[index]);
    this.count();
  }

  arrange(filter = {}) {
    Object.assign(this.filter, filter);
    const {text, status, sort} = this.filter;
    const wanted = text.toLowerCase();
    const chosen = this.items.filter(
      (item) => (!status || item.status === status) && (!wanted || item.name.toLowerCase().includes(wanted)),
    );
    if (sort === "worst") chosen.sort((a, b) => badness(a) - badness(b) || a.index - b.index);
    this.order = chosen.map((item) => item.index);
    this.place = new Map(this.order.map((index, at) => [index, at]));
    this.rows.style.height = `${this.order.length * ROW}px`;
    for (const row of this.shown.values()) row.remove();
    this.shown.clear();
    this.draw();
    this.count();
  }

  count() {
    const done = this.items.filter((item) => item.status === "done").length;
    const doubtful = this.items.filter((item) => item.status === "doubtful").length;
    const shown = this.order.length < this.items.length ? `${this.order.length} shown · ` : "";
    this.counts.textContent = `${shown}${done} of ${this.items.length} done · ${doubtful} doubtful`;
  }

  select(index) {
    this.current = index;
    const at = this.place.get(index);
    if (at !== undefined) {
      const top = at * ROW;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      if (top + ROW > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW - this.box.clientHeight;
    }
    this.draw();
    for (const [k, row] of this.shown) row.setAttribute("aria-selected", String(k === index));
    this.box.setAttribute("aria-activedescendant", at === undefined ? "" : `image-${index}`);
  }

  // The image `step` places on in the order that is shown; undefined at the end.
  beside(step) {
    const at = this.place.get(this.current);
    return at === undefined ? this.order[step > 0 ? 0 : this.order.length - 1] : this.order[at + step];
  }

  // The image to look at first: not accepted, with the lowest figure; this one is left out.
  worst() {
    const open = this.items.filter((item) => item.status !== "done" && item.status !== "error" && item.index !== this.current);
    return open.length ? open.reduce((a, b) => (badness(b) < badness(a) ? b : a)).index : undefined;
  }

  // Where an image is, in the order that is shown.
  position(index) {
    const at = this.place.get(index);
    return at === undefined ? `${index + 1} of all ${this.items.length}` : `${at + 1} of ${this.order.length}`;
  }

  // What a training would be on: how many images, and whether they are those that were accepted.
  trainable() {
    const done = this.items.filter((item) => item.status === "done").length;
    return {accepted: done > 0, n: done || this.items.filter((item) => item.targets && item.status !== "error").length};
  }

  key(event) {
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9};
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const at = (this.place.get(this.current) ?? -1) + steps[event.key];
    const index = this.order[Math.min(Math.max(at, 0), this.order.length - 1)];
    if (index !== undefined) this.choose(index);
  }

  draw() {
    const first = Math.max(Math.floor(this.box.scrollTop / ROW) - SPARE, 0);
    const last = Math.min(Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + SPARE, this.order.length);
    const wanted = new Set(this.order.slice(first, last));
    for (const [index, row] of this.shown) {
      if (!wanted.has(index)) {
        row.remove();
        this.shown.delete(index);
      }
    }
    for (let at = first; at < last; at++) {
      const index = this.order[at];
      if (!this.shown.has(index)) this.shown.set(index, this.build(index, at));
    }
    this.waiting = [...wanted].filter((index) => !this.thumbs.has(index));
    const far = Math.abs(this.box.scrollTop - (this.drawnAt ?? 0));
    this.drawnAt = this.box.scrollTop;
    clearTimeout(this.resting);
    if (far < FAST) this.fetch();
    else this.resting = setTimeout(() => this.fetch(), REST_MS);
  }

  build(index, at) {
    const row = BLANK.cloneNode(true);
    row.id = `image-${index}`;
    row.setAttribute("aria-selected", String(index === this.current));
    row.setAttribute("aria-setsize", this.order.length);
    row.setAttribute("aria-posinset", at + 1);
    row.style.top = `${at * ROW}px`;
    row.addEventListener("click", () => this.choose(index));
    this.fill(row, this.items[index]);
    this.rows.append(row);
    return row;
  }

  fill(row, item) {
    const name = row.querySelector(".name");
    name.textContent = `\u200e${item.name}`;
    const lowest = item.worst === null ? "" : `, the lowest quality times presence ${item.worst.toFixed(2)}`;
    const many = item.targets === 1 ? "1 target" : `${item.targets} targets`;
    row.title = item.error || `${item.name}: ${WORDS[item.status]}, ${many}${lowest}`;
    const worst = item.worst === null ? "" : ` · <span class="${grade(item.worst)}">worst ${item.worst.toFixed(2)}</span>`;
    const targets = item.targets ? ` · ${item.targets}` : "";
    row.querySelector(".about").innerHTML = `<span class="dot ${item.status}"></span>${WORDS[item.status]}${targets}${worst}`;
    const url = this.thumbs.get(item.index);
    if (url) row.querySelector("img").src = url;
  }

  fetch() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const index = this.waiting.shift();
      this.running++;
      thumb(index)
        .then((blob) => {
          const url = URL.createObjectURL(blob);
          this.thumbs.set(index, url);
          if (this.thumbs.size > MOST_KEPT) {
            const [oldest, address] = this.thumbs.entries().next().value;
            URL.revokeObjectURL(address);
            this.thumbs.delete(oldest);
          }
          const image = this.shown.get(index)?.querySelector("img");
          if (image) image.src = url;
        })
        .catch(() => this.thumbs.set(index, ""))
        .finally(() => {
          this.running--;
          this.waiting = this.waiting.filter((each) => !this.thumbs.has(each));
          this.fetch();
        });
    }
  }
}

// What is to be looked at first: doubtful figures, then images without targets.
const badness = (item) => (item.worst === null ? 1 : item.worst);
