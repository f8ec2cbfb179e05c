"""A folder looked through in one pass over its files: the function behind ``pointlabel inspect``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, PointLabelError
from ..io.frames import list_inputs
from ..io.images import ImageFile, ImageList, list_images
from ..io.layouts.lists import same_dataset
from ..io.layouts.parts import Parts
from ..io.layouts.rules import find_layout
from ..io.manifest import holds_run
from ..io.masks.read import MASK_THRESHOLD, check_threshold
from ..io.points.base import PointEntry
from ..io.points.match import match_points
from .faults import FIXED_ELSEWHERE, KINDS, Finding
from .lists import look_at_lists, part_of
from .look import Look, look_at
from .twins import find_twins

#: Examples of each kind that a report names.
MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a folder holds.

    Attributes
    ----------
    parts : its layout.
    looks : one for each image, in the order of the ids.
    lists : name, path, number of ids and hash of each list.
    findings : all of them, in the order of `KINDS`.
    n_masks : masks that belong to an image.
    points : where the points of each kind are.
    """

    parts: Parts
    looks: tuple[Look, ...]
    lists: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...]
    n_masks: int
    points: dict[str, str] = field(default_factory=dict)

    @property
    def n_wrong(self) -> int:
        """How many findings are wrong, and not only to be known."""
        return sum(KINDS[each.kind].is_wrong for each in self.findings)

    def report(self) -> dict[str, Any]:
        """All of it as one JSON object."""
        shapes = Counter(look.shape for look in self.looks if look.shape is not None)
        areas = [area for look in self.looks for area in look.areas or ()]
        points = {
            kind: {"path": path, "n": sum(look.n_points.get(kind, 0) for look in self.looks)}
            for kind, path in self.points.items()
        }
        counts = Counter(each.kind for each in self.findings)
        return {
            "folder": self.parts.root,
            "layout": self.parts.layout,
            "why": self.parts.why,
            "images": len(self.looks),
            "sizes": [{"width": w, "height": h, "n": n} for (h, w), n in shapes.most_common()],
            "depths": dict(Counter(look.depth for look in self.looks if look.depth).most_common()),
            "masks": self.n_masks,
            "targets": len(areas),
            "areas": [min(areas), max(areas)] if areas else None,
            "points": points,
            "lists": list(self.lists),
            "wrong": self.n_wrong,
            "findings": [
                {
                    "kind": kind,
                    "what": KINDS[kind].what,
                    "wrong": KINDS[kind].is_wrong,
                    "n": n,
                    "examples": [{"name": each.name, "text": each.text} for each in self.findings if each.kind == kind][
                        :MOST_EXAMPLES
                    ],
                }
                for kind, n in sorted(counts.items(), key=lambda item: list(KINDS).index(item[0]))
            ],
        }


def inspect_folder(
    folder: str | os.PathLike[str],
    *,
    mask_threshold: float = MASK_THRESHOLD,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Inspection:
    """Look through a data set, a folder of images, one file, or the files of a glob.

    Parameters
    ----------
    folder : in any layout; or a file or a glob of images.
    mask_threshold : grey level that targets lie above.
    report : called with the number of images done and of all.

    Raises
    ------
    InputError
        Where there is nothing of that name, no image in it, or the masks of a run only.
    """
    root = os.fspath(folder)
    check_threshold(mask_threshold)
    parts = find_layout(root) if os.path.isdir(root) else Parts("files", "named one by one", root, root)
    if parts.images == root and holds_run(root):
        raise InputError(f"{root} holds the masks of a run and no data set; `pointlabel evaluate` compares masks")
    findings: list[Finding] = []
    found = list_inputs(parts.images)
    points: dict[str, Mapping[str, PointEntry]] = {}
    for kind, path in parts.points.items():
        found, points[kind] = _match(found, kind, path, findings)
    masks = _masks(parts, findings)
    if masks:
        findings += [Finding("no_image", name, path) for name, path in masks.items() if name not in found.ids]
    looks = []
    for number, file in enumerate(found.files, 1):
        findings += _rivals(file)
        own = {kind: entries[file.id] for kind, entries in points.items() if file.id in entries}
        look = look_at(file, masks.get(file.id), own, mask_threshold)
        if masks and file.id not in masks:
            look.add("no_mask")
        for kind in points.keys() - own.keys():
            for area in look.areas or ():
                look.add("no_point", f"{kind}: the image has no points; a target of {area} px")
        looks.append(look)
        report(number, len(found.files))
    lists, held, more = look_at_lists(parts, [file.id for file in found.files])
    findings += [each for look in looks for each in look.findings] + more
    findings += [*_alike(looks, held), *_depths(looks), *_fixed(parts, masks)]
    order = {kind: place for place, kind in enumerate(KINDS)}
    findings.sort(key=lambda each: order[each.kind])
    n_masks = sum(look.id in masks for look in looks)
    return Inspection(parts, tuple(looks), tuple(lists), tuple(findings), n_masks, parts.points)


def _match(
    found: ImageList, kind: str, path: str, findings: list[Finding]
) -> tuple[ImageList, Mapping[str, PointEntry]]:
    try:
        found, _, bound = match_points(found, path)
    except PointLabelError as error:
        findings.append(Finding("unreadable", path, str(error)))
        return found, {}
    findings += [Finding("points_no_image", name, f"{kind}: {text}") for name, text in bound.unknown]
    return found, bound.entries


def _masks(parts: Parts, findings: list[Finding]) -> dict[str, str]:
    """Path of each mask by id."""
    if parts.masks is None:
        return {}
    try:
        files = list_images(parts.masks).files
    except InputError as error:
        findings.append(Finding("unreadable", parts.masks, str(error)))
        return {}
    for file in files:
        findings += _rivals(file)
    return {file.id: file.path for file in files}


def _rivals(file: ImageFile) -> list[Finding]:
    return [Finding("same_id", file.shown, rival) for rival in file.rivals]


def _alike(looks: Iterable[Look], held: dict[str, list[str]]) -> list[Finding]:
    """Images with one file, and near twins: those that training shares with validation or test are wrong."""
    first: dict[str, str] = {}
    out = []
    for look in looks:
        if look.sha256 and first.setdefault(look.sha256, look.id) != look.id:
            out.append(Finding("identical", look.id, first[look.sha256]))
    trained: set[str] = set()
    tested: set[str] = set()
    for name, ids in held.items():
        part = part_of(name)
        if part is not None:
            (trained if part == "train" else tested).update(ids)
    same = {(each.text, each.name) for each in out}
    for pair in find_twins({look.id: look.seen for look in looks}):
        if pair in same:
            continue
        one, other = pair
        only = [name in trained and name not in tested for name in pair], [name in tested for name in pair]
        torn = (only[0][0] and only[1][1]) or (only[0][1] and only[1][0])
        out.append(Finding("twins_torn" if torn else "twins", one, other))
    return out


def _depths(looks: Iterable[Look]) -> list[Finding]:
    depths = Counter(look.depth for look in looks if look.depth)
    usual = depths.most_common(1)[0][0] if depths else ""
    return [Finding("mixed_depth", look.id, look.depth) for look in looks if look.depth not in ("", usual)]


def _fixed(parts: Parts, masks: Mapping[str, str]) -> list[Finding]:
    name = os.path.basename(os.path.abspath(parts.root))
    ids = next((ids for known, ids in FIXED_ELSEWHERE.items() if same_dataset(known, name)), ())
    return [Finding("fixed_elsewhere", each) for each in ids if each in masks]
