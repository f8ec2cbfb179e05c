"""Predicted masks beside the true ones of the same image."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...errors import InputError
from ..images import FilePattern, list_images, normal_id
from ..layouts.rules import find_layout
from ..manifest import holds_run


@dataclass(frozen=True, slots=True)
class MaskPair:
    """A true mask and the prediction for it: `id`, path of the prediction or None where there is none, true path."""

    id: str
    predicted: str | None
    true: str


@dataclass(frozen=True, slots=True)
class MaskPairs:
    """All true masks with their predictions, in the order of their ids.

    Attributes
    ----------
    pairs : one for each true mask.
    missing : ids of true masks without a prediction.
    unused : ids of predictions without a true mask.
    """

    pairs: tuple[MaskPair, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def list_masks(where: str | os.PathLike[str]) -> dict[str, str]:
    """Find the masks of a folder with its sub-folders, as id -> path in the order of the ids.

    For a folder written by ``annotate`` its sub-folder ``masks`` is used, for a data set what its layout says. The id
    is the path below the folder without suffix, and without the ending ``_pixels0`` (`images.normal_id`).

    Raises
    ------
    InputError
        Where there is no image at `where`, or two have one id.
    """
    text = os.fspath(where)
    if holds_run(text):
        text = os.path.join(text, "masks")
    elif os.path.isdir(text) and not isinstance(text, FilePattern):
        text = find_layout(text).masks or text
    out: dict[str, str] = {}
    for file in list_images(text).files:
        if file.rivals:
            raise InputError(f"{text}: {file.shown} and {file.rivals[0]} are both masks of {file.id}; keep one of them")
        out[file.id] = file.path
    return out


def pair_masks(predicted: str | os.PathLike[str], true: str | os.PathLike[str]) -> MaskPairs:
    """Pair the masks of two folders by id, or two files.

    Raises
    ------
    InputError
        Where one of them holds no image, or the two have no id in common.
    """
    if os.path.isfile(predicted) and os.path.isfile(true):
        pair = MaskPair(normal_id(os.path.splitext(os.path.basename(true))[0]), os.fspath(predicted), os.fspath(true))
        return MaskPairs((pair,), (), ())
    ours, truth = list_masks(predicted), list_masks(true)
    if not ours.keys() & truth.keys():
        raise InputError(
            f"{os.fspath(predicted)} and {os.fspath(true)} have no id in common: "
            f"the first holds {next(iter(ours))}, the second {next(iter(truth))}"
        )
    return MaskPairs(
        tuple(MaskPair(name, ours.get(name), path) for name, path in truth.items()),
        tuple(name for name in truth if name not in ours),
        tuple(name for name in ours if name not in truth),
    )
