"""Cut the soft labels of one group of crops at a tightness. Twin of `engine.default.border.cut_border`, on crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..default.params import DefaultParams
from ..default.regions import FLOOR_NOISES, SIDE
from ._finish_kernels import N_NUMBERS, finish_kernel
from .border import border_field, shift_border
from .candidates import Candidates
from .crops import Crops
from .voting import Votes

HALF = SIDE // 2


@dataclass(frozen=True, slots=True)
class Finished:
    """Masks of one group on the host.

    Attributes
    ----------
    index : (n,) int64, which windows of the batch.
    origin : (n, 2) int64, the crops' first row and column in the window.
    soft : (n, s, s) float32; mask : (n, s, s) bool.
    found : (n,) bool.
    numbers : (n, 9), see `finish_kernel`.
    """

    index: NDArray[np.int64]
    origin: NDArray[np.int64]
    soft: NDArray[np.float32]
    mask: NDArray[np.bool_]
    found: NDArray[np.bool_]
    numbers: NDArray[np.float64]


def finish(
    crops: Crops,
    soft: Tensor,
    vote: Tensor,
    tightness: Tensor,
    candidates: Candidates,
    votes: Votes,
    params: DefaultParams,
    stride: int,
    *,
    bent: bool,
) -> Finished:
    """Cut soft labels (n, s, s) at each target's tightness (n,) and keep the component of the peak.

    `bent` says whether any tightness is not 0.5; only then the relief is worked out.
    """
    inside = crops.cut(candidates.inside)
    centre = HALF - crops.origin
    each = torch.arange(len(soft), device=soft.device)
    found = soft[each, centre[:, 0], centre[:, 1]] >= 0.5
    border = _border(crops, soft, tightness, candidates, votes, params) if bent else soft - 0.5
    if params.border_px:
        by = params.border_px / stride
        shifted = torch.where(inside, shift_border(soft, by), 0.0)
        at_centre = shifted[each, centre[:, 0], centre[:, 1]]
        shifted[each, centre[:, 0], centre[:, 1]] = at_centre.clamp(min=0.5)  # the point itself always belongs
        border = shift_border(border, by)
        soft = torch.where(found[:, None, None], shifted, soft)
    border = torch.where(inside, border, -1.0)
    edges = torch.stack([crops.origin == 0, crops.origin + crops.side == SIDE], 2).flatten(1)
    host = [
        each.cpu().numpy() for each in (crops.index, crops.origin, soft, border, inside, vote, found, centre, edges)
    ]
    index, origin, labels, borders, within, field, hit, middle, at_edge = host
    masks = np.empty(labels.shape, np.bool_)
    numbers = np.empty((len(labels), N_NUMBERS))
    finish_kernel(labels, borders, within, field, hit, middle, at_edge, masks, numbers)
    return Finished(index, origin, labels, masks, hit, numbers)


def _border(
    crops: Crops, soft: Tensor, tightness: Tensor, candidates: Candidates, votes: Votes, params: DefaultParams
) -> Tensor:
    """Field whose non-negative part is the mask, (n, s, s) float32."""
    contrast = candidates.contrast[crops.index]
    weight = votes.share[crops.index].sum(2) / torch.where(contrast > 0, contrast, 1.0)
    weight = torch.where(contrast > 0, weight, 0.0).to(soft)
    relief = (weight[:, :, None, None] * crops.cut(candidates.rest)).sum(1).clamp(-1, 2)
    least = FLOOR_NOISES * candidates.floor[crops.index] / contrast.amax(1).clamp(min=1)
    level = tightness.to(soft)[:, None, None, None]
    return border_field(soft[:, None], relief[:, None], level, least.to(soft), params.loosest)[:, 0]
