"""Draw a split of a data set, and write its lists of ids: the function behind ``pointlabel split``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from .._values import as_choice, as_number, as_path
from ..errors import InputError
from ..inspection.twins import find_twins, image_prints, twin_groups
from ..io.datasets import SPLIT_FOLDER
from ..io.files import write_whole
from ..io.frames import list_inputs
from ..io.layouts.parts import Parts
from ..io.layouts.rules import find_layout
from ..io.text import encode_text
from .draw import GROUPS, draw_split, parse_ratio


def make_split(
    folder: str | os.PathLike[str],
    *,
    ratio: str = "6:2:2",
    seed: int = 0,
    group: str = "none",
    overwrite: bool = False,
    on_twins: Callable[[Sequence[tuple[str, str]]], None] | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, tuple[str, ...]]:
    """Draw a split of the images of a data set, or of a folder of images, and write its lists.

    Parameters
    ----------
    folder : a data set, or images; the lists go where its layout has them, else to ``img_idx/`` in it.
    ratio : training, validation and test, or training and test.
    seed : of the draw.
    group : "folder" keeps the images of a folder in one part, "top" those of each folder right below that of the
        images, "twins" those that are near twins (`inspection.twins`); "none" draws single images.
    overwrite : whether lists that are there may be replaced.
    on_twins : called with the pairs of near twins that are in two parts, where there are any; all images are read for
        that. None looks for none, but for the group "twins".
    report : called with the number of images read and of all.

    Returns
    -------
    Ids by part.

    Raises
    ------
    InputError
        For a ratio that is none, too few images, or lists that are there.
    """
    root = as_path(folder, "folder")
    shares = parse_ratio(ratio)
    as_number(seed, "seed", 0, whole=True)
    as_choice(group, "group", GROUPS)
    if not os.path.isdir(root):
        raise InputError(f"{root}: no such folder")
    parts = find_layout(root)
    files = list_inputs(parts.images).files
    found = [file.id for file in files]
    odd = next((each for each in found if each.strip().splitlines() != [each]), None)
    if odd is not None:
        raise InputError(f"{parts.images}: a list holds one id per line, and {odd!r} breaks lines; rename it")
    where = parts.list_folder or os.path.join(root, SPLIT_FOLDER)
    _check_lists(parts, where, overwrite)
    homes = pairs = None
    if on_twins is not None or group == "twins":
        pairs = find_twins(image_prints(files, report))
        homes = twin_groups(found, pairs) if group == "twins" else None
    drawn = draw_split(found, shares, seed, group, homes)
    for name, ids in drawn.items():
        write_whole(os.path.join(where, f"{name}.txt"), _lines(ids))
    home = {each: name for name, ids in drawn.items() for each in ids}
    torn = [pair for pair in pairs or () if home[pair[0]] != home[pair[1]]]
    if torn and on_twins is not None:
        on_twins(torn)
    return drawn


def _check_lists(parts: Parts, where: str, overwrite: bool) -> None:
    """Refuse a split of a data set that has one, unless it may be replaced."""
    names = [each.name for each in parts.lists]
    if any(each.path is None for each in parts.lists):
        raise InputError(f"{parts.root}: its parts are folders ({', '.join(names)}), which a list would contradict")
    if any("/" in name for name in names):
        raise InputError(f"{parts.root} holds lists in several folders ({', '.join(names)}); keep one of them")
    if names and not overwrite:
        raise InputError(f"{where} holds lists already ({', '.join(names)}); `overwrite` replaces them")


def _lines(ids: Sequence[str]) -> bytes:
    return encode_text("".join(f"{each}\n" for each in ids))
