"""How masks are drawn: what `calibrate` may change, and the list of ways it tries."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ..engine.default.params import DefaultParams
from ..io.files import write_whole
from .fit import Pulls


@dataclass(frozen=True, slots=True)
class Style:
    """How a data set's masks are drawn, as changes of the default method.

    Attributes
    ----------
    numbers : of `DefaultParams.style`, or none.
    border_px : masks grown, or shrunk where negative, by a disc of this radius.
    """

    numbers: tuple[float, ...] = ()
    border_px: float = 0.0

    def params(self, base: DefaultParams) -> DefaultParams:
        """`base` with this style."""
        return replace(base, style=self.numbers, border_px=self.border_px)


@dataclass(frozen=True, slots=True)
class Option:
    """One way to find a style: numbers fitted with some pulls, or the border moved by some pixels.

    It is taken where its gain on held-out masks, less `n_errors` of its standard errors over the targets, is at least
    `least_gain`: what is freer has to bring more, and more surely. `least_images` is what it takes to judge it.
    """

    name: str
    pulls: Pulls | None = None
    border_px: float = 0.0
    least_gain: float = 0.0
    n_errors: float = 0.0
    least_images: int = 1


#: What is tried: the default style first, then the safest one, which a single mask has to trust.
OPTIONS = (
    Option("the default style"),
    Option("a style near the default", Pulls(3.0, 3.0), least_gain=0.003),
    Option("a style farther from it", Pulls(1.0, 3.0), least_gain=0.02, n_errors=0.5),
    Option("a freer style", Pulls(0.3, 0.3), least_gain=0.03, n_errors=1.0),
    Option("a free style", Pulls(0.1, 0.1), least_gain=0.05, n_errors=1.0),
    *(
        Option(f"border moved by {px:+g} px", None, px, least_gain=0.05, n_errors=1.0, least_images=3)
        for px in (-2.0, -1.5, -1.0, 1.0, 1.5, 2.0)
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
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    lines += ["", "[annotate]", 'method = "default"']
    lines += [f'polarity = "{polarity}"'] if polarity != "bright" else []
    lines += ["", "[params]", f"border_px = {float(style.border_px)!r}"]
    lines += [f"style = [{', '.join(repr(float(number)) for number in style.numbers)}]"]
    return ("\n".join(lines) + "\n").encode()
