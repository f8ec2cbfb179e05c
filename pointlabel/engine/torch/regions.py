"""Candidates grown from the peaks of many windows on any device. Twin of `engine.default.regions`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..default._region_kernels import AT_BORDER, N_SUMS
from ..default.regions import FLOOR_NOISES, LEAST_CONTRAST, LEVELS, SIDE, WEAK_STEP
from ..default.window import REACH
from .background import running_medians
from .batch import WindowBatch
from .features import describe_candidates
from .window import Windows

HALF = SIDE // 2
_CHECK_EVERY = 8  # steps of the flood between two looks at which windows still change


def grow_windows(windows: Windows, scales: tuple[int, ...]) -> WindowBatch:
    """Grow the nested regions of each background scale from the windows' peaks; maps float32, features float64."""
    n_scales, n_levels = len(scales), len(LEVELS)
    image = windows.units[:, None, REACH : REACH + SIDE, REACH : REACH + SIDE].float()
    background = running_medians(windows.units, scales)
    residual = image - background
    contrast = residual[..., HALF, HALF].double()
    levels = torch.from_numpy(LEVELS).to(residual.device)
    own = own_levels(residual, contrast, levels, FLOOR_NOISES * windows.floor, windows.inside)
    level_of = flood(own, n_levels)
    weak_step = (WEAK_STEP * contrast).flatten()
    listed = region_sums(residual.flatten(0, 1), level_of.flatten(0, 1), n_levels, weak_step)
    sums = listed.unflatten(0, (-1, n_scales))
    sides, doubled = torch.tensor(scales, dtype=torch.float64, device=residual.device), contrast
    if n_scales == 1:  # a lone scale agrees with itself
        shared, described = sums[..., 0], sums.repeat(1, 2, 1, 1)
        sides, doubled = sides.repeat(2), contrast.repeat(1, 2)
    else:
        pairs = [shared_area(level_of[:, k], level_of[:, k + 1], n_levels) for k in range(n_scales - 1)]
        shared, described = torch.stack(pairs, 1), sums
    features = describe_candidates(described, shared, doubled, sides, levels, windows.noise, windows.spread)
    flat = (contrast < LEAST_CONTRAST * contrast.amax(1, keepdim=True)) | (contrast <= 0)
    return WindowBatch(
        image=image,
        inside=windows.inside[:, None],
        background=background,
        level_of=level_of,
        features=features[:, :n_scales],
        bad=(sums[..., AT_BORDER] > 0) | flat[..., None],
        floor=windows.floor,
    )


def own_levels(residual: Tensor, contrast: Tensor, levels: Tensor, least: Tensor, inside: Tensor) -> Tensor:
    """Index of the first level that a pixel's own height reaches, L where none is, (B, K, S, S) uint8.

    `levels` (L,) falls; no level is cut below `least` (B,). Two units of slack keep ties of the image's grey levels.
    """
    peak = contrast[..., None]
    heights = torch.minimum(torch.maximum(levels * peak - 2, least[:, None, None]), peak)
    n_levels = len(levels)
    rising = heights.flip(-1).ceil().float()  # heights are compared with whole numbers
    reached = torch.searchsorted(rising, residual.flatten(2).contiguous(), right=True, out_int32=True)
    own = (n_levels - reached).view(residual.shape)
    return torch.where(inside[:, None], own, n_levels).to(torch.uint8)


def flood(own: Tensor, n_levels: int) -> Tensor:
    """Lowest level at which a pixel is 8-connected to the middle through pixels that reach it, (..., S, S) uint8.

    The level of a path is the worst of its pixels; the answer is the best path's. Every step lets all pixels take the
    best of their neighbours' answers. Now and then the host asks which windows still change.
    """
    shape = own.shape
    own = own.reshape(-1, SIDE, SIDE).clone()
    own[:, HALF, HALF] = 0
    level_of = torch.full_like(own, n_levels)
    level_of[:, HALF, HALF] = 0
    here, moving = level_of, torch.arange(len(own), device=own.device)
    while True:
        before = here
        for _ in range(_CHECK_EVERY):
            here = torch.maximum(own, lower_3x3(here, n_levels))
        still = (here != before).flatten(1).any(1).nonzero()[:, 0]  # most floods end early; the others go on alone
        level_of[moving] = here
        if not len(still):
            return level_of.view(shape)
        here, own, moving = here[still], own[still], moving[still]


