"""Windows around targets, cut out of an image and stretched for the eye."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..types import ImageLabels, TargetLabel, trust_of

SMALLEST_WINDOW_PX, LARGEST_WINDOW_PX = 24, 128


class GreyWindow(NamedTuple):
    """Grey levels that pictures show as black and as white, in place of those that each picture stretches.

    Attributes
    ----------
    low, high : grey levels, or percentiles of the whole image.
    is_share : whether they are percentiles.
    """

    low: float
    high: float
    is_share: bool = False

    def of(self, image: NDArray) -> tuple[float, float]:
        """The two grey levels in one image, (H, W)."""
        if not self.is_share:
            return self.low, self.high
        stride = max(1, max(image.shape) // 1000)
        sample = image[::stride, ::stride]
        sample = sample[np.isfinite(sample)]
        low, high = np.percentile(sample, (self.low, self.high)) if sample.size else (0.0, 0.0)
        return float(low), float(high)


def parse_window(low: str, high: str) -> GreyWindow:
    """Read ``8000 12000``, grey levels, or ``1% 99%``, percentiles.

    Raises
    ------
    InputError
        Where they are neither, or the first is not below the second.
    """
    shares = [text.strip().endswith("%") for text in (low, high)]
    try:
        numbers = [float(text.strip().removesuffix("%")) for text in (low, high)]
    except ValueError:
        numbers = [math.nan, math.nan]
    in_range = all(map(math.isfinite, numbers)) and not (shares[0] and not (numbers[0] >= 0 and numbers[1] <= 100))
    if shares[0] != shares[1] or not in_range or not numbers[0] < numbers[1]:
        raise InputError(f"window must be two grey levels such as 8000 12000, or 1% 99%, got {low} {high}")
    return GreyWindow(numbers[0], numbers[1], shares[0])


@dataclass(frozen=True, slots=True)
class Tile:
    """The window around one target, ready to be drawn: small, and can be sent between processes.

    Attributes
    ----------
    image_id : id of the image.
    number : place of the target in the image, counting from 1.
    quality, presence, area, flags : as in `TargetLabel`; `area` counts pixels of the image.
    window : (s, s) uint8, the stretched grey values, s at most 128; larger windows are shrunk.
    mask, others : (s, s) bool, the target's mask and those of its neighbours.
    hole : (s, s) bool, pixels that lie outside the image or are not finite.
    point : (row, column) of the user's point in the window.
    """

    image_id: str
    number: int
    quality: float
    presence: float | None
    area: int
    flags: tuple[str, ...]
    window: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    others: NDArray[np.bool_]
    hole: NDArray[np.bool_]
    point: tuple[float, float]

    @property
    def order(self) -> tuple[float, str, int]:
        """Key that sorts tiles by trust, then by image and number."""
        return self.trust, self.image_id, self.number

    @property
    def trust(self) -> float:
        """Quality times presence, as in `TargetLabel`."""
        return trust_of(self.quality, self.presence)


def tiles(image_id: str, image: NDArray, labels: ImageLabels, window: GreyWindow | None = None) -> list[Tile]:
    """Cut one tile for each target.

    Parameters
    ----------
    image_id : id of the image.
    image : (H, W) array of real numbers; pixels that are not finite are shown as holes.
    labels : the targets, of an image of the same shape.
    window : what is shown as black and white; None stretches each tile, and brightens its dark tones.
    """
    if image.shape != labels.shape:
        raise InputError(f"{image_id}: the image is {image.shape} and its labels are for {labels.shape}")
    claims = np.zeros(labels.shape, np.int32)  # how many masks hold a pixel
    for target in labels.targets:
        claims[target.window] += target.mask
    levels = None if window is None else window.of(image)
    return [
        _cut_tile(image_id, number, image, target, claims, levels)
        for number, target in enumerate(labels.targets, start=1)
    ]


def _cut_tile(
    image_id: str,
    number: int,
    image: NDArray,
    target: TargetLabel,
    claims: NDArray[np.int32],
    levels: tuple[float, float] | None,
) -> Tile:
    rows, columns = extent(target)
    need = max(rows[1] - rows[0], columns[1] - columns[0])
    side = max(SMALLEST_WINDOW_PX, 2 * need + 8)
    shrink = -(-side // LARGEST_WINDOW_PX)
    side = -(-side // shrink) * shrink
    origin = ((rows[0] + rows[1] - side) // 2, (columns[0] + columns[1] - side) // 2)
    values = np.full((side, side), np.nan)
    _paste(values, origin, image, (0, 0))
    mask, claimed = np.zeros((side, side), bool), np.zeros((side, side), np.int32)
    _paste(mask, origin, target.mask, target.origin)
    _paste(claimed, origin, claims, (0, 0))
    others = claimed > mask
    finite = np.isfinite(values)
    if levels is None:
        grey = stretch(values, *grey_range(values[finite], values[finite & mask]), gamma=0.7)
    else:
        grey = stretch(values, *levels)
    if shrink > 1:
        blocks = (side // shrink, shrink, side // shrink, shrink)
        grey = grey.reshape(blocks).mean(axis=(1, 3)).astype(np.uint8)
        mask, others, finite = (np.any(part.reshape(blocks), axis=(1, 3)) for part in (mask, others, finite))
    centre = (shrink - 1) / 2  # of the first block, in pixels of the image
    row, column = ((target.point[axis] - origin[axis] - centre) / shrink for axis in (0, 1))
    return Tile(
        image_id,
        number,
        target.quality,
        target.presence,
        target.area,
        target.flags,
        grey,
        mask,
        others,
        ~finite,
        (row, column),
    )


def extent(target: TargetLabel) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns, ends excluded, of the box that holds the mask and the point."""
    row, column = (math.ceil(value - 0.5) for value in target.point)
    row0, column0, row1, column1 = target.box or (row, column, row + 1, column + 1)
    return (min(row0, row), max(row1, row + 1)), (min(column0, column), max(column1, column + 1))


