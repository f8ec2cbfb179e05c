"""What the differentiable engine takes as given: windows with their candidates, as one batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ..default.params import DefaultParams
from ..default.regions import VOTING_SCALES, Regions, grow_regions
from ..default.window import Window

#: Window units 0 .. 65535 over this lie in [0, 1): the medium that heat spreads in.
UNITS = 65536.0


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """B windows of S x S pixels around their peaks, each with the candidates of K scales and L levels.

    Attributes
    ----------
    image : (B, 1, S, S), intensity in window units, 0 .. 65535; gradients flow through it.
    inside : (B, 1, S, S) bool, pixels of the image that are finite.
    background : (B, K, S, S), the running medians; constants.
    level_of : (B, K, S, S) int64, index of the highest level whose region holds the pixel, L where none does.
    features : (B, K, L, F), of the candidates; constants.
    bad : (B, K, L) bool, candidates that have no vote.
    least : (B,), height in units below which nothing is told from noise.
    """

    image: Tensor
    inside: Tensor
    background: Tensor
    level_of: Tensor
    features: Tensor
    bad: Tensor
    least: Tensor

    def __len__(self) -> int:
        return len(self.image)

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
    dtype : of the real numbers.
    """
    if not windows:
        raise InputError("windows must hold at least one window, got none")
    scales = VOTING_SCALES[(params or DefaultParams()).n_scales]
    grown = [grow_regions(window, scales) for window in windows] if regions is None else list(regions)
    if len(grown) != len(windows):
        raise InputError(f"regions must have one entry a window, {len(windows)}, got {len(grown)}")
    image = np.stack([window.core for window in windows])[:, None].astype(np.float64)
    rest = np.stack([each.residual for each in grown]).astype(np.float64)
    least = np.array([window.floor for window in windows])
    return WindowBatch(
        image=torch.from_numpy(image).to(dtype),
        inside=torch.from_numpy(np.stack([window.inside for window in windows])[:, None]),
        background=torch.from_numpy(image - rest).to(dtype),
        level_of=torch.from_numpy(np.stack([each.level_of for each in grown]).astype(np.int64)),
        features=torch.from_numpy(np.stack([each.features for each in grown])).to(dtype),
        bad=torch.from_numpy(np.stack([each.bad for each in grown])),
        least=torch.from_numpy(least).to(dtype),
    )
