"""Windows with their candidates as one batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ..default.params import DefaultParams
from ..default.regions import SIDE, VOTING_SCALES, Regions, grow_regions
from ..default.window import Window


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """B windows of S x S pixels around their peaks, each with the candidates of K scales and L levels.

    Attributes
    ----------
    image : (B, 1, S, S), intensity in window units, 0 .. 65535; gradients flow through it.
    inside : (B, 1, S, S) bool, pixels of the image that are finite.
    background : (B, K, S, S), the running medians; constants.
    level_of : (B, K, S, S) uint8, index of the highest level whose region holds the pixel, L where none does.
    features : (B, K, L, F), of the candidates; constants.
    bad : (B, K, L) bool, candidates that have no vote.
    floor : (B,), mean deviation of the window's finest detail, in units.
    """

    image: Tensor
    inside: Tensor
    background: Tensor
    level_of: Tensor
    features: Tensor
    bad: Tensor
    floor: Tensor

    def __len__(self) -> int:
        return len(self.image)

    @property
    def contrast(self) -> Tensor:
        """The peak's height over each background, (B, K)."""
        middle = SIDE // 2
        return self.image[..., middle, middle] - self.background[..., middle, middle]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> WindowBatch:
        """Move every tensor; `dtype` goes for those that hold real numbers."""
        return WindowBatch(
            *(
                t.to(device=device, dtype=dtype if t.is_floating_point() else None)
                for t in (getattr(self, field.name) for field in fields(self))
            )
        )


def batch_windows(
    windows: Sequence[Window], params: DefaultParams | None = None, *, regions: Sequence[Regions] | None = None,
    dtype: torch.dtype = torch.float64,
) -> WindowBatch:  # fmt: skip
    """Lay windows out as tensors.

    Parameters
    ----------
    windows : at least one, from `engine.default.window.cut_window`.
    params : of the default method, for the scales that vote; None for its defaults.
    regions : the windows' candidates where they have been grown already; None grows them.
    dtype : of the maps; features and floor are float64, as the vote is worked out in the compiled engine.
    """
    if not windows:
        raise InputError("windows must hold at least one window, got none")
    scales = VOTING_SCALES[(params or DefaultParams()).n_scales]
    grown = [grow_regions(window, scales) for window in windows] if regions is None else list(regions)
    if len(grown) != len(windows):
        raise InputError(f"regions must have one entry per window, {len(windows)}, got {len(grown)}")

    def stacked(arrays: list[NDArray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))

    image = stacked([window.core for window in windows])[:, None].to(dtype)
    residual = stacked([each.residual for each in grown]).to(dtype)
    return WindowBatch(
        image=image,
        inside=stacked([window.inside for window in windows])[:, None],
        background=torch.sub(image, residual, out=residual),
        level_of=stacked([each.level_of for each in grown]),
        features=stacked([each.features for each in grown]),
        bad=stacked([each.bad for each in grown]),
        floor=torch.tensor([window.floor for window in windows], dtype=torch.float64),
    )
