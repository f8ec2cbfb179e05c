"""The page of a run of ``pointlabel annotate``, made of its images, its points and what it wrote."""

from __future__ import annotations

import heapq
import os
from typing import Any, NamedTuple

from ..errors import InputError
from ..io.frames import list_inputs
from ..io.images import Places
from ..io.manifest import MANIFEST_NAME, read_manifest
from ..io.masks.read import read_grey_mask
from ..io.outdir import OutputGate
from ..io.points.base import PointRow, PointSource
from ..io.points.match import match_points
from ..io.samples import Entry, decode_sample, read_inputs
from ..io.writers import MASKS
from ..types import trust_of
from .gallery import N_PICTURES, Card, draw_card, draw_gallery
from .page import cell, section, table

_KEYS = (("mask", "mask"), ("accent", "point"))


def draw_annotated(
    images: Places,
    points: str | PointSource,
    out: str,
    *,
    origin: str = "center",
    points_format: str | None = None,
    allow_pickle: bool = False,
    frames: bool = False,
    n_pictures: int = N_PICTURES,
) -> str:
    """Draw the targets of a run, those of the lowest quality times presence first, as one HTML file.

    Parameters
    ----------
    images, points, origin, points_format, allow_pickle, frames : as the run was given them.
    out : its output folder.
    n_pictures : targets to show.

    Raises
    ------
    InputError
        Where images or points cannot be found any more.
    """
    found = list_inputs(images, skip=[out, str(points)], frames=frames)
    found, _, bound = match_points(found, points, origin, points_format=points_format, allow_pickle=allow_pickle)
    paths = {file.id: file.path for file in found.files}
    gate = OutputGate(out)
    lowest: list[_Chosen] = []
    errors: list[tuple[str, str]] = []
    n = 0
    for record in read_manifest(gate.file(MANIFEST_NAME)):
        name, targets = record["id"], record.get("targets", [])
        if record["status"] != "ok":
            errors.append((name, record.get("error", "")))
        elif name in paths:
            n += len(targets)
            rates = [trust_of(target["quality"], target.get("presence")) for target in targets]
            new = [_Chosen(rate, name, k, targets[k], len(targets)) for k, rate in enumerate(rates)]
            lowest = heapq.nsmallest(n_pictures, [*lowest, *new], key=lambda each: each[:3])
    cards: dict[tuple[str, int], Card] = {}
    for name in sorted({each.id for each in lowest}):
        entry = Entry(name, paths[name], bound.entries.get(name), None)
        try:
            cards |= _cards(entry, [each for each in lowest if each.id == name], gate.path(MASKS, name))
        except InputError as error:
            errors.append((name, str(error)))
    ordered = [cards[each[1:3]] for each in lowest if each[1:3] in cards]
    about = [f"{len(ordered)} of {n} targets, by trust: quality times presence.", f"Points: {points}."]
    if errors:
        about.append(f"{len(errors)} images failed, see the end.")
    parts = [section("failed", "Images that failed", "", _errors(errors[:n_pictures]))] if errors else []
    shown = (
        os.fspath(images) if isinstance(images, str | os.PathLike) else ", ".join(os.fspath(each) for each in images)
    )
    return draw_gallery(f"annotate: {shown}", about, "trust", ordered, *parts, keys=_KEYS)


class _Chosen(NamedTuple):
    """A target of the manifest: trust, image, number in the image, its record, and how many the image has."""

    trust: float
    id: str
    number: int
    target: dict[str, Any]
    n_targets: int


def _cards(entry: Entry, chosen: list[_Chosen], mask_path: str) -> dict[tuple[str, int], Card]:
    """The cards of one image."""
    inputs = read_inputs(entry, {})
    sample = decode_sample(entry, inputs, {})
    mask = read_grey_mask(mask_path).mask()
    out = {}
    for trust, name, number, target, n_targets in chosen:
        x, y, presence = target["x"], target["y"], target.get("presence")
        fact = f"(x, y) = ({x:g}, {y:g})"
        if inputs.given is not None and len(sample.rows) == n_targets:
            fact = _origin(inputs.given.file, sample.rows[number])
        out[name, number] = draw_card(
            name,
            sample.image,
            target.get("box") or (x, y, 1, 1),
            figure=trust,
            area=target["area"],
            flags=target["flags"],
            facts=[
                fact,
                f"quality {target['quality']:.2f}" + ("" if presence is None else f", presence {presence:.2f}"),
            ],
            mask=mask,
            point=(y, x),
        )
    return out


def _origin(file: str, row: PointRow) -> str:
    """Where a click stands: the file, its place in it, what it says, and the point's own names."""
    names = [f"{what} {text}" for what, text in (("id", row.id), ("label", row.label)) if text]
    return ", ".join([file, *filter(None, [row.place]), row.value, *names])


def _errors(errors: list[tuple[str, str]]) -> str:
    style = "text-align:left;white-space:normal;font-weight:400"
    return table((), [[cell(name), cell(text, style=style)] for name, text in errors])
