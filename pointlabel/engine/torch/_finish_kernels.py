"""From soft labels of many targets to their masks, one target after the other in one call."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from ..default._refine_kernels import component_kernel

N_NUMBERS = 9
LEAST_SOFT = np.float32(1 / 512)  # what is below is cut off with the crop


@kernel
def finish_kernel(soft, border, inside, vote, found, centre, edges, masks, numbers):
    """Cut every soft label at its border, keep the component of the peak, and sum up what quality and crop need.

    Parameters
    ----------
    soft, border, vote : (n, s, s) float32; `soft` is changed where a target was not found: 3 x 3 pixels are left.
    inside : (n, s, s) bool.
    found : (n,) bool, whether the soft label holds the peak.
    centre : (n, 2) row and column of the peak in the crop.
    edges : (n, 4) whether the crop's first row, last row, first column and last column are the window's.
    masks : (n, s, s) bool, written.
    numbers : (n, N_NUMBERS) float64, written: 0 whether the mask touches the window's border, 1 area, sums of the soft
        label 2 inside and 3 outside the mask, 4 of the smaller one of soft label and vote, and the box of what is to
        be kept: 5 first and 6 last + 1 row, 7 first and 8 last + 1 column, all 0 where there is nothing.
    """
    n, side = soft.shape[0], soft.shape[1]
    for i in range(n):
        row, column = centre[i]
        mask, label = masks[i], soft[i]
        touches = False
        if found[i]:
            component_kernel(border[i], np.float32(0.0), row, column, mask)
        else:
            mask[:] = False
            for y in range(row - 1, row + 2):
                for x in range(column - 1, column + 2):
                    mask[y, x] = inside[i, y, x]
            mask[row, column] = True
            for y in range(side):
                for x in range(side):
                    label[y, x] = max(label[y, x], np.float32(0.5)) if mask[y, x] else np.float32(0.0)
        area, within, outside, shared = 0, 0.0, 0.0, 0.0
        top, bottom, left, right = side, 0, side, 0
        for y in range(side):
            for x in range(side):
                value = label[y, x]
                shared += min(value, vote[i, y, x])
                if mask[y, x]:
                    area += 1
                    within += value
                    touches |= (
                        (y == 0 and edges[i, 0])
                        or (y == side - 1 and edges[i, 1])
                        or (x == 0 and edges[i, 2])
                        or (x == side - 1 and edges[i, 3])
                    )
                else:
                    outside += value
                    if value < LEAST_SOFT:
                        continue
                top, bottom, left, right = min(top, y), max(bottom, y + 1), min(left, x), max(right, x + 1)
        numbers[i, 0] = touches and found[i]
        numbers[i, 1] = area
        numbers[i, 2] = within
        numbers[i, 3] = outside
        numbers[i, 4] = shared
        numbers[i, 5] = top if bottom > 0 else 0
        numbers[i, 6] = bottom
        numbers[i, 7] = left if bottom > 0 else 0
        numbers[i, 8] = right
