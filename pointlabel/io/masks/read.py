"""Masks from files, binarised once: grey, palette, RGB(A), 1, 8 and 16 bit, float TIFF."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ...errors import InputError

#: Grey level of an 8-bit file that a target's pixels lie above.
MASK_THRESHOLD = 127

_DEEP_MODES = ("I", "F")  # "I;16" and its byte orders start with I as well


class MaskWarning(UserWarning):
    """A mask holds values other than 0, and none above the threshold: it counts as empty."""


@dataclass(frozen=True, slots=True)
class GreyMask:
    """The values of a mask file before any threshold.

    Attributes
    ----------
    name : the file, for messages.
    levels : (H, W) uint8, int32 or float32.
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


def read_grey_mask(path: str | Path) -> GreyMask:
    """Read the values of a mask file without loss of depth.

    Of a colour or palette file the largest of red, green and blue counts, so that a red mask on black is read as
    well as a white one; transparency is left out.

    Raises
    ------
    InputError
        Where the file is missing, is no whole image, or holds floating-point values outside [0, 1].
    """
    try:
        with Image.open(path) as image:
            mode = image.mode
            if mode == "1":
                mode = "L"
            elif not mode.startswith((*_DEEP_MODES, "L", "RGB")):
                mode = "RGB"
            array = np.asarray(image if mode == image.mode else image.convert(mode))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such mask file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a mask must be an image file, this is a folder") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: the mask is not an image file of a known format") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: the mask cannot be read: {error}") from None
    if array.ndim == 3:
        array = array[..., :1] if mode.startswith("LA") else array[..., :3]
        array = array.max(axis=2)
    if array.dtype.kind == "f":
        bad = ~((array >= 0) & (array <= 1))
        if bad.any():
            raise InputError(f"{path}: a mask in floating point must lie in [0, 1], got {array[bad][0]:g}")
        return GreyMask(str(path), array.astype(np.float32), 1.0)
    if mode.startswith(_DEEP_MODES):
        return GreyMask(str(path), array.astype(np.int32), 65535.0)
    return GreyMask(str(path), array, 255.0)


def read_mask(path: str | Path, threshold: float = MASK_THRESHOLD) -> NDArray[np.bool_]:
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
    grey = read_grey_mask(path)
    complaint = grey.complaint(threshold)
    if complaint:
        warnings.warn(complaint, MaskWarning, stacklevel=2)
    return grey.mask(threshold)
