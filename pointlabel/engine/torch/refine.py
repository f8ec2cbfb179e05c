"""The refinement in torch: what the pixel perceptron reads, and the perceptron."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad, silu

from ..default.refine import EXTRA, N_INPUTS, NEAR_VOTE
from ..default.vote import STEPS, SUMMARY
from .conductance import safe_sqrt
from .vote import peak_contrast

EXTRA_AT = [SUMMARY.index(name) for name in EXTRA]
#: Offsets of the 5 x 5 block by the orbit that flips and transposition carry them through.
_ORBIT = ((0, 1, 3), (1, 2, 4), (3, 4, 5))
_ORBITS: tuple[tuple[tuple[int, int], ...], ...] = tuple(
    tuple((y, x) for y in range(-2, 3) for x in range(-2, 3) if _ORBIT[abs(y)][abs(x)] == o) for o in range(6)
)


def whole(field: Tensor) -> Tensor:
    """The field on whole 2^-20 as the engine keeps it, without a gradient: what decisions are taken on."""
    return (field.detach() * STEPS).round() / STEPS


def as_engine(field: Tensor) -> Tensor:
    """`whole`, with the gradient of the identity."""
    return field + (whole(field) - field.detach())


def near_vote(field: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels within 2 px of a vote, and the ring of pixels within 3 px that have none; both (B, 1, S, S) bool."""
    voted = whole(field) >= NEAR_VOTE
    lit = voted.to(field.dtype)
    near = (max_pool2d(lit, 5, 1, 2) > 0) & inside
    ring = (max_pool2d(lit, 7, 1, 3) > 0) & ~voted & inside
    return near, ring


def relative_brightness(field: Tensor, image: Tensor, ring: Tensor) -> Tensor:
    """Brightness between the ring's mean (0) and the vote-weighted mean (1), (B, 1, S, S) in [-1, 2]."""
    axes = (-2, -1)
    low = (image * ring).sum(axes, keepdim=True) / ring.sum(axes, keepdim=True).clamp(min=1)
    votes = field.sum(axes, keepdim=True)
    lit = (field * image).sum(axes, keepdim=True) / torch.where(votes > 0, votes, 1.0)
    return ((image - low) / (lit - low).clamp(min=1)).clamp(-1, 2)


def pixel_inputs(
    field: Tensor, relative: Tensor, level_of: Tensor, rest: Tensor, levels: Tensor, log_area: Tensor
) -> Tensor:
    """Inputs of the perceptron at every pixel, (B, 24, S, S); see `engine.default._refine_kernels.input_kernel`."""
    wide, votes = pad(relative, (2, 2, 2, 2), mode="replicate"), pad(field, (2, 2, 2, 2))
    side_y, side_x = field.shape[-2:]

    def at(maps: Tensor, y: int, x: int) -> Tensor:
        return maps[..., 2 + y : 2 + y + side_y, 2 + x : 2 + x + side_x]

    def averaged(maps: Tensor) -> list[Tensor]:
        return [sum((at(maps, y, x) for y, x in orbit), torch.zeros_like(field)) / len(orbit) for orbit in _ORBITS]

    n_scales = rest.shape[1]
    reached = torch.cat([levels, levels.new_zeros(1)])[level_of]
    contrast = peak_contrast(rest).clamp(min=1)[..., None, None]
    heights = (rest / contrast).clamp(-1, 2)
    rows = torch.arange(side_y, dtype=field.dtype, device=field.device)[:, None] - side_y // 2
    columns = torch.arange(side_x, dtype=field.dtype, device=field.device) - side_x // 2
    distance = torch.hypot(*torch.broadcast_tensors(rows, columns))
    down, across = 0.5 * (at(wide, 1, 0) - at(wide, -1, 0)), 0.5 * (at(wide, 0, 1) - at(wide, 0, -1))
    high_3, high_5 = max_pool2d(relative, 3, 1, 1), max_pool2d(relative, 5, 1, 2)
    low_3, low_5 = -max_pool2d(-relative, 3, 1, 1), -max_pool2d(-relative, 5, 1, 2)
    maps = [
        *averaged(votes),
        *averaged(wide),
        *(reached[:, min(k, n_scales - 1), None] for k in range(3)),
        *(heights[:, min(2 * k, n_scales - 1), None] for k in range(2)),
        high_3 - relative,
        relative - low_3,
        high_5 - relative,
        relative - low_5,
        safe_sqrt(down * down + across * across),
        (down * rows + across * columns) / distance.clamp(min=1),
        distance / torch.exp(log_area / 2)[:, None, None, None],
    ]
    out = torch.cat(maps, 1)
    assert out.shape[1] == N_INPUTS
    return out


def soft_refine(
    inputs: Tensor,
    votes: Tensor,
    extra: Tensor,
    centre: Tensor,
    deviation: Tensor,
    layers: Sequence[tuple[Tensor, Tensor]],
    *,
    style: Tensor | None = None,
) -> Tensor:
    """sigmoid(net(inputs, extra) + 6 (vote - 0.5)) of n pixels, (n,).

    Parameters
    ----------
    inputs : (n, 24); votes : (n,); extra : (n, 5), what the pixels of a target share.
    centre, deviation : (29,), of inputs and extra.
    layers : three pairs of weight (in, out) and bias (out,).
    style : (25,) weights of the standardised inputs and a bias, added to the logit; None for none.
    """
    hidden = ((torch.cat([inputs, extra], 1) - centre) / deviation).clamp(-5, 5)
    (w1, b1), (w2, b2), (w3, b3) = layers
    logit = 6.0 * (votes - 0.5)
    if style is not None:
        logit = logit + hidden[:, :N_INPUTS] @ style[:-1] + style[-1]
    hidden = silu(silu(hidden @ w1 + b1) @ w2 + b2)
    return torch.sigmoid((hidden @ w3 + b3)[:, 0] + logit)
