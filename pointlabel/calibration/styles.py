"""Styles of drawing: what `calibrate` may change, and the list of ways it tries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.params import DefaultParams


@dataclass(frozen=True, slots=True)
class Style:
    """How a data set's masks are drawn, as changes of the default method.

    Attributes
    ----------
    tightness : in [0, 1]; 0.5 is the default.
    loosest : border at this share of the local contrast at tightness 0.
    border_px : masks grown, or shrunk where negative, by a disc of this radius.
    score_style : added to the score's weights; 3 numbers or none.
    border_style : added to the refinement's logit; 25 numbers or none.
    """

    tightness: float = 0.5
    loosest: float = 0.05
    border_px: float = 0.0
    score_style: tuple[float, ...] = ()
    border_style: tuple[float, ...] = ()

    def params(self, base: DefaultParams) -> DefaultParams:
        """`base` with this style."""
        return replace(
            base,
            loosest=self.loosest,
            border_px=self.border_px,
            score_style=self.score_style,
            border_style=self.border_style,
        )


@dataclass(frozen=True, slots=True)
class Option:
    """One way to find a style: fixed numbers, or strengths of the pull towards the defaults (None: do not learn)."""

    name: str
    style: Style = Style()
    score_strength: float | None = None
    border_strength: float | None = None


#: The options in the order of preference; the first changes nothing.
OPTIONS: tuple[Option, ...] = (
    Option("the defaults"),
    *(Option(f"tightness {t:g}", Style(tightness=t)) for t in (0.0, 0.2, 0.35, 0.65, 0.8, 1.0)),
    *(Option(f"border at {level:.0%}", Style(tightness=0.0, loosest=level)) for level in (0.03, 0.1, 0.15)),
    *(Option(f"border moved by {px:+g} px", Style(border_px=px)) for px in (-2.3, -2, -1.5, -1, 1, 1.5, 2, 2.3)),
    *(Option(f"border learned at {s:g}", border_strength=s) for s in (0.1, 0.03, 0.01, 0.003)),
    *(Option(f"score learned at {s:g}", score_strength=s) for s in (0.3, 0.1, 0.03)),
    *(Option(f"both learned at {s:g}", score_strength=s, border_strength=s) for s in (0.3, 0.1, 0.03)),
)


def write_style(path: Path, style: Style, heading: str) -> None:
    """Write a configuration file for ``annotate --config``; `heading` goes in front as a comment."""
    numbers = {"loosest": style.loosest, "border_px": style.border_px}
    lists = {"score_style": style.score_style, "border_style": style.border_style}
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    lines += ["", "[annotate]", 'method = "default"', f"tightness = {style.tightness:.6g}", "", "[params]"]
    lines += [f"{name} = {float(value)!r}" for name, value in numbers.items()]
    lines += [f"{name} = [{', '.join(f'{v:.6g}' for v in values)}]" for name, values in lists.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
