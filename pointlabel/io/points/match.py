"""Find images and their points, match them, and refuse points that match nothing, for every command."""

from __future__ import annotations

import difflib
import os
from itertools import chain
from typing import NamedTuple

from ...errors import InputError
from ..frames import named_frames
from ..images import FilePattern, ImageList
from .base import Bound, PointSource
from .readers import open_points

#: A near miss is searched for among this many images and names.
_SEARCHED, _AMONG = 5, 2000


class Matched(NamedTuple):
    """Images with their points: the images, now with the frames that points name, the file of points, the points."""

    found: ImageList
    source: PointSource
    bound: Bound


def match_points(
    found: ImageList,
    points: str | os.PathLike[str] | PointSource,
    origin: str = "center",
    *,
    points_format: str | None = None,
    allow_pickle: bool = False,
) -> Matched:
    """Open the points at `points` and match them with the images that were found.

    Where points name frames of a file (``clip#000123``), these frames are images in place of the file.

    Parameters
    ----------
    found : the images.
    points : where the points are, or points that are open already.
    origin, points_format, allow_pickle : as for `open_points`.

    Raises
    ------
    InputError
        Where there are no points that can be read, they are the images themselves, or no image has any.
    """
    if isinstance(points, str | os.PathLike):
        place = os.fspath(points)
        beside_images = (
            os.path.isdir(place)
            and not isinstance(place, FilePattern)
            and os.path.realpath(place) == os.path.realpath(found.root)
        )
        source = open_points(
            place, origin, points_format=points_format, allow_pickle=allow_pickle, beside_images=beside_images
        )
    else:
        place, source = str(points), points
    bound = source.bind(found.ids, found.root)
    framed = named_frames(found, chain(bound.entries, (name for name, _ in bound.unknown)), bound.frames)
    if framed is not None:
        found, bound = framed, source.bind(framed.ids, framed.root)
    if not bound.entries:
        raise InputError(_nothing(found, place, source, bound))
    return Matched(found, source, bound)


def _nothing(found: ImageList, place: str, source: PointSource, bound: Bound) -> str:
    head = f"{place} has no points for any image of {found.root}"
    names = [name for name, _ in bound.unknown]
    if not names:
        return f"{head}: it holds no {source.what}"
    wanted = [file.id for file in found.files[:_SEARCHED]]
    among = names[:_AMONG]
    pairs = [(each, difflib.get_close_matches(each, among, 1, 0.0)[0]) for each in wanted]
    each, near = max(pairs, key=lambda pair: difflib.SequenceMatcher(None, pair[0], pair[1]).ratio())
    return (
        f"{head}: none of its {len(names)} {source.what} is the path of an image below that folder; "
        f"{each} was looked for, and the nearest is {near}"
        f"{'; capitals and small letters differ' if each.casefold() == near.casefold() else ''}"
    )
