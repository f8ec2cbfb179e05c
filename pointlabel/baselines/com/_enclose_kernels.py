"""Compiled core of the level set of "Click on Mask" (IEEE SPL 2024): what the zero contour of a window encloses."""

import numpy as np

from ...compiled import kernel
from ...engine._superpixel_kernels import connected_kernel


@kernel
def _find_closed(phi, open_sides, closed):
    """Mark the pixels that some closed contour surrounds.

    The others are joined to the border of the window through pixels of their own side of the contour: 8-connected
    where phi <= 0, else 4-connected. The image's own border closes a contour: pixels with phi <= 0 count as joined
    at the `open_sides` (top, bottom, left, right) only.
    """
    height, width = phi.shape
    stride = width + 2
    side = np.zeros((height + 2) * stride, np.uint8)  # 1 inside, 2 outside, 0 beyond the window and once it was reached
    for i in range(height):
        row = side[(i + 1) * stride + 1 : (i + 2) * stride - 1]
        for j in range(width):
            row[j] = 1 if phi[i, j] <= 0.0 else 2
    steps = np.array([-1, 1, -stride, stride, -stride - 1, -stride + 1, stride - 1, stride + 1])
    stack = np.empty(height * width, np.int64)
    kinds = np.empty(height * width, np.uint8)
    n = 0
    for i in range(height):
        for j in range(0, width, 1 if i == 0 or i == height - 1 else max(width - 1, 1)):
            k = (i + 1) * stride + j + 1
            at_open = (
                (i == 0 and open_sides[0])
                or (i == height - 1 and open_sides[1])
                or (j == 0 and open_sides[2])
                or (j == width - 1 and open_sides[3])
            )
            if side[k] == 2 or (side[k] == 1 and at_open):
                stack[n], kinds[n] = k, side[k]
                side[k] = 0
                n += 1
    while n > 0:
        n -= 1
        k, kind = stack[n], kinds[n]
        for m in range(8 if kind == 1 else 4):
            near = k + steps[m]
            if side[near] == kind:
                side[near] = 0
                stack[n], kinds[n] = near, kind
                n += 1
    for i in range(height):
        row = side[(i + 1) * stride + 1 : (i + 2) * stride - 1]
        for j in range(width):
            closed[i, j] = row[j] != 0


@kernel
def _holds_contour(phi, region, i, j):
    """Whether the contour runs nearer to a pixel of the region than to its neighbour outside."""
    height, width = phi.shape
    own = abs(phi[i, j])
    return (
        (i > 0 and not region[i - 1, j] and own < abs(phi[i - 1, j]))
        or (i < height - 1 and not region[i + 1, j] and own < abs(phi[i + 1, j]))
        or (j > 0 and not region[i, j - 1] and own < abs(phi[i, j - 1]))
        or (j < width - 1 and not region[i, j + 1] and own < abs(phi[i, j + 1]))
    )


@kernel
def enclose_kernel(phi, row, column, open_sides, width_px, soft):
    """Soft label of what the outermost closed zero contour around a pixel holds; return its pixels, 0 for no contour.

    `soft` (h, w) float32 is at least 1 / 2 inside the contour, and below on the pixels that the contour runs through,
    outside, and everywhere where no closed contour surrounds the pixel. It grows by 1 over 2 `width_px` of distance
    and is 0 beyond the neighbours of what is enclosed. Should the contour run through all that it encloses, the
    inside is all of it.
    """
    height, width = phi.shape
    closed = np.empty((height, width), np.bool_)
    region = np.empty((height, width), np.bool_)
    for i in range(height):
        for j in range(width):
            soft[i, j] = 0.0
    _find_closed(phi, open_sides, closed)
    if connected_kernel(closed, row, column, region) == 0:
        return 0
    half, below_half = np.float32(0.5), np.float32(0.49999997)
    n_inside = 0
    for i in range(height):
        for j in range(width):
            if not region[i, j]:
                continue
            value = np.float32(min(0.5 + (abs(phi[i, j]) - 0.5) / (2.0 * width_px), 1.0))
            if _holds_contour(phi, region, i, j):
                soft[i, j] = min(value, below_half)
            else:
                soft[i, j] = max(value, half)
                n_inside += 1
            for y in range(max(i - 1, 0), min(i + 2, height)):
                for x in range(max(j - 1, 0), min(j + 2, width)):
                    if not region[y, x]:
                        soft[y, x] = max(0.5 - (abs(phi[y, x]) + 0.5) / (2.0 * width_px), 0.0)
    if n_inside == 0:
        for i in range(height):
            for j in range(width):
                if region[i, j]:
                    soft[i, j] = half
                    n_inside += 1
    return n_inside
