"""The theta of "Diffuse to Detect" (arXiv 2605.20766), eq. (2): learned from predictions, used to make labels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...engine.torch import SoftDiffusion, soft_diffusion
from ...losses import soft_iou_loss

#: The published M takes this many steps of this length.
N_STEPS, STEP = 3, 0.15
#: Published start, for methods that have no parameter of that name.
PUBLISHED = {"d0": 3.2, "beta": 6.0, "alpha": 0.6, "rho": 0.84}

_ENTROPY_PX = 5
_LEAST = 1e-4


def stable_steps(d0: float) -> tuple[int, float]:
    """Cut the published time, 3 steps of 0.15, into steps that are stable for every theta in reach.

    A pixel has four neighbours and no conductance exceeds D0, so max L_ii <= 4 D0, and D0 rises by up to 30 %. With the
    published D0 = 3.2 a step of 0.15 is up to 2.5 times too long: heat would turn negative and grow. A step that
    follows max L_ii instead would cancel D0, which then could not be learned.

    Returns
    -------
    Number of steps and the length of each, ``length * 4 * 1.3 d0 <= 1``.
    """
    pieces = max(1, math.ceil(STEP * 4 * (1 + SoftDiffusion.SHARE) * d0))
    return N_STEPS * pieces, STEP / pieces


class DiffusedPrediction(SoftDiffusion):
    """M(y; theta), the differentiable diffusion of a prediction y: its source and its medium are both y.

    The fused map is scaled so that its largest value is that of y, not 1: nothing predicted, nothing diffused.
    As a map of probabilities is its own texture, the entropy H of eq. (2) is that of the mean over 5 x 5 pixels.

    Parameters
    ----------
    start : d0, beta, alpha and rho to start from.
    """

    def __init__(self, start: dict[str, float]) -> None:
        n_steps, tau = stable_steps(start["d0"])
        super().__init__(**start, n_steps=n_steps, tau=tau)

    def diffuse(self, prediction: Tensor) -> Tensor:
        """M(y; theta), (B, 1, S, S) in [0, 1], from probabilities of the same shape, which are taken as constants."""
        prediction = prediction.detach()
        options = {**self.options, **self.theta(), "entropy": _entropy_of_means(prediction)}
        return soft_diffusion(prediction, prediction, **options) * prediction.amax(dim=(-2, -1), keepdim=True)

    def loss(self, prediction: Tensor, label: Tensor, kind: str = "soft-iou") -> Tensor:
        """L(M(y; theta), y_hat) + L(M(y; theta), y), (); y the prediction, y_hat the pseudo-label.

        L is one minus the soft IoU, or with "bce" cross-entropy, whose second term counts one half, as in the
        published code.
        """
        diffused = self.diffuse(prediction)
        clipped = diffused.clamp(_LEAST, 1 - _LEAST)
        if kind == "bce":
            return F.binary_cross_entropy(clipped, label) + 0.5 * F.binary_cross_entropy(clipped, prediction.detach())
        logits = torch.logit(clipped)
        return soft_iou_loss(logits, label) + soft_iou_loss(logits, prediction.detach())

    def values(self) -> dict[str, float]:
        """Theta as numbers."""
        return {name: float(value.detach()) for name, value in self.theta().items()}


def start_of(params: Any) -> dict[str, float]:
    """Theta that the parameters of a label method hold; the published value where they lack one."""
    return {name: float(getattr(params, name, value)) for name, value in PUBLISHED.items()}


def takes_theta(params: Any) -> bool:
    """Whether a label method has the diffusion's parameters at all."""
    return all(hasattr(params, name) for name in PUBLISHED)


def with_theta(params: Any, theta: dict[str, float]) -> Any:
    """Parameters of a label method with another theta.

    Methods whose step follows max L_ii do not depend on D0 but through the time that heat has: it grows with D0, so the
    number of steps does. A rho of 0 or 1 leaves the heat or the superpixel out, and stays.

    Parameters
    ----------
    params : the method's own, with fields d0, beta, alpha and rho.
    theta : d0, beta, alpha and rho.
    """
    changes: dict[str, Any] = {name: theta[name] for name in ("d0", "beta")}
    changes["alpha"] = min(max(theta["alpha"], 0.0), 1.0)
    changes["rho"] = params.rho if params.rho in (0, 1) else min(max(theta["rho"], 0.0), 1.0)
    if hasattr(params, "n_steps") and params.n_steps > 0:
        changes["n_steps"] = max(1, round(params.n_steps * theta["d0"] / params.d0))
    return replace(params, **changes)


def _entropy_of_means(probability: Tensor) -> Tensor:
    """Binary entropy, over ln 2, of the mean probability in 5 x 5 pixels; (B, 1, S, S) in [0, 1]."""
    mean = F.avg_pool2d(probability, _ENTROPY_PX, 1, _ENTROPY_PX // 2, count_include_pad=False).clamp(0, 1)
    return -(torch.xlogy(mean, mean) + torch.xlogy(1 - mean, 1 - mean)) / math.log(2)
