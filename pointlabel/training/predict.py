"""A trained detector on whole images: masks, soft maps and a table of detections."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._checks import as_number, as_path
from ..errors import InputError, TrainingError
from ..evaluation.components import find_components
from ..io.decode import read_levels
from ..io.files import make_folder, write_whole
from ..io.images import ImageFile, list_images
from ..io.masks.png import encode_mask, encode_soft, is_ours
from ..io.text import encode_text, harmless
from .config import check_device
from .data import fit_range
from .evaluate import predict_maps
from .events import Note, Report, Working
from .run import load_run
from .trainer import is_out_of_memory, pick_device

MASKS, SOFT, TABLE = "masks", "soft", "detections.csv"
COLUMNS = ("image", "x", "y", "left", "top", "width", "height", "area", "peak", "mean_score")
#: Pixels of a batch; an image that has more is a batch of its own.
BATCH_PX = 1 << 20
#: Images that are read ahead to find some of one size.
_AHEAD = 64


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
    overwrite: bool = False,
    device: str = "auto",
    report: Report | None = None,
) -> PredictSummary:
    """Detect targets in images of any size.

    Parameters
    ----------
    run : folder of a run of `train`.
    images : a folder with its sub-folders, one file, or a glob.
    out : gets ``masks/ID.png``, ``soft/ID.png`` in 16 bits, and ``detections.csv`` with a row for each component of a
        mask: its centroid (x to the right, y down, centres of pixels at whole numbers), its box in pixels, its area,
        the largest and the mean probability in it.
    checkpoint : "best" or "last".
    threshold : probability above which a pixel belongs to a target; None takes the run's.
    min_area : smaller components are left out, in pixels.
    soft : whether to write ``soft/``.
    overwrite : whether what an earlier prediction wrote to `out` may be replaced.
    device : as in `TrainConfig`.
    report : called with each event as it happens.

    Raises
    ------
    InputError
        Where the folder holds no run, nothing is found, or a file is in the way.
    """
    say: Report = report or (lambda event: None)
    loaded = load_run(run, checkpoint)
    cut = loaded.config.threshold if threshold is None else as_number(threshold, "threshold", 0, 1)
    as_number(min_area, "min_area", 1, whole=True)
    check_device(device)
    place = as_path(out, "out")
    found = list_images(as_path(images, "images"), skip=[place])
    rivals = next((file for file in found.files if file.rivals), None)
    if rivals is not None:
        raise InputError(f"{', '.join((rivals.shown, *rivals.rivals))}: images with the same id; rename one")
    kinds = (MASKS, SOFT) if soft else (MASKS,)
    _check_free(place, kinds, found.files, overwrite)
    make_folder(place)
    target = pick_device(device)
    net = loaded.net.to(target).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    rows: dict[str, list[dict[str, Any]]] = {}
    errors: list[str] = []
    n_done = 0
    for group in _groups(found.files, errors):
        inputs = [loaded.scaling.apply(image) for _, image in group]
        try:
            for index, probability in predict_maps(net, inputs, device=target, batch_px=BATCH_PX):
                name = group[index][0].id
                mask, rows[name] = _detect(name, probability, cut, min_area)
                write_whole(os.path.join(place, MASKS, f"{name}.png"), encode_mask(mask))
                if soft:
                    write_whole(os.path.join(place, SOFT, f"{name}.png"), encode_soft(probability))
                n_done += 1
                say(Working("predicting", n_done, len(found.files)))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            shape = inputs[0].shape
            raise TrainingError(
                f"out of memory on images of {shape[1]} x {shape[0]}, the first {group[0][0].shown}; "
                "what was predicted stays"
            ) from error
    for sentence in errors:
        say(Note("unreadable", sentence))
    ordered = [row for file in found.files for row in rows.get(file.id, [])]
    write_whole(os.path.join(place, TABLE), _encode_table(ordered))
    return PredictSummary(n_done, len(ordered), tuple(errors))


def _groups(files: tuple[ImageFile, ...], errors: list[str]) -> Iterator[list[tuple[ImageFile, NDArray]]]:
    """Read images some ahead, so that those of one size meet; what cannot be read is told and left out."""
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
) -> tuple[NDArray[np.bool_], list[dict[str, Any]]]:
    """Mask of one image without the smallest components, and a row for each of the others."""
    found = find_components(probability > threshold)
    mask = np.zeros(probability.shape, bool)
    rows = []
    for number, (row, column) in enumerate(found.centroids):
        if found.areas[number] < min_area:
            continue
        inside = np.nonzero(found.labels == number + 1)
        mask[inside] = True
        scores = probability[inside]
        top, left = (int(axis.min()) for axis in inside)
        rows.append(
            {
                "image": harmless(name),
                "x": f"{column:.3f}",
                "y": f"{row:.3f}",
                "left": left,
                "top": top,
                "width": int(inside[1].max()) - left + 1,
                "height": int(inside[0].max()) - top + 1,
                "area": int(found.areas[number]),
                "peak": f"{scores.max():.4f}",
                "mean_score": f"{scores.mean():.4f}",
            }
        )
    return mask, rows


def _encode_table(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return encode_text(text.getvalue())


def _check_free(out: str, kinds: tuple[str, ...], files: tuple[ImageFile, ...], overwrite: bool) -> None:
    """Refuse to replace what an earlier prediction wrote unless asked to, and what this program did not write ever."""
    table = os.path.join(out, TABLE)
    if os.path.exists(table):
        if not overwrite:
            raise InputError(f"{out} holds predictions already; --overwrite replaces them")
        with open(table, encoding="utf-8", errors="replace") as file:
            if file.readline().rstrip("\n") != ",".join(COLUMNS):
                raise InputError(f"{table}: not written by this program, and would be replaced; choose another folder")
    for kind in kinds:
        if not os.path.isdir(os.path.join(out, kind)):
            continue
        for image in files:
            path = os.path.join(out, kind, f"{image.id}.png")
            if os.path.exists(path) and not is_ours(path):
                raise InputError(f"{path}: not written by this program, and would be replaced; choose another folder")
