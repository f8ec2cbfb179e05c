"""The output folder of ``annotate``: its manifest with the masks in it, or in the pictures beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...evaluation.targets import true_targets
from ...types import trust_of
from ..files import read_bytes
from ..manifest import MANIFEST_NAME, sorted_records
from ..masks.npz import decode_npz
from ..masks.read import read_grey_mask
from ..outdir import REPLACEABLE
from ..seal import state_of
from . import coco, pictures
from .base import TARGET, ImageMasks, Images, MaskTarget, check_shape, make_target


def read_run(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read the images that a run has done, in the order of their ids.

    Targets come from the run lengths in the manifest, else from ``instances``, else from ``masks`` by the boxes in the
    manifest: where the masks of two targets touch and their boxes overlap, a pixel goes to the nearer point. A mask
    that somebody has changed since goes before all of these.
    """
    manifest = os.path.join(path, MANIFEST_NAME) if os.path.isdir(path) else path
    folder = os.path.dirname(manifest)
    for record in sorted_records(manifest):
        if record["status"] == "ok":
            yield masks_of_record(record, folder)


def masks_of_record(
    record: dict[str, Any], folder: str, *, with_soft: bool = True, may_be_changed: bool = True
) -> ImageMasks:
    """The masks of one image of a run.

    Parameters
    ----------
    record : its line of the manifest, with the status "ok".
    folder : of the run.
    with_soft : whether to read the soft label, where the run wrote it and its mask is as it was.
    may_be_changed : whether somebody may have changed the mask since; False where it has just been written.

    Raises
    ------
    InputError
        Where the record is damaged, or the picture of its masks is missing.
    """
    name = record["id"]
    where = f"{os.path.join(folder, MANIFEST_NAME)}: {name}"
    given = record.get("targets", [])
    if "height" in record:
        shape = check_shape(record["height"], record.get("width"), where)
    else:  # of an older version
        levels = read_grey_mask(os.path.join(folder, "masks", f"{name}.png")).levels
        shape = (levels.shape[0], levels.shape[1])
    outputs = record.get("outputs", ())
    targets: list[MaskTarget]
    changed = _changed_mask(record, folder, shape, where) if may_be_changed else None
    if changed is not None:
        targets, with_soft = _targets_of_changed(changed, given, where), False
    elif all("rle" in target for target in given):
        targets = []
        for target in given:
            window = coco.window_of({"size": list(shape), "counts": target["rle"]}, shape, where)
            if window is not None:
                targets.append(_named(make_target(window[1], window[0])[0], target, where))
    elif "instances" in outputs:
        numbers = read_grey_mask(os.path.join(folder, "instances", f"{name}.png")).levels
        found = pictures.numbered_targets(numbers)
        if found and found[-1][0] > len(given):
            raise InputError(f"{where}: instances/{name}.png numbers more targets than the manifest has")
        targets = [_named(target, given[number - 1], where) for number, target in found]
    else:
        mask = read_grey_mask(os.path.join(folder, "masks", f"{name}.png")).mask()
        targets = _split(mask, given, where)
    soft = None
    if with_soft and "npz" in outputs:
        soft, _ = decode_npz(read_bytes(file := os.path.join(folder, "npz", f"{name}.npz")), file)
    if with_soft and "soft" in outputs:
        soft = read_grey_mask(os.path.join(folder, "soft", f"{name}.png")).soft()
    return ImageMasks(name, shape, tuple(targets), record.get("image", ""), soft)


def _changed_mask(record: dict[str, Any], folder: str, shape: tuple[int, int], where: str) -> NDArray[np.bool_] | None:
    """The mask of an image where somebody has changed it, by the rule of a run that goes on; None where nobody has."""
    path = os.path.join(folder, "masks", f"{record['id']}.png")
    known = record.get("outputs_sha256", {}).get("masks")
    if known is None or state_of(path, known) in REPLACEABLE:
        return None
    mask = read_grey_mask(path).mask()
    if mask.shape != shape:
        size, own = (f"{columns} x {rows}" for rows, columns in (mask.shape, shape))
        raise InputError(f"{path}: was changed to {size} pixels, and {where} has {own}")
    return mask


def _targets_of_changed(mask: NDArray[np.bool_], given: list[dict[str, Any]], where: str) -> list[MaskTarget]:
    """Targets of a mask changed by hand: its 8-connected components, those that hold several points split among them.

    A component without a point within 3 px of it is a target without one.
    """
    points = np.array([_point_of(record, where) for record in given]).reshape(-1, 2)
    labels, owners = true_targets(mask, points)
    numbers = np.where(labels > 0, labels + len(given), 0)
    for component in np.unique(owners[owners > 0]):
        mine = np.flatnonzero(owners == component)
        spots = np.argwhere(labels == component)
        nearest = ((spots[:, None] - points[mine]) ** 2).sum(-1).argmin(1)
        numbers[tuple(spots.T)] = mine[nearest] + 1
    return [
        _named(target, given[number - 1], where) if number <= len(given) else target
        for number, target in pictures.numbered_targets(numbers)
    ]


def _named(target: MaskTarget, record: dict[str, Any], where: str) -> MaskTarget:
    """The target with what its record says of it."""
    score = round(trust_of(record.get("quality", 0.0), record.get("presence")), 6)
    return replace(
        target,
        label=str(record.get("label", TARGET)),
        score=score,
        point=_point_of(record, where),
        quality=record.get("quality"),
        presence=record.get("presence"),
        flags=tuple(record.get("flags", ())),
    )


def _point_of(record: dict[str, Any], where: str) -> tuple[float, float]:
    x, y = record.get("x"), record.get("y")
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        raise InputError(f"{where}: a target has no point")
    return float(y), float(x)


def _split(mask: NDArray[np.bool_], given: list[dict[str, Any]], where: str) -> list[MaskTarget]:
    """Targets of a binary mask: the pixels in each one's box, those in several boxes to the nearest point."""
    spots = np.argwhere(mask)
    nearest = np.full(len(spots), np.inf)
    owner = np.full(len(spots), -1)
    for number, record in enumerate(given):
        box = record.get("box")
        if box is None:
            continue
        if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, int) for value in box):
            raise InputError(f"{where}: a target has no box; run annotate again, or with --rle")
        left, top, width, height = box
        row, column = _point_of(record, where)
        rows, columns = spots.T
        inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
        away = (rows - row) ** 2 + (columns - column) ** 2
        closer = inside & (away < nearest)
        nearest[closer], owner[closer] = away[closer], number
    numbers = np.zeros(mask.shape, np.int64)
    numbers[tuple(spots.T)] = owner + 1
    return [_named(target, given[number - 1], where) for number, target in pictures.numbered_targets(numbers)]
