// Targets that were carried to other images: a small picture of each, to look at it or to take it back.

import {element} from "./dialogs.js";
import {COLOURS, bits, bytes, grade, outline} from "./masks.js";
import {banner, closeBanner} from "./messages.js";

export class Carried {
  // `does` has name(index), look(index, number) and remove(index, number).
  constructor(strip, does) {
    this.strip = strip;
    this.does = does;
  }

  show(carried) {
    this.strip.replaceChildren(...carried.map((each) => this.figure(each)));
    this.strip.hidden = !carried.length;
    if (!carried.length) {
      banner("It is not found in the next image: lost, or another target is there.", [["Close", closeBanner]]);
      return;
    }
    const last = this.does.name(carried.at(-1).index);
    banner(`Carried to ${carried.length} ${carried.length === 1 ? "image" : "images"}, the last ${last}.`, [
      ["Undo all", async () => {
        for (const each of carried) await this.does.remove(each.index, each.number);
        closeBanner();
      }],
      ["Keep", closeBanner],
    ]);
  }

  figure(each) {
    const name = this.does.name(each.index);
    const figure = element("figure");
    const see = element("button", "see");
    const canvas = element("canvas");
    see.setAttribute("aria-label", `Look at ${name}, trust ${each.trust.toFixed(2)}`);
    see.title = name;
    drawGrey(canvas, each);
    see.append(canvas);
    see.addEventListener("click", () => this.does.look(each.index, each.number));
    const no = element("button", "no", "×");
    no.setAttribute("aria-label", `Take it back in ${name}`);
    no.addEventListener("click", async () => {
      await this.does.remove(each.index, each.number);
      figure.remove();
    });
    figure.append(see, no, element("figcaption", grade(each.trust), each.trust.toFixed(2)));
    return figure;
  }
}

function drawGrey(canvas, each) {
  const [left, top, width, height] = each.crop;
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
