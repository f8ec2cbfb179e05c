"""Compiled core of what the baselines measure of a mask in its window."""

import math

import numpy as np

from ..compiled import kernel
from ..engine._superpixel_kernels import connected_kernel

#: Soft labels are summed in whole parts of 1 / SOFT_UNIT, so that sums are exact in any order.
SOFT_UNIT = 1048576.0


@kernel
def touches_kernel(mask, sides):
    """Whether a mask touches one of the named sides (top, bottom, left, right) of its window."""
    height, width = mask.shape
    found = False
    for j in range(width):
        found |= (sides[0] and mask[0, j]) or (sides[1] and mask[height - 1, j])
    for i in range(height):
        found |= (sides[2] and mask[i, 0]) or (sides[3] and mask[i, width - 1])
    return found


@kernel
def outline_kernel(soft, units, finite, row, column, level, sides, mask):
    """Cut `soft` at `level`: write the 8-connected part of the point into `mask`.

    Pixels that are not finite never join. The mask is never empty: at least the pixel of the point, which does not need
    to reach the level.

    Returns whether it touches one of the named `sides`; its pixels; the soft label's sum in parts of 1 / SOFT_UNIT
    inside and outside; intensity inside, outside, and its square outside in whole units >> 8.
    """
    height, width = soft.shape
    member = np.empty((height, width), np.bool_)
    for i in range(height):
        for j in range(width):
            member[i, j] = soft[i, j] >= level and finite[i, j]
    member[row, column] = True
    connected_kernel(member, row, column, mask)
    area, soft_inside, soft_outside = 0, np.int64(0), np.int64(0)
    inside, outside, squares = np.int64(0), np.int64(0), np.int64(0)
    for i in range(height):
        for j in range(width):
            if not finite[i, j]:
                mask[i, j] = False
                continue
            share = np.int64(math.floor(soft[i, j] * SOFT_UNIT + 0.5))
            value = np.int64(units[i, j] >> 8)
            if mask[i, j]:
                area += 1
                soft_inside += share
                inside += value
            else:
                soft_outside += share
                outside += value
                squares += value * value
    if area == 0:
        mask[row, column] = True
        area = 1
    return touches_kernel(mask, sides), area, soft_inside, soft_outside, inside, outside, squares


@kernel
def measure_kernel(grey, soft, mask, finite):
    """Numbers of a mask that is not empty in a window of grey levels, all arrays (h, w).

    Returns whether there is a rest; the mask's contrast (its mean less that of the rest) and the standard deviation of
    the rest, both 0 without one; the sum of the soft label inside and outside.
    Pixels that are not finite belong to no rest.
    """
    height, width = grey.shape
    n_inside, n_around, inside, around, squares = 0, 0, 0, 0, 0
    soft_inside, soft_outside = 0.0, 0.0
    for i in range(height):
        for j in range(width):
            level = int(grey[i, j])
            if mask[i, j]:
                n_inside += 1
                inside += level
                soft_inside += soft[i, j]
                continue
            soft_outside += soft[i, j]
            if finite[i, j]:
                n_around += 1
                around += level
                squares += level * level
    contrast, deviation = 0.0, 0.0
    if n_around:
        mean = around / n_around
        contrast = inside / n_inside - mean
        deviation = math.sqrt(max(squares / n_around - mean * mean, 0.0))
    return n_around > 0, contrast, deviation, soft_inside, soft_outside
