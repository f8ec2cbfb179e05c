"""From soft labels of many targets to their masks, one target after the other in one call."""

from __future__ import annotations

import numpy as np

from ...compiled import kernel
from ..default._rating_kernels import sharpness_kernel
from ..default._refine_kernels import component_kernel, label_box_kernel

LEAST_SOFT = np.float32(1 / 512)  # what is below is cut off with the crop


@kernel
def cut_masks_kernel(soft, border, inside, vote, found, centre, edges, masks, touches, sums, boxes):
    """Cut every soft label at its border, keep the component of the peak, and sum up what quality and crop need.

    Parameters
    ----------
    soft, border, vote : (n, s, s) float32; `soft` is changed where a target was not found: 3 x 3 pixels are left.
    inside : (n, s, s) bool.
    found : (n,) bool, whether the soft label holds the peak.
    centre : (n, 2) row and column of the peak in the crop.
    edges : (n, 4) whether the crop's first row, last row, first column and last column are the window's.
    masks : (n, s, s) bool, written.
    touches : (n,) bool, written: whether the target was found and its mask touches the window's border.
    sums : (n, 4) float64, written: area of the mask, sums of the soft label inside and outside of it, and of the
        smaller one of soft label and vote.
    boxes : (n, 4) int64, written: first and last + 1 row, then column, of what is to be kept; all 0 for nothing.
    """
    n, side = soft.shape[0], soft.shape[1]
    for i in range(n):
        row, column = centre[i]
        mask, label = masks[i], soft[i]
        touches[i] = False
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
        within, outside, area, shared, _ = sharpness_kernel(label, mask, vote[i])
        for y in range(side):
            for x in range(side):
                if mask[y, x] and found[i]:
                    touches[i] |= (
                        (y == 0 and edges[i, 0])
                        or (y == side - 1 and edges[i, 1])
                        or (x == 0 and edges[i, 2])
                        or (x == side - 1 and edges[i, 3])
                    )
        sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3] = area, within, outside, shared
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = label_box_kernel(label, mask, LEAST_SOFT)
