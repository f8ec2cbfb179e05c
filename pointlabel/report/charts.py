"""Small charts as SVG inside the page, in its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

_WIDTH, _HEIGHT = 260, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 26, 6, 6, 28


@dataclass(frozen=True, slots=True)
class Axis:
    """A horizontal axis: from `low` to `high`, by its logarithm where `log`, with named `ticks`."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, values: ArrayLike) -> NDArray[np.float64]:
        """Values as shares of the axis, clipped to [0, 1]."""
        array = np.asarray(values, np.float64)
        low, high = self.low, self.high
        if self.log:
            array, low, high = np.log(np.maximum(array, 1e-12)), float(np.log(low)), float(np.log(high))
        return np.clip((array - low) / (high - low), 0, 1)


def log_axis(label: str, values: ArrayLike) -> Axis:
    """A logarithmic axis that holds all values, with a tick at 1, 2, 5 or the powers of 10."""
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array) & (array > 0)]
    low, high = (float(array.min()), float(array.max())) if array.size else (1.0, 10.0)
    high = max(high, low * 2)
    steps = [base * 10.0**power for power in range(-6, 7) for base in (1, 2, 5)]
    inside = [step for step in steps if low <= step <= high]
    if len(inside) > 7:
        inside = [step for step in inside if np.isclose(np.log10(step) % 1, 0) or np.isclose(np.log10(step) % 1, 1)]
    return Axis(label, low, high, tuple(inside), log=True)


def density(x: NDArray[np.float64], y: NDArray[np.float64], axis: Axis, title: str, note: str = "") -> str:
    """Where values y in [0, 1] lie along an axis: darker cells hold more of their column, the line is the mean."""
    n_columns, n_rows = 18, 10
    column = np.minimum((axis.place(x) * n_columns).astype(int), n_columns - 1)
    row = np.minimum((np.clip(y, 0, 1) * n_rows).astype(int), n_rows - 1)
    counts = np.zeros((n_columns, n_rows))
    np.add.at(counts, (column, row), 1)
    totals = counts.sum(axis=1)
    sums = np.bincount(column, weights=y, minlength=n_columns)
    width, height = (_WIDTH - _LEFT - _RIGHT) / n_columns, (_HEIGHT - _TOP - _BOTTOM) / n_rows
    cells = [
        f'<rect x="{_LEFT + c * width:.1f}" y="{_TOP + (n_rows - 1 - r) * height:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" opacity="{0.08 + 0.72 * counts[c, r] / totals[c]:.2f}"/>'
        for c, r in np.argwhere(counts > 0).tolist()
    ]
    line = [
        f"{_LEFT + (c + 0.5) * width:.1f},{_y(sums[c] / totals[c]):.1f}" for c in range(n_columns) if totals[c] >= 3
    ]
    shown = [*_frame(axis, ((0.0, "0"), (0.5, ".5"), (1.0, "1"))), f'<g class="cells">{"".join(cells)}</g>']
    shown.append(f'<polyline class="trend" points="{" ".join(line)}"/>')
    return _figure(shown, title, note)


def histogram(values: NDArray[np.float64], axis: Axis, title: str, note: str = "", mark: float | None = None) -> str:
    """How values are spread along an axis, as shares of all; `mark` is drawn as a broken line."""
    n_bins = 36
    counts = np.bincount(np.minimum((axis.place(values) * n_bins).astype(int), n_bins - 1), minlength=n_bins)
    share = counts / max(counts.sum(), 1)
    top = max(float(share.max()), 1e-9)
    width = (_WIDTH - _LEFT - _RIGHT) / n_bins
    bars = [
        f'<rect x="{_LEFT + k * width:.1f}" y="{_y(part / top):.1f}" width="{width * 0.88:.1f}" '
        f'height="{_y(0) - _y(part / top):.1f}"/>'
        for k, part in enumerate(share.tolist())
        if part
    ]
    shown = [*_frame(axis, ((1.0, f"{top:.0%}"),)), f'<g class="bars">{"".join(bars)}</g>']
    if mark is not None:
        at = _x(float(axis.place(mark)))
        shown.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_y(0)}"/>')
    return _figure(shown, title, note)


def curve(
    x: NDArray[np.float64], y: NDArray[np.float64], axis: Axis, title: str, note: str = "", mark: float | None = None
) -> str:
    """A line through values y in [0, 1] along an axis; `mark` is drawn as a broken line."""
    places = [
        f"{_x(float(at)):.1f},{_y(float(value)):.1f}" for at, value in zip(axis.place(x), np.clip(y, 0, 1), strict=True)
    ]
    shown = _frame(axis, ((0.0, "0"), (0.5, ".5"), (1.0, "1")))
    shown.append(f'<polyline class="trend" points="{" ".join(places)}"/>')
    if mark is not None:
        at = _x(float(axis.place(mark)))
        shown.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_y(0)}"/>')
    return _figure(shown, title, note)


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _frame(axis: Axis, levels: Sequence[tuple[float, str]]) -> list[str]:
    out = [f'<path class="axis" d="M{_LEFT} {_TOP}V{_y(0)}H{_WIDTH - _RIGHT}"/>']
    for value in axis.ticks:
        at = _x(float(axis.place(value)))
        out.append(f'<path class="axis" d="M{at:.1f} {_y(0)}v3"/>')
        out.append(f'<text x="{at:.1f}" y="{_y(0) + 12}" text-anchor="middle">{value:g}</text>')
    out.append(f'<text x="{_x(0.5)}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(axis.label)}</text>')
    for share, text in levels:
        out.append(f'<text x="{_LEFT - 4}" y="{_y(share) + 3:.1f}" text-anchor="end">{text}</text>')
        out.append(f'<path class="axis" d="M{_LEFT - 2} {_y(share):.1f}h2"/>')
    return out


def _figure(parts: Sequence[str], title: str, note: str) -> str:
    said = f" <span>{escape(note)}</span>" if note else ""
    return (
        f'<figure><figcaption>{escape(title)}{said}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg></figure>"
    )
