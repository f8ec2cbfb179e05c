"""Examples to calibrate on: images, points and masks from folders, as `annotate` and `evaluate` read them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from .._checks import as_image
from .._values import as_choice
from ..engine.default.ahead import compile_ahead
from ..errors import InputError
from ..io.datasets import open_images
from ..io.masks.pairs import list_masks
from ..io.masks.read import MASK_THRESHOLD
from ..io.masks.survey import survey_masks
from ..io.messages import Note
from ..io.points.checks import check_points, told_or_refused
from ..io.points.look import look_at_some
from ..io.samples import Entry, read_sample
from ..methods.polarity import POLARITIES, choose_polarity, invert
from .targets import Case, cases_of

MOST = 50  # images with targets
FEWEST_DOTTED = 3  # masks of which every target is one pixel, to be taken for points


@dataclass(frozen=True, slots=True)
class Examples:
    """Targets with known masks, and what became of the images.

    Attributes
    ----------
    cases : one for each point that has a true target.
    n_images : images that were found.
    n_used : those that gave cases.
    n_unmasked, n_unpointed : those without a mask, and those with a mask and without points.
    n_empty : those that were read and have no target at any point.
    n_unread : those that were left out because enough had been read.
    n_alone : points of the images used that have no true target within 3 px.
    notes : what to tell about the files.
    """

    cases: tuple[Case, ...]
    n_images: int
    n_used: int
    n_unmasked: int
    n_unpointed: int
    n_empty: int
    n_unread: int
    n_alone: int
    notes: tuple[Note, ...]

    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name.startswith("n_")}

    def left_out(self) -> list[str]:
        """What was left out, one sentence each."""
        found = [
            (self.n_unmasked, "image", "without a mask, left out"),
            (self.n_unpointed, "image", "with a mask and without points, left out"),
            (self.n_empty, "image", "without a target within 3 px of a point, left out"),
            (self.n_alone, "point", "without a target within 3 px, left out"),
            (self.n_unread, "image", f"more than needed, left out: `seed` drew {self.n_used}"),
        ]
        return [f"{number} {noun}{'s' if number > 1 else ''} {what}" for number, noun, what in found if number]


def read_examples(
    images: str | os.PathLike[str],
    points: str | os.PathLike[str],
    masks: str | os.PathLike[str],
    *,
    origin: str = "center",
    points_format: str | None = None,
    allow_pickle: bool = False,
    polarity: str = "bright",
    mask_threshold: float = MASK_THRESHOLD,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> Examples:
    """Read the images that have points and a mask, at most `MOST` of them.

    Parameters
    ----------
    images : a folder with its sub-folders, one file, or a glob.
    points : a file or folder of any format of `pointlabel.io.points.formats`.
    masks : a folder with masks under the names of the images.
    origin, points_format, allow_pickle : as for `pointlabel.io.points.readers.open_points`.
    polarity : "bright", "dark", or "auto", which decides for each point.
    mask_threshold : grey level that a target's pixels lie above.
    seed : of the choice where more than `MOST` images have targets.
    report : called with the number of images read and the most that can be.

    Raises
    ------
    InputError
        Where a file cannot be read, a mask is not of its image's size, the masks are none at this threshold
        (`survey_masks`), or no image has a target at a point.
    """
    as_choice(polarity, "polarity", POLARITIES)
    found = open_images(images, points, origin=origin, points_format=points_format, allow_pickle=allow_pickle).entries
    paths = list_masks(masks)
    masked = [replace(entry, mask=paths[entry.id]) for entry in found if entry.id in paths]
    if not masked:
        raise InputError(
            f"{os.fspath(masks)} has no mask for any image of {os.fspath(images)}: "
            f"the first holds {next(iter(paths))}, the second {found[0].id}"
        )
    ready = [entry for entry in masked if entry.points is not None]
    looked = look_at_some([(entry.image, entry.points) for entry in ready if entry.points is not None])
    told = told_or_refused(check_points(looked, os.fspath(points), polarity))
    order = np.random.default_rng(seed).permutation(len(ready)) if len(ready) > MOST else np.arange(len(ready))
    cases: list[Case] = []
    surveyed = survey_masks([entry.mask for entry in masked if entry.mask], os.fspath(masks), mask_threshold)
    dotted = next((note.text for note in surveyed if note.kind == "mask_points"), None)
    if dotted is not None and len(masked) >= FEWEST_DOTTED:  # a style of single pixels would be called a gain
        raise InputError(dotted)
    notes = [*told, *surveyed]
    compile_ahead()
    n_used = n_read = n_alone = 0
    for index in order:
        if n_used == MOST:
            break
        here, n_points, more = _read(ready[index], polarity, mask_threshold)
        n_read += 1
        n_used += bool(here)
        n_alone += n_points - len(here) if here else 0
        cases += here
        notes += more
        if report is not None:
            report(n_read, len(ready))
    out = Examples(
        cases=tuple(sorted(cases, key=lambda case: case.image)),
        n_images=len(found),
        n_used=n_used,
        n_unmasked=len(found) - len(masked),
        n_unpointed=len(masked) - len(ready),
        n_empty=n_read - n_used,
        n_unread=len(ready) - n_read,
        n_alone=n_alone,
        notes=tuple(notes),
    )
    if not n_used:
        raise InputError(_too_few(os.fspath(masks), out))
    return out


def _read(entry: Entry, polarity: str, mask_threshold: float) -> tuple[list[Case], int, tuple[Note, ...]]:
    """Cases of one image, its number of points, and what to tell about its files."""
    sample = read_sample(entry, mask_threshold=mask_threshold)
    assert sample.mask is not None
    image = as_image(sample.image)
    dark = choose_polarity(image, sample.points, [row.polarity or polarity for row in sample.rows])
    cases = []
    for is_dark in (False, True):
        at = dark == is_dark
        if at.any():
            cases += cases_of(invert(image) if is_dark else image, sample.points[at], sample.mask, sample.id)
    return cases, len(sample.points), sample.notes


def _too_few(masks: str, found: Examples) -> str:
    counts = (
        (found.n_unmasked, "without a mask"),
        (found.n_unpointed, "without points"),
        (found.n_empty, "without a target within 3 px of a point"),
    )
    rest = ", ".join(f"{count} {what}" for count, what in counts if count)
    faint = next((f"; {note.text}" for note in found.notes if note.kind == "empty_mask"), "")
    return (
        f"{masks}: calibration needs at least one image with points and a mask of their targets, got none "
        f"({found.n_images} images{', ' if rest else ''}{rest}){faint}"
    )
