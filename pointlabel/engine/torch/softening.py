"""From the vote to the soft label on crops: heat, fusion, perceptron. Twin of `engine.default.label.label_peak`."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..default.params import DefaultParams
from ..default.refine import NEAR_VOTE
from ..default.regions import LEVELS, SIDE
from ..default.vote import LEAST_VOTE, STEPS
from ..default.weights import RefineWeights
from .candidates import Candidates
from .conductance import ENTROPY_PX, soft_conductance
from .crops import Crops
from .diffusion import fuse
from .heat import spread_heat
from .refine import EXTRA_AT, soft_refine
from .voting import Votes

_BINS = 32  # of the entropy's histogram
_UNIT_BITS = 16
_OFFSETS = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
_ORBITS = ((0, 1, 3), (1, 2, 4), (3, 4, 5))  # as in `engine.default._refine_kernels.input_kernel`


def _whole_steps(field: Tensor) -> Tensor:
    return (field * STEPS).round() / STEPS


def heat_votes(core: Tensor, votes: Tensor, crops: Crops, params: DefaultParams) -> Tensor:
    """Spread votes (n, s, s) by heat within their boxes and fuse both: twin of `engine.default.heat.heat_vote`."""
    if params.n_steps == 0 or params.rho == 0:
        return votes
    domain = crops.inside_domain()
    source = torch.where(domain, votes, 0.0)
    entropy = box_entropy(core >> (_UNIT_BITS - _BINS.bit_length() + 1), domain).to(votes.dtype)
    medium = core.to(votes.dtype) / 2**_UNIT_BITS
    east, south = soft_conductance(
        medium[:, None],
        d0=params.d0,
        beta=params.beta,
        alpha=params.alpha,
        entropy=entropy[:, None],
        domain=domain[:, None],
    )
    heat = spread_heat(source, east[:, 0], south[:, 0], params.n_steps)
    fused = _whole_steps(fuse(heat[:, None], source[:, None], params.rho)[:, 0])
    return torch.where(votes.amax((1, 2), keepdim=True) >= float(LEAST_VOTE), fused, votes)


def box_entropy(bins: Tensor, domain: Tensor) -> Tensor:
    """Local entropy as `engine.torch.conductance.local_entropy` gives it, (n, s, s) float32, from bins 0 .. 254.

    Each of the 25 pixels around a pixel is compared with all 25 at once: 50 kernels whatever the number of bins.
    """
    reach, side = ENTROPY_PX // 2, bins.shape[-1]
    nothing = 255
    wide = pad(torch.where(domain, bins, nothing).to(torch.uint8), (reach,) * 4, value=nothing)
    around = torch.stack([wide[:, reach + y : reach + y + side, reach + x : reach + x + side] for y, x in _OFFSETS])
    count = torch.zeros_like(around)
    for one in around:
        count += around == one
    logs = torch.tensor([0.0, *(math.log(c) for c in range(1, ENTROPY_PX**2 + 1))], device=bins.device)
    known = around != nothing
    number = known.sum(0)
    spent = torch.where(known, logs[count.int()], 0.0).sum(0)
    entropy = (logs[number] - spent / number.clamp(min=1)) / math.log(ENTROPY_PX**2)
    return torch.where(domain, entropy.clamp(min=0), 0.0)


def dilate(lit: Tensor, reach: int) -> Tensor:
    """Grow each map (n, s, s) bool by `reach` pixels on both axes."""
    for axis in (-1, -2):
        grown = lit
        size = lit.shape[axis]
        for by in range(1, min(reach, size - 1) + 1):
            grown = grown.clone() if grown is lit else grown
            grown.narrow(axis, by, size - by).logical_or_(lit.narrow(axis, 0, size - by))
            grown.narrow(axis, 0, size - by).logical_or_(lit.narrow(axis, by, size - by))
        lit = grown
    return lit


def relative_brightness(field: Tensor, core: Tensor, ring: Tensor) -> Tensor:
    """Brightness between the ring's mean (0) and the vote-weighted mean (1), (n, s, s) float32 in [-1, 2]."""
    axes = (1, 2)
    bright = core.double()
    low = (bright * ring).sum(axes, keepdim=True) / ring.sum(axes, keepdim=True).clamp(min=1)
    weight = field.double()
    votes = weight.sum(axes, keepdim=True)
    lit = (weight * bright).sum(axes, keepdim=True) / torch.where(votes > 0, votes, 1.0)
    return _whole_steps(((bright - low) / (lit - low).clamp(min=1)).clamp(-1, 2)).float()


