"""Images that are nearly equal: frames of one scene, or one background with other targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import PointLabelError
from ..io.decode import read_image
from ..io.images import ImageFile

#: Blocks along each side of a print, and the correlation of two prints above which their images are near twins.
BLOCKS, TWIN = 16, 0.95
#: Pixels along a side of a block that are looked at; larger ones are thinned out.
_BLOCK_PX = 16
#: Prints compared at a time, so that the table of correlations stays small.
_AT_A_TIME = 1024


def image_print(image: NDArray) -> NDArray[np.float32] | None:
    """What of an image is compared: the steps between the medians of 16 x 16 blocks, across and down.

    Brightness and contrast do not count, and neither do targets smaller than half a block. Flat images have no print.

    Parameters
    ----------
    image : (H, W) grey levels; pixels that are not finite count as the mean of the others.

    Returns
    -------
    (480,) float32 of length 1; None for an image that is smaller than the blocks or the same everywhere.
    """
    sides = [size // BLOCKS for size in image.shape]
    if not all(sides):
        return None
    strides = [-(-side // _BLOCK_PX) for side in sides]
    grey = image[: sides[0] * BLOCKS : strides[0], : sides[1] * BLOCKS : strides[1]].astype(np.float32)
    sides = [size // BLOCKS for size in grey.shape]
    grey = grey[: sides[0] * BLOCKS, : sides[1] * BLOCKS]
    finite = np.isfinite(grey)
    if not finite.all():
        grey = np.where(finite, grey, grey[finite].mean() if finite.any() else np.float32(0))
    blocks = grey.reshape(BLOCKS, sides[0], BLOCKS, sides[1]).swapaxes(1, 2).reshape(BLOCKS, BLOCKS, -1)
    medians = np.median(blocks, axis=2)
    steps = np.concatenate([np.diff(medians, axis=0).ravel(), np.diff(medians, axis=1).ravel()])
    length = float(np.linalg.norm(steps))
    return None if length <= 1e-6 * max(float(np.abs(medians).max()), 1e-9) else (steps / length).astype(np.float32)


def image_prints(
    files: Sequence[ImageFile], report: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, NDArray[np.float32] | None]:
    """Prints of image files, by id; None for those that cannot be read.

    Parameters
    ----------
    files : the images.
    report : called with the number of files done and of all.
    """
    prints: dict[str, NDArray[np.float32] | None] = {}
    for number, file in enumerate(files, 1):
        try:
            prints[file.id] = image_print(read_image(file.path)[0])
        except PointLabelError:
            prints[file.id] = None
        report(number, len(files))
    return prints


def find_twins(prints: Mapping[str, NDArray[np.float32] | None]) -> list[tuple[str, str]]:
    """Pairs of ids whose images are near twins: the correlation of their prints is above `TWIN`.

    Parameters
    ----------
    prints : of `image_print`, by id.
    """
    ids = [name for name, each in prints.items() if each is not None]
    if not ids:
        return []
    table = np.stack([each for each in prints.values() if each is not None])
    pairs = []
    for start in range(0, len(ids), _AT_A_TIME):
        near = table[start : start + _AT_A_TIME] @ table.T > TWIN
        for row, column in zip(*np.nonzero(near), strict=True):
            if column > row + start:
                pairs.append((ids[row + start], ids[column]))
    return pairs


def twin_groups(ids: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The first id of the group of each id: twins, and twins of twins, are one group."""
    home = {name: name for name in ids}

    def first(name: str) -> str:
        while home[name] != name:
            home[name] = home[home[name]]
            name = home[name]
        return name

    for one, other in pairs:
        a, b = first(one), first(other)
        home[max(a, b)] = min(a, b)
    return {name: first(name) for name in ids}
