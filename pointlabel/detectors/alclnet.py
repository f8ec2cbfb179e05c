"""ALCL-Net: local contrast at five levels; each gates the coarser level that is added to it."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from .base import Detector
from .blocks import conv, conv_bn, conv_bn_relu, init_kaiming, upsample
from .mlclnet import PUBLISHED_ENCODER, ContrastEncoder, contrast_branch, join_top_down

CHANNELS = (16, 32, 64, 128, 256)


class BottomUpGate(nn.Module):
    """Add what comes from the coarser level, weighted at each pixel by the finer one."""

    def __init__(self, coarse_channels: int, fine_channels: int) -> None:
        super().__init__()
        self.narrow = conv_bn_relu(coarse_channels, fine_channels, 1)
        self.gate = conv_bn(fine_channels, fine_channels, 1)

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Return a map of the shape of `fine`."""
        return fine + self.narrow(upsample(coarse, 2)) * torch.sigmoid(self.gate(fine))


class ALCLNet(Detector):
    """Five levels, local contrast at dilation 1 at each, joined from the coarsest to the finest.

    Yu, Liu, Wu, Hu, Xia, Lan and Liu, "Pay attention to local contrast learning networks for infrared small target
    detection", IEEE Geoscience and Remote Sensing Letters, 2022.
    """

    multiple = 16
    ends = ("head.2",)
    published_names = (
        *PUBLISHED_ENCODER,
        *((rf"lcl{level}\.layer1\.", f"contrasts.{level - 1}.") for level in range(1, 6)),
        *((rf"sbam{level}\.hl_layer\.1\.", f"gates.{level - 1}.narrow.0.") for level in range(1, 5)),
        *((rf"sbam{level}\.hl_layer\.2\.", f"gates.{level - 1}.narrow.1.") for level in range(1, 5)),
        *((rf"sbam{level}\.ll_layer\.", f"gates.{level - 1}.gate.") for level in range(1, 5)),
        (r"layer\.", "head."),
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        self.encoder = ContrastEncoder(in_channels, CHANNELS)
        self.contrasts = nn.ModuleList(contrast_branch(channels, 1, 1) for channels in CHANNELS)
        self.gates = nn.ModuleList(BottomUpGate(coarse, fine) for fine, coarse in pairwise(CHANNELS))
        self.head = nn.Sequential(conv(CHANNELS[0], CHANNELS[0], 1), nn.ReLU(inplace=True), conv(CHANNELS[0], 1, 1))
        init_kaiming(self)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`."""
        return [self.head(join_top_down(self.encoder(image), self.contrasts, self.gates))]
