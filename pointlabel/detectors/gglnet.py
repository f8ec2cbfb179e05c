"""GGL-Net: the gradient of the image, fed into the encoder at every level."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import (
    ChannelAttention,
    PoolingResidualBlock,
    ResidualBlock,
    SpatialAttention,
    SqueezeExcitation,
    conv,
    conv_bn,
    conv_bn_relu,
    init_kaiming,
    upsample,
)
from .mlclnet import PUBLISHED_ENCODER, contrast_branch, join_top_down

CHANNELS = (16, 32, 64, 128, 256)
REDUCTION = 4  # of squeeze and excitation
FLAT = 1e-24  # squared gradient of a flat image, so that the square root keeps a slope


def gradient_magnitude(image: torch.Tensor) -> torch.Tensor:
    """Length of the gradient by central differences, each channel alone; outside the image is 0."""
    padded = F.pad(image, (1, 1, 1, 1))
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return (across.square() + down.square()).clamp_min(FLAT).sqrt()


class SqueezeResidualBlock(nn.Module):
    """Two convolutions, squeeze and excitation between them, the identity, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_bn_relu(channels, channels), SqueezeExcitation(channels, REDUCTION), conv_bn(channels, channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape."""
        return F.relu(self.body(x) + x)


class GradientSupplement(nn.Module):
    """Add to a map what it and the gradient of the image say together."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.gradient = nn.Sequential(
            conv_bn_relu(in_channels, channels),
            SqueezeExcitation(channels, REDUCTION),
            conv_bn_relu(channels, channels),
        )
        self.both = nn.Sequential(
            conv_bn_relu(2 * channels, channels), SqueezeExcitation(channels, REDUCTION), conv_bn(channels, channels)
        )

    def forward(self, x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Return a map of the shape of `x`, for a gradient (B, in_channels, H, W) of its height and width."""
        return F.relu(self.both(torch.cat([x, self.gradient(gradient)], dim=1)) + x)


class GradientEncoder(nn.Module):
    """Two convolutions, then five levels of three blocks; the gradient joins at the end of each."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn_relu(in_channels, CHANNELS[0]), conv_bn_relu(CHANNELS[0], CHANNELS[0]))
        firsts = (ResidualBlock(CHANNELS[0]), *(PoolingResidualBlock(a, b) for a, b in pairwise(CHANNELS)))
        self.levels = nn.ModuleList(
            nn.Sequential(first, SqueezeResidualBlock(channels), SqueezeResidualBlock(channels))
            for first, channels in zip(firsts, CHANNELS, strict=True)
        )
        self.supplements = nn.ModuleList(GradientSupplement(in_channels, channels) for channels in CHANNELS)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the map of each level, the largest first."""
        gradient = gradient_magnitude(image)
        x = self.stem(image)
        out: list[torch.Tensor] = []
        for level, supplement in zip(self.levels, self.supplements, strict=True):
            if out:
                gradient = F.max_pool2d(gradient, 2)
            x = supplement(level(x), gradient)
            out.append(x)
        return out


class TwoWayGuidance(nn.Module):
    """Join two levels: the coarse one weighs the channels of the fine one, that one the pixels of the coarse one."""

    def __init__(self, coarse_channels: int, fine_channels: int) -> None:
        super().__init__()
        self.narrow = conv_bn_relu(coarse_channels, fine_channels, 1)
        self.channels = ChannelAttention(fine_channels, reduction=8)
        self.pixels = SpatialAttention(bias=True, maximum_first=True)

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Return a map of the shape of `fine`."""
        coarse = self.narrow(upsample(coarse, 2))
        return fine * self.channels(coarse) + coarse * self.pixels(fine)


class GGLNet(Detector):
    """Five levels guided by the gradient of the image, local contrast at each, joined from the coarsest to the finest.

    Zhao, Yu, Shi, Liu and Zhang, "Gradient-guided learning network for infrared small target detection", IEEE
    Geoscience and Remote Sensing Letters, 2023. The gradient is taken of the image as it comes in.
    """

    multiple = 16
    ends = ("head.2",)
    published_names = (
        *PUBLISHED_ENCODER,
        (r"(encoder\.levels\.\d\.[12])\.layer1\.", r"\1.body.0."),
        (r"(encoder\.levels\.\d\.[12])\.SEAttention\.", r"\1.body.1."),
        (r"(encoder\.levels\.\d\.[12])\.layer2\.", r"\1.body.2."),
        *((rf"stage\.Res{level}\.", f"encoder.supplements.{level - 1}.") for level in range(1, 6)),
        *(
            rule
            for theirs, ours in (("layer1", "gradient"), ("layer2", "both"))
            for rule in (
                (rf"(encoder\.supplements\.\d)\.{theirs}\.([01])\.", rf"\1.{ours}.0.\2."),
                (rf"(encoder\.supplements\.\d)\.{theirs}\.3\.", rf"\1.{ours}.1."),
                (rf"(encoder\.supplements\.\d)\.{theirs}\.4\.", rf"\1.{ours}.2.0."),
                (rf"(encoder\.supplements\.\d)\.{theirs}\.5\.", rf"\1.{ours}.2.1."),
            )
        ),
        (r"(.*)\.fc\.0\.", r"\1.squeeze."),
        (r"(.*)\.fc\.2\.", r"\1.expand."),
        *((rf"lcl{level}\.layer1\.", f"contrasts.{level - 1}.") for level in range(1, 6)),
        *((rf"sbam{level}\.", f"guides.{level - 1}.") for level in range(1, 5)),
        (r"(guides\.\d)\.hl_layer\.1\.", r"\1.narrow.0."),
        (r"(guides\.\d)\.hl_layer\.2\.", r"\1.narrow.1."),
        (r"(guides\.\d)\.hl_layer_2\.se\.0\.", r"\1.channels.squeeze."),
        (r"(guides\.\d)\.hl_layer_2\.se\.2\.", r"\1.channels.expand."),
        (r"(guides\.\d)\.ll_layer\.", r"\1.pixels."),
        (r"layer\.", "head."),
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        self.encoder = GradientEncoder(in_channels)
        self.contrasts = nn.ModuleList(contrast_branch(channels, 1, 1) for channels in CHANNELS)
        self.guides = nn.ModuleList(TwoWayGuidance(coarse, fine) for fine, coarse in pairwise(CHANNELS))
        self.head = nn.Sequential(conv(CHANNELS[0], CHANNELS[0], 1), nn.ReLU(inplace=True), conv(CHANNELS[0], 1, 1))
        init_kaiming(self)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`."""
        return [self.head(join_top_down(self.encoder(image), self.contrasts, self.guides))]
