// The one dialog of the page, filled as it is needed.

import {KEYS} from "./keys.js";
import {bits, outline} from "./masks.js";
import {drawCrop} from "./targets.js";

const dialog = document.getElementById("dialog");
const head = document.getElementById("dialog-head");
const body = document.getElementById("dialog-body");
const more = document.getElementById("dialog-more");

export function open(title, content, button = null) {
  head.textContent = title;
  body.replaceChildren(content);
  more.replaceChildren();
  if (button) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "primary";
    made.textContent = button.text;
    made.addEventListener("click", () => {
      dialog.close();
      button.act();
    });
    more.append(made);
  }
  if (!dialog.open) dialog.showModal();
}

export function help() {
  const box = element("div", "keys");
  for (const [title, rows] of KEYS) {
    const part = element("section");
    part.append(element("h3", "", title));
    for (const [key, text] of rows) {
      const row = element("div");
      const names = element("span");
      const single = ["Click", "Drag", "Alt", "Shift", "Right"].some((word) => key.startsWith(word));
      for (const each of single ? [key] : key.split(" ")) names.append(element("kbd", "", each), " ");
      row.append(names, element("span", "", text));
      part.append(row);
    }
    box.append(part);
  }
  open("Keys", box);
}

// What a learned style changes: the mended masks beside those of the two styles.
export function style(learned, pictures, apply) {
  const box = element("div");
  box.append(element("p", "", sentence(learned.verdict)));
  if (learned.worth) box.append(element("p", "", `Changes: ${learned.changes.join("; ")}.`));
  const legend = element("p", "legend");
  for (const [colour, word] of [["#74d39b", "mended by hand"], ["#ff7f76", "now"], ["#62b8ff", "learned"]]) {
    const each = element("span", "", word);
    each.style.color = colour;
    legend.append(each);
  }
  box.append(legend);
  const list = element("div", "examples");
  for (const example of learned.examples) {
    const [left, top, width, height] = example.crop;
    const crop = (text) => ({left, top, width, height, bits: bits(text, width * height)});
    const figure = element("figure");
    const canvas = element("canvas");
    canvas.width = canvas.height = 264;
    figure.append(canvas, element("figcaption", "", `IoU ${example.iou_before.toFixed(2)} → ${example.iou_after.toFixed(2)}`));
    list.append(figure);
    pictures(example.index).then(({image, contrast}) =>
      drawCrop(canvas, image, contrast, crop(example.mended), [
        {path: outline(crop(example.mended)), colour: "#74d39b"},
        {path: outline(crop(example.before)), colour: "#ff7f76"},
        {path: outline(crop(example.after)), colour: "#62b8ff"},
      ]),
    );
  }
  box.append(list);
  open("A style from your masks", box, learned.worth ? {text: "Label all images by it", act: apply} : null);
}

// Ask for a word; `done` gets it.
export function ask(title, label, value, done) {
  const field = element("label", "field", `${label} `);
  const input = element("input");
  input.type = "text";
  input.maxLength = 200;
  input.value = value;
  field.append(input);
  const act = () => done(input.value.trim());
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      dialog.close();
      act();
    }
  });
  open(title, field, {text: "Save", act});
  input.select();
}

// Choose a format of another tool; `done` gets its name.
export function formats(names, done) {
  const field = element("label", "field", "Format ");
  const select = element("select");
  for (const name of names) select.append(element("option", "", name));
  select.value = "coco";
  field.append(select);
  open("Masks for another tool", field, {text: "Write", act: () => done(select.value)});
  select.focus();
}

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
