"""Drawn infrared scenes whose masks are known: for the demo, the tests, the documentation and the benchmarks.

A scene is drawn on a scale from 0 to 1: a background, targets of a chosen contrast, white sensor noise; the last
step converts to the asked dtype. The mask of a target is exact by definition: the pixels where the target alone,
before background and noise, exceeds `MASK_LEVEL` of its peak. Annotators of infrared small targets draw there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._scenery import BACKGROUNDS, REACH, SHAPES
from ._values import as_choice, as_number
from .errors import InputError, shown

#: A pixel belongs to a target where the target alone exceeds this share of its peak.
MASK_LEVEL = 0.25

_LEVEL, _CLUTTER = 0.4, 0.08  # mean and standard deviation of a textured background
_LARGEST_SIDE = 65_535
_QUIET = 0.004  # least local noise, one grey level of 8 bits, so that targets show on a flat image too


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn image with its truth.

    Attributes
    ----------
    image : (H, W) array of the asked dtype.
    points : (N, 2) float64, (row, column), each on a pixel of its target.
    labels : (H, W) uint16, 0 for background, k for the k-th point counting from 1.
    contrasts : (N,) float64, height of each target over the standard deviation of what surrounds it;
        lower than asked for where the image would have saturated.
    dark : (N,) bool, whether the target is darker than its surroundings.
    shapes : names out of `SHAPES`, one for each point.
    background : name out of `BACKGROUNDS`.
    """

    image: NDArray
    points: NDArray[np.float64]
    labels: NDArray[np.uint16]
    contrasts: NDArray[np.float64]
    dark: NDArray[np.bool_]
    shapes: tuple[str, ...]
    background: str

    @property
    def masks(self) -> NDArray[np.bool_]:
        """One mask for each point, (N, H, W) bool."""
        return self.labels == np.arange(1, len(self.points) + 1)[:, None, None]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Union of the masks, (H, W) bool."""
        return self.labels > 0


def draw_scene(
    seed: int = 0,
    shape: tuple[int, int] = (256, 256),
    *,
    n_targets: int = 4,
    background: str | None = None,
    noise: float = 0.01,
    contrast: float | tuple[float, float] = (5.0, 15.0),
    shapes: Sequence[str] | None = None,
    points: str = "centroid",
    polarity: str = "bright",
    dtype: DTypeLike = np.uint8,
    margin_px: int = REACH,
    spacing_px: int = 18,
) -> Scene:
    """Draw one scene; equal arguments give equal scenes.

    Parameters
    ----------
    seed : int.
    shape : (height, width) in pixels.
    n_targets : number of targets, 0 or more.
    background : a name out of `BACKGROUNDS`, default None for one drawn by chance.
    noise : standard deviation of the white noise as a share of the full range, in [0, 0.1].
    contrast : height of the targets over the standard deviation of the 21 x 21 pixels around, or the (low, high)
        that it is drawn from. A target is kept below saturation; `Scene.contrasts` holds what came out.
    shapes : names out of `SHAPES` taken in turn, default None for each drawn by chance.
    points : "centroid", the centroid of the mask (or the mask's pixel nearest to it where it falls outside), or
        "coarse", a pixel of the mask drawn around the centroid, normal with half the half-side as deviation.
    polarity : "bright", "dark", or "mixed" for every other one dark, in an order drawn by chance.
    dtype : integers run from 0 to their largest value, floats from 0 to 1.
    margin_px : least distance of a target's centre from the border; less where the image is too small for it.
    spacing_px : least distance between centres along rows or columns. From 14 on targets do not touch; below,
        a pixel that two targets claim goes to the one that is higher there.

    Returns
    -------
    Scene

    Raises
    ------
    InputError
        Where an argument breaks a rule, or the targets do not fit into the image.

    Examples
    --------
    >>> from pointlabel.synthetic import draw_scene
    >>> scene = draw_scene(seed=3, shape=(64, 96), n_targets=2, background="cloud")
    >>> scene.image.shape, scene.points.shape, int(scene.labels.max())
    ((64, 96), (2, 2), 2)
    """
    as_number(seed, "seed", 0, whole=True)
    as_choice(background, "background", (None, *BACKGROUNDS))
    as_choice(points, "points", ("centroid", "coarse"))
    as_choice(polarity, "polarity", ("bright", "dark", "mixed"))
    if shapes is not None and (isinstance(shapes, str) or not isinstance(shapes, Sequence)):
        raise InputError(f"shapes must be a list of names, got {shown(shapes)}")
    for name in shapes or ():
        as_choice(name, "shapes", tuple(SHAPES))
    height, width = _pair(shape, "shape")
    for side in (height, width):
        as_number(side, "shape", 1, _LARGEST_SIDE, whole=True)
    shape = (int(height), int(width))
    as_number(n_targets, "n_targets", 0, 65_535, whole=True)
    as_number(noise, "noise", 0, 0.1)
    low, high = _pair(contrast, "contrast") if isinstance(contrast, tuple | list) else (contrast, contrast)
    low, high = (as_number(value, "contrast", 0) for value in (low, high))
    if not 0 < low <= high:
        raise InputError(f"contrast must be positive and ordered (low, high), got {shown(contrast)}")
    for name, value in (("margin_px", margin_px), ("spacing_px", spacing_px)):
        as_number(value, name, 0, _LARGEST_SIDE, whole=True)
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError):
        raise InputError(f"dtype must be one of integers or floats, got {shown(dtype)}") from None
    if kind.kind not in "uif":
        raise InputError(f"dtype must be one of integers or floats, got {kind}")

    rng = np.random.default_rng(seed)
    chosen = background or str(rng.choice(list(BACKGROUNDS)))
    canvas = _LEVEL + _CLUTTER * BACKGROUNDS[chosen](rng, shape) + noise * rng.standard_normal(shape)
    centres = _place(rng, shape, n_targets, margin_px, spacing_px)
    names = tuple(shapes[i % len(shapes)] if shapes else str(rng.choice(list(SHAPES))) for i in range(n_targets))
    turns = np.arange(n_targets) % 2 == 1  # every other one, in an order drawn by chance
    dark = rng.permutation(turns) if polarity == "mixed" else np.full(n_targets, polarity == "dark")

    picture, tallest = canvas.copy(), np.zeros(shape)
    labels, contrasts = np.zeros(shape, np.uint16), np.zeros(n_targets)
    for index, (centre, name) in enumerate(zip(centres, names, strict=True)):
        in_image, in_box = _overlap(centre, shape)
        profile = SHAPES[name](rng)
        profile = (profile / profile.max())[in_box]
        around = canvas[in_image]
        spread = max(float(around.std()), _QUIET)
        room = (around.min() - 0.02) if dark[index] else (0.98 - around.max())
        height = max(min(rng.uniform(low, high) * spread, room), _QUIET)
        picture[in_image] += (-height if dark[index] else height) * profile
        claimed = (profile > MASK_LEVEL) & (height * profile > tallest[in_image])
        labels[in_image][claimed] = index + 1
        tallest[in_image][claimed] = (height * profile)[claimed]
        contrasts[index] = height / spread
    spots = [_point_of(rng, labels == number, points) for number in range(1, n_targets + 1)]
    return Scene(
        image=_as_dtype(picture, kind),
        points=np.array(spots, np.float64).reshape(-1, 2),
        labels=labels,
        contrasts=contrasts,
        dark=dark,
        shapes=names,
        background=chosen,
    )


def _pair(value: object, name: str) -> tuple[Any, Any]:
    """A pair of values; raise where it is none."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"{name} must be a pair, got {shown(value)}")
    return value[0], value[1]


def _place(rng: np.random.Generator, shape: tuple[int, int], n: int, margin: int, spacing: int) -> NDArray[np.int64]:
    """Centres (N, 2) at least `spacing` apart, found by trial; a crowded image is refused."""
    low = np.minimum(margin, (np.asarray(shape) - 1) // 2)
    centres = np.zeros((0, 2), np.int64)
    for _ in range(200 * n):
        if len(centres) == n:
            break
        trial = rng.integers(low, np.asarray(shape) - low)
        if (np.abs(centres - trial).max(axis=1) >= spacing).all():
            centres = np.vstack([centres, trial])
    if len(centres) < n:
        raise InputError(f"n_targets must fit: {n} targets {spacing} px apart found no room in {shape[0]} x {shape[1]}")
    return centres


def _overlap(centre: NDArray[np.int64], shape: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Part of the image under the box around `centre`, and the same part of the box."""
    start, stop = np.maximum(centre - REACH, 0), np.minimum(centre + REACH + 1, shape)
    shift = REACH - centre
    rows, columns = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    box_rows, box_columns = (slice(int(a), int(b)) for a, b in zip(start + shift, stop + shift, strict=True))
    return (rows, columns), (box_rows, box_columns)


def _point_of(rng: np.random.Generator, mask: NDArray[np.bool_], how: str) -> NDArray[np.float64]:
    pixels = np.argwhere(mask)
    if not len(pixels):
        raise InputError("spacing_px must leave every target a pixel of its own; one was covered by another")
    centroid = pixels.mean(axis=0)
    if how == "coarse":
        half_side = (np.ptp(pixels, axis=0) + 1) / 2
        while True:  # ends: the pixel nearest to the centroid is met with a probability far from zero
            trial = np.rint(rng.normal(centroid, half_side / 2))
            if (pixels == trial).all(axis=1).any():
                return trial
    nearest = pixels[np.argmin(((pixels - centroid) ** 2).sum(axis=1))]
    inside = (pixels == np.ceil(centroid - 0.5)).all(axis=1).any()
    return centroid if inside else nearest.astype(np.float64)


def _as_dtype(picture: NDArray[np.float64], kind: np.dtype) -> NDArray:
    picture = np.clip(picture, 0, 1)
    if kind.kind == "f":
        return picture.astype(kind)
    return np.rint(picture * np.iinfo(kind).max).astype(kind)
