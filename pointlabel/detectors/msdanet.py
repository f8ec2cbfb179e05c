"""MSDA-Net: many receptive fields at each block, and the directions of a Haar wavelet as attention."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import (
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
from .mlclnet import PUBLISHED_ENCODER, join_top_down

CHANNELS = (16, 32, 64, 64, 64)
SIDE_CHANNELS = 16  # of each finer level where it joins the coarsest one


def haar_bands(x: torch.Tensor, *, halve: bool) -> list[torch.Tensor]:
    """Four bands of the Haar wavelet, each channel alone: rows differ, columns differ, diagonals differ, smooth.

    Parameters
    ----------
    x : (B, C, H, W) tensor.
    halve : whether every second pixel is left out, as in a wavelet transform; H and W must then be even. Otherwise the
        bands have the size of x, whose upper and left border is 0.
    """
    step = 2 if halve else 1
    if not halve:
        x = F.pad(x, (1, 0, 1, 0))
    a, b = x[..., :-1:step, :-1:step], x[..., :-1:step, 1::step]
    c, d = x[..., 1::step, :-1:step], x[..., 1::step, 1::step]
    return [(a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2, (a + b + c + d) / 2]


class FrequencyAttention(nn.Module):
    """Weight each pixel by what the four bands of the wavelet show there, then one convolution beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pixels = nn.ModuleList(SpatialAttention(bias=True, maximum_first=True) for _ in range(4))
        self.mix = conv_bn(channels, channels)
        init_kaiming(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape."""
        weights = [weigh(band) for weigh, band in zip(self.pixels, haar_bands(x, halve=False), strict=True)]
        return F.relu(x + self.mix(x * torch.stack(weights).sum(dim=0)))


def _branch(channels: int, size: int, dilation: int) -> nn.Sequential:
    """Convolution of `size`, then one of 3 x 3 whose taps lie `dilation` apart."""
    return nn.Sequential(
        conv_bn_relu(channels, channels, size, bias=False),
        conv_bn_relu(channels, channels, dilation=dilation, bias=False),
    )


class DirectionalBlock(nn.Module):
    """Four receptive fields merged, frequency attention, squeeze and excitation, beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            (
                nn.Sequential(conv_bn_relu(channels, channels, 1, bias=False)),
                *(_branch(channels, size, dilation) for size, dilation in ((1, 1), (3, 3), (5, 5))),
            )
        )
        self.merge = conv_bn_relu(4 * channels, channels, bias=False)
        self.last = conv_bn_relu(channels, channels, bias=False)
        self.frequency = FrequencyAttention(channels)
        self.channels = SqueezeExcitation(channels, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape."""
        out = self.merge(torch.cat([branch(x) for branch in self.branches], dim=1))
        return F.relu(x + self.last(self.channels(self.frequency(out))))


class MultiscaleContrast(nn.Module):
    """Local contrast at three receptive fields, merged by a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            (
                nn.Sequential(conv_bn_relu(channels, channels, 1, bias=False)),
                _branch(channels, 3, 3),
                _branch(channels, 5, 5),
            )
        )
        self.merge = conv_bn_relu(3 * channels, channels, bias=False)
        # The published block holds this layer and never runs it. Kept, frozen, so that published weights load whole.
        self.unused = conv_bn(channels, channels, 1, bias=False).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape."""
        return self.merge(torch.cat([branch(x) for branch in self.branches], dim=1))


class TopDownJoin(nn.Module):
    """Correct the coarser level by what both levels say, narrow it, add it to the finer one."""

    def __init__(self, coarse_channels: int, fine_channels: int) -> None:
        super().__init__()
        self.correct = nn.Sequential(
            conv_bn_relu(coarse_channels + fine_channels, coarse_channels, 1),
            conv_bn_relu(coarse_channels, coarse_channels),
        )
        self.narrow = conv_bn_relu(coarse_channels, fine_channels, 1)

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Return a map of the shape of `fine`."""
        coarse = upsample(coarse, 2)
        return fine + self.narrow(coarse + self.correct(torch.cat([coarse, fine], dim=1)))


