"""Write the tables of parameters in the documentation out of their declarations, so that none is typed by hand.

    python docs/tables/parameters.py          rewrites what stands between the markers
    python docs/tables/parameters.py --check  ends with status 1 where a page is stale

A table stands between ``<!-- parameters: NAME ... -->`` and ``<!-- end of parameters -->``. A name is that of a method,
``crf`` (the refinement), ``strategy:NAME`` or ``loss:NAME``. Names that share their parameters have a column of
defaults each.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any

from pointlabel.baselines.crf.labels import CrfParams
from pointlabel.losses.registry import get_loss
from pointlabel.methods import get_method
from pointlabel.training.registry import get_strategy

DOCS = Path(__file__).parents[1]
MARKER = re.compile(r"(<!-- parameters: ([\w: -]+?) -->\n).*?(<!-- end of parameters -->)", re.DOTALL)


def render(text: str) -> str:
    """The page with every table written anew."""
    return MARKER.sub(lambda match: f"{match[1]}\n{table(match[2].split())}\n{match[3]}", text)


def table(names: list[str]) -> str:
    """Rows of all parameters that the names have: default, range and meaning."""
    found = {name.partition(":")[2] or name: params_of(name) for name in names}
    if len({type(params) for params, _ in found.values()}) > 1:
        heads = ["of", "parameter", "default"]
        rows = [
            [f"`{name}`", *row] for name, (params, fixed) in found.items() for row in _rows(params, [params], fixed)
        ]
    else:
        heads = ["parameter", *([f"`{name}`" for name in found] if len(found) > 1 else ["default"])]
        all_params = [params for params, _ in found.values()]
        rows = _rows(all_params[0], all_params, {})
    lines = [[*heads, "values", "meaning"], ["---"] * (len(heads) + 2), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def params_of(name: str) -> tuple[Any, Mapping[str, Any]]:
    """Parameters as they are without changes, and those that the name decides."""
    kind, _, rest = name.rpartition(":")
    if kind == "strategy":
        return get_strategy(rest).strategy_class.options_class(), {}
    if kind == "loss":
        entry = get_loss(rest)
        return entry.loss_class.options_class(), entry.fixed
    return (CrfParams() if name == "crf" else get_method(name).params()), {}


def _rows(params: Any, all_params: list[Any], fixed: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            f"`{item.name}`",
            *(_value(asdict(each)[item.name]) for each in all_params),
            _values(item),
            item.metadata["meaning"].rstrip("."),
        ]
        for item in fields(params)
        if item.name not in fixed
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float | int):
        return f"{value:g}"
    return f"`{value}`" if isinstance(value, str) and value else "none"


def _values(item: Field) -> str:
    """What a parameter may be."""
    default, rules = item.default, item.metadata
    if isinstance(default, bool):
        return "on, off"
    if isinstance(default, str):
        return ", ".join(f"`{choice}`" for choice in rules["choices"]) or "a word"
    low, high = rules["low"], rules["high"]
    span = f"{'(' if rules['open_low'] else '['}{low:g}, {high:g}{')' if rules['open_high'] else ']'}"
    if high == math.inf:
        span = f"{'above' if rules['open_low'] else 'at least'} {low:g}"
    if isinstance(default, tuple):
        return f"{' or '.join(str(n or 'no') for n in rules['lengths'])} numbers in {span}"
    return span + (", odd" if rules["odd"] else "")


def main() -> None:
    """Rewrite the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a page is stale")
    args = parser.parse_args()
    texts = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
    stale = [page for page, text in texts.items() if render(text) != text]
    for page in stale:
        print(f"{'stale' if args.check else 'written'}: {page.relative_to(DOCS)}")
        if not args.check:
            page.write_text(render(texts[page]), encoding="utf-8")
    if args.check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
