"""What a calibration found, in words: for the report, and for the head of the style's file."""

from __future__ import annotations

import math

from ..engine.default.style import load_styles
from .choose import Calibration
from .styles import Style

#: Of fewer images no interval is told to people: they have too few resamples.
FEWEST_IMAGES = 6


def verdict(found: Calibration) -> str:
    """One sentence: whether the style is worth using, and why or why not."""
    if not found.judged:
        return "not judged: a single mask leaves none to judge by, so the style stays near the default"
    if found.worth_using:
        least, most = found.interval
        sure = f"95 % interval {least:+.3f} to {most:+.3f}"
        if found.images < FEWEST_IMAGES:
            sure = f"too few images for an interval: {found.images}"
        return f"worth using: {found.option} gains {found.gain:+.3f} on held-out masks ({sure})"
    gain = sum(found.tried[found.best]) / 2 - sum(found.before) / 2
    less = f" ({gain - found.error:+.3f} without what may be chance)" if found.error else ""
    return (
        f"not worth using: of {len(found.tried) - 1} ways tried, the one that came closest, {found.best}, gains "
        f"{gain:+.3f} on held-out masks{less}, where {found.least_gain:g} is asked for; the default style stays"
    )


def changes(found: Calibration) -> list[str]:
    """What the style changes, a line each; one line where it changes nothing."""
    if not found.worth_using:
        return ["nothing"]
    sizes = f"{found.size_before:.2f} before, {found.size_after:.2f} after"
    lines = _of_style(found.style)
    return [*lines, f"area of the masks over the true area (geometric mean): {sizes}"] if found.judged else lines


def heading(found: Calibration) -> str:
    """The comment in front of the style's file."""
    said = verdict(found)
    scores = [f"{pooled:.3f} / {mean:.3f}" for pooled, mean in (found.before, found.after)]
    noun = "target" if found.targets == 1 else "targets"
    return "\n".join(
        [
            f"Found by pointlabel calibrate from {found.targets} {noun} in {found.images} "
            f"image{'s' if found.images > 1 else ''}.",
            *([f"Held out, pooled / mean IoU: {scores[0]} before, {scores[1]} after."] if found.judged else []),
            f"{said[0].upper()}{said[1:]}.",
            f"Changed: {'; '.join(changes(found))}.",
        ]
    )


def _of_style(style: Style) -> list[str]:
    lines = []
    if style.border_px:
        how = "grown" if style.border_px > 0 else "shrunk"
        lines.append(f"masks {how} by {abs(style.border_px):g} px")
    if any(style.numbers):
        named = load_styles().named
        nearest = min(named, key=lambda name: math.dist(named[name], style.numbers))
        lines.append(
            f"style {math.hypot(*style.numbers):.2g} from the default, nearest to {nearest!r} "
            f"({math.dist(named[nearest], style.numbers):.2g} away)"
        )
    return lines
