// From pixels at the camera's depth to grey levels of the screen.

const BINS = 260;
const HOLE = 0xff5a2a3a; // pixels that are not finite: a dull violet that no grey level has

export class Contrast {
  constructor() {
    this.low = 0;
    this.high = 255;
    this.gamma = 1;
    this.inverted = false;
    this.fixed = false;
    this.range = "0.5,99.9";
    this.hasWindow = false;
  }

  // Take an image; its window is chosen anew, unless the window is the same for all images or was set by hand.
  take(pixels) {
    this.pixels = pixels;
    this.sorted = sample(pixels);
    if (!this.hasWindow || (!this.fixed && this.range)) this.choose(this.range || "0.5,99.9");
    this.hasWindow = true;
  }

  choose(range) {
    this.range = range;
    if (!range) return;
    const [a, b] = range.split(",").map((share) => percentile(this.sorted, Number(share)));
    this.low = a;
    this.high = b > a ? b : a + 1;
  }

  // Grey levels for the screen as a table over whole numbers, or over 4096 steps of the window.
  table() {
    const whole = !(this.pixels instanceof Float32Array);
    const n = whole ? (this.pixels instanceof Uint8Array ? 256 : 65536) : 4097;
    const out = new Uint32Array(n);
    const span = this.high - this.low || 1;
    for (let i = 0; i < n; i++) {
      let share = whole ? (i - this.low) / span : i / 4096;
      share = Math.min(Math.max(share, 0), 1);
      if (this.gamma !== 1) share = share ** (1 / this.gamma);
      if (this.inverted) share = 1 - share;
      const grey = Math.round(share * 255);
      out[i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    return out;
  }

  // Draw a small part by its own lowest and highest pixel, so that the shape of a bright target is seen.
  renderAlone(width, part) {
    let low = Infinity;
    let high = -Infinity;
    for (let y = part.top; y < part.top + part.height; y++) {
      for (let x = part.left; x < part.left + part.width; x++) {
        const value = this.pixels[y * width + x];
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    const own = Object.assign(new Contrast(), {pixels: this.pixels, gamma: this.gamma, inverted: this.inverted});
    own.low = Number.isFinite(low) ? low : 0;
    own.high = high > own.low ? high : own.low + 1;
    return own.render(width, part);
  }

  // Draw the pixels of a part of the image, every `step`-th, into an ImageData.
  render(width, part, step = 1) {
    const {pixels} = this;
    const columns = Math.ceil(part.width / step);
    const rows = Math.ceil(part.height / step);
    const image = new ImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    const table = this.table();
    const whole = !(pixels instanceof Float32Array);
    const gain = 4096 / (this.high - this.low || 1);
    let at = 0;
    for (let y = 0; y < rows; y++) {
      let from = (part.top + y * step) * width + part.left;
      for (let x = 0; x < columns; x++, from += step) {
        const value = pixels[from];
        if (whole) words[at++] = table[value];
        else if (!Number.isFinite(value)) words[at++] = HOLE;
        else words[at++] = table[Math.min(Math.max(((value - this.low) * gain) | 0, 0), 4096)];
      }
    }
    return image;
  }

  histogram() {
    const lowest = this.sorted[0] ?? 0;
    const highest = this.sorted[this.sorted.length - 1] ?? 1;
    const whole = !(this.pixels instanceof Float32Array);
    const counts = new Uint32Array(whole ? Math.min(BINS, highest - lowest + 1) : BINS);
    const gain = (counts.length - 1) / (highest - lowest || 1);
    for (const value of this.sorted) counts[Math.round((value - lowest) * gain)]++;
    return {lowest, highest, counts};
  }

  drawHistogram(canvas) {
    const context = canvas.getContext("2d");
    const {lowest, highest, counts} = this.histogram();
    const most = Math.log1p(Math.max(...counts));
    context.clearRect(0, 0, canvas.width, canvas.height);
    const x = (value) => ((value - lowest) / (highest - lowest || 1)) * canvas.width;
    context.fillStyle = "#2b4a66";
    context.fillRect(x(this.low), 0, Math.max(x(this.high) - x(this.low), 1), canvas.height);
    context.fillStyle = "#a3abb8";
    counts.forEach((count, k) => {
      const height = (Math.log1p(count) / (most || 1)) * (canvas.height - 3);
      const wide = canvas.width / counts.length;
      context.fillRect(k * wide, canvas.height - height, Math.max(wide - 0.4, 1), height);
    });
  }
}

function sample(pixels) {
  const step = Math.max(1, Math.floor(pixels.length / 60_000));
  const out = new Float64Array(Math.ceil(pixels.length / step));
  let n = 0;
  for (let i = 0; i < pixels.length; i += step) if (Number.isFinite(pixels[i])) out[n++] = pixels[i];
  // The brightest pixels are the targets: a sample must not miss the largest and the smallest value.
  if (step > 1 && n > 2) {
    let low = Infinity;
    let high = -Infinity;
    for (const value of pixels) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    out[0] = low;
    out[1] = high;
  }
  return out.subarray(0, n).sort();
}

function percentile(sorted, share) {
  if (!sorted.length) return 0;
  return sorted[Math.min(Math.round((share / 100) * (sorted.length - 1)), sorted.length - 1)];
}
