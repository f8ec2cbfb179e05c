"""Where a crop lies and how it is turned: the same for an image and every map that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from .config import PAPER_SIZE_PX, TrainConfig


@dataclass(frozen=True, slots=True)
class View:
    """A square cut out of an image, resized, turned.

    Attributes
    ----------
    top, left : first row and column; may lie outside, where the image is continued by reflection.
    side : of the square in the image, pixels.
    size : of the result, pixels.
    flip_rows, flip_columns, transpose : applied in this order, after resizing.
    """

    top: int
    left: int
    side: int
    size: int
    flip_rows: bool = False
    flip_columns: bool = False
    transpose: bool = False

    def cut(self, pixels: NDArray) -> torch.Tensor:
        """Cut the view out of a map (H, W); (size, size) float32."""
        out = torch.from_numpy(_window(pixels, self.top, self.left, self.side).astype(np.float32))
        if self.side != self.size:
            # Antialiased, so that a target of one pixel does not fall between two samples.
            scaled = F.interpolate(out[None, None], size=(self.size, self.size), mode="bilinear", antialias=True)
            out = scaled[0, 0]
        if self.flip_rows:
            out = out.flip(0)
        if self.flip_columns:
            out = out.flip(1)
        return out.T.contiguous() if self.transpose else out.contiguous()


def draw_numbers(generator: torch.Generator) -> list[float]:
    """The random numbers of one view, in [0, 1): what it lies on, which of these, where, how large, how turned.

    They are as many whatever the image, so that one image does not shift the others'.
    """
    return torch.rand(8, generator=generator, dtype=torch.float64).tolist()


def view_of(shape: tuple[int, int], points: NDArray[np.float64], config: TrainConfig, draws: list[float]) -> View:
    """The view that the random numbers of `draw_numbers` give: on one of the points with the chance `target_share`."""
    on_target, which, *rest = draws
    place = points[int(which * len(points))] if len(points) and on_target < config.target_share else None
    return view_around(shape, place, config, rest)


def view_around(
    shape: tuple[int, int], place: NDArray[np.float64] | None, config: TrainConfig, draws: list[float]
) -> View:
    """The view that holds a place, or lies anywhere; `draws` are the numbers after the first two."""
    down, right, stretch, *turns = draws
    side = _side_of(shape, config, stretch)
    top, left = (
        _start(size, side, None if place is None else float(place[axis]), draw)
        for axis, (size, draw) in enumerate(zip(shape, (down, right), strict=True))
    )
    return View(top, left, side, config.crop, turns[0] < 0.5, turns[1] < 0.5, turns[2] < 0.5)


@dataclass(frozen=True, slots=True)
class GreyChange:
    """Gain and offset (B, 1, 1, 1) and noise (B, 1, H, W) of a batch of normalised grey levels."""

    gain: torch.Tensor
    offset: torch.Tensor
    noise: torch.Tensor

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """The batch (B, 1, H, W) changed."""
        return image * self.gain + self.offset + self.noise


def draw_grey_change(n: int, config: TrainConfig, generator: torch.Generator) -> GreyChange:
    """Draw gain, offset and noise for each crop of a batch."""
    gain, offset, sigma = torch.rand(3, n, 1, 1, 1, generator=generator)
    noise = torch.randn((n, 1, config.crop, config.crop), generator=generator)
    gain, offset = 1 + config.brightness * (2 * gain - 1), config.brightness * (2 * offset - 1)
    return GreyChange(gain, offset, config.noise * sigma * noise)


def bring(pixels: NDArray, mode: str = "bilinear") -> NDArray[np.float32]:
    """A map (H, W) at the size of the protocol "paper"; `mode` as in `torch.nn.functional.interpolate`."""
    tensor = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))[None, None]
    return F.interpolate(tensor, size=(PAPER_SIZE_PX, PAPER_SIZE_PX), mode=mode)[0, 0].numpy()


def bring_mask(mask: NDArray) -> NDArray[np.bool_]:
    """A mask (H, W) at the size of the protocol "paper", by the nearest pixel."""
    return bring(mask, "nearest-exact") > 0.5


def _side_of(shape: tuple[int, int], config: TrainConfig, draw: float) -> int:
    """Side in the image of the square that becomes a crop."""
    if config.long_side_high:
        longer = config.long_side_low + draw * (config.long_side_high - config.long_side_low)
        return max(2, round(config.crop * max(shape) / longer))
    return max(2, round(config.crop / (1 + config.zoom * (2 * draw - 1)))) if config.zoom else config.crop


def _start(size: int, side: int, place: float | None, draw: float) -> int:
    """First row or column of a square of `side`: inside the image where it fits, around `place` where there is one."""
    if side >= size:
        return -((side - size) // 2)
    low, high = 0, size - side
    if place is not None:
        low = min(max(int(np.ceil(place)) - side + 1, 0), high)
        high = min(max(int(np.floor(place)), low), high)
    return low + int(draw * (high - low + 1))


def _window(pixels: NDArray, top: int, left: int, side: int) -> NDArray:
    """A square of a map, continued by reflection where it reaches over the border."""
    height, width = pixels.shape
    rows, columns = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
    inside = pixels[rows, columns]
    if inside.shape == (side, side):
        return inside
    before = (max(-top, 0), max(-left, 0))
    after = (max(top + side - height, 0), max(left + side - width, 0))
    return np.pad(inside, tuple(zip(before, after, strict=True)), mode="reflect")
