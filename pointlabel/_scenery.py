"""Backgrounds and targets that scenes are drawn of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Half side in pixels of the box that holds a drawn target, and of the box its contrast is measured in.
REACH = 10
_FINE = 7  # sub-pixels on a side when the covered share of a pixel is counted (odd: no share is the MASK_LEVEL 1/4)


def _cloud(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Correlated noise: white noise whose spectrum falls as frequency to the power -1.7."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf  # no mean; it is set below
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * frequency**-1.7
    return _standard(np.fft.irfft2(spectrum, s=shape))


def _sea(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Horizontal streaks that grow coarser away from the horizon, a slope in brightness and faint glints."""
    white = rng.standard_normal(shape)
    far, near = (_standard(ndimage.gaussian_filter(white, sigma)) for sigma in ((0.8, 5.0), (2.0, 14.0)))
    depth = np.linspace(0, 1, shape[0])[:, None]
    streaks = (1 - depth) * far + depth * near
    glints = ndimage.gaussian_filter((rng.random(shape) < 0.001).astype(float), (0.5, 1.0))
    return _standard(0.5 * streaks - 1.5 * depth + 3.0 * glints)


def _noise(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Fixed pattern of a detector: offsets of columns and rows, and of single pixels."""
    columns, rows = rng.standard_normal(shape[1]), rng.standard_normal((shape[0], 1))
    return 0.15 * columns + 0.05 * rows + 0.05 * rng.standard_normal(shape)


def _gradient(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """A plane that falls in a direction drawn by chance."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])
    return np.sin(angle) * rows + np.cos(angle) * columns


def _flat(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Constant."""
    return np.zeros(shape)


BACKGROUNDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]] = {
    "cloud": _cloud,
    "sea": _sea,
    "noise": _noise,
    "gradient": _gradient,
    "flat": _flat,
}


def _standard(field: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = field.std()
    return (field - field.mean()) / (spread if spread > 0 else 1.0)


def _covered(inside: Callable[[NDArray, NDArray], NDArray]) -> NDArray[np.float64]:
    """Share of each pixel of the box that lies inside a figure given by an indicator of (row, column)."""
    fine = (np.arange((2 * REACH + 1) * _FINE) + 0.5) / _FINE - 0.5 - REACH
    hit = inside(fine[:, None], fine).astype(float)
    side = 2 * REACH + 1
    return hit.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3))


def _gaussian_spot(rng: np.random.Generator) -> NDArray[np.float64]:
    offset, sigma = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.8, 2.2)
    axis = np.arange(-REACH, REACH + 1)
    squared = (axis[:, None] - offset[0]) ** 2 + (axis - offset[1]) ** 2
    return np.exp(-squared / (2 * sigma**2))


def _disc(rng: np.random.Generator) -> NDArray[np.float64]:
    offset, radius = rng.uniform(-0.5, 0.5, 2), rng.uniform(1.5, 4.0)
    return _covered(lambda rows, columns: np.hypot(rows - offset[0], columns - offset[1]) <= radius)


def _ellipse(rng: np.random.Generator) -> NDArray[np.float64]:
    offset, long, short = rng.uniform(-0.5, 0.5, 2), rng.uniform(3.0, 5.0), rng.uniform(1.2, 2.0)
    angle = rng.uniform(0, np.pi)

    def inside(rows: NDArray, columns: NDArray) -> NDArray:
        rows, columns = rows - offset[0], columns - offset[1]
        along = np.cos(angle) * rows + np.sin(angle) * columns
        across = np.cos(angle) * columns - np.sin(angle) * rows
        return (along / long) ** 2 + (across / short) ** 2 <= 1

    return _covered(inside)


def _arm(rng: np.random.Generator) -> NDArray[np.float64]:
    """An L of two bars, two pixels wide, whose corner lies at the centre of the box."""
    down, right = rng.integers(3, 7, 2)
    out = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    out[REACH - 1 : REACH + down, REACH - 1 : REACH + 1] = 1
    out[REACH - 1 : REACH + 1, REACH - 1 : REACH + right] = 1
    return np.rot90(out, int(rng.integers(4)))


def _block(side: int) -> NDArray[np.float64]:
    out = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    out[REACH : REACH + side, REACH : REACH + side] = 1
    return out


#: Each draws one target with a peak near 1 in the middle of a box of 21 x 21 pixels.
SHAPES: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "gaussian": _gaussian_spot,
    "disc": _disc,
    "ellipse": _ellipse,
    "arm": _arm,
    "pixel": lambda rng: _block(1),
    "square": lambda rng: _block(2),
}
