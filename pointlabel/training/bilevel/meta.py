"""The meta-classifier of "Diffuse to Detect" (arXiv 2605.20766): from a sample's training dynamics to its weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .dynamics import N_FEATURES, standardise

N_HIDDEN = 32
#: The output is divided by this before the sigmoid.
TEMPERATURE = 0.25


class MetaClassifier(nn.Module):
    """A perceptron 16 -> 32 -> 1 whose sigmoid, over its mean in the batch, is a sample's weight.

    The last layer starts at zero, so that all weights start at 1; the published code leaves the start to chance,
    and the temperature makes that chance differ by a factor of two between samples.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(N_FEATURES, N_HIDDEN)
        self.out = nn.Linear(N_HIDDEN, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Weights (B,) with mean 1 from features (B, 16), standardised over the batch here."""
        hidden = torch.relu(self.hidden(standardise(features)))
        return mean_one(torch.sigmoid(self.out(hidden).squeeze(1) / TEMPERATURE))


def mean_one(values: Tensor) -> Tensor:
    """Positive values (B,) over their mean. The mean is differentiated too."""
    return values / values.mean().clamp(min=torch.finfo(values.dtype).tiny)
