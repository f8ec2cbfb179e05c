"""A page of targets as enlarged crops: worst first, with filters by flag, size and figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..evaluation.classes import SIZE_CLASSES, size_class
from .page import page, section
from .windows import card, cut, cut_mask, outline, tile, window_of

#: Targets of a page where nothing else is asked for: about 1 MB.
N_PICTURES = 200

_STYLE = """
form.filter { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .5rem 1.1rem; padding: .6rem 0;
  background: var(--page); border-bottom: 1px solid var(--line); font-size: .85rem; }
form.filter input[type=number] { width: 4.6em; } form.filter output { margin-left: auto; color: var(--faint); }
.cards { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.cards .window { margin: 0; } .cards .window[hidden] { display: none; }
.cards header b { display: block; overflow-wrap: anywhere; } .cards header span { display: block;
  overflow-wrap: anywhere; }
.spot { fill: none; stroke: var(--accent); stroke-width: 1.4; vector-effect: non-scaling-stroke; }
"""

_SCRIPT = """
const form = document.querySelector("form.filter"), cards = [...document.querySelectorAll(".cards .window")];
const choose = () => {
  const value = name => form.elements[name].value;
  const low = value("low") === "" ? -Infinity : +value("low"), high = value("high") === "" ? Infinity : +value("high");
  let n = 0;
  for (const one of cards) {
    const flags = one.dataset.flags ? one.dataset.flags.split(",") : [], figure = +one.dataset.figure;
    const wanted = value("flag") === "" || (value("flag") === "-" ? !flags.length : flags.includes(value("flag")));
    one.hidden = !(wanted && (value("size") === "" || one.dataset.size === value("size")) &&
      figure >= low && figure <= high && one.dataset.name.includes(value("name")));
    n += !one.hidden;
  }
  form.querySelector("output").textContent = `${n} of ${cards.length}`;
};
if (form) { form.oninput = choose; form.onsubmit = () => false; form.onreset = () => setTimeout(choose); choose(); }
"""


@dataclass(frozen=True, slots=True)
class Card:
    """One target of the page.

    Attributes
    ----------
    area : pixels, for the filter by size.
    flags : names without commas.
    html : the card, from `draw_card`.
    """

    area: int
    flags: tuple[str, ...]
    html: str


def draw_card(
    image_id: str,
    image: NDArray | None,
    box: Sequence[float],
    *,
    figure: float,
    area: int,
    flags: Sequence[str],
    facts: Sequence[str],
    true: NDArray[np.bool_] | None = None,
    mask: NDArray[np.bool_] | None = None,
    point: tuple[float, float] | None = None,
) -> Card:
    """Draw one target: its window plain, and with outlines.

    Parameters
    ----------
    image_id : of its image.
    image : (H, W) real, None for a grey window.
    box : left, top, width and height of the target in pixels; the window is drawn around it.
    figure : what it is sorted by, in [0, 1].
    area, flags : as in `Card`.
    facts : lines of plain text.
    true, mask : (H, W) bool, what is outlined.
    point : (row, column), marked by a cross.
    """
    x, y, width, height = (int(value) for value in box)
    top, left, side = window_of(y, x, height, width)
    window = np.zeros((side, side)) if image is None else cut(image, top, left, side)
    lines = [
        outline(cut_mask(each, top, left, side), kind)
        for each, kind in ((true, "truth"), (mask, "mask"))
        if each is not None
    ]
    if point is not None:
        across, down = point[1] - left + 0.5, point[0] - top + 0.5
        lines.append(f'<path class="spot" d="M{across - 1:g} {down:g}h2M{across:g} {down - 1:g}v2"/>')
    about = "".join(f"<span>{escape(fact)}</span>" for fact in (*facts, ", ".join(flags)) if fact)
    tiles = [tile(f"{side} x {side} px", f"x {left}, y {top}", side), tile("outlined", f"{area} px", side, *lines)]
    names = tuple(flag.replace(",", " ") for flag in flags)
    data = {"flags": ",".join(names), "size": size_class(area), "figure": f"{figure:.4f}", "name": image_id}
    return Card(area, names, card(window, image_id, about, tiles, data))


def draw_gallery(
    title: str, about: Sequence[str], figure: str, cards: Sequence[Card], *parts: str, keys: Sequence[tuple[str, str]]
) -> str:
    """Draw the page as one HTML file.

    Parameters
    ----------
    title : of the page.
    about : sentences for its head, plain text.
    figure : what the cards are sorted by.
    cards : in their order.
    parts : sections after the cards, HTML.
    keys : colour of the style (`truth`, `mask`, `accent`) and what is drawn in it.
    """
    shown = "".join(
        f'<span class="key" style="background:var(--{colour})"></span>{escape(what)} &ensp;' for colour, what in keys
    )
    head = f'<h1>{escape(title)}</h1><p class="faint">{" ".join(map(escape, about))}</p>'
    body = [_form(cards, figure), f'<div class="cards">{"".join(each.html for each in cards)}</div>'] if cards else []
    targets = section("targets", "Targets, worst first", shown if cards else "There is no target.", *body)
    return page(f"pointlabel: {title}", [head, targets, *parts], style=_STYLE, script=_SCRIPT)


def _form(cards: Sequence[Card], figure: str) -> str:
    flags = Counter(flag for each in cards for flag in each.flags)
    n_plain = sum(not each.flags for each in cards)
    sizes = Counter(size_class(each.area) for each in cards)
    by_flag = [("", "any"), *(("-", f"none ({n_plain})") for _ in range(n_plain > 0))]
    by_flag += [(flag, f"{flag} ({n})") for flag, n in sorted(flags.items())]
    by_size = [("", "any"), *((name, f"{name} px ({sizes[name]})") for name in SIZE_CLASSES if sizes[name])]
    number = '<input type="number" name="{}" min="0" max="1" step="0.01">'
    return (
        f'<form class="filter"><label>flag {_select("flag", by_flag)}</label>'
        f"<label>size {_select('size', by_size)}</label>"
        f"<label>{escape(figure)} from {number.format('low')}</label><label>to {number.format('high')}</label>"
        '<label>image <input type="search" name="name" placeholder="part of its name"></label>'
        '<button type="reset">all</button><output></output></form>'
    )


def _select(name: str, options: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)
    return f'<select name="{name}">{rows}</select>'
