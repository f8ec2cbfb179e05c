"""MLCL-Net: local contrast learned at several scales."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from .base import Detector
from .blocks import PoolingResidualBlock, ResidualBlock, conv, conv_bn_relu, init_kaiming, upsample

CHANNELS = (16, 32, 64)
N_BLOCKS = 3  # at each level


class ContrastEncoder(nn.Module):
    """Two convolutions, then levels of residual blocks, each half the size of the one before.

    Parameters
    ----------
    in_channels : channels of the image.
    channels : channels of each level.
    """

    def __init__(self, in_channels: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        first = channels[0]
        self.stem = nn.Sequential(conv_bn_relu(in_channels, first), conv_bn_relu(first, first))
        self.levels = nn.ModuleList([nn.Sequential(*(ResidualBlock(first) for _ in range(N_BLOCKS)))])
        for before, here in pairwise(channels):
            rest = (ResidualBlock(here) for _ in range(N_BLOCKS - 1))
            self.levels.append(nn.Sequential(PoolingResidualBlock(before, here), *rest))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the map of each level, the largest first."""
        out = [self.levels[0](self.stem(image))]
        for level in self.levels[1:]:
            out.append(level(out[-1]))
        return out


#: Names of the encoder in the authors' code -> names here; ``resnet2_1`` is the first block of the second level.
PUBLISHED_ENCODER = (
    (r"stage\.layer1\.0\.", "encoder.stem.0.0."),
    (r"stage\.layer1\.1\.", "encoder.stem.0.1."),
    (r"stage\.layer1\.3\.", "encoder.stem.1.0."),
    (r"stage\.layer1\.4\.", "encoder.stem.1.1."),
    *(
        (rf"stage\.resnet{level}_{block}\.", f"encoder.levels.{level - 1}.{block - 1}.")
        for level in range(1, 6)
        for block in range(1, N_BLOCKS + 1)
    ),
    (r"(encoder\.levels\.[1-4]\.0)\.layer2\.", r"\1.shortcut."),
    (r"(encoder\.levels\.[1-4]\.0)\.layer1\.([01])\.", r"\1.body.0.\2."),
    (r"(encoder\.levels\.[1-4]\.0)\.layer1\.4\.", r"\1.body.2.0."),
    (r"(encoder\.levels\.[1-4]\.0)\.layer1\.5\.", r"\1.body.2.1."),
    (r"(encoder\.levels\.\d\.\d)\.layer\.([01])\.", r"\1.body.0.\2."),
    (r"(encoder\.levels\.\d\.\d)\.layer\.3\.", r"\1.body.1.0."),
    (r"(encoder\.levels\.\d\.\d)\.layer\.4\.", r"\1.body.1.1."),
)


def contrast_branch(channels: int, size: int, dilation: int) -> nn.Sequential:
    """Compare a pixel with a ring: a convolution of `size`, then one of 3 x 3 whose taps lie `dilation` apart."""
    return nn.Sequential(
        conv(channels, channels, size),
        nn.ReLU(inplace=True),
        conv(channels, channels, 3, dilation=dilation),
        nn.ReLU(inplace=True),
    )


def join_top_down(levels: list[torch.Tensor], contrasts: nn.ModuleList, joins: nn.ModuleList) -> torch.Tensor:
    """Local contrast of each level, joined from the coarsest to the finest.

    Parameters
    ----------
    levels : the map of each level, the largest first.
    contrasts : a layer per level.
    joins : a layer per pair of neighbours, the finest first, called with the coarse and the fine map.
    """
    details = [contrast(x) for x, contrast in zip(levels, contrasts, strict=True)]
    out = details.pop()
    for join in reversed(joins):
        out = join(out, details.pop())
    return out


class MultiscaleContrast(nn.Module):
    """Local contrast at dilations 1, 3 and 5, merged by a convolution of 1 x 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            contrast_branch(channels, size, dilation) for size, dilation in ((1, 1), (3, 3), (5, 5))
        )
        self.merge = nn.Conv2d(3 * channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape."""
        return self.merge(torch.cat([branch(x) for branch in self.branches], dim=1))


class MLCLNet(Detector):
    """Three levels, multiscale local contrast at each, and their sum at 64 channels.

    Yu, Liu, Wu, Hu, Xia, Lan and Liu, "Infrared small target detection based on multiscale local contrast learning
    networks", Infrared Physics & Technology, 2022; three blocks at each level.
    """

    multiple = 4
    ends = ("head.2",)
    published_names = (
        *PUBLISHED_ENCODER,
        *(
            (rf"mlcl{level}\.layer{k}\.", f"contrasts.{level - 1}.branches.{k - 1}.")
            for level in (1, 2, 3)
            for k in (1, 2, 3)
        ),
        *((rf"mlcl{level}\.conv\.", f"contrasts.{level - 1}.merge.") for level in (1, 2, 3)),
        *((rf"conv{level}\.0\.", f"widen.{level - 1}.0.") for level in (1, 2, 3)),
        (r"layer\.", "head."),
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        width = CHANNELS[-1]
        self.encoder = ContrastEncoder(in_channels, CHANNELS)
        self.contrasts = nn.ModuleList(MultiscaleContrast(channels) for channels in CHANNELS)
        self.widen = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU(inplace=True)) for channels in CHANNELS
        )
        self.head = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(inplace=True), nn.Conv2d(width, 1, 1))
        init_kaiming(self)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`."""
        levels = zip(self.encoder(image), self.contrasts, self.widen, strict=True)
        fine, middle, coarse = (widen(contrast(x)) for x, contrast, widen in levels)
        return [self.head(upsample(upsample(coarse, 2) + middle, 2) + fine)]
