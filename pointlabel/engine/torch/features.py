"""Features of the candidates of many windows. Twin of `engine.default._feature_kernels.feature_kernel`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..default.regions import FEATURES
from ..default.vote import LEVEL_CENTRE


def describe_candidates(
    sums: Tensor, shared: Tensor, contrast: Tensor, sides: Tensor, levels: Tensor, noise: Tensor, spread: Tensor
) -> Tensor:
    """Features of all candidates, (B, K, L, F) float64.

    Parameters
    ----------
    sums : (B, K, L, N_SUMS), from `regions.region_sums`; shared : (B, K - 1, L), pixels that neighbouring scales share.
    contrast : (B, K); sides : (K,) of the backgrounds in px; levels : (L,), falling.
    noise, spread : (B,).
    """
    n_scales, n_levels = sums.shape[1:3]
    area, total, _, highest, down, across, edges, steps, weak, ring, ring_sum, ring_squares, _ = sums.unbind(3)
    c = contrast.clamp(min=1)[..., None]
    edges, ring = edges.clamp(min=1), ring.clamp(min=1)
    step = steps / edges / c
    steepest = step.amax(2, keepdim=True).clamp(min=1e-6)
    ring_mean = ring_sum / ring
    ring_deviation = (ring_squares / ring - ring_mean * ring_mean).clamp(min=0).sqrt()
    both = shared / (area[:, :-1] + area[:, 1:] - shared)
    scale = torch.arange(n_scales, device=sums.device)
    below, above = (scale - 1).clamp(min=0), scale.clamp(max=n_scales - 2)
    following = contrast[:, (scale + 1).clamp(max=n_scales - 1)].clamp(min=1)[..., None]
    largest = contrast.amax(1).clamp(min=1)[:, None, None]
    level = torch.arange(n_levels, device=sums.device)
    noise, spread, side = noise[:, None, None], spread[:, None, None], sides[:, None]

    def area_at(by: int) -> Tensor:
        return area[..., (level + by).clamp(0, n_levels - 1)]

    mean = total / area
    log_area, log_noise = area.log(), (c / noise).log()
    found = {
        "stability": both[:, below] + both[:, above],
        "growth": (area_at(-1) / area_at(1)).log(),
        "growth_two": (area_at(-2) / area).log(),
        "level": levels,
        "level_squared": levels * levels,
        "step": step,
        "step_of_scale": step / steepest,
        "step_of_all": step / steepest.amax(1, keepdim=True),
        "weak": weak / edges,
        "log_area": log_area,
        "side_over_scale": area.sqrt() / side,
        "area_over_scale": area / side**2,
        "ring_mean": ring_mean / c,
        "ring_deviation": ring_deviation / c,
        "maximum": highest / c,
        "roundness": 4 * math.pi * area / edges**2,
        "offset": torch.hypot(down, across) / area**1.5,
        "log_scale": (side / 21.0).log(),
        "log_contrast": (c / largest).log(),
        "log_contrast_next": (c / following).log(),
        "log_level_noise": (levels * c / noise).clamp(min=0.1).log(),
        "log_ring_snr": ((mean - ring_mean) / (ring_deviation + 0.5 * noise)).clamp(min=0.1).log(),
        "inside_mean": mean / c,
        "log_noise": log_noise,
        "log_spread": (c / spread).log(),
        "level_noise": (levels - LEVEL_CENTRE) ** 2 * log_noise,
    }
    return torch.stack([found[name].expand_as(area) for name in FEATURES], 3)
