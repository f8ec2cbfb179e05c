"""Styles of drawing: what `calibrate` may change, and the list of ways it tries."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ..engine.default.params import DefaultParams
from ..io.files import write_whole


@dataclass(frozen=True, slots=True)
class Style:
    """How a data set's masks are drawn, as changes of the default method.

    Attributes
    ----------
    tightness : in [0, 1]; 0.5 is the default.
    loosest : border at this share of the local contrast at tightness 0.
    border_px : masks grown, or shrunk where negative, by a disc of this radius.
    score_style : added to the score's weights; 26 numbers or none.
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
    """One way to find a style: fixed numbers, or strengths of the pull towards the defaults (None: do not learn).

    `least_images` is how many it takes to learn as freely as that; `least_gain` is what it must bring on held-out
    masks to be taken: what can leak, and spoil a pooled IoU by one mask that no held-out image happened to show, has to
    bring more.
    """

    name: str
    style: Style = Style()
    score_strength: float | None = None
    border_strength: float | None = None
    least_gain: float = 0.01
    least_images: int = 2


#: The options in the order of preference; the first changes nothing.
OPTIONS: tuple[Option, ...] = (
    Option("the defaults"),
    *(Option(f"score learned at {s:g}", score_strength=s) for s in (0.3, 0.1)),
    *(Option(f"border learned at {s:g}", border_strength=s) for s in (0.1, 0.03)),
    Option("both learned at 0.3", score_strength=0.3, border_strength=0.3),
    Option("border learned at 0.01", border_strength=0.01, least_images=25),
    Option("both learned at 0.1", score_strength=0.1, border_strength=0.1, least_images=25),
    *(
        Option(f"border moved by {px:+g} px", Style(border_px=px), least_gain=0.02)
        for px in (-2.3, -2, -1.5, -1, 1, 1.5, 2, 2.3)
    ),
    *(Option(f"tightness {t:g}", Style(tightness=t), least_gain=0.02) for t in (0.65, 0.8, 1.0)),
    *(Option(f"tightness {t:g}", Style(tightness=t), least_gain=0.05) for t in (0.0, 0.2, 0.35)),
    *(
        Option(f"border at {level:.0%}", Style(tightness=0.0, loosest=level), least_gain=0.05)
        for level in (0.03, 0.1, 0.15)
    ),
)


def write_style(path: str | os.PathLike[str], style: Style, heading: str, polarity: str = "bright") -> None:
    """Write what `encode_style` gives to a file.

    Raises
    ------
    OutputError
        Where the file could not be written.
    """
    write_whole(os.fspath(path), encode_style(style, heading, polarity))


def encode_style(style: Style, heading: str, polarity: str = "bright") -> bytes:
    """The bytes of a configuration file for ``annotate --config``; `heading` goes in front as a comment."""
    numbers = {"loosest": style.loosest, "border_px": style.border_px}
    lists = {"score_style": style.score_style, "border_style": style.border_style}
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    lines += ["", "[annotate]", 'method = "default"', f"tightness = {float(style.tightness)!r}"]
    lines += [f'polarity = "{polarity}"'] if polarity != "bright" else []
    lines += ["", "[params]"]
    lines += [f"{name} = {float(value)!r}" for name, value in numbers.items()]
    lines += [f"{name} = [{', '.join(repr(float(v)) for v in values)}]" for name, values in lists.items()]
    return ("\n".join(lines) + "\n").encode()
