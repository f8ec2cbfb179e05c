"""The sheet of the images with the most that is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ..errors import PointLabelError
from ..io.decode import read_image
from ..io.masks.png import encode_picture
from ..io.masks.read import read_true_mask
from ..io.pictures import Picture, draw_pictures
from ..io.points.fit import fit_points
from .faults import KINDS, Finding
from .inspect import Inspection
from .look import Look

#: Images of a sheet, and lines beneath each.
MOST, _LINES = 24, 4


def worst_images(inspection: Inspection) -> dict[str, list[Finding]]:
    """The images with the most findings that are wrong, at most `MOST`, and what these are."""
    ids = {look.id for look in inspection.looks}
    found: dict[str, list[Finding]] = {}
    for each in inspection.findings:
        if KINDS[each.kind].is_wrong and each.name in ids:
            found.setdefault(each.name, []).append(each)
    chosen = sorted(found, key=lambda name: (-len({each.kind for each in found[name]}), -len(found[name]), name))
    return {name: found[name] for name in chosen[:MOST]}


def encode_sheet(inspection: Inspection, mask_threshold: float) -> bytes:
    """PNG of the worst images with their masks and points."""
    worst = worst_images(inspection)
    looks = {look.id: look for look in inspection.looks}
    pictures = [_picture(looks[name], findings, mask_threshold) for name, findings in worst.items()]
    n = len({each.name for each in inspection.findings if KINDS[each.kind].is_wrong})
    return encode_picture(draw_pictures(pictures, f"{len(pictures)} of {n} images or files with something wrong"))


def _picture(look: Look, findings: Sequence[Finding], mask_threshold: float) -> Picture:
    title, words = look.id, _words(findings)
    try:
        image, _ = read_image(look.path)
    except PointLabelError:
        return Picture(title, words)
    shape = (image.shape[0], image.shape[1])
    mask, spots = None, []
    with contextlib.suppress(PointLabelError):
        if look.mask is not None:
            mask, _ = read_true_mask(look.mask, mask_threshold, shape)
    for entry in look.points.values():
        with contextlib.suppress(PointLabelError):
            spots += [(row, column) for row, column in fit_points(entry.load(), shape).points.tolist()]
    return Picture(title, words, image, mask, tuple(spots))


def _words(findings: Sequence[Finding]) -> tuple[str, ...]:
    lines = [f"{each.kind.replace('_', ' ')}: {each.text}".removesuffix(": ") for each in findings]
    return tuple(lines if len(lines) <= _LINES else [*lines[: _LINES - 1], f"and {len(lines) - _LINES + 1} more"])
