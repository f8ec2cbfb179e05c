"""A small U-Net for trials: about 0.1 M parameters, trains on a laptop."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import conv_bn_relu, init_kaiming, upsample

CHANNELS = (8, 16, 32, 64)


class TinyUNet(Detector):
    """U-Net of four levels with 8, 16, 32 and 64 channels, two convolutions at each.

    Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015, with batch
    normalisation and borders kept by padding. A level on the way up is narrowed to the channels of the next one,
    enlarged bilinearly and added to what that one passed down, which is cheaper than joining the two side by side.
    """

    multiple = 8

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        ins = (in_channels, *CHANNELS[:-1])
        self.down = nn.ModuleList(_pair(a, b) for a, b in zip(ins, CHANNELS, strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(CHANNELS))
        self.up = nn.ModuleList(_pair(a, a) for a in CHANNELS[:-1])
        self.head = nn.Conv2d(CHANNELS[0], 1, 1)
        init_kaiming(self)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`."""
        levels = [self.down[0](image)]
        for level in self.down[1:]:
            levels.append(level(F.max_pool2d(levels[-1], 2)))
        out = levels.pop()
        for narrow, level in zip(reversed(self.narrow), reversed(self.up), strict=True):
            out = level(levels.pop() + upsample(narrow(out), 2))
        return [self.head(out)]


def _pair(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(conv_bn_relu(in_channels, out_channels), conv_bn_relu(out_channels, out_channels))
