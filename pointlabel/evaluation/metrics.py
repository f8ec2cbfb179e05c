"""Metrics of masks: arrays in, numbers out. Totals grow by one image at a time and hold sums only."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import as_image, as_mask
from .._values import as_choice
from ..errors import InputError
from .classes import SCR_BINS, SIZE_CLASSES, scr_bin, size_class
from .components import Components, find_components
from .hierarchy import Hierarchy, score_hierarchy
from .matching import match_targets, target_ious
from .scr import target_scrs

#: How false pixels are counted; see `ImageScore`.
PROFILES = ("exact", "legacy")


@dataclass(frozen=True, slots=True)
class TargetScore:
    """One target: area in pixels, whether it was found, IoU in [0, 1], local SCR where there is an image."""

    area: int
    found: bool
    iou: float
    scr: float | None = None


@dataclass(frozen=True, slots=True)
class ImageScore:
    """Counts of one image.

    Attributes
    ----------
    n_pixels : pixels of the image.
    inter, union, predicted_px, true_px : pixels in both masks, in either, in each.
    n_targets, n_found, n_predicted : targets, those found, predicted components.
    false_px : pixels of predicted components that found no target (profile "exact").
    false_px_legacy : the same without components whose area equals that of one that found a target
        (profile "legacy").
    targets : one score for each target, in reading order; empty where they were not asked for.
    hierarchy : what hIoU is made of; None where the targets' scores were not asked for.
    """

    n_pixels: int
    inter: int
    union: int
    predicted_px: int
    true_px: int
    n_targets: int
    n_found: int
    n_predicted: int
    false_px: int
    false_px_legacy: int
    targets: tuple[TargetScore, ...] = ()
    hierarchy: Hierarchy | None = None

    @property
    def iou(self) -> float:
        """IoU of the image; 0 where both masks are empty, as in published nIoU."""
        return self.inter / self.union if self.union else 0.0

    def false_pixels(self, profile: str) -> int:
        """False pixels under one of `PROFILES`."""
        return self.false_px_legacy if check_profile(profile) == "legacy" else self.false_px


_COUNTS = tuple(item.name for item in fields(ImageScore) if item.name not in ("targets", "hierarchy"))


def count_overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int]:
    """Pixels in both of two masks (H, W), and in either."""
    inter = int(np.count_nonzero(one & other))
    return inter, int(np.count_nonzero(one)) + int(np.count_nonzero(other)) - inter


def check_profile(profile: str) -> str:
    """Return `profile` where it is one of `PROFILES`, else raise `InputError`."""
    return as_choice(profile, "profile", PROFILES)


def score_image(
    predicted: NDArray[np.bool_], true: NDArray[np.bool_], image: NDArray | None = None, *, with_targets: bool = True
) -> ImageScore:
    """Compare a predicted mask with the true one.

    Parameters
    ----------
    predicted, true : (H, W) bool.
    image : (H, W) real, for the targets' local SCR; None leaves it out.
    with_targets : False saves the time of the targets' own scores and of hIoU.

    Raises
    ------
    InputError
        Where the arrays differ in shape.
    """
    as_mask(predicted, "predicted")
    as_mask(true, "true")
    image = None if image is None else as_image(image)
    for name, array in (("predicted", predicted), ("image", image)):
        if array is not None and array.shape != true.shape:
            raise InputError(f"{name} must have the shape of the true mask, {true.shape}, got {array.shape}")
    targets, found = find_components(true), find_components(predicted)
    matches = match_targets(targets, found)
    inter = int(np.count_nonzero(predicted & true))
    predicted_px, true_px = int(found.areas.sum()), int(targets.areas.sum())
    is_false = np.ones(len(found), bool)
    is_false[matches[matches >= 0]] = False
    return ImageScore(
        n_pixels=true.size,
        inter=inter,
        union=predicted_px + true_px - inter,
        predicted_px=predicted_px,
        true_px=true_px,
        n_targets=len(targets),
        n_found=int(np.count_nonzero(matches >= 0)),
        n_predicted=len(found),
        false_px=int(found.areas[is_false].sum()),
        false_px_legacy=int(found.areas[is_false & ~np.isin(found.areas, found.areas[~is_false])].sum()),
        targets=_score_targets(targets, found, matches, image) if with_targets else (),
        hierarchy=score_hierarchy(targets, found) if with_targets else None,
    )


def _score_targets(
    targets: Components, found: Components, matches: NDArray[np.int64], image: NDArray | None
) -> tuple[TargetScore, ...]:
    ious = target_ious(targets, found)
    scrs = [None] * len(targets) if image is None else [float(value) for value in target_scrs(image, targets)]
    return tuple(
        TargetScore(int(area), bool(match >= 0), float(iou), scr)
        for area, match, iou, scr in zip(targets.areas, matches, ious, scrs, strict=True)
    )


@dataclass(slots=True)
class _Class:
    n: int = 0
    n_found: int = 0
    iou_sum: float = 0.0

    def add(self, target: TargetScore) -> None:
        self.n += 1
        self.n_found += target.found
        self.iou_sum += target.iou

    def summary(self) -> dict[str, Any]:
        return {"targets": self.n, "pd": _share(self.n_found, self.n), "iou": _share(self.iou_sum, self.n)}


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


@dataclass(slots=True)
class Totals:
    """Sums over images; the memory does not grow with their number."""

    n_images: int = 0
    n_with_targets: int = 0
    n_empty: int = 0
    n_pixels: int = 0
    inter: int = 0
    union: int = 0
    predicted_px: int = 0
    true_px: int = 0
    n_targets: int = 0
    n_found: int = 0
    n_predicted: int = 0
    false_px: int = 0
    false_px_legacy: int = 0
    iou_sum: float = 0.0
    iou_sum_with_targets: float = 0.0
    hierarchy: Hierarchy = field(default_factory=Hierarchy)
    _by_size: dict[str, _Class] = field(default_factory=lambda: {name: _Class() for name in SIZE_CLASSES})
    _by_scr: dict[str, _Class] = field(default_factory=lambda: {name: _Class() for name in SCR_BINS})

    def add(self, score: ImageScore) -> None:
        """Add one image."""
        self.n_images += 1
        self.iou_sum += score.iou
        self.n_empty += score.union == 0
        if score.n_targets:
            self.n_with_targets += 1
            self.iou_sum_with_targets += score.iou
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(score, name))
        if score.hierarchy is not None:
            self.hierarchy += score.hierarchy
        for target in score.targets:
            self._by_size[size_class(target.area)].add(target)
            if target.scr is not None:
                self._by_scr[scr_bin(target.scr)].add(target)

    def summary(self, profile: str = "exact") -> dict[str, Any]:
        """Return every metric by name, None where it is not defined (a share of nothing).

        ``iou`` is pooled over the pixels of all images. ``niou`` is the mean over all images, where one that is
        empty in both masks counts 0, as usual; ``niou_with_targets`` is the mean over the images whose
        true mask holds a target; ``images_empty`` counts the images that are empty in both. ``pd`` is the share of
        the targets that were found, ``fa`` the share of all pixels that belong to predicted components which found
        none, counted as `profile` says. ``precision``, ``recall`` and ``f1`` count pixels, ``target_precision``
        predicted components. ``hiou`` and its parts, ``hierarchy``, are those of `Hierarchy.summary`. ``by_size`` and
        ``by_scr`` give for each class the targets, their ``pd`` and the mean of their own ``iou``; ``by_scr`` is None
        without images.
        """
        legacy = check_profile(profile) == "legacy"
        hierarchy = self.hierarchy.summary(self.n_pixels, legacy=legacy)
        return {
            "profile": profile,
            "images": self.n_images,
            "images_with_targets": self.n_with_targets,
            "images_empty": self.n_empty,
            "targets": self.n_targets,
            "found": self.n_found,
            "predicted": self.n_predicted,
            "iou": _share(self.inter, self.union),
            "niou": _share(self.iou_sum, self.n_images),
            "niou_with_targets": _share(self.iou_sum_with_targets, self.n_with_targets),
            "pd": _share(self.n_found, self.n_targets),
            "fa": _share(self.false_px_legacy if legacy else self.false_px, self.n_pixels),
            "precision": _share(self.inter, self.predicted_px),
            "recall": _share(self.inter, self.true_px),
            "f1": _share(2 * self.inter, self.predicted_px + self.true_px),
            "target_precision": _share(self.n_found, self.n_predicted),
            "hiou": hierarchy.pop("hiou"),
            "hierarchy": hierarchy,
            "by_size": {name: group.summary() for name, group in self._by_size.items()},
            "by_scr": {name: group.summary() for name, group in self._by_scr.items()}
            if any(group.n for group in self._by_scr.values())
            else None,
        }
