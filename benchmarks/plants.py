"""Targets with known masks on real backgrounds: taken out of images or drawn, brought to a size, added elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import resize

EIGHT = np.ones((3, 3), bool)
AROUND_PX = (3, 7)  # the ring that a taken target's background is read from
MOST_SCALING = 4.0  # a taken target is brought to at most so many times its length, or its share of it
FREE_PX = (40, 20, 8)  # distance from true masks: the first that leaves a place for the target
MARGIN_PX = 2  # from the border of the image
OVER_NOISE, OVER_SPREAD = (4.0, 20.0), (1.0, 4.0)  # heights, over the finest detail and over the clutter around
LEAST_HEIGHT = 1 / 64  # of the range of the image's numbers, where the place is flat
TRIES = 60


@dataclass(frozen=True, slots=True)
class Shape:
    """A target by itself: `height` (h, w) over its background, the peak near 1, and its `mask` (h, w)."""

    height: NDArray[np.float64]
    mask: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(self.mask.sum())


@dataclass(frozen=True, slots=True)
class Plant:
    """An image with one target added.

    Attributes
    ----------
    image : (H, W), with the target.
    point : (row, column) of the click on it.
    mask : (h, w) bool, its true mask.
    origin : (row, column) of that mask's first pixel in the image.
    over_spread : its height over the spread of what was there, in deviations.
    """

    image: NDArray
    point: tuple[float, float]
    mask: NDArray[np.bool_]
    origin: tuple[int, int]
    over_spread: float


def take_shapes(image: NDArray, mask: NDArray[np.bool_]) -> list[Shape]:
    """The bright targets of an image, each freed of the median of the ring around it and feathered by a pixel."""
    numbers, n = ndimage.label(mask, EIGHT)
    out = []
    for number, place in zip(range(1, n + 1), ndimage.find_objects(numbers), strict=True):
        part = tuple(slice(side.start - AROUND_PX[1], side.stop + AROUND_PX[1]) for side in place)
        if any(side.start < 0 or side.stop > size for side, size in zip(part, image.shape, strict=True)):
            continue
        own = numbers[part] == number
        near, far = (ndimage.binary_dilation(own, EIGHT, iterations=px) for px in AROUND_PX)
        ring = far & ~near & (numbers[part] == 0)
        if not ring.any():
            continue
        height = image[part] - np.median(image[part][ring])
        peak = float(np.percentile(height[own], 95))
        if peak > 3 * image[part][ring].std():  # what hardly stands out would bring its clutter along
            feather = np.maximum(own, ndimage.uniform_filter(own.astype(float), 3))
            box = (slice(AROUND_PX[1] - 2, 2 - AROUND_PX[1]),) * 2  # 2 px around the target
            out.append(Shape((np.clip(height / peak, 0, 1.5) * feather)[box], own[box]))
    return out


def scale_shape(shape: Shape, area: float) -> Shape:
    """The shape brought to an area in pixels; its mask is where at least half of a pixel belonged to it."""
    factor = float(np.sqrt(area / shape.area))
    sides = [max(round(side * factor), 3) for side in shape.mask.shape]
    height, mask = (
        resize(each.astype(float), sides, order=1, anti_aliasing=factor < 1) for each in (shape.height, shape.mask)
    )
    return Shape(height / max(height.max(), 1e-9), mask >= 0.5)


def take_one(rng: np.random.Generator, shapes: Sequence[Shape], area: float) -> Shape:
    """One of the shapes at random among those whose size is not too far away, brought to `area`."""
    near = [each for each in shapes if 1 / MOST_SCALING <= np.sqrt(area / each.area) <= MOST_SCALING] or shapes
    return scale_shape(near[int(rng.integers(len(near)))], area)


def draw_shape(rng: np.random.Generator, area: float) -> Shape:
    """A Gaussian spot or a flat ellipse, a little blurred, turned at random; the mask is where it is half as high."""
    aspect, angle, offset = rng.uniform(1, 2.5), rng.uniform(0, np.pi), rng.uniform(-0.5, 0.5, 2)
    long, short = np.sqrt(area / np.pi * aspect), np.sqrt(area / np.pi / aspect)  # half axes at half the height
    reach = int(2.2 * long) + 4
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1] - offset[:, None, None]
    along = np.cos(angle) * rows + np.sin(angle) * columns
    across = np.cos(angle) * columns - np.sin(angle) * rows
    radius = np.hypot(along / long, across / short)
    if rng.random() < 0.5:
        height = 0.5 ** (radius**2)
    else:
        edge_px = np.clip((1 - radius) * short + 0.5, 0, 1)  # the share of a pixel that the ellipse covers, nearly
        height = ndimage.gaussian_filter(edge_px, rng.uniform(0.4, 1.2))
        height /= height.max()
    return Shape(height, height >= 0.5)


def plant(rng: np.random.Generator, image: NDArray, mask: NDArray[np.bool_], shape: Shape, how: str) -> Plant | None:
    """Add a target to a bright-target image, away from its true targets, and click it; None where no place is found.

    Parameters
    ----------
    rng : what place and height are drawn with.
    image : (H, W) of integers.
    mask : (H, W) bool, the true targets of the image.
    shape : of the target.
    how : "centroid", or "coarse" for a pixel drawn around it, normal with half the half-side as deviation.
    """
    size = np.array(shape.mask.shape)
    room = np.array(image.shape) - size - 2 * MARGIN_PX
    if (room < 0).any():
        return None
    free = ndimage.distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
    limits = np.iinfo(image.dtype)
    for least_px in FREE_PX:
        for _ in range(TRIES):
            top, left = (int(rng.integers(n + 1)) + MARGIN_PX for n in room)
            box = (slice(top, top + size[0]), slice(left, left + size[1]))
            if free[box][shape.mask].min() < least_px:
                continue
            height, spread = _height(rng, image, box, limits)
            below = image[box].astype(float)
            if height > limits.max - np.percentile(below[shape.mask], 90):  # it would be cut off: try elsewhere
                continue
            out = image.copy()
            out[box] = np.clip(np.rint(below + height * shape.height), limits.min, limits.max).astype(image.dtype)
            row, column = _click(rng, shape.mask, how)
            return Plant(
                out, (float(top + row), float(left + column)), shape.mask, (top, left), height / max(spread, 1.0)
            )
    return None


def _height(
    rng: np.random.Generator, image: NDArray, box: tuple[slice, slice], limits: np.iinfo
) -> tuple[float, float]:
    """Height that stands out at a place, over the finest detail and over the spread of what is there; that spread."""
    around = image[tuple(slice(max(side.start - 12, 0), side.stop + 12) for side in box)].astype(float)
    noise = 1.4826 * float(np.median(np.abs(around - ndimage.uniform_filter(around, 3))))
    spread = float(np.subtract(*np.percentile(around, [95, 5]))) / 3.29  # a deviation, were it normal
    times = [float(np.exp(rng.uniform(*np.log(ends)))) for ends in (OVER_NOISE, OVER_SPREAD)]
    least = LEAST_HEIGHT * (float(limits.max) - float(limits.min))
    return max(times[0] * noise, times[1] * spread, least), spread


def _click(rng: np.random.Generator, mask: NDArray[np.bool_], how: str) -> tuple[int, int]:
    """The pixel of a mask that is nearest to its centroid, or to a point drawn around that."""
    pixels = np.argwhere(mask)
    aim = pixels.mean(axis=0)
    if how == "coarse":
        aim = rng.normal(aim, (np.ptp(pixels, axis=0) + 1) / 4)
    row, column = pixels[((pixels - aim) ** 2).sum(axis=1).argmin()]
    return int(row), int(column)
