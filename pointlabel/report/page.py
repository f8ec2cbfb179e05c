"""The frame of a report: one HTML file, its style, headings and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

#: Bytes of a name that is not UTF-8 are lone surrogates in a text.
_NOT_IN_HTML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

_STYLE = """
:root { color-scheme: light dark; --page: #fbfbf9; --card: #fff; --ink: #1d2229; --faint: #69727d; --line: #dfe2e5;
  --accent: #0a6ebd; --truth: #12b886; --mask: #ff7a1a; --cell: 10, 110, 189; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --card: #1c2127; --ink: #e7eaed; --faint: #98a1ab;
  --line: #343b43; --accent: #5cb3ff; --truth: #20d39c; --mask: #ff8f3f; --cell: 92, 179, 255; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 2rem 1.5rem 5rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.8rem 0 .3rem; }
h3 { font-size: .95rem; margin: 1.4rem 0 .3rem; }
p { margin: .3rem 0 .8rem; max-width: 78ch; } .faint { color: var(--faint); }
nav a { margin-right: 1.1rem; } a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; }
th, td { padding: .32rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 600; } tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; } td:first-child { font-weight: 600; }
table.sortable th { cursor: pointer; } table.sortable th:hover { color: var(--ink); }
td.best { font-weight: 700; color: var(--accent); } td.failed { text-align: left; color: var(--faint); }
.grid { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(265px, 1fr)); }
figure { margin: 0; padding: .5rem .6rem .3rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; }
figcaption { font-size: .85rem; font-weight: 600; } figcaption span { font-weight: 400; color: var(--faint); }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--faint); font: 9px system-ui, sans-serif; }
.axis { stroke: var(--line); fill: none; } .cells rect { fill: rgb(var(--cell)); } .bars rect { fill: var(--accent); }
.trend { fill: none; stroke: var(--ink); stroke-width: 1.6; stroke-linejoin: round; } .mark { stroke: var(--mask);
  stroke-width: 1.6; stroke-dasharray: 4 2; }
.window { margin: .9rem 0; padding: .7rem .8rem .8rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; }
.window header { font-size: .85rem; margin-bottom: .5rem; } .window header b { margin-right: .8rem; }
.tiles { display: grid; gap: .55rem; grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); }
.tile { font-size: .76rem; line-height: 1.35; } .tile b { display: block; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.tile .view { background: var(--picture) 0 0 / 100% 100%; image-rendering: pixelated; border-radius: 3px;
  overflow: hidden; }
.outline { fill: none; stroke-width: 1.8; vector-effect: non-scaling-stroke; stroke-linecap: square; }
.truth { stroke: var(--truth); stroke-width: 3.4; stroke-opacity: .8; }
.mask { stroke: var(--mask); } .bad { color: #e03131; }
.key { display: inline-block; width: 1.1em; height: .22em; margin: 0 .35em .2em 0; vertical-align: middle; }
"""

_SCRIPT = """
for (const head of document.querySelectorAll("table.sortable th")) head.onclick = () => {
  const body = head.closest("table").tBodies[0], column = head.cellIndex;
  const up = head.dataset.up = head.dataset.up === "1" ? "" : "1";
  const value = row => { const cell = row.cells[column]; return cell ? cell.dataset.value ?? cell.textContent : ""; };
  const order = (a, b) => { const [x, y] = [value(a), value(b)];
    return x !== "" && y !== "" && !isNaN(x) && !isNaN(y) ? x - y : x.localeCompare(y); };
  body.append(...[...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)));
};
"""


def page(title: str, parts: Sequence[str], *, style: str = "", script: str = "") -> str:
    """A whole HTML file out of its parts, with rules and a script that only some pages need."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + f"\n<script>{_SCRIPT}{script}</script>\n</body>\n</html>\n"
    )


def encode_page(text: str) -> bytes:
    """A page as UTF-8; control characters and halves of pairs, which HTML may not hold, are replaced."""
    return _NOT_IN_HTML.sub("\ufffd", text).encode()


def section(name: str, title: str, text: str, *parts: str) -> str:
    """A part of a page that the navigation can name; `text` may hold HTML."""
    return (
        f'<section id="{name}"><h2>{escape(title)}</h2>\n<p class="faint">{text}</p>\n'
        + "\n".join(parts)
        + "</section>"
    )


def grid(parts: Sequence[str]) -> str:
    """Parts side by side, as many as fit."""
    return '<div class="grid">' + "\n".join(parts) + "</div>"


def cell(text: str, value: float | None = None, *, best: bool = False, style: str = "") -> str:
    """One cell of a table; `value` is what it is sorted by."""
    about = "" if value is None else f' data-value="{value:.6g}"'
    about += ' class="best"' if best else ""
    about += f' style="{style}"' if style else ""
    return f"<td{about}>{escape(text)}</td>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, sortable: bool = False) -> str:
    """A table out of headings and of rows of cells."""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    top = f"<thead><tr>{names}</tr></thead>" if names else ""
    body = "\n".join("<tr>" + "".join(row) + "</tr>" for row in rows)
    about = ' class="sortable"' if sortable else ""
    return f'<div class="scroll"><table{about}>{top}\n<tbody>\n{body}\n</tbody></table></div>'
