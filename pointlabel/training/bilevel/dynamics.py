"""What the meta-classifier reads of a sample, z_i: sixteen numbers on how the detector and its label differ.

The z of "Diffuse to Detect" (arXiv 2605.20766), with docs/methods/bilevel.md on each feature.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: The features in order.
FEATURES = (
    "mean probability",
    "mean |logit|",
    "entropy",
    "L1",
    "L2",
    "top 10 % L1",
    "agreement, dot",
    "agreement, cosine",
    "agreement, sign",
    "border L1",
    "dice with the label",
    "foreground ratio",
    "L1 to the diffused prediction",
    "dice with the diffused prediction",
    "running loss",
    "prior difficulty",
)
N_FEATURES = len(FEATURES)

_TOP_SHARE = 0.1
_SMALL = 1e-6


def residuals(logits: Tensor, label: Tensor) -> Tensor:
    """Prediction less label, (B, 1, S, S) in [-1, 1], detached: the derivative of cross-entropy by the logits."""
    return logits.detach().sigmoid() - label.detach()


def training_dynamics(
    logits: Tensor,
    label: Tensor,
    *,
    reference: Tensor | None,
    diffused: Tensor,
    running_loss: Tensor,
    difficulty: Tensor,
) -> Tensor:
    """Describe the samples of a batch.

    Parameters
    ----------
    logits : (B, 1, S, S), the map used in evaluation.
    label : (B, 1, S, S) in [0, 1].
    reference : (1, 1, S, S), mean residual of a validation batch; None before the first, with which all agreements
        are 0.
    diffused : (B, 1, S, S) in [0, 1], the diffused prediction.
    running_loss : (B,), running mean of each sample's loss.
    difficulty : (B,), prior difficulty, standardised over the training set.

    Returns
    -------
    (B, 16) float32, detached and finite, the columns of `FEATURES`. Maps count as masks above one half; two empty
    masks have the dice 1, and a label without a border has no border residual.
    """
    with torch.no_grad():
        logits, label = logits.detach(), label.detach()
        probability = logits.sigmoid()
        residual = probability - label
        size = residual.abs()
        flat = size.flatten(1)
        top = flat.topk(max(1, int(_TOP_SHARE * flat.shape[1])), dim=1).values.mean(1)
        label_mask = (label > 0.5).float()
        mask = (probability > 0.5).float()
        diffused_mask = (diffused > 0.5).float()
        border = _border(label_mask)
        out = torch.stack(
            [
                _mean(probability),
                _mean(logits.abs()),
                _mean(_entropy(logits, probability)),
                flat.mean(1),
                _mean(residual.square()),
                top,
                *_agreements(residual, reference),
                (size * border).sum((1, 2, 3)) / border.sum((1, 2, 3)).clamp(min=1),
                _dice(mask, label_mask),
                _mean(mask),
                _mean((diffused - label).abs()),
                _dice(diffused_mask, label_mask),
                running_loss.to(residual),
                difficulty.to(residual),
            ],
            dim=1,
        )
        return torch.nan_to_num(out.float())


def standardise(values: Tensor) -> Tensor:
    """Values (B, ...) less their mean over the batch, over their deviation; 0 where they do not differ."""
    centred = values - values.mean(0, keepdim=True)
    deviation = centred.square().mean(0, keepdim=True).sqrt()
    # Equal numbers leave a deviation of rounding errors, which must not be scaled up to 1.
    least = 1e-5 * values.abs().mean(0, keepdim=True) + 1e-12
    return torch.where(deviation > least, centred / deviation.clamp(min=1e-12), 0.0)


def _agreements(residual: Tensor, reference: Tensor | None) -> list[Tensor]:
    """Dot, cosine and share of equal signs of each residual and the reference."""
    if reference is None:
        return [residual.new_zeros(len(residual))] * 3
    ours, theirs = residual.flatten(1), reference.flatten(1)
    dot = (ours * theirs).mean(1)
    lengths = ours.square().mean(1).sqrt() * theirs.square().mean(1).sqrt()
    sign = (ours.sign() == theirs.sign()).float().mean(1)
    return [dot, dot / lengths.clamp(min=_SMALL), sign]


def _entropy(logits: Tensor, probability: Tensor) -> Tensor:
    """Entropy of each pixel's probability in nats, from the logits: it stays finite where a probability is 0 or 1."""
    return F.softplus(logits) - logits * probability


def _border(mask: Tensor) -> Tensor:
    """Pixels within one pixel of the mask's border, on both sides."""
    return F.max_pool2d(mask, 3, 1, 1) - (1 - F.max_pool2d(1 - mask, 3, 1, 1))


def _dice(one: Tensor, other: Tensor) -> Tensor:
    both, sizes = (one * other).sum((1, 2, 3)), one.sum((1, 2, 3)) + other.sum((1, 2, 3))
    return torch.where(sizes > 0, 2 * both / sizes.clamp(min=1), 1.0)


def _mean(maps: Tensor) -> Tensor:
    return maps.mean((1, 2, 3))