def _paste(out: NDArray, origin: tuple[int, int], part: NDArray, part_origin: tuple[int, int]) -> None:
    """Write the pixels of `part` that `out` holds; both origins count in the image. Masks are united."""
    inside, source = [], []
    for axis in (0, 1):
        start = max(origin[axis], part_origin[axis])
        stop = min(origin[axis] + out.shape[axis], part_origin[axis] + part.shape[axis])
        if start >= stop:
            return
        inside.append(slice(start - origin[axis], stop - origin[axis]))
        source.append(slice(start - part_origin[axis], stop - part_origin[axis]))
    view, cut = out[tuple(inside)], part[tuple(source)]
    if out.dtype == bool:
        view |= cut
    else:
        view[...] = cut


def grey_range(values: NDArray, kept: NDArray) -> tuple[float, float]:
    """Values shown as black and white: outliers are cut off, those of the target (`kept`) are not."""
    if values.size == 0:
        return 0.0, 0.0
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    if kept.size:
        low, high = min(low, float(kept.min())), max(high, float(kept.max()))
    return (low, high) if high > low else (float(values.min()), float(values.max()))


def stretch(values: NDArray, low: float, high: float, gamma: float = 1.0) -> NDArray[np.uint8]:
    """Map [low, high] to 0..255 in slabs of rows, so that a large image takes one byte per pixel; flat becomes grey.

    A `gamma` below 1 brightens the dark tones, in which the edges of a bright target lie.
    """
    out = np.full(values.shape, 128, np.uint8)
    if not high > low:
        return out
    for start in range(0, values.shape[0], 512):
        slab = values[start : start + 512].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            slab = np.clip((slab - low) / (high - low), 0, 1) ** gamma * 255
        out[start : start + 512] = np.nan_to_num(slab, nan=0.0).astype(np.uint8)
    return out
