"""The default method's continuous part as one differentiable function of windows and theta."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ..default.params import DefaultParams
from ..default.regions import FLOOR_NOISES, LEVELS
from ..default.style import styled_weights
from ..default.vote import LEAST_VOTE
from ..default.weights import Weights
from .border import BORDER_WIDTH, border_field, shift_border, soft_mask
from .conductance import soft_conductance
from .diffusion import diffuse, fuse
from .refine import EXTRA_AT, as_engine, near_vote, pixel_inputs, relative_brightness, soft_refine, whole
from .vote import expectations, expected_region, expected_relief, peak_contrast, score_candidates, soft_vote
from .window import UNITS, WindowBatch

THETA = ("d0", "beta", "alpha", "rho")
BOX_MARGIN = 4  # heat spreads in the votes' bounding box and so many pixels around it


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """What the differentiable engine gives for a batch of windows.

    Attributes
    ----------
    share : (B, K, L), each candidate's share of the vote.
    field : (B, 1, S, S) in [0, 1], the vote after the heat.
    relief : (B, 1, S, S) in [-1, 2], expected height as a share of the peak's.
    soft : (B, 1, S, S) in [0, 1], the soft label.
    border : (B, 1, S, S), non-negative on the mask.
    mask : (B, 1, S, S) in [0, 1], the soft mask at the tightness.
    summary : (B, 10), expectations under the vote.
    """

    share: Tensor
    field: Tensor
    relief: Tensor
    soft: Tensor
    border: Tensor
    mask: Tensor
    summary: Tensor


def weights_as_tensors(weights: Weights, like: Tensor) -> dict[str, Any]:
    """The fitted numbers of score and refinement as tensors of the dtype and device of `like`."""

    def tensor(array: Any) -> Tensor:
        return torch.as_tensor(array).to(like)

    return {
        "score_centre": tensor(weights.score.centre),
        "score_deviation": tensor(weights.score.deviation),
        "score": tensor(weights.score.coefficients),
        "refine_centre": tensor(weights.refine.centre),
        "refine_deviation": tensor(weights.refine.deviation),
        "refine": [(tensor(weight), tensor(bias)) for weight, bias in weights.refine.layers],
        "style": None if weights.refine.style is None else tensor(weights.refine.style),
    }


def spread_vote(
    field: Tensor,
    image: Tensor,
    *,
    d0: Tensor | float,
    beta: Tensor | float,
    alpha: Tensor | float,
    rho: Tensor | float,
    n_steps: int,
) -> Tensor:
    """Spread the vote by heat within its bounding box and fuse both: twin of `engine.default.heat.heat_vote`."""
    voted = whole(field) >= float(LEAST_VOTE)
    domain = _bounding_boxes(voted, BOX_MARGIN)
    field = torch.where(domain, field, 0.0)  # what lies farther out is too little to count
    east, south = soft_conductance(image / UNITS, d0=d0, beta=beta, alpha=alpha, domain=domain)
    return fuse(diffuse(field, east, south, n_steps=n_steps), field, rho)


def _bounding_boxes(lit: Tensor, margin: int) -> Tensor:
    """Box around the lit pixels of each map, grown by a margin, (B, 1, S, S) bool; False where none is lit."""
    out = torch.ones_like(lit)
    for axis in (-1, -2):
        line = lit.any(axis, keepdim=True)
        counted = line.to(torch.int32)
        along = -2 if axis == -1 else -1
        span = (counted.cumsum(along) > 0) & (counted.flip(along).cumsum(along).flip(along) > 0)
        kernel = (2 * margin + 1, 1) if along == -2 else (1, 2 * margin + 1)
        grown = max_pool2d(span.float(), kernel, 1, tuple(k // 2 for k in kernel)) > 0
        out = out & grown
    return out


def label_windows(
    batch: WindowBatch,
    *,
    weights: Mapping[str, Any] | None = None,
    theta: Mapping[str, Tensor | float] | None = None,
    tightness: Tensor | float = 0.5,
    params: DefaultParams | None = None,
    border_width: Tensor | float = BORDER_WIDTH,
    rounded: bool = False,
) -> SoftLabels:
    """Label a batch of windows: vote, heat, fusion, refinement and border, as `engine.default.label.label_peak` does.

    Parameters
    ----------
    batch : the windows with their candidates, which are constants.
    weights : from `weights_as_tensors`, any of them learnable; None for the fitted ones with the style of `params`.
    theta : d0, beta, alpha and rho, numbers or tensors that broadcast with (B, 1, 1, 1); what is missing, or None,
        comes from `params`.
    tightness : likewise, in [0, 1].
    params : of the default method; None for its defaults. Its styles stand in `weights`, its ``loosest`` and
        ``border_px`` hold as they are.
    border_width : of the soft mask.
    rounded : round the fields to whole 2^-20 as the engine does, with the gradient of the identity: the hard limit,
        whose soft labels are the engine's. Finite differences of rounded fields say nothing.

    Returns
    -------
    SoftLabels. Gradients reach the weights, theta and ``batch.image``. Constants are the candidates with their
    features and backgrounds, the entropy, the box that heat spreads in, and which pixels lie near the vote.
    """
    options = params or DefaultParams()
    fitted = weights_as_tensors(styled_weights(options), batch.image) if weights is None else weights
    score = score_candidates(batch.features, fitted["score_centre"], fitted["score_deviation"], fitted["score"])
    share = soft_vote(score, batch.bad, options.temperature)
    settle = as_engine if rounded else _unchanged
    field = settle(expected_region(share, batch.level_of))
    rest = batch.image - batch.background
    relief = expected_relief(share, rest)
    summary = expectations(share, batch.features, score, batch.bad)
    if options.n_steps > 0:
        medium = {name: getattr(options, name) for name in THETA} | dict(theta or {})
        field = settle(spread_vote(field, batch.image, n_steps=options.n_steps, **medium))
    soft = field
    if options.refine:
        soft = refined(batch, field, rest, summary, fitted, settle)
    soft = torch.where(batch.inside, soft, 0.0)
    contrast = peak_contrast(rest).amax(1).clamp(min=1)
    border = border_field(soft, relief, tightness, FLOOR_NOISES * batch.least / contrast, options.loosest)
    if options.border_px:
        border, soft = shift_border(border, options.border_px), shift_border(soft, options.border_px)
        soft = keep_centre(torch.where(batch.inside, soft, 0.0))
    border = torch.where(batch.inside, border, -1.0)
    return SoftLabels(share, field, relief, soft, border, soft_mask(border, border_width), summary)


def keep_centre(soft: Tensor) -> Tensor:
    """Lift the middle pixel of each map to 0.5: the point itself always belongs, however far the border is moved in."""
    middle = torch.zeros(soft.shape[-2:], dtype=torch.bool, device=soft.device)
    middle[soft.shape[-2] // 2, soft.shape[-1] // 2] = True
    return torch.where(middle, soft.clamp(min=0.5), soft)


def _unchanged(field: Tensor) -> Tensor:
    return field


def refined(
    batch: WindowBatch,
    field: Tensor,
    rest: Tensor,
    summary: Tensor,
    fitted: Mapping[str, Any],
    settle: Callable[[Tensor], Tensor] = _unchanged,
) -> Tensor:
    """Soft label of every pixel near the vote by the perceptron, 0 elsewhere; (B, 1, S, S)."""
    near, ring = near_vote(field, batch.inside)
    levels = torch.as_tensor(LEVELS).to(field)
    relative = settle(relative_brightness(field, batch.image, ring))
    inputs = pixel_inputs(field, relative, batch.level_of, rest, levels, summary[:, 0])
    at = near[:, 0]
    owner = at.nonzero()[:, 0]
    probability = soft_refine(
        inputs.movedim(1, -1)[at],
        field[:, 0][at],
        summary[:, EXTRA_AT][owner],
        fitted["refine_centre"],
        fitted["refine_deviation"],
        fitted["refine"],
        style=fitted.get("style"),
    )
    out = torch.zeros_like(field[:, 0])
    return out.masked_scatter(at, probability)[:, None]


class DifferentiableEngine(nn.Module):
    """`label_windows` with learnable theta = (d0, beta, alpha, rho, tightness, the score's coefficients).

    Parameters
    ----------
    params : of the default method; theta starts from them.
    tightness : where it starts, in (0, 1).
    learn_refinement : let the perceptron's layers learn too.
    border_width : of the soft mask.

    d0 and beta stay positive as exponentials, alpha, rho and tightness in (0, 1) as logistic functions.
    """

    def __init__(
        self,
        params: DefaultParams | None = None,
        *,
        tightness: float = 0.5,
        learn_refinement: bool = False,
        border_width: float = BORDER_WIDTH,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.params = params or DefaultParams()
        self.border_width = border_width
        fitted = weights_as_tensors(styled_weights(self.params), torch.empty(0, dtype=dtype))

        def parameter(value: Tensor) -> nn.Parameter:
            return nn.Parameter(value.to(dtype).clone())

        start = torch.tensor([self.params.d0, self.params.beta], dtype=dtype)
        shares = torch.tensor([self.params.alpha, self.params.rho, tightness], dtype=dtype)
        self.log_scale = parameter(start.clamp(min=1e-6).log())
        self.logit_share = parameter(torch.logit(shares, eps=1e-9))
        self.score = parameter(fitted["score"])
        for name in ("score_centre", "score_deviation", "refine_centre", "refine_deviation"):
            self.register_buffer(name, fitted[name])
        self.layers = nn.ParameterList([parameter(part) for layer in fitted["refine"] for part in layer])
        self.layers.requires_grad_(learn_refinement)
        self.register_buffer("style", fitted["style"])

    def theta(self) -> dict[str, Tensor]:
        """d0, beta, alpha and rho as they are now."""
        d0, beta = self.log_scale.exp()
        alpha, rho = torch.sigmoid(self.logit_share[:2])
        return {"d0": d0, "beta": beta, "alpha": alpha, "rho": rho}

    def tightness(self) -> Tensor:
        """Where the border lies now."""
        return torch.sigmoid(self.logit_share[2])

    def weights(self) -> dict[str, Any]:
        """Score and refinement as `label_windows` takes them."""
        names = ("score_centre", "score_deviation", "refine_centre", "refine_deviation")
        parts = list(self.layers)
        return {
            **{name: getattr(self, name) for name in names},
            "score": self.score,
            "style": self.style,
            "refine": [(parts[k], parts[k + 1]) for k in range(0, len(parts), 2)],
        }

    def forward(self, batch: WindowBatch) -> SoftLabels:
        """Label a batch of windows with the present theta."""
        return label_windows(
            batch,
            weights=self.weights(),
            theta=self.theta(),
            tightness=self.tightness(),
            params=self.params,
            border_width=self.border_width,
        )
