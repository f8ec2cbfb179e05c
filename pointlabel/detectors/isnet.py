"""ISNet: finds the outline of targets beside their area, from the gradient of the image."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .base import Detector
from .blocks import conv, conv_bn, conv_bn_relu, init_kaiming
from .deformable import DeformableConv2d
from .padding import cut_back, pad_to_multiple

CHANNELS = (8, 16, 32, 64)  # of the stem's first layers, then of the levels
N_BLOCKS = 4  # at each level
EDGE_CHANNELS = 64
FLAT = 1e-6  # squared gradient of a flat image


def image_gradient(image: torch.Tensor) -> torch.Tensor:
    """sqrt(dx^2 + dy^2 + 1e-6) of each channel; dx and dy are differences over two pixels, outside the image is 0."""
    padded = F.pad(image, (1, 1, 1, 1))
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return torch.sqrt(across.square() + down.square() + FLAT)


def _two_convolutions(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        *conv_bn_relu(in_channels, out_channels, stride=stride, bias=False),
        *conv_bn(out_channels, out_channels, bias=False),
    )


class PlainResidual(nn.Module):
    """Two convolutions without bias beside a shortcut, ReLU after the sum."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.body = _two_convolutions(in_channels, out_channels, stride)
        same = in_channels == out_channels and stride == 1
        self.shortcut = nn.Identity() if same else conv_bn(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map with 1 / stride of the height and width."""
        return F.relu(self.body(x) + self.shortcut(x))


def _level(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    rest = (PlainResidual(out_channels, out_channels) for _ in range(N_BLOCKS - 1))
    return nn.Sequential(PlainResidual(in_channels, out_channels, stride), *rest)


class OrientedAttention(nn.Module):
    """Join two levels: deformable convolutions along rows and along columns of one weigh the pixels of the other.

    The two-orientation attention aggregation of Zhang et al., 2022, as their code wires it: the directions are taken of
    the enlarged coarse map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rows = DeformableConv2d(channels, channels, (1, 3))
        self.columns = DeformableConv2d(channels, channels, (3, 1))
        self.mix = nn.Sequential(conv(channels, channels // 2, 1), conv(channels // 2, channels, 1))

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Return a map of the shape of both."""
        coarse, fine = self.mix(coarse), self.mix(fine)
        weights = torch.sigmoid(self.columns(coarse)) + torch.sigmoid(self.rows(coarse))
        return 2 * coarse + weights * fine


class EdgeGate(nn.Module):
    """Convolution of 1 x 1 of a map whose pixels are weighted by 1 + a gate in (0, 1) that a second map steers.

    Takikawa et al., "Gated-SCNN: gated shape CNNs for semantic segmentation", 2019, eq. (1) and (2).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)
        self.gate = nn.Sequential(
            nn.BatchNorm2d(channels + 1),
            conv(channels + 1, channels + 1, 1),
            nn.ReLU(inplace=True),
            conv(channels + 1, 1, 1),
            nn.BatchNorm2d(1),
            nn.Sigmoid(),
        )
        nn.init.xavier_normal_(self.conv.weight)

    def forward(self, x: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        """Return a map of the shape of `x`, for a guide (B, 1, H, W)."""
        return self.conv(x * (1 + self.gate(torch.cat([x, guide], dim=1))))


class TaylorBlock(nn.Module):
    """Sharpen edges by a finite difference whose terms are two residual steps and a gated one.

    The Taylor finite difference block of Zhang et al., 2022.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(_two_convolutions(channels, channels) for _ in range(2))
        self.gate = EdgeGate(channels)
        init_kaiming(self.steps)

    def forward(self, x: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        """Return a map of the shape of `x`, for a guide (B, 1, H, W)."""
        first = self.steps[0](x)
        second = F.relu(self.steps[1](F.relu(x + first)))
        return 3 * F.relu(first) + second + self.gate(second, guide)


def _head(channels: int, out_channels: int) -> nn.Sequential:
    narrow = channels // 4
    return nn.Sequential(
        *conv_bn_relu(channels, narrow, bias=False), nn.Dropout(0.1), nn.Conv2d(narrow, out_channels, 1)
    )


def _unused_layers() -> nn.ModuleDict:
    """Layers that the published network has but never runs, under their published names, frozen.

    They are kept so that published weights load whole and the count of parameters is the published one.
    """
    layers: dict[str, nn.Module] = {}
    for number, channels in enumerate((64, 32, 16), start=1):
        layers[f"res{number}"] = _two_convolutions(channels, channels)
        layers[f"d{number}"] = nn.Conv2d(channels, channels // 2, 1)
        layers[f"gate{number}"] = EdgeGate(channels // 2)
    layers["cw"] = nn.Conv2d(4, 1, 1, bias=False)
    for name, channels in (("SA", 1), ("SA_att", 4)):
        layers[name] = nn.GroupNorm(channels, channels)
        for part in ("cweight", "cbias", "sweight", "sbias"):
            layers[name].register_parameter(part, nn.Parameter(torch.zeros(1, channels, 1, 1)))
    layers["head2"] = _head(CHANNELS[1], 3)
    layers["conv2_1"] = nn.Conv2d(3, 1, 1)
    layers["conv16"] = nn.Conv2d(3, 16, 1)
    return nn.ModuleDict(layers).requires_grad_(False)


class ISNet(Detector):
    """Residual U-Net of three levels at a quarter of the size, and a branch that finds edges at full size.

    Zhang, Zhang, Yang, Bai, Zhang and Guo, "ISNet: shape matters for infrared small target detection", CVPR 2022. The
    gradient of the image runs through three Taylor blocks, each gated by a level of the U-Net. Their edge map weighs
    the features that the logits are made of.

    The edge map is no side output, since its target is the outline of the mask: `with_edges` returns it for a loss of
    its own. Trained on the logits alone, the branch learns through them.
    """

    multiple = 16
    ends = ("head.4",)
    published_constants = r"grad(_extractor)?\.weight_[hv]"
    published_names = (
        *((rf"layer{level}\.", f"down.{level - 1}.") for level in (1, 2, 3)),
        *((rf"uplayer{level}\.", f"up.{level - 1}.") for level in (1, 2)),
        *((rf"deconv{level}\.", f"enlarge.{level - 1}.") for level in (1, 2)),
        (r"((?:down|up)\.\d\.\d)\.downsample\.", r"\1.shortcut."),
        (r"TTOA_high\.", "joins.0."),
        (r"TTOA_low\.", "joins.1."),
        (r"(joins\.\d)\.dcn_row\.", r"\1.rows."),
        (r"(joins\.\d)\.dcn_colum\.", r"\1.columns."),
        (r"(joins\.\d\.(?:rows|columns))\.conv_offset_mask\.", r"\1.offset."),
        (r"(joins\.\d)\.preprocess\.", r"\1.mix."),
        *((rf"dsn{number}\.", f"guides.{number - 1}.") for number in (1, 2, 3)),
        (r"dsup\.", "edge_entry."),
        *((rf"myb{number}\.", f"edges.{number - 1}.") for number in (1, 2, 3)),
        (r"(edges\.\d)\.res1\.", r"\1.steps.0."),
        (r"(edges\.\d)\.res2\.", r"\1.steps.1."),
        (r"fuse\.", "edge_head."),
        (r"(res[123]|d[123]|gate[123]|cw|SA|SA_att|head2|conv2_1|conv16)\.", r"unused.\1."),
        (r"(edges\.\d\.steps\.\d|unused\.res\d)\.conv1\.", r"\1.0."),
        (r"(edges\.\d\.steps\.\d|unused\.res\d)\.bn1\.", r"\1.1."),
        (r"(edges\.\d\.steps\.\d|unused\.res\d)\.conv2\.", r"\1.3."),
        (r"(edges\.\d\.steps\.\d|unused\.res\d)\.bn2\.", r"\1.4."),
        (r"(edges\.\d\.gate|unused\.gate\d)\.weight$", r"\1.conv.weight"),
        (r"(edges\.\d\.gate|unused\.gate\d)\._gate_conv\.", r"\1.gate."),
        (r"(unused\.(?:SA|SA_att))\.gn\.", r"\1."),
        (r"(head|unused\.head2)\.block\.", r"\1."),
    )

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__(in_channels, deep_supervision)
        narrow, fine, middle, coarse = CHANNELS
        self.stem = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            *conv_bn_relu(in_channels, narrow, stride=2, bias=False),
            *conv_bn_relu(narrow, narrow, bias=False),
            *conv_bn_relu(narrow, fine, bias=False),
            nn.MaxPool2d(3, 2, 1),
        )
        self.down = nn.ModuleList((_level(fine, fine), _level(fine, middle, 2), _level(middle, coarse, 2)))
        self.enlarge = nn.ModuleList(
            (nn.ConvTranspose2d(middle, fine, 4, 2, 1), nn.ConvTranspose2d(coarse, middle, 4, 2, 1))
        )
        self.joins = nn.ModuleList((OrientedAttention(fine), OrientedAttention(middle)))
        self.up = nn.ModuleList((_level(fine, fine), _level(middle, middle)))
        self.head = _head(fine, 1)

        self.guides = nn.ModuleList(nn.Conv2d(channels, 1, 1) for channels in (coarse, middle, fine))
        self.edge_entry = nn.Conv2d(in_channels, EDGE_CHANNELS, 1)
        self.edges = nn.ModuleList(TaylorBlock(EDGE_CHANNELS) for _ in self.guides)
        self.edge_head = nn.Conv2d(EDGE_CHANNELS, 1, 1, bias=False)
        self.unused = _unused_layers()

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits at the size of `image`."""
        return self._logits_and_edges(image)[:1]

    def with_edges(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of targets and those of their edges, each (B, 1, H, W), for (B, in_channels, H, W).

        The published target of the edges is `image_gradient` of the mask.
        """
        size = (image.shape[-2], image.shape[-1])
        logits, edges = self._logits_and_edges(pad_to_multiple(image, self.multiple))
        return cut_back(logits, size), cut_back(edges, size)

    def _logits_and_edges(self, image: torch.Tensor) -> list[torch.Tensor]:
        fine = self.down[0](self.stem(image))
        middle = self.down[1](fine)
        coarse = self.down[2](middle)
        middle = self.up[1](self.joins[1](self.enlarge[1](coarse), middle))
        fine = self.up[0](self.joins[0](self.enlarge[0](middle), fine))

        size = image.shape[2:]
        x = self.edge_entry(image_gradient(image))
        for block, guide, level in zip(self.edges, self.guides, (coarse, middle, fine), strict=True):
            x = block(x, F.interpolate(guide(level), size=size, mode="bilinear", align_corners=True))
        edges = self.edge_head(x)

        features = F.interpolate(fine, size=size, mode="bilinear", align_corners=False)
        return [self.head(features * (1 + torch.sigmoid(edges))), edges]
