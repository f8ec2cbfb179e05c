"""Local signal-to-clutter ratio (SCR) of a batch of images, and the weight that REEM gives it."""

from __future__ import annotations

import torch

from .._values import as_number
from ..errors import InputError

# All as published.
_LARGEST = 12.0
_FEWEST_RING_PX = 9
_TINY = 2e-6
_STRENGTH = 2.0
_HALF = 2.0


@torch.no_grad()
def local_scr(image: torch.Tensor, target: torch.Tensor, *, min_area_px: int = 9) -> torch.Tensor:
    """Measure how far the targets of each image stand out of the ring around them, in standard deviations of the ring.

    SCR = |mean(target) - mean(ring)| / (std(ring) + 2e-6), clipped to [0, 12], with the sample standard deviation.
    One box holds all targets of an image. The ring lies between the box scaled 1.5 and the box scaled 4, at least 15 px
    across; where it holds fewer than 9 px the whole background takes its place. The same as
    `pointlabel.evaluation.scr.local_scr`, for a batch at once and on any device.

    Parameters
    ----------
    image : (B, C, H, W) or (B, H, W) real; channels are averaged, pixels that are not finite left out. Scale and offset
        hardly matter: only the 2e-6 depends on them.
    target : (B, 1, H, W) or (B, H, W), bool or real in [0, 1]: a pixel belongs to it above 0.5.
    min_area_px : SCR is 0 for targets of fewer pixels.

    Returns
    -------
    (B,) float32, or float64 where the image is, in [0, 12], without gradient; 0 where no pixel of the target, or fewer
    than two of the background, is finite.

    Raises
    ------
    InputError
        For shapes that do not fit, or a negative `min_area_px`.

    References
    ----------
    Y. Sevim, B. U. Töreyin: SCR-Guided Difficulty-Aware Optimization for Infrared Small Target Detection, CVPR
    Workshops 2026, arXiv 2606.18783.
    """
    as_number(min_area_px, "min_area_px", 0)
    mask = target[:, 0] if target.ndim == 4 and target.shape[1] == 1 else target
    fits = image.ndim in (3, 4) and (image.shape[0], *image.shape[-2:]) == mask.shape
    if mask.ndim != 3 or not fits or 0 in image.shape:
        raise InputError(
            f"image must have shape (B, C, H, W) or (B, H, W) and target (B, 1, H, W) or (B, H, W), "
            f"got {tuple(image.shape)} and {tuple(target.shape)}"
        )
    mask = mask if mask.dtype == torch.bool else mask > 0.5
    grey = image.to(torch.float64 if image.dtype == torch.float64 else torch.float32)
    if grey.ndim == 4:
        grey = grey.mean(1)
    finite = grey.isfinite()
    # Less the smallest value: what is flat becomes exactly 0, and float32 keeps what a large offset would cost.
    darkest = grey.masked_fill(~finite, torch.inf).amin((1, 2), keepdim=True)
    grey = (grey - darkest).masked_fill(~finite, 0)

    background = finite & ~mask
    inner_rows, outer_rows = _near_box(mask.any(2))
    inner_columns, outer_columns = _near_box(mask.any(1))
    ring = outer_rows[:, :, None] & outer_columns[:, None, :] & background
    ring &= ~(inner_rows[:, :, None] & inner_columns[:, None, :])
    has_ring = ring.sum((1, 2)) >= _FEWEST_RING_PX
    around = ring | (background & ~has_ring[:, None, None])

    n_around, mean_around = _count_and_mean(grey, around)
    n_inside, mean_inside = _count_and_mean(grey, mask & finite)
    squares = ((grey - mean_around[:, None, None]) * around).square().sum((1, 2))
    std = (squares / (n_around - 1).clamp_min(1)).sqrt()
    scr = ((mean_inside - mean_around).abs() / (std + _TINY)).clamp(max=_LARGEST)
    counts = (mask.sum((1, 2)) >= min_area_px) & (n_inside > 0) & (n_around >= 2)
    return scr.where(counts, torch.zeros_like(scr))


def _near_box(hit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Along one axis, what lies inside the box scaled 1.5 and 4: twice (B, N) bool, from where a target is."""
    size = hit.shape[1]
    index = torch.arange(size, device=hit.device)
    low = index.where(hit, size).amin(1)
    high = index.where(hit, -1).amax(1)
    extent = (high - low + 1).float()
    distance = (index - ((low + high) / 2).round()[:, None]).abs()  # halves to even, as published
    inner = (0.75 * extent).round().clamp_min(1)
    outer = (2.0 * extent).round().clamp_min(7)
    return distance <= inner[:, None], distance <= outer[:, None]


def _count_and_mean(values: torch.Tensor, where: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    n = where.sum((1, 2))
    return n, (values * where).sum((1, 2)) / n.clamp_min(1)


def scr_weight(scr: torch.Tensor) -> torch.Tensor:
    """Weight of a sample by its SCR: 1 + 2 (1 - SCR / (SCR + 2)), from 3 for a target at clutter level down to 1.

    Parameters
    ----------
    scr : of any shape, not negative.

    Returns
    -------
    Tensor of the same shape in (1, 3], without gradient.
    """
    scr = scr.detach()
    return 1 + _STRENGTH * (1 - scr / (scr + _HALF))
