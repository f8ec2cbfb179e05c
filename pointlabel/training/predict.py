"""A trained detector on whole images: masks, soft maps and a table of detections."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._values import as_choice, as_number, as_path
from ..errors import InputError
from ..evaluation.components import find_components
from ..io.decode import read_levels
from ..io.exchange.base import ImageMasks, masks_of
from ..io.exchange.convert import export
from ..io.exchange.table import FORMATS
from ..io.frames import list_inputs
from ..io.images import ImageFile
from ..io.layouts.rules import image_place
from ..io.lock import hold_folder
from ..io.writers import EXPORTS, MASKS, SOFT, WRITERS
from ..types import ImageLabels, TargetLabel
from .config import check_device
from .devices import out_of_memory_as, pick_device
from .evaluate import predict_maps
from .events import Note, Report, Working
from .load import load_run
from .predicted import KINDS, PredictionFolder
from .scaling import fit_range

#: Pixels of a batch; an image that has more is a batch of its own.
BATCH_PX = 1 << 20
#: Images that are read ahead to find some of one size.
_AHEAD = 64


@dataclass(frozen=True, slots=True)
class _Prediction(ImageLabels):
    """The detections of one image as labels; the soft label is the whole map of probabilities."""

    probability: NDArray[np.float32]

    def soft(self) -> NDArray[np.float32]:
        return self.probability


@dataclass(frozen=True, slots=True)
class PredictSummary:
    """What a prediction wrote: images, detections, and the sentences about images that could not be read."""

    n_images: int
    n_detections: int
    errors: tuple[str, ...]


def predict_images(
    run: str | os.PathLike[str],
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    checkpoint: str = "best",
    threshold: float | None = None,
    min_area: int = 1,
    soft: bool = True,
    formats: Collection[str] = (),
    overwrite: bool = False,
    device: str = "auto",
    frames: bool = False,
    report: Report | None = None,
) -> PredictSummary:
    """Detect targets in images of any size.

    Parameters
    ----------
    run : folder of a run of `train`.
    images : a folder with its sub-folders, one file, or a glob.
    out : gets ``masks/ID.png``, ``soft/ID.png`` in 16 bits, ``predict.json`` that says which images they are of, and
        ``detections.csv`` with a row for each component of a mask: its centroid (x to the right, y down, centres of
        pixels at whole numbers), its box in pixels, its area, the largest and the mean probability in it.
    checkpoint : "best" or "last".
    threshold : probability above which a pixel belongs to a target; None takes the run's.
    min_area : smaller components are left out, in pixels.
    soft : whether to write ``soft/``.
    formats : what else to write, each into a folder of its name: "instances", "npz", and names out of
        `pointlabel.io.writers.EXPORTS`, where the score of a detection is the mean probability in it.
    overwrite : whether what an earlier prediction wrote to `out` may be replaced.
    device : as in `TrainConfig`.
    frames : whether each frame of each file is an image; without it a TIFF counts as its first page.
    report : called with each event as it happens.

    Raises
    ------
    InputError
        Where the folder holds no run, nothing is found, a file is in the way, or another run works in `out`.
    """
    say: Report = report or (lambda event: None)
    loaded = load_run(run, checkpoint)
    cut = loaded.config.threshold if threshold is None else as_number(threshold, "threshold", 0, 1)
    as_number(min_area, "min_area", 1, whole=True)
    check_device(device)
    place = as_path(out, "out")
    found = list_inputs(image_place(as_path(images, "images")), skip=[place], frames=frames)
    rivals = next((file for file in found.files if file.rivals), None)
    if rivals is not None:
        raise InputError(f"{', '.join((rivals.shown, *rivals.rivals))}: images with the same id; rename one")
    for name in formats:
        as_choice(name, "formats", (*KINDS, *EXPORTS))
    kinds = tuple(kind for kind in KINDS if kind == MASKS or (kind == SOFT and soft) or kind in formats)
    exports = tuple(name for name in EXPORTS if name in formats)
    detected: dict[str, ImageMasks] = {}
    target = pick_device(device)
    net = loaded.net.to(target).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    errors: list[str] = []
    rows: dict[str, list[dict[str, Any]]] = {}
    with hold_folder(place, "predict", f"of {run}"):
        folder = PredictionFolder(place, [file.id for file in found.files], kinds, overwrite, exports)
        for group in _groups(found.files, errors):
            inputs = [loaded.scaling.apply(image) for _, image in group]
            shape = inputs[0].shape
            first = f"on images of {shape[1]} x {shape[0]}, the first {group[0][0].shown}"
            with out_of_memory_as(f"{first}; what was predicted stays"):
                for index, probability in predict_maps(net, inputs, device=target, batch_px=BATCH_PX):
                    file = group[index][0]
                    labels, rows[file.id] = _detect(file.id, probability, cut, min_area)
                    for kind in kinds:
                        folder.write(kind, file.id, WRITERS[kind].encode(inputs[index], labels))
                    if exports:
                        detected[file.id] = masks_of(file.id, labels, file=file.shown)
                    say(Working("predicting", len(rows), len(found.files)))
        for sentence in errors:
            say(Note("unreadable", sentence))
        for name in exports:
            export((detected[each] for each in sorted(detected)), folder.export(name), FORMATS[name])
        ordered = [row for file in found.files for row in rows.get(file.id, [])]
        folder.end(ordered)
    return PredictSummary(len(rows), len(ordered), tuple(errors))


def _groups(files: tuple[ImageFile, ...], errors: list[str]) -> Iterator[list[tuple[ImageFile, NDArray]]]:
    """Read images some ahead, so that those of one size share batches; what cannot be read is named in `errors`."""
    waiting: list[tuple[ImageFile, NDArray]] = []
    n_px = 0
    for file in files:
        try:
            image, _, full = read_levels(file.path)
        except InputError as error:
            errors.append(str(error))
            continue
        waiting.append((file, fit_range(image, full)))
        n_px += image.size
        if len(waiting) == _AHEAD or n_px >= 16 * BATCH_PX:
            yield waiting
            waiting, n_px = [], 0
    if waiting:
        yield waiting


def _detect(
    name: str, probability: NDArray[np.float32], threshold: float, min_area: int
) -> tuple[_Prediction, list[dict[str, Any]]]:
    """The components of one image but the smallest as labels, and a row for each of them."""
    found = find_components(probability > threshold)
    rows, targets = [], []
    for number, (pixels, (row, column)) in enumerate(zip(found.pixels(), found.centroids, strict=True)):
        if found.areas[number] < min_area:
            continue
        inside = tuple(pixels.T)
        scores = probability[inside]
        top, left = (int(axis.min()) for axis in inside)
        bottom, right = (int(axis.max()) + 1 for axis in inside)
        mask = np.zeros((bottom - top, right - left), bool)
        mask[inside[0] - top, inside[1] - left] = True
        soft = probability[top:bottom, left:right]
        targets.append(TargetLabel((row, column), (top, left), soft, mask, float(scores.mean())))
        rows.append(
            {
                "image": name,
                "x": f"{column:.3f}",
                "y": f"{row:.3f}",
                "left": left,
                "top": top,
                "width": right - left,
                "height": bottom - top,
                "area": int(found.areas[number]),
                "peak": f"{scores.max():.4f}",
                "mean_score": f"{scores.mean():.4f}",
            }
        )
    return _Prediction((probability.shape[0], probability.shape[1]), tuple(targets), probability), rows
