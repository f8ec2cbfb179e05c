"""UIU-Net: a U-Net whose blocks are U-Nets."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import SpatialAttention, conv, conv_bn_relu

REDUCTION = 4  # of the channels where two levels weigh each other


def resize_like(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Bilinear resize to the height and width of `other`, pixels taken as areas (corners do not align)."""
    if x.shape[2:] == other.shape[2:]:
        return x
    return F.interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)


class UBlock(nn.Module):
    """Residual U-block: a small U-Net plus the convolution at its entry.

    Qin et al., "U2-Net: going deeper with nested U-structure", 2020.

    Parameters
    ----------
    in_channels, middle_channels, out_channels : of the input, inside, of the output.
    n_levels : levels of the small U-Net; its deepest convolution is dilated by 2 at the size of the one before.
    """

    def __init__(self, in_channels: int, middle_channels: int, out_channels: int, n_levels: int) -> None:
        super().__init__()
        self.entry = conv_bn_relu(in_channels, out_channels)
        self.down = nn.ModuleList([conv_bn_relu(out_channels, middle_channels)])
        for _ in range(n_levels - 2):
            self.down.append(conv_bn_relu(middle_channels, middle_channels))
        self.bottom = conv_bn_relu(middle_channels, middle_channels, dilation=2)
        self.up = nn.ModuleList([conv_bn_relu(2 * middle_channels, out_channels)])
        for _ in range(n_levels - 2):
            self.up.append(conv_bn_relu(2 * middle_channels, middle_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same height and width."""
        entry = self.entry(x)
        levels = [self.down[0](entry)]
        for level in self.down[1:]:
            levels.append(level(F.max_pool2d(levels[-1], 2)))
        out = self.bottom(levels[-1])
        for level, skip in zip(reversed(self.up), reversed(levels), strict=True):
            out = level(torch.cat([resize_like(out, skip), skip], dim=1))
        return out + entry


class DilatedUBlock(nn.Module):
    """Residual U-block that keeps the size of its map: dilations 1, 2, 4, 8 and back replace the levels."""

    def __init__(self, in_channels: int, middle_channels: int, out_channels: int) -> None:
        super().__init__()
        self.entry = conv_bn_relu(in_channels, out_channels)
        self.down = nn.ModuleList(
            (
                conv_bn_relu(out_channels, middle_channels),
                conv_bn_relu(middle_channels, middle_channels, dilation=2),
                conv_bn_relu(middle_channels, middle_channels, dilation=4),
            )
        )
        self.bottom = conv_bn_relu(middle_channels, middle_channels, dilation=8)
        self.up = nn.ModuleList(
            (
                conv_bn_relu(2 * middle_channels, out_channels),
                conv_bn_relu(2 * middle_channels, middle_channels, dilation=2),
                conv_bn_relu(2 * middle_channels, middle_channels, dilation=4),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same height and width."""
        entry = self.entry(x)
        levels = [self.down[0](entry)]
        for level in self.down[1:]:
            levels.append(level(levels[-1]))
        out = self.bottom(levels[-1])
        for level, skip in zip(reversed(self.up), reversed(levels), strict=True):
            out = level(torch.cat([out, skip], dim=1))
        return out + entry


class BatchNormOfMeans(nn.BatchNorm2d):
    """Batch normalisation of channel means, which are one number per image.

    A batch of one image has no variance there; it is normalised by the running statistics, as in evaluation.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the same shape."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class CrossAttention(nn.Module):
    """Two levels weigh each other: the deep one the channels of the shallow one, that one the pixels of the deep one.

    Wu, Hong and Chanussot, 2023, "interactive-cross attention"; the asymmetric modulation of Dai et al., "Asymmetric
    contextual modulation for infrared small target detection", 2021, with attention to the pixels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = channels // REDUCTION
        self.deep = conv_bn_relu(channels, channels, 1)
        self.channels = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            conv(channels, narrow, 1),
            BatchNormOfMeans(narrow),
            nn.ReLU(inplace=True),
            conv(narrow, channels, 1),
            BatchNormOfMeans(channels),
            nn.Sigmoid(),
        )
        self.pixels = nn.Sequential(*conv_bn_relu(channels, narrow, 1), SpatialAttention(3))
        self.last = conv_bn_relu(channels, channels)

    def forward(self, deep: torch.Tensor, shallow: torch.Tensor) -> torch.Tensor:
        """Return both levels, the shallow one first, (B, 2 channels, H, W)."""
        deep = self.deep(deep)
        weighed = shallow * self.channels(deep)
        return torch.cat([self.last(2 * weighed), self.last(2 * deep * self.pixels(weighed))], dim=1)


class UIUNet(Detector):
    """U-Net of six levels whose blocks are U-Nets themselves; a logit map from each level and their fusion.

    Wu, Hong and Chanussot, "UIU-Net: U-Net in U-Net for infrared small object detection", IEEE Transactions on Image
    Processing, 2023.
    """

    multiple = 32
    has_side_outputs = True
    ends = ("head", "sides")
    published_names = (
        *((rf"stage{level}\.", f"down.{level - 1}.") for level in range(1, 7)),
        *((rf"stage{level}d\.", f"up.{level - 1}.") for level in range(1, 6)),
        *((rf"side{level}\.", f"sides.{level - 1}.") for level in range(1, 7)),
        *((rf"fuse{level}\.", f"joins.{level - 2}.") for level in range(2, 6)),
        (r"outconv\.", "head."),
        # The deepest convolution of a U-block is the seventh, sixth, fifth or fourth.
        (r"((?:down|up)\.0)\.rebnconv7\.", r"\1.bottom."),
        (r"((?:down|up)\.1)\.rebnconv6\.", r"\1.bottom."),
        (r"((?:down|up)\.2)\.rebnconv5\.", r"\1.bottom."),
        (r"((?:down|up)\.[345])\.rebnconv4\.", r"\1.bottom."),
        (r"(.*)\.rebnconvin\.", r"\1.entry."),
        *((rf"(.*)\.rebnconv{k}\.", rf"\1.down.{k - 1}.") for k in range(1, 7)),
        *((rf"(.*)\.rebnconv{k}d\.", rf"\1.up.{k - 1}.") for k in range(1, 7)),
        (r"(.*)\.conv_s1\.", r"\1.0."),
        (r"(.*)\.bn_s1\.", r"\1.1."),
        (r"(joins\.\d)\.feature_high\.", r"\1.deep."),
        (r"(joins\.\d)\.topdown\.", r"\1.channels."),
        (r"(joins\.\d)\.bottomup\.3\.conv1\.", r"\1.pixels.3.conv."),
        (r"(joins\.\d)\.bottomup\.", r"\1.pixels."),
        (r"(joins\.\d)\.post\.", r"\1.last."),
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        self.down = nn.ModuleList(
            (
                UBlock(in_channels, 32, 64, n_levels=7),
                UBlock(64, 32, 128, n_levels=6),
                UBlock(128, 64, 256, n_levels=5),
                UBlock(256, 128, 512, n_levels=4),
                DilatedUBlock(512, 256, 512),
                DilatedUBlock(512, 256, 512),
            )
        )
        self.up = nn.ModuleList(
            (
                UBlock(128, 16, 64, n_levels=7),
                UBlock(256, 32, 64, n_levels=6),
                UBlock(512, 64, 128, n_levels=5),
                UBlock(1024, 128, 256, n_levels=4),
                DilatedUBlock(1024, 256, 512),
            )
        )
        self.joins = nn.ModuleList(CrossAttention(channels) for channels in (128, 256, 512, 512))
        self.sides = nn.ModuleList(conv(channels, 1) for channels in (64, 64, 128, 256, 512, 512))
        self.head = conv(len(self.sides), 1, 1)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`: the fusion, then the six levels from the finest to the coarsest."""
        levels = [self.down[0](image)]
        for block in self.down[1:]:
            levels.append(block(F.max_pool2d(levels[-1], 2)))
        out = [levels.pop()]
        for block, join in zip(reversed(self.up[1:]), reversed(self.joins), strict=True):
            shallow = levels.pop()
            out.append(block(join(resize_like(out[-1], shallow), shallow)))
        shallow = levels.pop()
        out.append(self.up[0](torch.cat([resize_like(out[-1], shallow), shallow], dim=1)))
        sides = [resize_like(side(x), image) for side, x in zip(self.sides, reversed(out), strict=True)]
        return [self.head(torch.cat(sides, dim=1)), *sides]