def refine_pixels(
    field: Tensor, core: Tensor, crops: Crops, candidates: Candidates, votes: Votes, weights: RefineWeights
) -> Tensor:
    """Probability of each pixel near the vote by the perceptron, 0 elsewhere; (n, s, s) float32.

    Inputs are gathered at the pixels near the vote alone, a fifth of a crop. Finding them is the second and last time
    that the host waits for the device.
    """
    inside = crops.cut(candidates.inside)
    voted = field >= NEAR_VOTE
    near = dilate(voted, 2)
    ring = dilate(near, 1) & ~voted & inside
    relative = relative_brightness(field, core, ring)
    target, row, column = (near & inside).nonzero().unbind(1)
    inputs, own = _inputs_at(target, row, column, field, relative, crops, candidates, votes)
    window = crops.index[target]

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array).to(field)

    style = None if weights.style is None else tensor(weights.style)
    probability = soft_refine(
        inputs,
        own,
        votes.summary[:, EXTRA_AT].to(field)[window],
        tensor(weights.centre),
        tensor(weights.deviation),
        [(tensor(weight), tensor(bias)) for weight, bias in weights.layers],
        style=style,
    )
    soft = torch.zeros_like(field)
    soft[target, row, column] = probability
    return soft


def _inputs_at(
    target: Tensor,
    row: Tensor,
    column: Tensor,
    field: Tensor,
    relative: Tensor,
    crops: Crops,
    candidates: Candidates,
    votes: Votes,
) -> tuple[Tensor, Tensor]:
    """Inputs (N, 24) of the perceptron at pixels of the crops, and their votes; see `input_kernel`."""
    side = crops.side + 4
    step = torch.tensor([y * side + x for y, x in _OFFSETS], device=field.device)
    at = ((target * side + row + 2) * side + column + 2)[:, None] + step
    bright = pad(relative[:, None], (2,) * 4, mode="replicate").view(-1)[at]
    vote = pad(field, (2,) * 4).view(-1)[at]
    orbit = torch.tensor([_ORBITS[abs(y)][abs(x)] for y, x in _OFFSETS], device=field.device)
    member = (orbit[:, None] == torch.arange(6, device=field.device)).to(field)
    mean = member / member.sum(0)
    own = bright[:, 12]
    block = torch.tensor([k for k, (y, x) in enumerate(_OFFSETS) if max(abs(y), abs(x)) < 2], device=field.device)
    low_3, high_3 = bright[:, block].aminmax(dim=1)
    low_5, high_5 = bright.aminmax(dim=1)
    window = crops.index[target]
    in_window = (crops.origin[target, 0] + row) * SIDE + crops.origin[target, 1] + column
    n_scales = candidates.rest.shape[1]
    scale = torch.tensor([min(k, n_scales - 1) for k in (0, 1, 2, 0, 2)], device=field.device)
    place = (window[:, None] * n_scales + scale) * SIDE**2 + in_window[:, None]
    levels = torch.tensor([*LEVELS.tolist(), 0.0], dtype=field.dtype, device=field.device)
    reached = levels[candidates.level_of.view(-1)[place[:, :3]].int()]
    contrast = candidates.contrast.clamp(min=1)[window[:, None], scale[3:]]
    height = (candidates.rest.view(-1)[place[:, 3:]] / contrast).clamp(-1, 2).to(field)
    down, across = 0.5 * (bright[:, 17] - bright[:, 7]), 0.5 * (bright[:, 13] - bright[:, 11])
    y = (crops.origin[target, 0] + row - SIDE // 2).to(field)
    x = (crops.origin[target, 1] + column - SIDE // 2).to(field)
    distance = torch.hypot(y, x)
    radius = torch.exp(votes.summary[:, 0] / 2).to(field)[window]
    single = [
        high_3 - own,
        own - low_3,
        high_5 - own,
        own - low_5,
        torch.hypot(down, across),
        (down * y + across * x) / distance.clamp(min=1),
        distance / radius,
    ]
    return torch.cat([vote @ mean, bright @ mean, reached, height, torch.stack(single, 1)], 1), vote[:, 12]


def soften(
    crops: Crops, candidates: Candidates, votes: Votes, params: DefaultParams, weights: RefineWeights
) -> tuple[Tensor, Tensor]:
    """Soft labels and the votes before the heat, on the crops of one group, both (n, s, s) float32."""
    core, vote = crops.cut(candidates.core), crops.cut(votes.field)
    field = heat_votes(core, vote, crops, params)
    if params.refine:
        return refine_pixels(field, core, crops, candidates, votes, weights), vote
    return torch.where(crops.cut(candidates.inside), field, 0.0), vote
