"""Masks from files, binarised once: grey, palette, RGB(A), 1, 8 and 16 bit, float TIFF."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..._checks import as_number, as_path
from ...errors import InputError
from ..decode import decode_channels
from ..files import read_bytes

#: Grey level of an 8-bit file that a target's pixels lie above.
MASK_THRESHOLD = 127


class MaskWarning(UserWarning):
    """A mask holds values other than 0, and none above the threshold: it counts as empty."""


@dataclass(frozen=True, slots=True)
class GreyMask:
    """The values of a mask file before any threshold.

    Attributes
    ----------
    name : the file, for messages.
    levels : (H, W), in the depth of the file.
    full : the value that stands for certainty: 255, 65535, or 1 for a file in floating point.
    """

    name: str
    levels: NDArray
    full: float

    @property
    def is_soft(self) -> bool:
        """Whether the file has the depth of a soft label: 16 bits or floating point."""
        return self.full != 255

    @property
    def largest(self) -> float:
        """The largest value."""
        return float(self.levels.max())

    @property
    def n_other(self) -> int:
        """Pixels that are neither 0 nor the file's largest value: 0 for a binary mask."""
        return int(np.count_nonzero((self.levels != 0) & (self.levels != self.levels.max())))

    def mask(self, threshold: float = MASK_THRESHOLD) -> NDArray[np.bool_]:
        """Pixels above `threshold`, (H, W) bool; `threshold` counts in steps of an 8-bit file, whatever the depth."""
        return self.levels > threshold * (self.full / 255)

    def soft(self) -> NDArray[np.float32]:
        """Values as shares of certainty, (H, W) float32 in [0, 1]."""
        return (self.levels / np.float32(self.full)).astype(np.float32)

    def complaint(self, threshold: float = MASK_THRESHOLD) -> str | None:
        """One sentence where values other than 0 all lie at or below the threshold, else None."""
        largest, limit = self.largest, threshold * (self.full / 255)
        if not 0 < largest <= limit:
            return None
        return (
            f"{self.name}: the largest value of the mask is {largest:g}, not above the threshold {limit:g}, "
            "so the mask counts as empty; masks of 0 and 1 need the threshold 0"
        )


def read_grey_mask(path: str | os.PathLike[str]) -> GreyMask:
    """Read the values of a mask file without loss of depth.

    Of a colour or palette file the largest of red, green and blue counts, so that a red mask on black is read as
    well as a white one; transparency is left out.

    Raises
    ------
    InputError
        Where the file is missing, is no whole image, or holds floating-point values outside [0, 1].
    """
    name = os.fspath(path)
    levels, _ = decode_channels(read_bytes(name), name)
    if levels.ndim == 3:
        levels = levels.max(axis=2)
    if levels.dtype.kind == "f":
        bad = ~((levels >= 0) & (levels <= 1))
        if bad.any():
            raise InputError(f"{name}: a mask in floating point must lie in [0, 1], got {levels[bad][0]:g}")
        return GreyMask(name, levels, 1.0)
    return GreyMask(name, levels, 255.0 if levels.dtype.itemsize == 1 else 65535.0)


def read_mask(path: str | os.PathLike[str], threshold: float = MASK_THRESHOLD) -> NDArray[np.bool_]:
    """Read a mask file as (H, W) bool: the pixels above `threshold`.

    Parameters
    ----------
    path : an image file: grey, palette, RGB(A), 1, 8 or 16 bit, or a float TIFF in [0, 1].
    threshold : grey level in steps of an 8-bit file, in [0, 255); a 16-bit file is compared with 257 times it and a
        file in floating point with 1/255 of it. 127 by default; masks of 0 and 1 need 0.

    Warns
    -----
    MaskWarning
        Where the file holds values other than 0 and none above the threshold, as a mask of 0 and 1 does: the mask
        that comes back is empty. It is no error, because a faint soft prediction looks the same.

    Raises
    ------
    InputError
        Where the file is missing, is no whole image, or holds floating-point values outside [0, 1].
    """
    as_number(threshold, "threshold", 0, 255)
    grey = read_grey_mask(as_path(path, "path"))
    complaint = grey.complaint(threshold)
    if complaint:
        warnings.warn(complaint, MaskWarning, stacklevel=2)
    return grey.mask(threshold)
