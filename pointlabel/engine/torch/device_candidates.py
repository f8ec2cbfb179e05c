"""Windows with their candidates in torch alone: what a GPU does. Twin of `engine.default.regions.grow_regions`."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..default.regions import FLOOR_NOISES, LEAST_CONTRAST, LEVELS, SIDE, VOTING_SCALES, WEAK_STEP
from ..default.window import REACH
from .candidates import Candidates, Spot
from .cutting import Windows, cut_windows, gather_parts
from .describing import describe
from .growing import flood, own_levels, region_sums, shared_area
from .medians import rest_over_medians

HALF = SIDE // 2


def device_candidates(spots: Sequence[Spot], stride: int, *, n_scales: int, device: torch.device) -> Candidates:
    """Cut and grow all windows at once. The whole numbers are those of the kernels, bit for bit."""
    return grow_candidates(cut_windows(gather_parts(spots, stride, device), stride), VOTING_SCALES[n_scales])


def grow_candidates(windows: Windows, scales: tuple[int, ...]) -> Candidates:
    """Grow the nested regions of each background scale from the windows' peaks."""
    n_scales, n_levels = len(scales), len(LEVELS)
    rest = rest_over_medians(windows.units, scales)
    contrast = rest[..., HALF, HALF].double()
    levels = torch.from_numpy(LEVELS).to(rest.device)
    own = own_levels(rest, contrast, levels, FLOOR_NOISES * windows.floor, windows.inside)
    level_of = flood(own, n_levels)
    weak_step = WEAK_STEP * contrast
    listed = region_sums(rest.flatten(0, 1), level_of.flatten(0, 1), n_levels, weak_step.flatten())
    sums = listed.unflatten(0, (-1, n_scales))
    sides, doubled = torch.tensor(scales, dtype=torch.float64, device=rest.device), contrast
    if n_scales == 1:  # a lone scale agrees with itself
        shared = sums[..., 0]
        described = sums.repeat(1, 2, 1, 1)
        sides, doubled = sides.repeat(2), contrast.repeat(1, 2)
    else:
        pairs = [shared_area(level_of[:, k], level_of[:, k + 1], n_levels) for k in range(n_scales - 1)]
        shared, described = torch.stack(pairs, 1), sums
    features = describe(described, shared, doubled, sides, levels, windows.noise, windows.spread)
    low = (contrast < LEAST_CONTRAST * contrast.amax(1, keepdim=True)) | (contrast <= 0)
    return Candidates(
        core=windows.units[:, REACH : REACH + SIDE, REACH : REACH + SIDE],
        inside=windows.inside,
        rest=rest,
        level_of=level_of,
        contrast=contrast,
        features=features[:, :n_scales],
        bad=(sums[..., 12] > 0) | low[..., None],
        floor=windows.floor,
    )
