"""Windows with their candidates as one batch of tensors, grown by the Numba kernels or by torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..default.regions import VOTING_SCALES, grow_regions
from ..default.window import cut_window

Spot = tuple[NDArray, tuple[int, int]]  # an image, targets bright, and the peak of a target in it


@dataclass(frozen=True, slots=True)
class Candidates:
    """B windows of S x S pixels with the candidates of K scales and L levels, as in `engine.default.regions.Regions`.

    Attributes
    ----------
    core : (B, S, S) int32, the window's units, 0 .. 65535.
    inside : (B, S, S) bool, pixels of the image that are finite.
    rest : (B, K, S, S) float32, the units less each background.
    level_of : (B, K, S, S) uint8, index of the highest level whose region holds the pixel, L where none does.
    contrast : (B, K) float64, the peak's height over each background.
    features : (B, K, L, F) float64.
    bad : (B, K, L) bool, candidates that have no vote.
    floor : (B,) float64, mean deviation of the window's finest detail.
    """

    core: Tensor
    inside: Tensor
    rest: Tensor
    level_of: Tensor
    contrast: Tensor
    features: Tensor
    bad: Tensor
    floor: Tensor

    def __len__(self) -> int:
        return len(self.core)


def compiled_candidates(spots: Sequence[Spot], stride: int, n_scales: int) -> Candidates:
    """Cut and grow by the Numba kernels, one window after the other: what is fastest on a CPU."""
    scales = VOTING_SCALES[n_scales]
    windows = [cut_window(image, peak, stride) for image, peak in spots]
    grown = [grow_regions(window, scales) for window in windows]

    def stacked(arrays: list[NDArray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))

    return Candidates(
        core=stacked([window.core for window in windows]),
        inside=stacked([window.inside for window in windows]),
        rest=stacked([each.residual for each in grown]),
        level_of=stacked([each.level_of for each in grown]),
        contrast=stacked([each.contrast for each in grown]),
        features=stacked([each.features for each in grown]),
        bad=stacked([each.bad for each in grown]),
        floor=torch.tensor([window.floor for window in windows], dtype=torch.float64),
    )
