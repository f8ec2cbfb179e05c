// Masks of targets: bits of a crop, their outline, and the colours that say how far to trust them.

export function decode(target) {
  const [left, top, width, height] = target.crop;
  return {left, top, width, height, bits: bits(target.mask, width * height)};
}

export function bits(text, n) {
  const packed = bytes(text);
  const out = new Uint8Array(n);
  for (let i = 0; i < n; i++) out[i] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
  return out;
}

export function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

// The edges between pixels inside and outside, in pixels of the image: pixel (x, y) covers [x, x + 1) by [y, y + 1).
export function outline({left, top, width, height, bits}) {
  const path = new Path2D();
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && bits[y * width + x];
  for (let y = 0; y <= height; y++) {
    let from = -1;
    for (let x = 0; x <= width; x++) {
      const edge = x < width && Boolean(at(x, y - 1)) !== Boolean(at(x, y));
      if (edge && from < 0) from = x;
      if (!edge && from >= 0) {
        path.moveTo(left + from, top + y);
        path.lineTo(left + x, top + y);
        from = -1;
      }
    }
  }
  for (let x = 0; x <= width; x++) {
    let from = -1;
    for (let y = 0; y <= height; y++) {
      const edge = y < height && Boolean(at(x - 1, y)) !== Boolean(at(x, y));
      if (edge && from < 0) from = y;
      if (!edge && from >= 0) {
        path.moveTo(left + x, top + from);
        path.lineTo(left + x, top + y);
        from = -1;
      }
    }
  }
  return path;
}

export function holds({left, top, width, height, bits}, x, y) {
  return x >= left && y >= top && x < left + width && y < top + height && bits[(y - top) * width + x - left] === 1;
}

// As overlays have it: below 0.4 poor, below 0.7 fair.
export const grade = (trust) => (trust < 0.4 ? "poor" : trust < 0.7 ? "fair" : "good");
export const COLOURS = {poor: "#ff7f76", fair: "#f0c244", good: "#62b8ff"};
