"""A trained detector on whole images: masks, soft maps and a table of detections."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import __version__
from .._values import as_choice, as_number, as_path
from ..detectors.weights import weights_to_bytes
from ..errors import InputError
from ..evaluation.components import find_components
from ..io.decode import read_levels
from ..io.exchange.base import ImageMasks, masks_of
from ..io.exchange.convert import export
from ..io.exchange.parquet import check_installed
from ..io.exchange.table import FORMATS
from ..io.frames import list_inputs
from ..io.images import ImageFile
from ..io.layouts.rules import image_place
from ..io.lock import hold_folder
from ..io.shards import Shard, ShardPlan, as_shard, hash_names
from ..io.writers import EXPORTS, MASKS, PARQUET, SOFT, WRITERS
from ..types import ImageLabels, TargetLabel
from .config import check_device
from .devices import out_of_memory_as, pick_device
from .evaluate import predict_maps
from .events import Report, Working
from .load import LoadedRun, load_run
from .part import PredictionPart
from .predicted import KINDS, PredictionFolder
from .scaling import fit_range

#: Pixels of a batch; an image that has more is a batch of its own.
BATCH_PX = 1 << 20
#: Images that are read ahead to find some of one size.
_AHEAD = 64
#: Images read together, and a row of the table.
Group = list[tuple[ImageFile, NDArray]]
Row = dict[str, Any]


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
    shard: str | Shard | None = None,
    resume: bool = False,
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
    shard : "2/8" does the second of eight parts of the images, beside the others, which may be done at the same time
        and on other machines; `pointlabel.shards.merge_shards` joins them.
    resume : whether to go on with a shard that did not end.
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
    part = as_shard(shard)
    if resume and part is None:
        raise InputError("`resume` goes on with a shard (`shard`); a whole prediction that did not end is done anew")
    if resume and overwrite:
        raise InputError("`resume` and `overwrite` exclude each other; give one of them")
    for name in formats:
        as_choice(name, "formats", (*KINDS, *EXPORTS))
    if PARQUET in formats:
        check_installed()
    kinds = tuple(kind for kind in KINDS if kind == MASKS or (kind == SOFT and soft) or kind in formats)
    exports = tuple(name for name in EXPORTS if name in formats)
    detect = _Detector(loaded, pick_device(device), cut, min_area, kinds)
    if part is not None:
        settings = {"outputs": [*kinds, *exports], "version": __version__, "threshold": cut, "min_area": min_area}
        weights = sha256(weights_to_bytes(loaded.net)).hexdigest()
        settings |= {"scaling": asdict(loaded.scaling), "weights_sha256": weights}
        mode = "resume" if resume else "overwrite" if overwrite else "new"
        with hold_folder(place, "predict", f"shard {part}", part.name):
            return _predict_part(place, found.files, detect, _plan_part(part, found.files, settings), mode, say)
    detected: dict[str, ImageMasks] = {}
    errors: list[tuple[ImageFile, str]] = []
    rows: dict[str, list[Row]] = {}
    with hold_folder(place, "predict", f"of {run}"):
        folder = PredictionFolder(place, [file.id for file in found.files], kinds, overwrite, exports)
        for file, labels, rows[file.id], encoded in detect.run(_groups(found.files, errors)):
            for kind, data in encoded.items():
                folder.write(kind, file.id, data)
            if exports:
                detected[file.id] = masks_of(file.id, labels, file=file.shown)
            say(Working("predicting", len(rows), len(found.files)))
        for name in exports:
            export((detected[each] for each in sorted(detected)), folder.export(name), FORMATS[name])
        ordered = [row for file in found.files for row in rows.get(file.id, [])]
        folder.end(ordered)
    return PredictSummary(len(rows), len(ordered), tuple(sentence for _, sentence in errors))


def _predict_part(
    place: str, files: Sequence[ImageFile], detect: _Detector, plan: ShardPlan, mode: str, say: Report
) -> PredictSummary:
    """Do one shard: images that an earlier run did are read, to see that they are the same, and left out."""
    part = PredictionPart(place, plan, mode)
    own = plan.shard.own(files)
    errors: list[tuple[ImageFile, str]] = []
    hashes: dict[str, str] = {}

    def groups() -> Iterator[Group]:
        for group in _groups(own, errors):
            hashes.update((file.id, sha256(image.tobytes()).hexdigest()) for file, image in group)
            rest = [each for each in group if not part.is_done(each[0], hashes[each[0].id])]
            if rest:
                yield rest

    try:
        for file, labels, rows, encoded in detect.run(groups()):
            part.add(file, hashes.pop(file.id), labels, rows, encoded)
            say(Working("predicting", part.n_images, len(own)))
        for file, sentence in errors:
            part.fail(file, sentence)
        part.end()
    finally:
        part.close()
    return PredictSummary(part.n_images, part.n_detections, tuple(sentence for _, sentence in errors))


def _plan_part(shard: Shard, files: Sequence[ImageFile], settings: dict[str, Any]) -> ShardPlan:
    """What a shard of a prediction does."""
    ids = [file.id for file in files]
    shown = hash_names(file.shown for file in files)
    return ShardPlan(shard, "predict", settings, tuple(shard.own(ids)), hash_names(ids), shown)


class _Detector:
    """A detector with what turns its maps into files.

    Parameters
    ----------
    loaded : the run.
    device : where it works.
    threshold, min_area : as for `predict_images`.
    kinds : files to make of each image, out of `KINDS`.
    """

    def __init__(
        self, loaded: LoadedRun, device: torch.device, threshold: float, min_area: int, kinds: Sequence[str]
    ) -> None:
        self._net = loaded.net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._scaling, self._device, self._cut, self._min_area = loaded.scaling, device, threshold, min_area
        self._kinds = kinds

    def run(self, groups: Iterator[Group]) -> Iterator[tuple[ImageFile, _Prediction, list[Row], dict[str, bytes]]]:
        """Yield each image with its detections, their rows, and the bytes of its files by kind."""
        for group in groups:
            inputs = [self._scaling.apply(image) for _, image in group]
            shape = inputs[0].shape
            first = f"on images of {shape[1]} x {shape[0]}, the first {group[0][0].shown}"
            with out_of_memory_as(f"{first}; what was predicted stays"):
                for index, probability in predict_maps(self._net, inputs, device=self._device, batch_px=BATCH_PX):
                    file = group[index][0]
                    labels, rows = _detect(file.id, probability, self._cut, self._min_area)
                    yield file, labels, rows, {k: WRITERS[k].encode(inputs[index], labels) for k in self._kinds}


def _groups(files: Sequence[ImageFile], errors: list[tuple[ImageFile, str]]) -> Iterator[Group]:
    """Read images some ahead, so that those of one size share batches; what cannot be read is named in `errors`."""
    waiting: list[tuple[ImageFile, NDArray]] = []
    n_px = 0
    for file in files:
        try:
            image, _, full = read_levels(file.path)
        except InputError as error:
            errors.append((file, str(error)))
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
