"""Slow, obvious twin of the deformable convolution: one pixel, one tap, one corner at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def sample(plane: NDArray, row: float, column: float) -> float:
    """Bilinear value of a plane between pixels, 0 outside."""
    out = 0.0
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            if 0 <= i < plane.shape[0] and 0 <= j < plane.shape[1]:
                out += (1 - abs(row - i)) * (1 - abs(column - j)) * float(plane[i, j])
    return out


def deformable_conv2d(
    x: NDArray,
    offset: NDArray,
    weight: NDArray,
    bias: NDArray,
    modulation: NDArray,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> NDArray[np.float64]:
    """y(p) = b + sum_k w_k m_k(p) x(p + r_k + d_k(p))."""
    n_out, n_in, n_rows, n_columns = weight.shape
    out = np.zeros((x.shape[0], n_out, *offset.shape[2:]))
    for b, d, i, j in np.ndindex(out.shape):
        total = float(bias[d])
        for u in range(n_rows):
            for v in range(n_columns):
                k = u * n_columns + v
                row = i * stride[0] - padding[0] + u * dilation[0] + offset[b, 2 * k, i, j]
                column = j * stride[1] - padding[1] + v * dilation[1] + offset[b, 2 * k + 1, i, j]
                for c in range(n_in):
                    total += weight[d, c, u, v] * modulation[b, k, i, j] * sample(x[b, c], row, column)
        out[b, d, i, j] = total
    return out
