"""Modulated deformable convolution in plain torch: no compiled extension, differentiable twice."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import InputError


def deformable_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    modulation: Tensor | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Tensor:
    """Convolve at sampling points that each pixel moves for itself.

    The output at pixel p is the sum over the taps k of the kernel, ::

        y(p) = b + sum_k w_k m_k(p) x(p + r_k + d_k(p))

    where r_k is the place of tap k on the regular grid, d_k(p) its offset in pixels and m_k(p) its modulation. Between
    pixels x is bilinear, and outside the image it is 0.

    Parameters
    ----------
    x : (B, C, H, W) floating tensor.
    offset : (B, 2K, H', W') tensor, pixels; K = height x width of the kernel, row by row. Channels 2k and 2k + 1 hold
        the row and the column part of tap k. (H', W') is the size that a convolution of these settings gives.
    weight : (D, C, kernel height, kernel width) tensor.
    bias : (D,) tensor, or None for none.
    modulation : (B, K, H', W') tensor, usually in [0, 1]; None means 1.
    stride, padding, dilation : as in `torch.nn.functional.conv2d`, (row, column).

    Returns
    -------
    (B, D, H', W') tensor of the dtype of x.

    Raises
    ------
    InputError
        If offset or modulation is not of that shape.

    References
    ----------
    Dai et al., "Deformable convolutional networks", ICCV 2017, eq. (2) and (3); Zhu et al., "Deformable ConvNets v2",
    CVPR 2019, eq. (1).
    """
    batch, channels, height, width = x.shape
    n_taps = weight.shape[2] * weight.shape[3]
    out_height, out_width = (
        (x.shape[2 + axis] + 2 * padding[axis] - dilation[axis] * (weight.shape[2 + axis] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    )
    for name, given, n_channels in (("offset", offset, 2 * n_taps), ("modulation", modulation, n_taps)):
        expected = (batch, n_channels, out_height, out_width)
        if given is not None and tuple(given.shape) != expected:
            raise InputError(f"{name} must have shape {expected}, got {tuple(given.shape)}")
    # Places are kept in single precision at least: half precision cannot distinguish neighbours above 2048 px, nor
    # place a sample within 1/16 px above 64 px.
    precise = torch.promote_types(offset.dtype, torch.float32)
    moves = offset.to(precise).reshape(batch, n_taps, 2, out_height, out_width)
    regular = _regular_grid(weight.shape[2:], (out_height, out_width), stride, padding, dilation, moves)
    rows, columns = (moves + regular).unbind(2)

    samples = _bilinear(x.reshape(batch, channels, height * width), rows, columns, (height, width))
    if modulation is not None:
        samples = samples * modulation.unsqueeze(1).to(samples.dtype)
    taps = weight.reshape(weight.shape[0], channels, n_taps).to(samples.dtype)
    out = torch.einsum("bckhw,dck->bdhw", samples, taps)
    return out if bias is None else out + bias.to(out.dtype).reshape(1, -1, 1, 1)


def _regular_grid(
    kernel: torch.Size,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    like: Tensor,
) -> Tensor:
    """Places of the taps without offsets, (K, 2, H', W'), in the dtype and on the device of `like`."""
    axes = []
    for axis in (0, 1):
        first = torch.arange(size[axis], dtype=like.dtype, device=like.device) * stride[axis] - padding[axis]
        steps = torch.arange(kernel[axis], dtype=like.dtype, device=like.device) * dilation[axis]
        axes.append(steps[:, None] + first[None, :])
    shape = (kernel[0], kernel[1], *size)
    rows = axes[0][:, None, :, None].expand(shape)
    columns = axes[1][None, :, None, :].expand(shape)
    return torch.stack((rows, columns), dim=2).reshape(kernel[0] * kernel[1], 2, *size)


def _bilinear(flat: Tensor, rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """Values of flat (B, C, H W) at (B, K, H', W') places, (B, C, K, H', W'); 0 outside.

    Gathered rather than taken by `grid_sample`, whose backward has no derivative of its own: the exact hypergradient
    differentiates a training step.
    """
    height, width = size
    top, left = rows.floor(), columns.floor()
    down, right = rows - top, columns - left
    out = flat.new_zeros(*flat.shape[:2], *rows.shape[1:])
    for row, row_share in ((top, 1 - down), (top + 1, down)):
        for column, column_share in ((left, 1 - right), (left + 1, right)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = torch.where(inside, row * width + column, 0).long().flatten(1)
            found = flat.gather(2, index.unsqueeze(1).expand(-1, flat.shape[1], -1)).reshape(out.shape)
            out = out + found * (row_share * column_share * inside).to(flat.dtype).unsqueeze(1)
    return out


class DeformableConv2d(nn.Module):
    """Deformable convolution that finds its offsets and modulation by a plain convolution of the same shape.

    Offsets start at 0 and the modulation at 1/2 (Zhu et al., 2019): at first the layer is half a plain convolution. The
    output has the size of the input; kernels are odd.

    Parameters
    ----------
    in_channels, out_channels : int, number of channels.
    kernel_size : (rows, columns), odd.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int]) -> None:
        super().__init__()
        self.padding = (kernel_size[0] // 2, kernel_size[1] // 2)
        n_taps = kernel_size[0] * kernel_size[1]
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        bound = 1 / math.sqrt(in_channels * n_taps)
        nn.init.uniform_(self.weight, -bound, bound)
        self.offset = nn.Conv2d(in_channels, 3 * n_taps, kernel_size, padding=self.padding)
        for parameter in self.offset.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H, W)."""
        n_taps = self.weight.shape[2] * self.weight.shape[3]
        offset, modulation = self.offset(x).split((2 * n_taps, n_taps), dim=1)
        return deformable_conv2d(
            x, offset, self.weight, self.bias, modulation=modulation.sigmoid(), padding=self.padding
        )
