// Places where a target may be: shown one after the other, taken or refused.

import {get} from "./api.js";
import {decode, outline} from "./masks.js";
import {banner, closeBanner, toast} from "./messages.js";

export class Proposals {
  // `button` shows whether they are on. `does` has index() of the open image or null, act(action), unit() of what they
  // are weighed by, and polarity() of the session.
  constructor(view, button, does) {
    this.view = view;
    this.button = button;
    this.does = does;
    this.isOn = false;
  }

  toggle() {
    this.isOn = !this.isOn;
    this.button.setAttribute("aria-pressed", String(this.isOn));
    if (this.isOn) this.find();
    else {
      this.view.proposals = [];
      closeBanner();
      this.view.draw();
    }
  }

  // Look for them in the image that is open, where they are on.
  async find() {
    const index = this.does.index();
    if (!this.isOn || index === null) return;
    try {
      const found = await get(`images/${index}/proposals`);
      if (index !== this.does.index() || !this.isOn) return;
      this.view.proposals = found.map((each) => {
        const decoded = decode(each);
        return {...each, decoded, path: outline(decoded), reach: Math.max(decoded.width, decoded.height) / 2 + 2};
      });
      this.show();
    } catch (error) {
      toast(error.message);
    }
  }

  show() {
    const [first] = this.view.proposals;
    const close = ["Close (f)", () => this.toggle()];
    if (!this.isOn) {
      closeBanner();
      return;
    }
    if (!first) {
      banner("No more proposals in this image.", [close]);
    } else {
      const presence = first.presence === null ? "" : `presence ${first.presence.toFixed(2)}, `;
      const [what, digits] = this.does.unit();
      banner(`Proposal, ${this.view.proposals.length} left: ${presence}${what} ${first.weight.toFixed(digits)}`, [
        ["Take (y)", () => this.take()], ["Refuse (x)", () => this.refuse()], close,
      ]);
      this.view.cursor = {x: first.x, y: first.y};
      this.view.reveal(first.x, first.y);
    }
    this.view.draw();
  }

  at(x, y) {
    return this.view.proposals.find((each) => Math.hypot(each.x - x, each.y - y) <= Math.max(each.reach, 2));
  }

  take(proposal = this.view.proposals[0]) {
    if (!proposal) return;
    const {x, y, polarity} = proposal;
    this.view.proposals = this.view.proposals.filter((each) => each !== proposal);
    const style = [polarity, "auto"].includes(this.does.polarity()) ? {} : {polarity};
    this.does.act({do: "add", x, y, source: "proposal", ...style}).then(() => this.show());
  }

  refuse() {
    const proposal = this.view.proposals.shift();
    if (proposal) this.does.act({do: "refuse", x: proposal.x, y: proposal.y}).then(() => this.show());
  }
}
