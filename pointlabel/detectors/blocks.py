"""Layers that more than one detector uses."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def conv(
    in_channels: int, out_channels: int, size: int = 3, *, stride: int = 1, dilation: int = 1, bias: bool = True
) -> nn.Conv2d:
    """Convolution that keeps the size of the map, apart from the stride."""
    padding = dilation * (size - 1) // 2
    return nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=padding, dilation=dilation, bias=bias)


def conv_bn(
    in_channels: int, out_channels: int, size: int = 3, *, stride: int = 1, dilation: int = 1, bias: bool = True
) -> nn.Sequential:
    """Convolution and batch normalisation."""
    layer = conv(in_channels, out_channels, size, stride=stride, dilation=dilation, bias=bias)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels))


def conv_bn_relu(
    in_channels: int, out_channels: int, size: int = 3, *, stride: int = 1, dilation: int = 1, bias: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    layers = conv_bn(in_channels, out_channels, size, stride=stride, dilation=dilation, bias=bias)
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def upsample(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Resize by `factor`, bilinear with the corner pixels on each other, as all these nets do."""
    if factor == 1:
        return x
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True)


def init_kaiming(module: nn.Module) -> None:
    """Draw the weights of every convolution from a normal distribution scaled by its outputs; biases are 0.

    He et al., "Delving deep into rectifiers", 2015, fan-out mode.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity, ReLU after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn_relu(channels, channels), conv_bn(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape."""
        return F.relu(self.body(x) + x)


class PoolingResidualBlock(nn.Module):
    """Halves the map: two convolutions with a maximum between them, beside a convolution of stride 2.

    The branch of stride 2 has a ReLU of its own before the sum, in MLCL-Net and ALCL-Net alike.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_bn_relu(in_channels, out_channels), nn.MaxPool2d(2), conv_bn(out_channels, out_channels)
        )
        self.shortcut = conv_bn_relu(in_channels, out_channels, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of half the height and width; both must be even."""
        return F.relu(self.body(x) + self.shortcut(x))


class ChannelAttention(nn.Module):
    """Weight in (0, 1) for each channel, from its mean and its maximum through one small perceptron.

    Woo et al., "CBAM: convolutional block attention module", 2018, eq. (2). Returns the weights, (B, C, 1, 1).
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.expand = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the weights."""
        pooled = (x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True))
        mean, largest = (self.expand(F.relu(self.squeeze(value))) for value in pooled)
        return torch.sigmoid(mean + largest)


class SpatialAttention(nn.Module):
    """Weight in (0, 1) for each pixel, from the mean and the maximum over its channels.

    Woo et al., 2018, eq. (3), a convolution of 7 x 7. Returns the weights, (B, 1, H, W). Some nets give the convolution
    a bias, some the maximum first.
    """

    def __init__(self, size: int = 7, *, bias: bool = False, maximum_first: bool = False) -> None:
        super().__init__()
        self.conv = conv(2, 1, size, bias=bias)
        self.maximum_first = maximum_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the weights."""
        pooled = [x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)]
        if self.maximum_first:
            pooled.reverse()
        return torch.sigmoid(self.conv(torch.cat(pooled, dim=1)))


class SqueezeExcitation(nn.Module):
    """Channels times weights in (0, 1) that a small perceptron finds from their means.

    Hu et al., "Squeeze-and-excitation networks", 2018, eq. (2) to (4), without biases.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction, bias=False)
        self.expand = nn.Linear(channels // reduction, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape."""
        weights = torch.sigmoid(self.expand(F.relu(self.squeeze(x.mean(dim=(2, 3))))))
        return x * weights[:, :, None, None]


class AttentionBlock(nn.Module):
    """Two convolutions, channel attention, spatial attention, the shortcut, ReLU.

    The shortcut is the identity, or a convolution of 1 x 1 with batch normalisation where the channels change.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn_relu(in_channels, out_channels), conv_bn(out_channels, out_channels))
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else conv_bn(in_channels, out_channels, 1)
        self.channels = ChannelAttention(out_channels)
        self.pixels = SpatialAttention()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same height and width."""
        out = self.body(x)
        out = self.channels(out) * out
        out = self.pixels(out) * out
        return F.relu(out + self.shortcut(x))


def attention_blocks(in_channels: int, out_channels: int, n_blocks: int) -> nn.Sequential:
    """Chain of `n_blocks` attention blocks; the first one changes the channels."""
    rest = (AttentionBlock(out_channels, out_channels) for _ in range(n_blocks - 1))
    return nn.Sequential(AttentionBlock(in_channels, out_channels), *rest)


#: Names inside an attention block in the authors' code of DNANet and MSHNet -> names here, for `published_names`.
PUBLISHED_ATTENTION_BLOCK = (
    (r"(.*)\.sa\.conv1\.(\w+)$", r"\1.pixels.conv.\2"),  # before the rule for conv1
    (r"(.*)\.conv1\.(\w+)$", r"\1.body.0.0.\2"),
    (r"(.*)\.bn1\.(\w+)$", r"\1.body.0.1.\2"),
    (r"(.*)\.conv2\.(\w+)$", r"\1.body.1.0.\2"),
    (r"(.*)\.bn2\.(\w+)$", r"\1.body.1.1.\2"),
    (r"(.*)\.ca\.fc1\.(\w+)$", r"\1.channels.squeeze.\2"),
    (r"(.*)\.ca\.fc2\.(\w+)$", r"\1.channels.expand.\2"),
)
