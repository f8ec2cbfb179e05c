"""M(y; theta) as the code of "Diffuse to Detect" (arXiv 2605.20766) has it, which its eqs. (2) to (4) do not say."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .theta import N_STEPS, STEP, DiffusedPrediction

#: Side of the window whose mean the entropy is taken of, pixels.
ENTROPY_PX = 7
#: Share of the pixels, the largest predictions, that are the source.
SOURCE_SHARE = 0.005
#: How much of the gradient is taken off the fused map.
EDGE_WEIGHT = 0.15
#: Least conductivity, and least deviation that the texture is divided by.
LEAST = 1e-4

_RISE = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
_AROUND = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


class PublishedDiffusedPrediction(DiffusedPrediction):
    """M(y; theta) of the published code.

    With g the length of the Sobel gradient of y and H the binary entropy of the mean of y in 7 x 7 pixels, over ln 2,

        C = alpha g + (1 - alpha) H,   standardised over the map by its mean and deviation, which are constants
        D = max(D0 exp(-beta C), 1e-4)
        U <- U + 0.15 D lap U,   three steps from U = y, then cut to [0, 1]
        S = what y exceeds its 0.5 % largest values by, over its largest value, averaged over 3 x 3 pixels
        M = sigmoid(rho U + (1 - rho) S - 0.15 g)

    Pixels beyond the border are 0 throughout. M is one half where nothing is predicted and .73 at most; the steps are
    not stable, and conserve no heat.
    """

    def diffuse(self, prediction: Tensor) -> Tensor:
        """M(y; theta), (B, 1, S, S) in (0, 1), from probabilities of the same shape, which are taken as constants."""
        y, theta = prediction.detach(), self.theta()
        gradient = _gradient(y)
        texture = theta["alpha"] * gradient + (1 - theta["alpha"]) * _entropy(y)
        with torch.no_grad():
            mean = texture.mean((1, 2, 3), keepdim=True)
            deviation = texture.std((1, 2, 3), keepdim=True).clamp_min(LEAST)
        conductivity = (theta["d0"] * torch.exp(-theta["beta"] * (texture - mean) / deviation)).clamp_min(LEAST)
        heat = y
        for _ in range(N_STEPS):
            heat = heat + STEP * conductivity * _filtered(heat, _AROUND)
        fused = theta["rho"] * heat.clamp(0, 1) + (1 - theta["rho"]) * _source(y)
        return torch.sigmoid(fused - EDGE_WEIGHT * gradient)


def _gradient(maps: Tensor) -> Tensor:
    columns = tuple(zip(*_RISE, strict=True))
    return (_filtered(maps, _RISE).square() + _filtered(maps, columns).square() + 1e-12).sqrt()


def _entropy(maps: Tensor) -> Tensor:
    mean = F.avg_pool2d(maps, ENTROPY_PX, 1, ENTROPY_PX // 2).clamp(LEAST, 1 - LEAST)
    return -(mean * mean.log() + (1 - mean) * (1 - mean).log()) / math.log(2)


def _source(maps: Tensor) -> Tensor:
    flat = maps.flatten(1)
    least = flat.topk(max(int(SOURCE_SHARE * flat.shape[1]), 1), dim=1).values[:, -1]
    above = (maps - least.view(-1, 1, 1, 1)).relu()
    return F.avg_pool2d(above / (above.amax((1, 2, 3), keepdim=True) + 1e-6), 3, 1, 1).clamp(0, 1)


def _filtered(maps: Tensor, weights: tuple[tuple[float, ...], ...]) -> Tensor:
    return F.conv2d(maps, maps.new_tensor(weights)[None, None], padding=1)
