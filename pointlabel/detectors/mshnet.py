"""MSHNet: a plain U-Net with attention blocks and a head at each scale."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import PUBLISHED_ATTENTION_BLOCK, attention_blocks, conv, upsample

CHANNELS = (16, 32, 64, 128, 256)
DEPTH = len(CHANNELS) - 1


class MSHNet(Detector):
    """U-Net of five levels; the heads of the four finest are enlarged and merged by one convolution.

    Liu, Liu, Zhao, Wang and Dong, "Infrared small target detection with scale and location sensitivity", CVPR 2024.

    While `warming_up` is true, in the first epochs of the paper's training, the head of the finest level is the only
    output. After that training with deep supervision (the paper's way) returns five maps: the merged one, then the
    heads from fine to coarse, each at its own size, half that of the one before. The losses compare them with labels
    that are made smaller by maxima, as published: a coarse head that is enlarged and compared with the full one learns
    to answer nothing. The heads are part of the net with or without deep supervision.
    """

    multiple = 2**DEPTH
    has_side_outputs = True
    published_names = (
        (r"conv_init\.", "stem."),
        (r"middle_layer\.", f"down.{DEPTH}."),
        (r"encoder_(\d)\.", r"down.\1."),
        (r"decoder_(\d)\.", r"up.\1."),
        (r"output_(\d)\.", r"heads.\1."),
        (r"final\.", "merge."),
        *PUBLISHED_ATTENTION_BLOCK,
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        self.stem = nn.Conv2d(in_channels, CHANNELS[0], 1)
        self.down = nn.ModuleList([attention_blocks(CHANNELS[0], CHANNELS[0], 1)])
        self.down.extend(attention_blocks(above, here, 2) for above, here in pairwise(CHANNELS))
        self.up = nn.ModuleList(
            attention_blocks(here + below, here, 2 if level else 1)
            for level, (here, below) in enumerate(pairwise(CHANNELS))
        )
        self.heads = nn.ModuleList(nn.Conv2d(channels, 1, 1) for channels in CHANNELS[:DEPTH])
        self.merge = conv(DEPTH, 1)

    @property
    def logit_layers(self) -> list[nn.Conv2d]:
        """The merging convolution, then the heads; in the warm-up the head of the finest level alone."""
        heads: list[Any] = list(self.heads)
        return heads[:1] if self.warming_up else [self.merge, *heads]

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`, merged; then those of each scale from fine to coarse, at its own size."""
        levels = [self.down[0](self.stem(image))]
        for block in self.down[1:]:
            levels.append(block(F.max_pool2d(levels[-1], 2)))
        out = levels.pop()
        scales: list[torch.Tensor] = []
        for level in range(DEPTH - 1, -1, -1):
            out = self.up[level](torch.cat([levels.pop(), upsample(out, 2)], dim=1))
            if not (self.warming_up and level):
                scales.append(self.heads[level](out))
        scales.reverse()
        if self.warming_up:
            return scales
        large = [upsample(logits, 2**level) for level, logits in enumerate(scales)]
        return [self.merge(torch.cat(large, dim=1)), *scales]
