"""The refinement in torch: the pixels near the vote, what the perceptron reads there, and the perceptron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, silu

from ..default.refine import EXTRA, NEAR_VOTE, VOTE_GAIN
from ..default.regions import LEVELS, SIDE
from ..default.vote import SUMMARY
from .conductance import safe_sqrt
from .crops import Crops
from .regions import lower_3x3
from .vote import reaches, round_field

_EXTRA_AT = [SUMMARY.index(name) for name in EXTRA]
_LOG_AREA = SUMMARY.index("log_area")
_OFFSETS = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
_ORBITS = ((0, 1, 3), (1, 2, 4), (3, 4, 5))  # as in `engine.default._refine_kernels.input_kernel`


def refine_votes(field: Tensor, crops: Crops, weights: Mapping[str, Any], *, rounded: bool) -> Tensor:
    """Probability of each pixel near the vote by the perceptron, 0 elsewhere; (n, 1, s, s).

    Parameters
    ----------
    field : (n, 1, s, s), the vote after the heat on the crops.
    weights : from `differentiable.weights_as_tensors`.
    rounded : round the brightness as the compiled engine does, see `round_field`.

    Inputs are gathered at the pixels near the vote alone, a fifth of a crop; finding them makes the host wait for the
    device. Gradients reach field, image, the vote's summary and weights; which pixels are near is a decision.
    """
    voted = reaches(field, NEAR_VOTE)
    near = dilate(voted, 2)
    ring = dilate(near, 1) & ~voted & crops.inside
    relative = relative_brightness(field, crops.image, ring)
    relative = (round_field(relative) if rounded else relative).to(field)
    pixels = (near & crops.inside)[:, 0].nonzero().unbind(1)
    crop, row, column = pixels
    inputs, votes = pixel_inputs(pixels, field, relative, crops)
    probability = soft_refine(
        inputs,
        votes,
        crops.votes.summary[:, _EXTRA_AT].to(field)[crops.index[crop]],
        weights["refine_centre"],
        weights["refine_deviation"],
        weights["refine"],
    )
    soft = torch.zeros_like(field)
    soft[crop, 0, row, column] = probability
    return soft


def dilate(lit: Tensor, reach: int) -> Tensor:
    """Grow each map (..., S, S) bool by `reach` pixels on both axes."""
    apart = ~lit
    for _ in range(reach):
        apart = lower_3x3(apart, True)
    return ~apart


def relative_brightness(field: Tensor, image: Tensor, ring: Tensor) -> Tensor:
    """Brightness between the ring's mean (0) and the vote-weighted mean (1), (n, 1, s, s) float64 in [-1, 2]."""
    axes = (-2, -1)
    bright, weight = image.double(), field.double()
    low = (bright * ring).sum(axes, keepdim=True) / ring.sum(axes, keepdim=True).clamp(min=1)
    votes = weight.sum(axes, keepdim=True)
    lit = (weight * bright).sum(axes, keepdim=True) / torch.where(votes > 0, votes, 1.0)
    return ((bright - low) / (lit - low).clamp(min=1)).clamp(-1, 2)


def pixel_inputs(pixels: tuple[Tensor, ...], field: Tensor, relative: Tensor, crops: Crops) -> tuple[Tensor, Tensor]:
    """Inputs of the perceptron (N, 24) at pixels of the crops, and their votes (N,); see `input_kernel`.

    `pixels` are crop, row and column, (N,) each; `field` and `relative` (n, 1, s, s).
    """
    batch, (crop, row, column) = crops.batch, pixels
    side, device = crops.side + 4, field.device
    step = torch.tensor([y * side + x for y, x in _OFFSETS], device=device)
    at = ((crop * side + row + 2) * side + column + 2)[:, None] + step
    bright = pad(relative, (2,) * 4, mode="replicate").view(-1)[at]
    vote = pad(field, (2,) * 4).view(-1)[at]
    orbit = torch.tensor([_ORBITS[abs(y)][abs(x)] for y, x in _OFFSETS], device=device)
    member = (orbit[:, None] == torch.arange(6, device=device)).to(field)
    mean = member / member.sum(0)
    own = bright[:, 12]
    block = torch.tensor([k for k, (y, x) in enumerate(_OFFSETS) if max(abs(y), abs(x)) < 2], device=device)
    low_3, high_3 = bright[:, block].aminmax(dim=1)
    low_5, high_5 = bright.aminmax(dim=1)
    window = crops.index[crop]
    row, column = crops.origin[crop, 0] + row, crops.origin[crop, 1] + column
    in_window, n_scales = row * SIDE + column, batch.background.shape[1]
    scale = torch.tensor([min(k, n_scales - 1) for k in (0, 1, 2, 0, 2)], device=device)
    place = (window[:, None] * n_scales + scale) * SIDE**2 + in_window[:, None]
    levels = torch.tensor([*LEVELS.tolist(), 0.0], dtype=field.dtype, device=device)
    reached = levels[batch.level_of.flatten()[place[:, :3]].int()]
    residual = batch.image.flatten()[window * SIDE**2 + in_window][:, None] - batch.background.flatten()[place[:, 3:]]
    height = (residual / batch.contrast.clamp(min=1)[window[:, None], scale[3:]]).clamp(-1, 2)
    down, across = 0.5 * (bright[:, 17] - bright[:, 7]), 0.5 * (bright[:, 13] - bright[:, 11])
    y, x = ((line - SIDE // 2).to(field) for line in (row, column))
    distance = torch.hypot(y, x)
    single = [
        high_3 - own,
        own - low_3,
        high_5 - own,
        own - low_5,
        safe_sqrt(down * down + across * across),
        (down * y + across * x) / distance.clamp(min=1),
        distance / torch.exp(crops.votes.summary[:, _LOG_AREA].to(field) / 2)[window],
    ]
    return torch.cat([vote @ mean, bright @ mean, reached, height, torch.stack(single, 1)], 1), vote[:, 12]


def soft_refine(
    inputs: Tensor,
    votes: Tensor,
    extra: Tensor,
    centre: Tensor,
    deviation: Tensor,
    layers: Sequence[tuple[Tensor, Tensor]],
) -> Tensor:
    """sigmoid(net(inputs, extra) + VOTE_GAIN (vote - 0.5)) of n pixels, (n,).

    Parameters
    ----------
    inputs : (n, 24); votes : (n,); extra : (n, 5), what the pixels of a target share.
    centre, deviation : (29,), of inputs and extra.
    layers : three pairs of weight (in, out) and bias (out,).
    """
    centre, deviation = centre.to(inputs), deviation.to(inputs)
    hidden = ((torch.cat([inputs, extra], 1) - centre) / deviation).clamp(-5, 5)
    (w1, b1), (w2, b2), (w3, b3) = ((weight.to(inputs), bias.to(inputs)) for weight, bias in layers)
    hidden = silu(silu(hidden @ w1 + b1) @ w2 + b2)
    return torch.sigmoid((hidden @ w3 + b3)[:, 0] + float(VOTE_GAIN) * (votes - 0.5))