class DirectionalEncoder(nn.Module):
    """Two convolutions, then five levels of three blocks; the wavelet of the image joins at the second one.

    The second level has 32 channels: 3 bands of each channel of the image, the rest from its first block (23 for
    colour images, as published; 29 for grey ones).
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn_relu(in_channels, CHANNELS[0]), conv_bn_relu(CHANNELS[0], CHANNELS[0]))
        widths = list(CHANNELS)
        widths[1] -= 3 * in_channels
        self.firsts = nn.ModuleList(
            (
                ResidualBlock(CHANNELS[0]),
                *(PoolingResidualBlock(a, b) for a, b in zip(CHANNELS[:-1], widths[1:], strict=True)),
            )
        )
        self.rests = nn.ModuleList(
            nn.Sequential(DirectionalBlock(channels), DirectionalBlock(channels)) for channels in CHANNELS
        )
        self.sides = nn.ModuleList(conv(channels, SIDE_CHANNELS, 1) for channels in CHANNELS[:-1])
        joined = CHANNELS[-1] + len(self.sides) * SIDE_CHANNELS
        self.join = nn.Sequential(
            conv(joined, joined, 1), nn.ReLU(inplace=True), conv(joined, CHANNELS[-1], 1), nn.ReLU(inplace=True)
        )
        for part in (self.stem, self.firsts, self.sides, self.join):
            init_kaiming(part)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the map of each level, the largest first."""
        x = self.stem(image)
        out: list[torch.Tensor] = []
        for first, rest in zip(self.firsts, self.rests, strict=True):
            x = first(x)
            if len(out) == 1:
                x = torch.cat([*haar_bands(image, halve=True)[:3], x], dim=1)
            x = rest(x)
            out.append(x)
        # Every finer level reaches the coarsest one through its maxima, the second coarsest first.
        maxima = [F.max_pool2d(x, 2 ** (len(out) - 1 - number)) for number, x in enumerate(out[:-1])]
        sides = [F.relu(side(x)) for side, x in zip(self.sides, maxima, strict=True)]
        out[-1] = self.join(torch.cat([out[-1], *reversed(sides)], dim=1))
        return out


class MSDANet(Detector):
    """Five levels of directional blocks, multiscale local contrast at each, joined from the coarsest to the finest.

    Zhao, Shi, Yu, Liu, Ying and Dai, "Multi-scale direction-aware network for infrared small target detection", 2024
    (arXiv 2406.02037).
    """

    multiple = 16
    ends = ("head.2",)
    published_constants = r".*(_attation|\.DWT_2D)\.w_(ll|lh|hl|hh)"
    published_names = (
        *PUBLISHED_ENCODER,
        (r"encoder\.levels\.(\d)\.0\.", r"encoder.firsts.\1."),
        (r"encoder\.levels\.(\d)\.1\.", r"encoder.rests.\1.0."),
        (r"encoder\.levels\.(\d)\.2\.", r"encoder.rests.\1.1."),
        *((rf"stage\.layer{level}_4\.{5 - level}\.", f"encoder.sides.{level - 1}.") for level in range(1, 5)),
        (r"stage\.layer5_4\.", "encoder.join."),
        *((rf"mlcl{level}\.", f"contrasts.{level - 1}.") for level in range(1, 6)),
        *((rf"(.*)\.branch{k}\.", rf"\1.branches.{k}.") for k in range(4)),
        (r"(contrasts\.\d)\.conv_res\.", r"\1.unused."),
        (r"(.*)\.conv_cat\.", r"\1.merge."),
        (r"(encoder\.rests\.\d\.\d)\.conv_res\.", r"\1.last."),
        *(
            (rf"(.*)\.FrequencyAttention\.{band}_reduce\.", rf"\1.frequency.pixels.{k}.")
            for k, band in enumerate(("LH", "HL", "HH", "LL"))
        ),
        (r"(.*)\.FrequencyAttention\.conv_res\.", r"\1.frequency.mix."),
        (r"(.*)\.SEAttention\.fc\.0\.", r"\1.channels.squeeze."),
        (r"(.*)\.SEAttention\.fc\.2\.", r"\1.channels.expand."),
        (r"(.*\.(?:branches\.\d\.\d|merge|last|unused))\.conv\.", r"\1.0."),
        (r"(.*\.(?:branches\.\d\.\d|merge|last|unused))\.bn\.", r"\1.1."),
        *((rf"sbam{level}\.hl_layer\.", f"joins.{level - 1}.narrow.") for level in range(1, 5)),
        *((rf"sbam{level}\.concat_layer\.([01])\.", rf"joins.{level - 1}.correct.0.\1.") for level in range(1, 5)),
        *((rf"sbam{level}\.concat_layer\.3\.", f"joins.{level - 1}.correct.1.0.") for level in range(1, 5)),
        *((rf"sbam{level}\.concat_layer\.4\.", f"joins.{level - 1}.correct.1.1.") for level in range(1, 5)),
        (r"layer\.", "head."),
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        self.encoder = DirectionalEncoder(in_channels)
        self.contrasts = nn.ModuleList(MultiscaleContrast(channels) for channels in CHANNELS)
        self.joins = nn.ModuleList(TopDownJoin(coarse, fine) for fine, coarse in pairwise(CHANNELS))
        self.head = nn.Sequential(conv(CHANNELS[0], CHANNELS[0], 1), nn.ReLU(inplace=True), conv(CHANNELS[0], 1, 1))
        init_kaiming(self.joins)
        init_kaiming(self.head)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`."""
        return [self.head(join_top_down(self.encoder(image), self.contrasts, self.joins))]
