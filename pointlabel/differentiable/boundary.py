"""The border in torch: the field whose non-negative part is the mask, and a soft mask."""

from __future__ import annotations

import torch
from torch import Tensor

from ..engine.boundary import CERTAINTY, LOOSEST, TIGHTEST

#: Width of the soft border: a share of the local contrast.
BORDER_WIDTH = 0.02


def border_field(soft: Tensor, relief: Tensor, tightness: Tensor | float, least: Tensor) -> Tensor:
    """Field whose non-negative part is the mask at `tightness`: twin of `engine.boundary.border_field`.

    Parameters
    ----------
    soft, relief : (B, 1, S, S), probability of the target and height as a share of the peak's.
    tightness : in [0, 1], a number or a tensor that broadcasts with (B, 1, 1, 1).
    least : (B,), relief below which no pixel joins by its relief.
    """
    inner = float(CERTAINTY) * (soft - 0.5)
    tight = torch.as_tensor(tightness, dtype=soft.dtype, device=soft.device)
    weight = (2 * tight - 1).abs()
    outer = torch.where(relief >= least.view(-1, 1, 1, 1), relief - LOOSEST, -1.0)
    extreme = torch.where(tight < 0.5, torch.maximum(outer, inner), torch.minimum(relief - TIGHTEST, inner))
    return (1 - weight) * inner + weight * extreme


def soft_mask(border: Tensor, width: Tensor | float = BORDER_WIDTH) -> Tensor:
    """sigmoid(border / width): towards the hard mask ``border >= 0`` as `width` goes to 0."""
    return torch.sigmoid(border / width)
