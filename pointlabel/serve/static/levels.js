// The panel of grey levels: which range is black to white, and what else changes how the image looks.

const byId = (id) => document.getElementById(id);

export class Levels {
  // `repaint` is called after each change.
  constructor(contrast, repaint) {
    this.contrast = contrast;
    this.repaint = repaint;
    byId("range").addEventListener("change", (event) => this.choose(event.target.value));
    byId("gamma").addEventListener("input", (event) => this.change({gamma: Number(event.target.value)}));
    byId("invert").addEventListener("change", () => this.invert());
    byId("fixed").addEventListener("change", () => this.fix());
    for (const id of ["low", "high"]) {
      byId(id).addEventListener("change", () => this.set(Number(byId("low").value), Number(byId("high").value)));
    }
    this.listen(byId("histogram"));
  }

  // The end of the range that is nearer to where the mouse went down follows it.
  listen(histogram) {
    let end = "";
    const drag = (event) => {
      const box = histogram.getBoundingClientRect();
      const {low, high} = this.contrast;
      const {lowest, highest} = this.contrast.histogram();
      const value = lowest + Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * (highest - lowest);
      end ||= Math.abs(value - low) < Math.abs(value - high) ? "low" : "high";
      if (end === "low") this.set(Math.min(value, high), high);
      else this.set(low, Math.max(value, low));
    };
    histogram.addEventListener("pointerdown", (event) => { histogram.setPointerCapture(event.pointerId); drag(event); });
    histogram.addEventListener("pointermove", (event) => { if (end) drag(event); });
    histogram.addEventListener("pointerup", () => { end = ""; });
  }

  set(low, high) {
    this.change({range: "", low, high: high > low ? high : low + 1e-6});
  }

  choose(range) {
    this.contrast.choose(range);
    this.show();
  }

  next() {
    const options = [...byId("range").options].map((option) => option.value).filter(Boolean);
    this.choose(options[(options.indexOf(this.contrast.range) + 1) % options.length]);
  }

  invert() {
    this.change({inverted: !this.contrast.inverted});
  }

  fix() {
    this.change({fixed: !this.contrast.fixed});
  }

  gamma(by) {
    this.change({gamma: Math.min(Math.max(this.contrast.gamma + by, 0.3), 3)});
  }

  change(values) {
    Object.assign(this.contrast, values);
    this.show();
  }

  show() {
    const {contrast} = this;
    const round = (value) => Number(value.toPrecision(6));
    byId("low").value = round(contrast.low);
    byId("high").value = round(contrast.high);
    byId("range").value = contrast.range;
    byId("gamma").value = contrast.gamma;
    byId("invert").checked = contrast.inverted;
    byId("fixed").checked = contrast.fixed;
    this.repaint();
  }
}
