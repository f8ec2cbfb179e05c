"""The border in torch: the field whose non-negative part is the mask, and a soft mask."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..default.border import CERTAINTY, LOOSEST, TIGHTEST, disc

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
    """Largest value of a field (..., S, S) within a disc, or smallest for a negative radius.

    Twin of `engine.default.border.shift_border`. The gradient goes to the pixel that was taken.
    """
    footprint = disc(abs(border_px))
    if footprint.size == 1:
        return field
    reach, (height, width) = len(footprint) // 2, field.shape[-2:]
    wide = pad(field.reshape(-1, 1, height, width), (reach,) * 4, mode="replicate").view(
        *field.shape[:-2], height + 2 * reach, width + 2 * reach
    )
    choose = torch.maximum if border_px > 0 else torch.minimum
    out = field
    for y, x in zip(*footprint.nonzero(), strict=True):
        out = choose(out, wide[..., y : y + height, x : x + width])
    return out


def soft_mask(border: Tensor, width: Tensor | float = BORDER_WIDTH) -> Tensor:
    """sigmoid(border / width): towards the hard mask ``border >= 0`` as `width` goes to 0."""
    return torch.sigmoid(border / width)
