"""What every loss does with its arguments: check them once, measure areas, reduce at the end."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch.nn import functional

from ..errors import InputError

Reduction = Literal["none", "mean"]


def as_batch(logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both as (B, H, W) of one dtype: float64 where the logits are, float32 otherwise.

    Half precision is converted at once: a sum over 256 x 256 pixels does not fit into it.
    """
    flat = _without_channel(logits, "logits")
    if not logits.is_floating_point():
        raise InputError(f"logits must be floating point, got {logits.dtype}")
    if target.shape != logits.shape:
        raise InputError(f"target must have the logits' shape {tuple(logits.shape)}, got {tuple(target.shape)}")
    if target.is_complex():
        raise InputError(f"target must hold real numbers, got {target.dtype}")
    # On other devices a look at the values would make every training step wait for the device.
    if target.dtype != torch.bool and target.device.type == "cpu" and not torch.compiler.is_compiling():
        low, high = (value.item() for value in target.detach().aminmax())
        if not (low >= 0 and high <= 1):
            raise InputError(f"target must lie in [0, 1], got values from {low:g} to {high:g}")
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return flat.to(dtype), _without_channel(target, "target").to(dtype)


def shrink_target(target: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Halve a target by maxima over 2 x 2 pixels until it has the size of the logits; as it is where it never has."""
    size = logits.shape[-2:]
    if target.shape[-2:] == size:
        return target
    halved = target if target.dtype == torch.float64 else target.float()
    while halved.shape[-2] > size[0] or halved.shape[-1] > size[1]:
        halved = functional.max_pool2d(halved, 2, ceil_mode=True)
    return halved if halved.shape[-2:] == size else target


def log_probabilities(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ln p and ln(1 - p) of logits; half precision overflows to infinity, and 0 times infinity would be NaN."""
    values = logits.nan_to_num(nan=torch.nan, posinf=1e4, neginf=-1e4)
    return functional.logsigmoid(values), functional.logsigmoid(-values)


def _without_channel(values: torch.Tensor, name: str) -> torch.Tensor:
    flat = values[:, 0] if values.ndim == 4 and values.shape[1] == 1 else values
    if flat.ndim != 3 or 0 in flat.shape:
        raise InputError(f"{name} must have shape (B, 1, H, W) or (B, H, W), none of them 0, got {tuple(values.shape)}")
    return flat


class Areas(NamedTuple):
    """Sums over the pixels of each sample, each (B,), in pixels.

    Attributes
    ----------
    predicted : sum of the probabilities, A_p in the papers.
    target : sum of the target, A_t.
    both : sum of their products, the soft intersection.
    """

    predicted: torch.Tensor
    target: torch.Tensor
    both: torch.Tensor

    @property
    def union(self) -> torch.Tensor:
        """Soft union."""
        return self.predicted + self.target - self.both

    def iou(self, smooth: float) -> torch.Tensor:
        """Soft IoU with `smooth` pixels added to intersection and union."""
        return (self.both + smooth) / (self.union + smooth)


def measure_areas(probability: torch.Tensor, target: torch.Tensor) -> Areas:
    """Areas of probabilities and targets (B, H, W)."""
    return Areas(probability.sum((1, 2)), target.sum((1, 2)), (probability * target).sum((1, 2)))


def reduce_samples(values: torch.Tensor, reduction: Reduction) -> torch.Tensor:
    """(B,) as it is, or its mean."""
    check_reduction(reduction)
    return values.mean() if reduction == "mean" else values


def check_reduction(reduction: str) -> None:
    """Raise for an unknown reduction."""
    if reduction not in ("none", "mean"):
        raise InputError(f"reduction must be none or mean, got {reduction!r}")
