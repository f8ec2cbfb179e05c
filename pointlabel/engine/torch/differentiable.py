"""The default method's continuous part as one differentiable function of windows and theta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..default.params import DefaultParams
from ..default.style import styled_weights
from ..default.weights import Weights
from .batch import WindowBatch
from .border import BORDER_WIDTH, border_field, move_border, relief_of, soft_mask
from .crops import Crops, whole_windows
from .heat import heat_votes
from .refine import refine_votes
from .vote import cast_votes, round_field

THETA = ("d0", "beta", "alpha", "rho")


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
    }


def soften(
    crops: Crops,
    weights: Mapping[str, Any],
    params: DefaultParams,
    theta: Mapping[str, Tensor | float] | None = None,
    *,
    rounded: bool,
) -> tuple[Tensor, Tensor]:
    """Soft labels of crops and their votes after the heat, (n, 1, s, s) each; see `label_windows`."""
    field = crops.field
    if params.n_steps > 0:
        medium = {name: getattr(params, name) for name in THETA} | dict(theta or {})
        field = heat_votes(field, crops.image, crops.domain(), medium, params.n_steps)
        field = round_field(field) if rounded else field
    if params.refine:
        return refine_votes(field, crops, weights, rounded=rounded), field
    return torch.where(crops.inside, field, 0.0), field


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
    fitted = weights_as_tensors(styled_weights(options), batch.features) if weights is None else weights
    votes = cast_votes(batch, fitted, options.temperature, rounded=rounded)
    crops = whole_windows(batch, votes)
    soft, field = soften(crops, fitted, options, theta, rounded=rounded)
    relief, least = relief_of(crops)
    border = border_field(soft, relief, tightness, least, options.loosest)
    soft, border = move_border(soft, border, crops, options.border_px)
    return SoftLabels(votes.share, field, relief, soft, border, soft_mask(border, border_width), votes.summary)


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
