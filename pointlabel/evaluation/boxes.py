"""Average precision of boxes: detections sorted by their score, against the boxes of the true targets.

The rule is that of COCO (T.-Y. Lin and others, ECCV 2014) at one IoU, for one class and boxes of any size and number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .components import Components

#: A detection may find a target whose box has at least this IoU with its own.
BOX_IOU = 0.5
#: What a detection is scored by: the largest or the mean probability in its pixels.
BOX_SCORES = ("peak", "mean")
_RECALLS = np.linspace(0, 1, 101)


def component_boxes(components: Components) -> NDArray[np.float64]:
    """Boxes of components, (K, 4): left, top, width and height in whole pixels."""
    found = ndimage.find_objects(components.labels)
    rows = [(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in found]
    return np.array(rows, np.float64).reshape(-1, 4)


def component_scores(components: Components, soft: NDArray, score: str) -> NDArray[np.float64]:
    """Scores of components in a soft map (H, W), (K,); `score` is out of `BOX_SCORES`."""
    if not len(components):
        return np.zeros(0)
    numbers = np.arange(1, len(components) + 1)
    measure = ndimage.maximum if score == "peak" else ndimage.mean
    return np.asarray(measure(soft, components.labels, numbers), np.float64)


def box_ious(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of each of (N, 4) boxes with each of (K, 4): left, top, width, height; (N, K)."""
    low, other_low = boxes[:, None, :2], others[None, :, :2]
    high, other_high = low + boxes[:, None, 2:], other_low + others[None, :, 2:]
    inter = np.maximum(np.minimum(high, other_high) - np.maximum(low, other_low), 0).prod(axis=2)
    return inter / (boxes[:, None, 2:].prod(axis=2) + others[None, :, 2:].prod(axis=2) - inter)


class AveragePrecision:
    """Collects the scores of detections, and whether each found a target."""

    def __init__(self) -> None:
        self.n_targets = 0
        self._scores: list[NDArray[np.float64]] = []
        self._hits: list[NDArray[np.bool_]] = []

    def add(self, boxes: NDArray[np.float64], scores: NDArray[np.float64], true: NDArray[np.float64]) -> None:
        """Add one image.

        Detections choose in the order of their scores, of equal ones the first: each takes the target with the largest
        IoU that is not taken yet, of equal ones the last, if that is at least `BOX_IOU`.

        Parameters
        ----------
        boxes, true : (N, 4) and (K, 4), left, top, width and height.
        scores : (N,)
        """
        self.n_targets += len(true)
        order = np.argsort(-scores, kind="stable")
        hits = np.zeros(len(order), bool)
        free = np.ones(len(true), bool)
        for place, index in enumerate(order):
            ious = np.where(free, box_ious(boxes[index, None], true)[0], 0.0)
            best = len(true) - 1 - int(np.argmax(ious[::-1])) if len(true) else -1
            if best >= 0 and ious[best] >= BOX_IOU:
                hits[place], free[best] = True, False
        self._scores.append(scores[order])
        self._hits.append(hits)

    def value(self) -> float | None:
        """Return the mean, over 101 recalls from 0 to 1, of the best precision at no smaller recall.

        0 where no threshold reaches a recall; None where there is no target.
        """
        if not self.n_targets:
            return None
        order = np.argsort(-np.concatenate(self._scores), kind="stable")
        hits = np.cumsum(np.concatenate(self._hits)[order])
        precision = hits / np.arange(1, len(hits) + 1)
        best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        return float(best[np.searchsorted(hits / self.n_targets, _RECALLS, side="left")].mean())
