"""Parameters of the strategy ``bilevel``; loads no torch, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...params import Params, param

HYPERGRADIENTS = ("proxy", "head", "one-step")
WEIGHTS = ("learned", "agreement", "quality", "errors")
THETA_LOSSES = ("soft-iou", "bce")
DIFFUSIONS = ("paper", "code")


@dataclass(frozen=True)
class BilevelOptions(Params):
    """Parameters of the strategy ``bilevel``; `flag` names the option that some have on the command line."""

    prefix: ClassVar[str] = ""

    balance: bool = param(
        True, "weigh samples by the meta-classifier; without, all weights are 1 (B2)", flag="--no-balance"
    )
    update_labels: bool = param(
        True, "learn theta and label anew; without, labels stay as they are (B3)", flag="--no-label-update"
    )
    weights: str = param(
        "learned",
        "how samples are weighed: learned by the meta-classifier, by agreement of detector and label, by the label's "
        "quality, by certain errors",
        choices=WEIGHTS,
        flag="--weights",
    )
    beta: float = param(
        0.83, "weight of the validation loss in a step that has one, 0 for none (B4)", low=0, high=100, flag="--beta"
    )
    joint: bool = param(
        False, "detector, meta-classifier and theta in one optimiser on both losses (B1)", flag="--joint"
    )
    whole: bool = param(
        False, "validation batches are whole images at 256 x 256, not augmented, as in the published code"
    )
    redraw: bool = param(
        False, "draw the label method's random numbers anew at each update, as the published code does"
    )
    hypergradient: str = param(
        "proxy", "how the weights learn from the validation loss", choices=HYPERGRADIENTS, flag="--hypergradient"
    )
    every: int = param(4, "steps from one with a validation batch to the next", low=1)
    weight_lr: float = param(1e-3, "learning rate of the meta-classifier's Adam", low=0, high=100)
    theta_lr: float = param(1e-2, "learning rate of theta's Adam", low=0, high=100)
    theta_loss: str = param(
        "soft-iou", "loss that theta descends: soft-iou in the paper, bce in its code", choices=THETA_LOSSES
    )
    diffused: str = param(
        "paper",
        "the diffusion M of a prediction: by the equations of the paper, or as its code has it",
        choices=DIFFUSIONS,
    )
    label_bce: float = param(
        0.0,
        "weight of cross-entropy to the labels beside the validation loss; 0.1 in the published code",
        low=0,
        high=100,
    )
