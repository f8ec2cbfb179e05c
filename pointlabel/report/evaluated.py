"""The page of ``pointlabel evaluate``: missed targets, false alarms, and targets that are drawn badly."""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np

from ..evaluation.boxes import component_boxes
from ..evaluation.components import Components, find_components
from ..evaluation.folders import Scored
from ..evaluation.matching import count_overlaps, match_targets, target_ious
from .gallery import N_PICTURES, Card, draw_card, draw_gallery

_KEYS = (("truth", "true mask"), ("mask", "prediction"))
MISSED, FOUND, FALSE = "missed", "found", "false alarm"


class _Kept(NamedTuple):
    iou: float
    larger_first: int
    id: str
    number: int
    card: Card


class EvaluatedPage:
    """Keeps the worst targets and false alarms of an evaluation; `add` takes a pair of masks, `draw` makes the page.

    Parameters
    ----------
    n_pictures : how many are kept.
    """

    def __init__(self, n_pictures: int = N_PICTURES) -> None:
        self._n_pictures = n_pictures
        self._kept: list[_Kept] = []
        self._n = 0
        self._has_images = False

    def add(self, scored: Scored) -> None:
        """Take one image."""
        true, predicted = find_components(scored.true), find_components(scored.predicted)
        matches, ious = match_targets(true, predicted), target_ious(true, predicted)
        flags = _flags(true, predicted)
        is_false = np.ones(len(predicted), bool)
        is_false[matches[matches >= 0]] = False
        self._has_images |= scored.image is not None
        self._n += len(true) + int(is_false.sum())
        boxes, others = component_boxes(true), component_boxes(predicted)
        kind = [[MISSED if match < 0 else FOUND, *extra] for match, extra in zip(matches, flags, strict=True)]
        drawn = [(float(ious[k]), int(true.areas[k]), boxes[k], kind[k], true.centroids[k]) for k in range(len(true))]
        drawn += [
            (0.0, int(predicted.areas[k]), others[k], [FALSE], predicted.centroids[k])
            for k in np.flatnonzero(is_false).tolist()
        ]
        for number, (iou, area, box, names, (row, column)) in enumerate(drawn):
            order = (iou, -area, scored.id, number)
            if len(self._kept) == self._n_pictures and order >= self._kept[-1][:4]:
                continue
            what = "" if names == [FALSE] else f", IoU {iou:.2f}"
            card = draw_card(
                scored.id,
                scored.image,
                box.tolist(),
                figure=iou,
                area=area,
                flags=names,
                facts=[f"centroid (x, y) = ({column:.1f}, {row:.1f}){what}"],
                true=scored.true,
                mask=scored.predicted,
            )
            self._kept = heapq.nsmallest(
                self._n_pictures, [*self._kept, _Kept(*order, card)], key=lambda each: each[:4]
            )

    def draw(self, report: dict[str, Any]) -> str:
        """Draw the page of an evaluation with this report (`FolderReport.report`)."""
        shown = [f"{name} {report[key]:.4f}" for name, key in _FIGURES if report[key] is not None]
        about = [
            f"{len(self._kept)} of {self._n} targets and false alarms, by the target's IoU, the larger first.",
            f"{report['pred']} against {report['gt']}: {', '.join(shown)}.",
            f"{report['targets']} targets, {report['found']} found; {report['predicted']} detections.",
        ]
        if not self._has_images:
            about.append("No images were named (--images): outlines alone.")
        return draw_gallery("evaluate", about, "IoU", [each.card for each in self._kept], keys=_KEYS)


_FIGURES = (("IoU", "iou"), ("nIoU", "niou"), ("Pd", "pd"), ("hIoU", "hiou"))


def _flags(true: Components, predicted: Components) -> list[list[str]]:
    """Of each target, whether it shares a blob with another one, and whether several blobs lie on it."""
    owners, components, _ = count_overlaps(true, predicted)
    n_targets = np.bincount(components, minlength=len(predicted))
    is_merged, n_blobs = np.zeros(len(true), bool), np.bincount(owners, minlength=len(true))
    is_merged[owners[n_targets[components] > 1]] = True
    return [
        ["merged"] * bool(merged) + ["split"] * (n > 1) for merged, n in zip(is_merged, n_blobs.tolist(), strict=True)
    ]
