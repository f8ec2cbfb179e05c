"""Runs side by side: their scores on the same test images, how sure the differences are, and their predictions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._values import as_path
from ..errors import InputError, shown
from ..evaluation.bootstrap import Interval, paired_bootstrap
from ..evaluation.metrics import Totals
from ..io.datasets import open_dataset, with_masks
from ..io.files import check_distinct
from ..io.samples import Entry, read_sample
from . import run as files
from .augment import bring, bring_mask
from .devices import pick_device
from .evaluate import predict_maps, score_at_size
from .load import LoadedRun, load_run
from .scaling import fit_range
from .stamp import RunStamp, read_stamp

#: Metrics of the table, in the order of its columns.
METRICS = ("iou", "niou", "pd", "fa")
#: Called with what is done, the images done so far and their number.
OnImage = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ComparedImage:
    """One image that all runs are compared on: its id ``DATASET/ID``, grey levels (H, W), and the true mask (H, W)."""

    id: str
    image: NDArray
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run.

    Attributes
    ----------
    name : the shortest end of its folder that tells it from the others.
    folder : where it lies.
    config : as in ``run.json``.
    best_epoch, epochs : the epoch that is compared, and those that were trained.
    curve : the lines of ``metrics.jsonl``.
    predictions : a mask for each image, (H, W) bool.
    counts : (N, 2) int64, intersection and union of each image.
    scores : as `Totals.summary`.
    differences : to the first run, by metric, None for the first run itself.
    """

    name: str
    folder: str
    config: dict[str, Any]
    best_epoch: int
    epochs: int
    curve: list[dict[str, Any]]
    predictions: list[NDArray[np.bool_]]
    counts: NDArray[np.int64]
    scores: dict[str, Any]
    differences: dict[str, Interval] | None

    @property
    def protocol(self) -> str:
        """The rule by which it was trained and scored, one out of `config.PROTOCOLS`."""
        return self.config["protocol"]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Runs on the images that are in the test part of each.

    Attributes
    ----------
    images : the images, in the order of the first run.
    runs : in the order they were named.
    n_left_out : images of some test part that are not in all.
    seed, n_resamples : of the bootstrap.
    """

    images: list[ComparedImage]
    runs: list[ComparedRun]
    n_left_out: int
    seed: int
    n_resamples: int

    def as_dict(self) -> dict[str, Any]:
        """The comparison without pictures, ready for JSON."""
        rows = [
            {
                "name": run.name,
                "folder": run.folder,
                **{name: run.config[name] for name in ("strategy", "model", "loss", "seed", "protocol")},
                "best_epoch": run.best_epoch,
                "epochs": run.epochs,
                "scores": run.scores,
                "against_first": run.differences and {name: asdict(each) for name, each in run.differences.items()},
                "curve": run.curve,
            }
            for run in self.runs
        ]
        return {
            "images": len(self.images),
            "left_out": self.n_left_out,
            "seed": self.seed,
            "resamples": self.n_resamples,
            "runs": rows,
        }


def compare_runs(
    folders: Sequence[str | os.PathLike[str]],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    device: str = "auto",
    on_image: OnImage | None = None,
) -> RunComparison:
    """Let the best checkpoints of runs predict the test images that are in the test part of all of them.

    Parameters
    ----------
    folders : of runs of `train`, at least one; the differences are those to the first.
    n_resamples, seed : of the paired bootstrap over the images.
    device : as in `TrainConfig`.
    on_image : called with each image that is done.

    Raises
    ------
    InputError
        Where a folder holds no run or no checkpoint, is named twice, the runs have no test image in common, or were
        trained under different protocols.
    """
    if isinstance(folders, str | bytes | os.PathLike):
        raise InputError(f"folders must be a list of folders, got {shown(folders)}")
    places = [as_path(folder, "folders") for folder in folders]
    if not places:
        raise InputError("folders must name at least one run, got none")
    check_distinct(places, "run")
    stamps = [read_stamp(place) for place in places]
    protocols = {stamp.config.protocol for stamp in stamps}
    if len(protocols) > 1:
        raise InputError("runs of the protocols ours and paper cannot be compared; name runs of one protocol")
    is_paper = protocols == {"paper"}
    thresholds = sorted({stamp.config.mask_threshold for stamp in stamps})
    if len(thresholds) > 1:
        both = " and ".join(f"{value:g}" for value in thresholds)
        raise InputError(
            f"runs with the mask thresholds {both} have other true masks; name runs of one `mask_threshold`"
        )
    tests = [_test_entries(place, stamp) for place, stamp in zip(places, stamps, strict=True)]
    common = [name for name in tests[0] if all(name in test for test in tests)]
    if not common:
        raise InputError(f"{', '.join(places)}: the test parts of these runs have no image in common")
    n_left_out = len(set().union(*tests)) - len(common)
    images = []
    for name in common:
        sample = read_sample(tests[0][name], mask_threshold=thresholds[0])
        assert sample.mask is not None
        images.append(ComparedImage(name, fit_range(sample.image, sample.full), sample.mask))
    masks = [bring_mask(each.mask) if is_paper else each.mask for each in images]
    runs: list[ComparedRun] = []
    for place, name in zip(places, _short_names(places), strict=True):
        loaded = load_run(place, "best")
        inputs = [loaded.scaling.apply(each.image) for each in images]
        if is_paper:
            inputs = [bring(each) for each in inputs]
        predictions = _predict(name, loaded, inputs, device, on_image)
        scored = zip(predictions, masks, images, strict=True)
        scores = [score_at_size(predicted, mask, each.image) for predicted, mask, each in scored]
        totals = Totals()
        for score in scores:
            totals.add(score)
        counts = np.array([(score.inter, score.union) for score in scores], np.int64)
        differences = None
        if runs:
            has_target = [score.n_targets > 0 for score in scores]
            differences = paired_bootstrap(counts, runs[0].counts, has_target, n_resamples=n_resamples, rng=seed)
        curve = files.read_metrics(place)
        runs.append(
            ComparedRun(
                name=name,
                folder=place,
                config=loaded.config.as_dict(),
                best_epoch=int(loaded.about["epoch"]),
                epochs=max((line["epoch"] for line in curve), default=0),
                curve=curve,
                predictions=predictions,
                counts=counts,
                scores=totals.summary(),
                differences=differences,
            )
        )
    if is_paper:
        images = [replace(each, image=bring(each.image), mask=bring_mask(each.mask)) for each in images]
    return RunComparison(images, runs, n_left_out, seed, n_resamples)


def _predict(
    name: str, loaded: LoadedRun, inputs: list[NDArray[np.float32]], device: str, on_image: OnImage | None
) -> list[NDArray[np.bool_]]:
    """Masks of the inputs, in their order."""
    target = pick_device(device)
    net = loaded.net.to(target).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch_px = loaded.config.batch_size * loaded.config.crop**2
    found: dict[int, NDArray[np.bool_]] = {}
    for index, probability in predict_maps(net, inputs, device=target, batch_px=batch_px):
        found[index] = probability > loaded.config.threshold
        if on_image is not None:
            on_image(name, len(found), len(inputs))
    return [found[index] for index in range(len(inputs))]


def _test_entries(place: str, stamp: RunStamp) -> dict[str, Entry]:
    """The test images of a run by ``DATASET/ID``."""
    out: dict[str, Entry] = {}
    for folder, name in zip(stamp.datasets, stamp.names, strict=True):
        ids = stamp.split[name]["test"]
        if ids:
            whole = open_dataset(folder, points=None, masks=False)
            entries = {entry.id: entry for entry in whole.entries}
            missing = [each for each in ids if each not in entries]
            if missing:
                raise InputError(f"{folder}: the image {missing[0]} of the test part of {place} is not there any more")
            tested = with_masks(replace(whole, entries=tuple(entries[each] for each in ids)))
            out |= {f"{name}/{entry.id}": entry for entry in tested.entries}
    if not out:
        raise InputError(f"{place}: the run has no test part to compare on")
    return out


def _short_names(places: Sequence[str]) -> list[str]:
    """The last parts of the folders, as many as it takes to tell them apart."""
    parts = [os.path.abspath(place).split(os.sep) for place in places]
    for n in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-n:]) for each in parts]
        if len(set(names)) == len(names):
            break
    return names
