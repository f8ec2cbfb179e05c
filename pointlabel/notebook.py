"""For Python and notebooks: an image from a file, and labels that show and save themselves."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._values import as_path
from .errors import InputError, MissingExtraError, name_hint
from .types import ImageLabels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Format of a file by its suffix, for `Labels.save`.
SUFFIXES = {".png": "png", ".npz": "npz", ".json": "coco", ".xml": "cvat", ".csv": "boxes"}


def read_image(path: str | os.PathLike[str]) -> NDArray:
    """Read an image as every command does: a PNG, TIFF, BMP or JPEG file, or a frame of a stack, an array or a video.

    Parameters
    ----------
    path : the file, or its URI. ``clip.tif#000123`` is a frame of it, counted from 0; without one it is the first.

    Returns
    -------
    (H, W) array in the depth of the file; colours become their luma. `pointlabel.io.decode.read_image` also gives the
    messages about the file, such as that it holds more frames.

    Raises
    ------
    InputError
        Where the file cannot be read, is damaged, is larger than the limits, or holds no such frame.
    """
    from .io.decode import read_image as read_with_notes

    return read_with_notes(as_path(path, "path"))[0]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Labels(ImageLabels):
    """The labels that `pointlabel.annotate` returns.

    Attributes
    ----------
    image : (H, W), the image they were made of, so that they can show themselves; None where they do not hold it.
    """

    image: NDArray | None = field(default=None)

    def __repr__(self) -> str:
        """Size, number of targets, and the least trusted of them."""
        height, width = self.shape
        n = len(self.targets)
        text = f"Labels of {width} x {height} px, {n} target{'' if n == 1 else 's'}"
        if not n:
            return f"<{text}>"
        lowest = min(target.trust for target in self.targets)
        return f"<{text} of {sum(target.area for target in self.targets)} px, lowest trust {lowest:.2f}>"

    def boxes(self) -> NDArray[np.int64]:
        """Boxes of the masks, (N, 4): row0, col0, row1, col1, half-open; zeros where a mask is empty."""
        boxes = [target.box or (0, 0, 0, 0) for target in self.targets]
        return np.asarray(boxes, np.int64).reshape(-1, 4)

    def polygons(self) -> list[list[NDArray[np.float64]]]:
        """Borders of each target's parts and holes along the edges of the pixels, exactly.

        Returns
        -------
        One list per target of (K, 2) arrays of corners (row, column), centres of pixels at whole numbers, so that
        corners lie half a pixel beside them; an empty list where a mask is empty.
        """
        from .io.exchange.rings import trace

        traced = [trace(target.mask, target.origin) for target in self.targets]
        return [[np.asarray(ring, np.float64)[:, ::-1] - 0.5 for ring in rings] for rings in traced]

    def save(self, path: str | os.PathLike[str], format: str | None = None, *, image_name: str = "") -> None:
        """Write the labels to a file, or to a folder for yolo, yolo-seg and voc; an earlier one there is replaced.

        Parameters
        ----------
        path : of the file or folder.
        format : one that ``pointlabel convert`` writes, such as "labelme"; None goes by the suffix: .png (masks), .npz,
            .json (coco), .xml (cvat), .csv (boxes).
        image_name : file name of the image, for formats that name it; by default that of `path` with .png.

        Raises
        ------
        InputError
            Where there is no such format, the format has no way to hold the labels, or a picture or an archive of
            others would be replaced.
        OutputError
            Where the file cannot be written.
        """
        from .io.exchange.base import masks_of
        from .io.exchange.ledger import ExportFolder, OneFile
        from .io.exchange.table import get_format

        place = as_path(path, "path")
        stem, suffix = os.path.splitext(os.path.basename(place))
        if format is None and suffix.lower() not in SUFFIXES:
            raise InputError(f"{place}: no format has the suffix {suffix or 'none'}; {name_hint(suffix, SUFFIXES)}")
        form = get_format(SUFFIXES[suffix.lower()] if format is None else format)
        if form.write is None:
            raise InputError(f"format {form.name} is only read; choose another")
        name = os.path.splitext(image_name)[0] or stem
        image = masks_of(name, self, file=image_name, with_soft=form.name in ("soft", "npz"))
        if len(form.files) == 1:
            form.write([image], OneFile(place))
            return
        folder = ExportFolder(place)
        form.write([image], folder)
        folder.end()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the image, the borders of the masks and the points with matplotlib.

        Parameters
        ----------
        ax : where to; None for a new figure.

        Raises
        ------
        MissingExtraError
            Where matplotlib is not installed.
        """
        try:
            from matplotlib import pyplot
        except ModuleNotFoundError as error:
            raise MissingExtraError("plot needs matplotlib: pip install 'pointlabel[plot]'") from error
        axes = pyplot.subplots()[1] if ax is None else ax
        axes.imshow(self._shown(), cmap="gray")
        for target, rings in zip(self.targets, self.polygons(), strict=True):
            for ring in rings:
                closed = np.vstack([ring, ring[:1]])
                axes.plot(closed[:, 1], closed[:, 0], color="tab:orange", linewidth=1)
            axes.plot(target.point[1], target.point[0], "+", color="tab:cyan", markersize=4)
        return axes

    def _repr_png_(self) -> bytes:
        """The overlay, as a notebook shows it."""
        from .io.masks.png import encode_picture
        from .io.overlay import draw_overlay

        return encode_picture(draw_overlay(self._shown(), self))

    def _shown(self) -> NDArray:
        return self.soft() if self.image is None else self.image
