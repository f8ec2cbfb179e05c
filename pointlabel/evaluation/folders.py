"""Masks in two folders compared: files paired, read one by one, and scored."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.decode import read_image
from ..io.detections import Detection, read_detections
from ..io.frames import list_inputs, named_frames
from ..io.layouts.rules import image_place
from ..io.masks.pairs import MaskPair, MaskPairs, pair_masks
from ..io.masks.read import MASK_THRESHOLD, GreyMask, read_grey_mask, read_true_mask
from ..io.masks.survey import MaskTally, survey_masks
from ..io.text import harmless
from .report import Evaluation


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What a comparison of folders found.

    Attributes
    ----------
    report : the numbers, ready for JSON; see `Evaluation.report`.
    rows : one for each pair, ready for a table.
    notes : what to know besides the numbers, one sentence each.
    has_failed : whether a file could not be read.
    """

    report: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    has_failed: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair as it was compared: masks (H, W) bool, and the image (H, W) where there is one."""

    id: str
    predicted: NDArray[np.bool_]
    true: NDArray[np.bool_]
    image: NDArray | None


def evaluate_folders(
    predicted: str,
    true: str,
    *,
    profile: str = "exact",
    mask_threshold: float = MASK_THRESHOLD,
    soft_threshold: float = 0.5,
    against: str | None = None,
    images: str | None = None,
    detections: str | None = None,
    box_score: str = "peak",
    seed: int = 0,
    needs_curve: bool = False,
    on_scored: Callable[[Scored], None] | None = None,
    on_pair: Callable[[int, int], None] = lambda done, total: None,
    on_error: Callable[[str], None] = lambda text: None,
) -> FolderReport:
    """Compare predicted masks with true ones.

    A true mask without a prediction counts as missed; a pair with a file that cannot be read is left out.

    Parameters
    ----------
    predicted, true : folders searched with their sub-folders, or two files; paired by their path without suffix.
    profile : "exact" or "legacy", how false pixels are counted.
    mask_threshold : grey level in [0, 255) that foreground lies above.
    soft_threshold : in [0, 1), the same for soft predictions.
    against : other predictions, for the differences.
    images : the images, for rows by local signal-to-clutter ratio.
    detections : a table that ``predict`` wrote, whose boxes are scored in place of those of soft predictions.
    box_score : "peak" or "mean", by which probability boxes are sorted.
    seed : of the bootstrap.
    needs_curve : whether predictions must be soft, of which the Pd-Fa curve is made.
    on_scored : called with the masks of each pair.
    on_pair : called with the number of pairs done and of all.
    on_error : called with a sentence for each file that cannot be read.

    Raises
    ------
    InputError
        Where nothing can be compared, or predictions are of two kinds.
    """
    pairs = pair_masks(predicted, true)
    rivals = None if against is None else {pair.id: pair for pair in pair_masks(against, true).pairs}
    reader = _Reader(mask_threshold, soft_threshold, images, [pair.id for pair in pairs.pairs], on_error)
    reader.notes += _same_files(pairs, predicted, true)
    reader.notes += [note.text for note in survey_masks([pair.true for pair in pairs.pairs], true, mask_threshold)]
    is_soft = reader.holds_soft(pairs.pairs)
    if needs_curve and not is_soft:
        raise InputError(f"the Pd-Fa curve is of soft predictions (16 bit); {predicted} holds 8-bit masks")
    found = None if detections is None else read_detections(detections)
    if found is not None:
        reader.notes += _unknown_detections(found, pairs, str(detections))
    evaluation = Evaluation(profile=profile, with_sweep=is_soft, box_score=box_score, seed=seed)
    rows = []
    for number, pair in enumerate(pairs.pairs, 1):
        try:
            truth = reader.truth(pair.true)
            mask, soft = reader.prediction(pair, truth, is_soft)
            rival = None if rivals is None else reader.rival(rivals[pair.id], truth)
        except _OtherKind:
            raise
        except InputError as error:
            reader.leave_out(pair.id, error)
        else:
            image = reader.image(pair, truth)
            boxes = None if found is None else found.get(pair.id, [])
            row = evaluation.add(mask, truth, soft=soft, rival=rival, image=image, detections=boxes)
            if on_scored is not None:
                on_scored(Scored(pair.id, mask, truth, image))
            rows.append({"id": harmless(pair.id), "missing": int(pair.predicted is None), **row})
        on_pair(number, len(pairs.pairs))
    if len(reader.left_out) == len(pairs.pairs):
        raise InputError(f"{predicted} and {true}: no pair can be compared, see above")
    report: dict[str, Any] = {
        "pred": predicted,
        "gt": true,
        "missing": list(pairs.missing),
        "unused": len(pairs.unused),
        "left_out": reader.left_out,
        **evaluation.report(),
    }
    if rivals is not None:
        report["against"]["pred"] = against
        report["against"]["missing"] = [pair.id for pair in rivals.values() if pair.predicted is None]
    return FolderReport(report, tuple(rows), tuple(reader.closing_notes(report)), reader.has_failed)


def _unknown_detections(found: dict[str, list[Detection]], pairs: MaskPairs, path: str) -> list[str]:
    """A sentence where detections are of images that are not compared."""
    names = sorted(found.keys() - {pair.id for pair in pairs.pairs})
    if len(names) == len(found) > 0:
        raise InputError(f"{path} has no detection in an image with a true mask; the first is in {names[0]!r}")
    return [f"{path}: {_count(names, 'image')} without a true mask; their detections are left out"] if names else []


def _same_files(pairs: MaskPairs, predicted: str, true: str) -> list[str]:
    """A sentence where predictions are the true masks themselves."""
    n = sum(
        pair.predicted is not None and os.path.realpath(pair.predicted) == os.path.realpath(pair.true)
        for pair in pairs.pairs
    )
    return [f"{predicted} and {true}: {n} predictions are the files of the true masks themselves"] if n else []


class _OtherKind(InputError):
    """Predictions are partly soft and partly not; nothing is compared."""


class _Reader:
    """Reads masks and images, and collects what users have to know of them."""

    def __init__(
        self,
        mask_threshold: float,
        soft_threshold: float,
        images: str | None,
        ids: Sequence[str],
        on_error: Callable[[str], None],
    ) -> None:
        self._on_error = on_error
        self.mask_threshold, self.soft_threshold = mask_threshold, soft_threshold
        self.images: dict[str, str] | None = None
        if images is not None:
            found = list_inputs(image_place(images))
            self.images = {file.id: file.path for file in (named_frames(found, ids) or found).files}
        self.no_image: list[str] = []
        self.tallies = {"true masks": MaskTally(), "predictions": MaskTally()}
        self.notes: list[str] = []
        self.left_out: list[str] = []
        self.has_failed = False

    def fail(self, error: Exception) -> None:
        """Report at once what cannot be read; the others are still compared."""
        self.has_failed = True
        self._on_error(str(error))

    def leave_out(self, image_id: str, error: Exception) -> None:
        """A pair that cannot be read is never scored as empty."""
        self.left_out.append(image_id)
        self.fail(error)

    def holds_soft(self, pairs: tuple[MaskPair, ...]) -> bool:
        """Whether the first prediction that can be read has the depth of a soft label; later ones must agree."""
        self.first = ""
        for pair in pairs:
            if pair.predicted is not None:
                try:
                    is_soft = read_grey_mask(pair.predicted).is_soft
                except InputError:
                    continue
                self.first = pair.predicted
                return is_soft
        return False

    def truth(self, path: str) -> NDArray:
        mask, notes = read_true_mask(path, self.mask_threshold)
        self.tallies["true masks"].add(mask, notes)
        return mask

    def prediction(self, pair: MaskPair, truth: NDArray, is_soft: bool) -> tuple[NDArray, NDArray | None]:
        """Binary prediction and, for soft ones, its values; all background where there is no file."""
        if pair.predicted is None:
            return np.zeros_like(truth), np.zeros(truth.shape, np.float32) if is_soft else None
        grey = read_grey_mask(pair.predicted)
        if grey.is_soft is not is_soft:
            kinds = ("a mask of 8 bits", "a soft prediction")
            raise _OtherKind(
                f"{pair.predicted} is {kinds[grey.is_soft]} and {self.first} is {kinds[is_soft]}; "
                "predictions must be of one kind"
            )
        return self._binary(grey, pair, truth), grey.soft() if is_soft else None

    def rival(self, pair: MaskPair, truth: NDArray) -> NDArray:
        if pair.predicted is None:
            return np.zeros_like(truth)
        return self._binary(read_grey_mask(pair.predicted), pair, truth)

    def _binary(self, grey: GreyMask, pair: MaskPair, truth: NDArray) -> NDArray:
        _check_size(grey.name, grey.levels, pair.true, truth)
        threshold = self.soft_threshold * 255 if grey.is_soft else self.mask_threshold
        mask = grey.mask(threshold)
        if not grey.is_soft:  # of a soft prediction grey levels and faint values are what is expected
            self.tallies["predictions"].add(mask, grey.notes(threshold))
        return mask

    def image(self, pair: MaskPair, truth: NDArray) -> NDArray | None:
        if self.images is None:
            return None
        if pair.id not in self.images:
            self.no_image.append(pair.id)
            return None
        try:
            image, _ = read_image(self.images[pair.id])
            _check_size(self.images[pair.id], image, pair.true, truth)
        except InputError as error:
            self.no_image.append(pair.id)
            self.fail(error)
            return None
        return image

    def closing_notes(self, report: dict[str, Any]) -> list[str]:
        """What users have to know besides the numbers, one sentence each."""
        out = list(self.notes)
        against = report.get("against", {})
        for name, missing in ((report["pred"], report["missing"]), (against.get("pred"), against.get("missing"))):
            if missing:
                out.append(f"{name}: {_count(missing, 'true mask')} without a prediction, counted as empty")
        if report["unused"]:
            out.append(f"{report['pred']}: left out what has no true mask: {report['unused']}")
        if self.left_out:
            out.append(f"{_count(self.left_out, 'pair')} with a file that cannot be used, left out of every number")
        for noun, tally in self.tallies.items():
            out += tally.sentences(noun)
        if self.no_image:
            out.append(f"{_count(self.no_image, 'mask')} without an image, left out of the rows by SCR")
        return out


def _count(ids: list[str], noun: str) -> str:
    return f"{len(ids)} {noun}{'s' if len(ids) > 1 else ''} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})"


def _check_size(path: str, array: NDArray, true_path: str, truth: NDArray) -> None:
    if array.shape != truth.shape:
        sizes = [f"{shape[1]} x {shape[0]}" for shape in (array.shape, truth.shape)]
        raise InputError(f"{path} is {sizes[0]} px and {true_path} is {sizes[1]} px; they must be of one size")
