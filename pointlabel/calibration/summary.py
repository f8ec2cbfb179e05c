"""What a calibration found, in words: for the report, and for the head of the style's file."""

from __future__ import annotations

from ..engine.default.regions import FEATURES
from .choose import CLEAR, SURE, UNHURT, Calibration
from .styles import Style

_SHOWN = 3  # weights of a learned part that are named


def verdict(found: Calibration) -> str:
    """One sentence: whether the style is worth using, and why or why not."""
    least, most = found.interval
    if found.worth_using:
        return (
            f"worth using: {found.option} gains {found.gain:+.3f} on held-out masks "
            f"(95 % interval {least:+.3f} to {most:+.3f})"
        )
    gain = sum(found.tried[found.best]) / 2 - sum(found.before) / 2
    if gain < found.least_gain:
        why = f"gains {gain:+.3f} on held-out masks, less than the {found.least_gain:g} that it takes"
    elif found.confidence < SURE:
        why = (
            f"gains {gain:+.3f} on held-out masks, but in {found.confidence:.0%} of the resamples only, "
            f"where {SURE:.0%} are asked for"
        )
    elif found.unhurt < UNHURT and found.median_gain < CLEAR:
        why = (
            f"gains {gain:+.3f} on held-out masks, but labels {1 - found.unhurt:.0%} of the targets worse, "
            f"where {1 - UNHURT:.0%} is the most without a gain of {CLEAR:g} on every other one"
        )
    else:
        why = f"gains {gain:+.3f} on held-out masks, but not in both IoU"
    return f"not worth using: of {len(found.tried) - 1} styles tried the best, {found.best}, {why}; the defaults stay"


def changes(found: Calibration) -> list[str]:
    """What the style changes, a line each; one line where it changes nothing."""
    if not found.worth_using:
        return ["nothing"]
    return [
        *_of_style(found.style),
        f"area of the masks over the true area (geometric mean): {found.size_before:.2f} before, "
        f"{found.size_after:.2f} after",
    ]


def heading(found: Calibration) -> str:
    """The comment in front of the style's file."""
    said = verdict(found)
    scores = [f"{pooled:.3f} / {mean:.3f}" for pooled, mean in (found.before, found.after)]
    return "\n".join(
        [
            f"Learned by pointlabel calibrate from {found.targets} targets in {found.images} images.",
            f"Held out, pooled / mean IoU: {scores[0]} before, {scores[1]} after.",
            f"{said[0].upper()}{said[1:]}.",
            f"Changed: {'; '.join(changes(found))}.",
        ]
    )


def _of_style(style: Style) -> list[str]:
    default = Style()
    lines = []
    if style.border_px != default.border_px:
        how = "grown" if style.border_px > 0 else "shrunk"
        lines.append(f"masks {how} by {abs(style.border_px):g} px")
    if style.loosest != default.loosest:
        lines.append(f"border at {style.loosest:.0%} of the local contrast")
    elif style.tightness != default.tightness:
        lines.append(f"tightness {style.tightness:g} instead of {default.tightness:g}")
    if style.score_style:
        largest = sorted(zip(style.score_style, FEATURES, strict=True), key=lambda pair: -abs(pair[0]))[:_SHOWN]
        named = ", ".join(f"{name} {number:+.2g}" for number, name in largest)
        lines.append(f"which regions are taken: weights of the score, most of all {named}")
    if style.border_style:
        bias = style.border_style[-1]
        size = max(abs(number) for number in style.border_style[:-1])
        lines.append(
            f"where the border lies: weights of the pixels up to {size:.2g} in size, bias {bias:+.2g} "
            f"({'wider' if bias > 0 else 'tighter'})"
        )
    return lines
