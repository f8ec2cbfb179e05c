"""Block structures of YOLOv8 and RetinaNet, small, written from their papers and documentation for the tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBnSiLU(nn.Module):
    """Convolution, batch normalisation, SiLU: the layer that YOLOv8 is made of."""

    def __init__(self, c_in: int, c_out: int, size: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, size, stride, size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """Two layers of 3 x 3 beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = ConvBnSiLU(channels, channels, 3), ConvBnSiLU(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.cv2(self.cv1(x))


class C2f(nn.Module):
    """Split the channels, run one half through bottlenecks, keep every step."""

    def __init__(self, c_in: int, c_out: int, n: int) -> None:
        super().__init__()
        self.cv1 = ConvBnSiLU(c_in, c_out)
        self.m = nn.ModuleList(Bottleneck(c_out // 2) for _ in range(n))
        self.cv2 = ConvBnSiLU((2 + n) * c_out // 2, c_out)

    def forward(self, x: Tensor) -> Tensor:
        steps = list(self.cv1(x).chunk(2, 1))
        for block in self.m:
            steps.append(block(steps[-1]))
        return self.cv2(torch.cat(steps, 1))


class SPPF(nn.Module):
    """Three poolings one after another, all kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1 = ConvBnSiLU(channels, channels // 2)
        self.cv2 = ConvBnSiLU(2 * channels, channels)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        steps = [self.cv1(x)]
        for _ in range(3):
            steps.append(self.pool(steps[-1]))
        return self.cv2(torch.cat(steps, 1))


class DetectHead(nn.Module):
    """Boxes and classes by separate branches at each level, the classes by depthwise layers."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.boxes = nn.ModuleList(
            nn.Sequential(ConvBnSiLU(c, 16, 3), ConvBnSiLU(16, 16, 3), nn.Conv2d(16, 64, 1)) for c in channels
        )
        self.classes = nn.ModuleList(
            nn.Sequential(ConvBnSiLU(c, c, 3, groups=c), ConvBnSiLU(c, 16), nn.Conv2d(16, 2, 1)) for c in channels
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        pairs = zip(levels, self.boxes, self.classes, strict=True)
        return [torch.cat((boxes(x), classes(x)), 1) for x, boxes, classes in pairs]


class SmallYolo(nn.Module):
    """Backbone, a neck that goes up and down, and a head at two levels, as YOLOv8 has them.

    Its convolutions of 3 x 3: two of the stem, 2 x 2 + 2 x 1 in the C2f before the neck and 2 in each of the two after
    it, one that halves before each deeper level (two), and in the head 2 + 1 a level.
    """

    n_of_three = 2 + (2 + 2) + 2 * 2 + 2 + 2 * 3

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvBnSiLU(3, 8, 3, 2), ConvBnSiLU(8, 16, 3, 2), C2f(16, 16, 1))
        self.deep = nn.Sequential(ConvBnSiLU(16, 32, 3, 2), C2f(32, 32, 1), SPPF(32))
        self.up = nn.Upsample(scale_factor=2)
        self.fine = C2f(48, 16, 1)
        self.halve = ConvBnSiLU(16, 16, 3, 2)
        self.coarse = C2f(48, 32, 1)
        self.head = DetectHead((16, 32))

    def forward(self, x: Tensor) -> list[Tensor]:
        first = self.stem(x)
        deep = self.deep(first)
        fine = self.fine(torch.cat((self.up(deep), first), 1))
        coarse = self.coarse(torch.cat((self.halve(fine), deep), 1))
        return self.head([fine, coarse])


class ResNetBottleneck(nn.Module):
    """1 x 1, 3 x 3 with the stride, 1 x 1, beside a shortcut."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        middle = c_out // 4
        self.conv1, self.bn1 = nn.Conv2d(c_in, middle, 1, bias=False), nn.BatchNorm2d(middle)
        self.conv2, self.bn2 = nn.Conv2d(middle, middle, 3, stride, 1, bias=False), nn.BatchNorm2d(middle)
        self.conv3, self.bn3 = nn.Conv2d(middle, c_out, 1, bias=False), nn.BatchNorm2d(c_out)
        self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(out)) + self.downsample(x))


class FeaturePyramid(nn.Module):
    """Lateral 1 x 1, sums from the top down, 3 x 3 after them, and one level more of stride 2."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.inner = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.layer = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.extra = nn.Conv2d(width, width, 3, 2, 1)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        sums = [inner(x) for inner, x in zip(self.inner, levels, strict=True)]
        for k in range(len(sums) - 2, -1, -1):
            sums[k] = sums[k] + F.interpolate(sums[k + 1], size=sums[k].shape[-2:], mode="nearest")
        out = [layer(x) for layer, x in zip(self.layer, sums, strict=True)]
        return [*out, self.extra(out[-1])]


class SmallRetinaNet(nn.Module):
    """ResNet blocks, a pyramid, and one head for classes and one for boxes that all levels share.

    Its convolutions of 3 x 3: one a bottleneck, one a level of the pyramid and its extra one, and in each head two of
    the tower and the last one. The stem is 7 x 7.
    """

    n_of_three = 3 + 3 + 1 + 2 * 3

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.stages = nn.ModuleList(
            (ResNetBottleneck(8, 16, 1), ResNetBottleneck(16, 32, 2), ResNetBottleneck(32, 64, 2))
        )
        self.fpn = FeaturePyramid((16, 32, 64), 16)
        self.heads = nn.ModuleList(
            nn.Sequential(
                *(
                    nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(inplace=True))
                    for _ in range(2)
                ),
                nn.Conv2d(16, 9 * n, 3, padding=1),
            )
            for n in (2, 4)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [self.stages[0](self.stem(x))]
        for stage in self.stages[1:]:
            levels.append(stage(levels[-1]))
        return [head(level) for level in self.fpn(levels) for head in self.heads]