def lower_3x3(maps: Tensor, beyond: int) -> Tensor:
    """Minimum over the 3 x 3 block of each pixel, `beyond` outside the maps (..., S, S)."""
    wide = pad(maps, (1, 1, 0, 0), value=beyond)
    across = torch.minimum(torch.minimum(wide[..., :-2], wide[..., 2:]), maps)
    wide = pad(across, (0, 0, 1, 1), value=beyond)
    return torch.minimum(torch.minimum(wide[..., :-2, :], wide[..., 2:, :]), across)


def region_sums(residual: Tensor, level_of: Tensor, n_levels: int, weak_step: Tensor) -> Tensor:
    """Sums over each nested region, its border and its ring, (N, L, N_SUMS) float64; see `region_sums_kernel`.

    Parameters
    ----------
    residual : (N, S, S) float32, whole numbers; level_of : (N, S, S) uint8.
    weak_step : (N,) float64, steps below which an edge counts as weak.

    Pixels within 3 px of a region, a small part of all, are listed once; each adds to the level at which it joins a
    region, border or ring, and is taken off again where it leaves it. Sums are of whole numbers, hence exact in any
    order, and over levels they are running sums.
    """
    one = lower_3x3(level_of, n_levels)
    far = lower_3x3(lower_3x3(one, n_levels), n_levels)
    at = (far.view(-1) < n_levels).nonzero()[:, 0]
    window, row, column = at // SIDE**2, at // SIDE % SIDE, at % SIDE
    levels, values = level_of.view(-1), residual.reshape(-1)
    own, value = levels[at], values[at].double()
    first = window * (n_levels + 1)

    def add(total: Tensor, level: Tensor, maps: Tensor, sign: int = 1) -> None:
        total.index_add_(0, first + level, maps, alpha=sign)

    ones = torch.ones_like(value)
    inner = value.new_zeros(len(residual) * (n_levels + 1), 6)
    on_rim = ((row == 0) | (column == 0) | (row == SIDE - 1) | (column == SIDE - 1)).double()
    shift = (row - HALF).double(), (column - HALF).double()
    powers = torch.stack([ones, value, value * value], 1)
    add(inner, own, torch.cat([powers, torch.stack([*shift, on_rim], 1)], 1))
    edges = value.new_zeros(len(inner), 3)
    for step_to, has_next in ((SIDE, row < SIDE - 1), (1, column < SIDE - 1)):
        beside = torch.where(has_next, at + step_to, at)
        other = levels[beside]
        step = value - values[beside].double()
        step = torch.where(own < other, step, -step)
        edge = torch.stack([ones, step, (step < weak_step[window]).double()], 1)
        add(edges, torch.minimum(own, other), edge)
        add(edges, torch.maximum(own, other), edge, -1)  # equal levels: no border, and nothing is left of it
    ring = value.new_zeros(len(inner), 3)
    add(ring, far.view(-1)[at], powers)
    add(ring, one.view(-1)[at], powers, -1)
    largest = value.new_full((len(inner),), -1e9).scatter_reduce_(0, first + own, value, "amax")
    sums = torch.cat([inner, edges, ring], 1).view(len(residual), n_levels + 1, -1)[:, :-1].cumsum(1)
    highest = largest.view(len(residual), n_levels + 1)[:, :-1].cummax(1).values
    out = torch.cat([sums[..., :3], highest[..., None], sums[..., 3:5], sums[..., 6:], sums[..., 5:6]], 2)
    assert out.shape[2] == N_SUMS
    return out


def shared_area(level_a: Tensor, level_b: Tensor, n_levels: int) -> Tensor:
    """Pixels that two families of nested regions (B, S, S) share at each level, (B, L) float64."""
    deeper = torch.maximum(level_a, level_b).flatten(1)
    numbers = torch.arange(n_levels, dtype=torch.uint8, device=deeper.device)
    return (deeper[:, None] <= numbers[:, None]).sum(2).double()
