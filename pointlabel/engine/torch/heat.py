"""Equation (3) on many windows at once, laid end to end so that a step is five passes over flat memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from .diffusion import largest_outflow

TAU_SHARE = 0.9
FLOOR = 1e-20  # heat that every pixel holds from the start: processors are slow on denormal numbers


def spread_heat(source: Tensor, east: Tensor, south: Tensor, n_steps: int) -> Tensor:
    """Run u <- (I - tau L) u from each source, tau = 0.9 / max L_ii of its window; without gradients.

    Parameters
    ----------
    source : (B, H, W) of real numbers, the heat at the start.
    east, south : (B, H, W), from `engine.torch.conductance.soft_conductance`.
    n_steps : number of steps.

    Returns
    -------
    (B, H, W), as from `engine.torch.diffusion.diffuse`.

    Each window gets a spare row and column without conductance, so that neighbours lie at fixed distances in one
    line of memory and no heat crosses from one window to the next. A step reads and writes 19 numbers a pixel.
    """
    height, width = source.shape[-2:]
    largest = largest_outflow(east[:, None], south[:, None])[:, 0]
    tau = TAU_SHARE / torch.where(largest > 0, largest, 1.0)
    stride = width + 1
    right_of, below = (_in_line(tau * flow, stride, 0.0) for flow in (east, south))
    here = _in_line(source, stride, FLOOR)
    there = here.clone()
    n = here.numel() - 2 * stride
    middle = slice(stride, stride + n)
    to_left, to_right = slice(stride - 1, stride - 1 + n), slice(stride + 1, stride + 1 + n)
    above, under = slice(0, n), slice(2 * stride, 2 * stride + n)
    e, w, s, t = right_of[middle], right_of[to_left], below[middle], below[above]
    keep = 1 - ((w + e) + (t + s))
    for _ in range(n_steps):
        out = torch.mul(keep, here[middle], out=there[middle])
        out.addcmul_(w, here[to_left]).addcmul_(e, here[to_right])
        out.addcmul_(t, here[above]).addcmul_(s, here[under])
        here, there = there, here
    return here[middle].view(-1, height + 1, stride)[:, :height, :width]


def _in_line(maps: Tensor, stride: int, fill: float) -> Tensor:
    """Maps with a spare row and column each, end to end, and room for a row before the first and after the last."""
    line = torch.full(
        (len(maps) * (maps.shape[1] + 1) * stride + 2 * stride,), fill, dtype=maps.dtype, device=maps.device
    )
    line[stride:-stride] += pad(maps, (0, 1, 0, 1)).view(-1)
    return line
