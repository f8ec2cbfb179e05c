"""U-Net with channel attention: a plain network to compare convolutions and losses in."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import ChannelAttention, conv, conv_bn, conv_bn_relu, init_kaiming, upsample

CHANNELS = (16, 32, 64, 128, 256)
REDUCTION = 8


class AttendedPair(nn.Module):
    """Two convolutions whose channels are weighted before the last ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn_relu(in_channels, out_channels), conv_bn(out_channels, out_channels))
        self.channels = ChannelAttention(out_channels, REDUCTION)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same height and width."""
        out = self.body(x)
        return F.relu(out * self.channels(out))


class UNetCA(Detector):
    """U-Net of five levels, 16 to 256 channels, with channel attention in every pair of convolutions.

    The network of Li and Zhuo, "Revisiting the scale loss function and Gaussian-shape convolution for infrared small
    target detection", 2026 (arXiv 2604.09991), of which only this is known here: it is a U-Net with channel
    attention. Chosen here: the widths of DNANet and MSHNet, and attention from the mean and the maximum of a channel,
    since a target of a few pixels hardly changes the mean. With deep supervision every level of the decoder gives a
    logit map.
    """

    multiple = 16
    has_side_outputs = True
    ends = ("head", "sides")
    supervised_by_default = False

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        ins = (in_channels, *CHANNELS[:-1])
        self.down = nn.ModuleList(AttendedPair(a, b) for a, b in zip(ins, CHANNELS, strict=True))
        self.up = nn.ModuleList(AttendedPair(fine + coarse, fine) for fine, coarse in pairwise(CHANNELS))
        self.head = conv(CHANNELS[0], 1, 1)
        # Only where they are trained: a layer that no loss reaches has no gradient, which breaks `torch.autograd.grad`.
        sides = CHANNELS[1:-1] if self.deep_supervision else ()
        self.sides = nn.ModuleList(conv(channels, 1, 1) for channels in sides)
        init_kaiming(self)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`: the finest level first, then the coarser ones of the decoder."""
        levels = [self.down[0](image)]
        for level in self.down[1:]:
            levels.append(level(F.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        decoded: list[torch.Tensor] = []
        for level in reversed(self.up):
            x = level(torch.cat([levels.pop(), upsample(x, 2)], dim=1))
            decoded.insert(0, x)
        sides = zip(self.sides, decoded[1:], strict=bool(self.sides))
        return [self.head(x), *(upsample(side(y), 2**power) for power, (side, y) in enumerate(sides, start=1))]
