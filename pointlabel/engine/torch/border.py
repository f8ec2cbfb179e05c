"""The border in torch: the field whose non-negative part is the mask, a soft mask, and masks cut on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from ..default.border import CERTAINTY, LOOSEST, TIGHTEST, disc
from ..default.params import DefaultParams
from ..default.regions import FLOOR_NOISES, SIDE
from ._border_kernels import cut_masks_kernel
from .crops import Crops
from .vote import expected_relief

#: Width of the soft border: a share of the local contrast.
BORDER_WIDTH = 0.02


def border_field(
    soft: Tensor, relief: Tensor, tightness: Tensor | float, least: Tensor, loosest: Tensor | float = LOOSEST
) -> Tensor:
    """Field whose non-negative part is the mask at `tightness`: twin of `engine.default.border.border_field`.

    Parameters
    ----------
    soft, relief : (B, 1, S, S), probability of the target and height as a share of the peak's.
    tightness : in [0, 1], a number or a tensor that broadcasts with (B, 1, 1, 1).
    least : (B,), relief below which no pixel joins by its relief.
    loosest : share of the local contrast at tightness 0.
    """
    inner = float(CERTAINTY) * (soft - 0.5)
    tight = torch.as_tensor(tightness, dtype=soft.dtype, device=soft.device)
    weight = (2 * tight - 1).abs()
    outer = torch.where(relief >= least.view(-1, 1, 1, 1), relief - loosest, -1.0)
    extreme = torch.where(tight < 0.5, torch.maximum(outer, inner), torch.minimum(relief - TIGHTEST, inner))
    return (1 - weight) * inner + weight * extreme


def shift_border(field: Tensor, border_px: float) -> Tensor:
    """Largest value of a field (B, 1, S, S) within a disc, or smallest for a negative radius.

    Twin of `engine.default.border.shift_border`. The gradient goes to the pixel that was taken.
    """
    footprint = disc(abs(border_px))
    if footprint.size == 1:
        return field
    height, width = field.shape[-2:]
    wide = pad(field, (len(footprint) // 2,) * 4, mode="replicate")
    choose = torch.maximum if border_px > 0 else torch.minimum
    out = field
    for y, x in zip(*footprint.nonzero(), strict=True):
        out = choose(out, wide[..., y : y + height, x : x + width])
    return out


def relief_of(crops: Crops) -> tuple[Tensor, Tensor]:
    """Expected relief on crops, (n, 1, s, s), and the relief below which no pixel joins by it, (n,)."""
    batch, contrast = crops.batch, crops.batch.contrast[crops.index]
    residual = crops.image - crops.cut(batch.background)
    least = FLOOR_NOISES * batch.floor[crops.index] / contrast.amax(1).clamp(min=1)
    return expected_relief(crops.votes.share[crops.index], contrast, residual), least.to(residual)


def move_border(soft: Tensor, border: Tensor, crops: Crops, border_px: float) -> tuple[Tensor, Tensor]:
    """Shift soft label and border (n, 1, s, s) by `border_px`, and leave out what lies beyond the image."""
    if border_px:
        border = shift_border(border, border_px)
        soft = torch.where(crops.inside, shift_border(soft, border_px), 0.0)
        each, row, column = crops.peak()
        at = (each, torch.zeros_like(each), row, column)
        soft[at] = soft[at].clamp(min=0.5)  # the point itself always belongs
    return soft, torch.where(crops.inside, border, -1.0)


def soft_mask(border: Tensor, width: Tensor | float = BORDER_WIDTH) -> Tensor:
    """sigmoid(border / width): towards the hard mask ``border >= 0`` as `width` goes to 0."""
    return torch.sigmoid(border / width)


@dataclass(frozen=True, slots=True)
class HardMasks:
    """Masks of n crops on the host.

    Attributes
    ----------
    soft : (n, s, s) float32; mask : (n, s, s) bool.
    found : (n,) bool, whether the soft label holds the peak.
    touches : (n,) bool; sums : (n, 4) float64; boxes : (n, 4) int64, see `cut_masks_kernel`.
    """

    soft: NDArray[np.float32]
    mask: NDArray[np.bool_]
    found: NDArray[np.bool_]
    touches: NDArray[np.bool_]
    sums: NDArray[np.float64]
    boxes: NDArray[np.int64]


def cut_masks(
    soft: Tensor, crops: Crops, params: DefaultParams, *, stride: int, tightness: Tensor | None = None
) -> HardMasks:
    """Cut soft labels (n, 1, s, s) and keep the component of the peak: twin of `engine.default.label.finish`.

    `tightness` is that of each crop, (n,); None stands for 0.5, where the relief does not count.
    """
    border = soft - 0.5
    if tightness is not None:
        relief, least = relief_of(crops)
        border = border_field(soft, relief, tightness.view(-1, 1, 1, 1), least, params.loosest)
    each, row, column = crops.peak()
    found = soft[each, 0, row, column] >= 0.5
    shifted, border = move_border(soft, border, crops, params.border_px / stride)
    if params.border_px:
        soft = torch.where(found.view(-1, 1, 1, 1), shifted, soft)
    edges = torch.stack([crops.origin == 0, crops.origin + crops.side == SIDE], 2).flatten(1)
    maps = [soft, border, crops.inside, crops.field]
    others = [found, torch.stack([row, column], 1), edges]
    host = [each.cpu().numpy() for each in (*(each[:, 0] for each in maps), *others)]
    n = len(soft)
    written = np.empty(host[0].shape, np.bool_), np.empty(n, np.bool_), np.empty((n, 4)), np.empty((n, 4), np.int64)
    cut_masks_kernel(*host, *written)
    masks, touches, sums, boxes = written
    return HardMasks(host[0], masks, host[4], touches, sums, boxes)
