"""One image with its mask and its points, looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import PointLabelError
from ..evaluation.components import Components, find_components
from ..evaluation.targets import true_targets
from ..io.decode import decode_levels, read_source, source_sha256
from ..io.images import ImageFile
from ..io.masks.read import read_grey_mask
from ..io.points.base import PointEntry
from ..io.points.fit import fit_points
from .faults import Finding
from .twins import image_print


@dataclass(slots=True)
class Look:
    """What was found in one image.

    Attributes
    ----------
    id : of the image.
    path, mask, points : where the image, its mask and its points of each kind are.
    findings : about it, its mask and its points.
    shape : (rows, columns), None where it cannot be read.
    depth : name of the type of its grey levels.
    sha256 : hash of the file or of the frame.
    seen : what twins are found by.
    areas : pixels of each target of the mask, None without a mask.
    n_points : by kind of points.
    """

    id: str
    path: str
    mask: str | None
    points: Mapping[str, PointEntry]
    findings: list[Finding] = field(default_factory=list)
    shape: tuple[int, int] | None = None
    depth: str = ""
    sha256: str = ""
    seen: NDArray[np.float32] | None = None
    areas: list[int] | None = None
    n_points: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, text: str = "") -> None:
        """Add a finding about the image."""
        self.findings.append(Finding(kind, self.id, text))


def look_at(file: ImageFile, mask: str | None, points: Mapping[str, PointEntry], threshold: float) -> Look:
    """Read an image with its mask and its points, each once, and say what is to be known of them.

    Parameters
    ----------
    file : the image.
    mask : path of its true mask, None where it has none.
    points : its points by kind.
    threshold : grey level of 8 bits that targets lie above.
    """
    look = Look(file.id, file.path, mask, points)
    try:
        source = read_source(file.path)
        image, notes, _ = decode_levels(source, file.path)
    except PointLabelError as error:
        look.add("unreadable", str(error))
        return look
    shape = (image.shape[0], image.shape[1])
    look.shape, look.depth, look.sha256 = shape, str(image.dtype), source_sha256(source)
    look.seen = image_print(image)
    for note in notes:
        look.add("colour" if note.kind == "channels" else "image_note", "" if note.kind == "channels" else note.text)
    if image.min() == image.max() or not np.isfinite(image).any():
        look.add("flat_image")
    targets = None if mask is None else _look_at_mask(look, mask, shape, threshold)
    for kind, entry in points.items():
        _look_at_points(look, kind, entry, shape, targets)
    return look


def _look_at_mask(look: Look, path: str, shape: tuple[int, int], threshold: float) -> Components | None:
    try:
        grey = read_grey_mask(path)
    except PointLabelError as error:
        look.add("unreadable", str(error))
        return None
    if grey.levels.shape != shape:
        rows, columns = grey.levels.shape
        look.add("mask_size", f"{columns} x {rows}, the image {shape[1]} x {shape[0]}")
        return None
    mask = grey.mask(threshold)
    kinds = {note.kind for note in grey.notes(threshold)}
    if "empty_mask" in kinds:
        look.add("mask_faint", f"largest value {grey.largest:g}")
    elif kinds & {"mask_image", "mask_cover"}:
        look.add("mask_image", f"{mask.mean():.0%} above the threshold")
    elif grey.n_other:
        look.add("mask_levels", f"{np.unique(grey.levels).size} values")
    targets = find_components(mask)
    look.areas = targets.areas.tolist()
    if not look.areas:
        look.add("no_target")
    return targets


def _look_at_points(
    look: Look, kind: str, entry: PointEntry, shape: tuple[int, int], targets: Components | None
) -> None:
    try:
        given = entry.load()
        fitted = fit_points(given, shape)
    except PointLabelError as error:
        look.add("unreadable", str(error))
        return
    look.n_points[kind] = len(fitted.points)
    if given.shape is not None and given.shape != shape:
        look.add("point_size", f"{kind}: {given.shape[1]} x {given.shape[0]}, the image {shape[1]} x {shape[0]}")
    for note in fitted.notes:
        if note.kind in ("dropped", "duplicate"):
            look.add("point_dropped", f"{kind}: {note.text}")
    if targets is None:
        return
    owners = targets.labels[tuple(np.ceil(fitted.points - 0.5).astype(int).T)].astype(np.int64)
    off = owners == 0
    for row, column in fitted.points[off]:
        look.add("point_off", f"{kind}: x={column:g}, y={row:g}")
    if off.any():
        owners[off] = true_targets(targets.labels > 0, fitted.points[off])[1]
    counts = np.bincount(owners, minlength=len(targets) + 1)[1:]
    for number in np.flatnonzero(counts != 1):
        row, column = targets.centroids[number]
        words = f"{kind}: the target around x={column:.0f}, y={row:.0f}"
        look.add("no_point" if counts[number] == 0 else "point_shared", words)
