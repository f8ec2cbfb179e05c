"""The page of ``pointlabel predict``: the detections it was least sure of first."""

from __future__ import annotations

import heapq
import os
from itertools import groupby

from ..errors import InputError
from ..io.decode import read_image
from ..io.detections import TABLE, Detection, read_detections
from ..io.frames import list_inputs
from ..io.layouts.rules import image_place
from ..io.masks.read import read_grey_mask
from ..io.outdir import OutputGate
from ..io.writers import MASKS
from .gallery import N_PICTURES, Card, draw_card, draw_gallery

_KEYS = (("mask", "mask"),)


def draw_predicted(images: str, out: str, *, frames: bool = False, n_pictures: int = N_PICTURES) -> str:
    """Draw the detections of a prediction, those of the lowest peak probability first, as one HTML file.

    Parameters
    ----------
    images, frames : as the prediction was given them.
    out : its output folder.
    n_pictures : detections to show.
    """
    gate = OutputGate(out)
    paths = {file.id: file.path for file in list_inputs(image_place(images), skip=[out], frames=frames).files}
    table = read_detections(gate.file(TABLE))
    rows = [(row.peak, name, number, row) for name, found in table.items() for number, row in enumerate(found)]
    lowest = heapq.nsmallest(n_pictures, rows, key=lambda each: each[:3])
    cards: dict[tuple[str, int], Card] = {}
    told = []
    for name, group in groupby(sorted(lowest, key=lambda each: each[1:3]), key=lambda each: each[1]):
        try:
            if name not in paths:
                raise InputError(f"{name}: the image is gone")
            image, mask = read_image(paths[name])[0], read_grey_mask(gate.path(MASKS, name)).mask()
        except InputError as error:
            told.append(f"{error}.")
            continue
        for peak, _, number, row in group:
            cards[name, number] = draw_card(
                name,
                image,
                (row.left, row.top, row.width, row.height),
                figure=peak,
                area=int(row.area),
                flags=["clipped"] if _is_clipped(row, image.shape) else [],
                facts=[f"centroid (x, y) = ({row.x:g}, {row.y:g}), peak {peak:.2f}, mean {row.mean_score:.2f}"],
                mask=mask,
            )
    ordered = [cards[each[1:3]] for each in lowest if each[1:3] in cards]
    about = [f"{len(ordered)} of {len(rows)} detections in {len(paths)} images, by their largest probability.", *told]
    return draw_gallery(f"predict: {os.fspath(images)}", about, "peak", ordered, keys=_KEYS)


def _is_clipped(row: Detection, shape: tuple[int, ...]) -> bool:
    return min(row.left, row.top) <= 0 or row.left + row.width >= shape[1] or row.top + row.height >= shape[0]
