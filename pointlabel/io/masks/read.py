"""Masks from files, binarised by one rule: grey, palette, RGB(A), alpha, 1, 8 and 16 bit, float TIFF."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..._values import as_number, as_path
from ...errors import InputError
from ..decode import decode_channels
from ..files import read_bytes
from ..messages import Note
from .alpha import decode_alpha

#: Grey level of an 8-bit file that a target's pixels lie above.
MASK_THRESHOLD = 127
#: A true mask that covers more of its image than this is one of something else.
MOST_COVER = 0.5
#: A file of fewer pixels may be the crop of one target, and is not judged by what it covers.
JUDGED_PX = 1024

# An image: this share of its pixels lies between black and white, at this many levels.
_GREY_SHARE, _GREY_LEVELS, _LOOKED_AT = 0.25, 16, 256
_EIGHT = np.ones((3, 3), bool)
_NAMED = 4  # levels that a sentence names


class MaskWarning(UserWarning):
    """What is to be known of a mask file, such as values other than 0 and none above the threshold."""


@dataclass(frozen=True, slots=True)
class GreyMask:
    """The values of a mask file before any threshold.

    Attributes
    ----------
    name : the file, for messages.
    levels : (H, W), in the depth of the file.
    full : the value that means certainty: 255, 65535, or 1 for a file in floating point.
    from_alpha : whether `levels` is the file's alpha channel.
    unused_alpha : (H, W), an alpha channel that varies and is left out; None where there is none.
    """

    name: str
    levels: NDArray
    full: float
    from_alpha: bool = False
    unused_alpha: NDArray | None = None

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
        return self.levels > self._limit(threshold)

    def soft(self) -> NDArray[np.float32]:
        """Values as shares of certainty, (H, W) float32 in [0, 1]."""
        return (self.levels / np.float32(self.full)).astype(np.float32)

    def complaint(self, threshold: float = MASK_THRESHOLD) -> str | None:
        """One sentence where values other than 0 all lie at or below the threshold, else None."""
        largest, limit = self.largest, self._limit(threshold)
        if not 0 < largest <= limit:
            return None
        return (
            f"{self.name}: the largest value of the mask is {largest:g}, not above the threshold {limit:g}, "
            "so the mask counts as empty; masks of 0 and 1 need the threshold 0"
        )

    def notes(self, threshold: float = MASK_THRESHOLD) -> tuple[Note, ...]:
        """What is to be known of the file when it is cut at `threshold`: an empty tuple for a plain binary mask."""
        out = [self._alpha_note(threshold)]
        complaint = self.complaint(threshold)
        if self.looks_like_image():
            text = f"{self.name}: many of its pixels are neither black nor white; is it an image?"
            out.append(Note("mask_image", text))
        elif complaint is not None:
            out.append(Note("empty_mask", complaint))
        else:
            out += [self._levels_note(threshold), self._cover_note(threshold)]
        return tuple(note for note in out if note is not None)

    def looks_like_image(self) -> bool:
        """Whether the file holds grey levels as an image does, and no mask: many of them, over much of its area."""
        step = -(-max(self.levels.shape) // _LOOKED_AT)
        levels = self.levels[::step, ::step]
        if self.levels.size < JUDGED_PX:
            return False
        top = self.largest
        grey = levels[(levels > top / 32) & (levels < top * 31 / 32)]
        return grey.size >= _GREY_SHARE * levels.size and np.unique(grey).size >= _GREY_LEVELS

    def _limit(self, threshold: float) -> float:
        return threshold * (self.full / 255)

    def _levels_note(self, threshold: float) -> Note | None:
        if not self.n_other:
            return None
        from scipy import ndimage

        mask, limit = self.mask(threshold), self._limit(threshold)
        values = np.unique(self.levels[self.levels != 0])
        shown = ", ".join(f"{value:g}" for value in values[:_NAMED])
        shown = shown if values.size <= _NAMED else f"{values.size} values from {values[0]:g} to {values[-1]:g}"
        areas, n_areas = ndimage.label(self.levels != 0, _EIGHT)
        n_lost = n_areas - np.unique(areas[mask]).size
        n_cut = int(np.count_nonzero((self.levels != 0) & ~mask))
        what = "all above" if not n_cut else f"{_count(n_cut, 'pixel')} not above"
        text = f"{self.name}: the mask holds {shown}, {what} the threshold {limit:g}"
        if n_lost:
            text += f", {_count(n_lost, 'whole area')} among them"
        if n_lost and values.size <= n_areas:  # more levels than areas: grey borders, or the noise of JPEG
            text += "; numbered targets need `mask_threshold=0`"
        return Note("mask_levels", text)

    def _cover_note(self, threshold: float) -> Note | None:
        share = float(self.mask(threshold).mean())
        if self.levels.size < JUDGED_PX or share <= MOST_COVER:
            return None
        what = f"{self.name}: the mask covers {100 * share:.3g} % of the image"
        return Note("mask_cover", f"{what}; is it inverted, or in the alpha channel?")

    def _alpha_note(self, threshold: float) -> Note | None:
        if self.from_alpha:
            return Note("mask_alpha", f"{self.name}: its colours show no mask; the mask is read from its alpha channel")
        alpha = self.unused_alpha
        if alpha is None or np.array_equal(alpha > threshold * (_full(alpha) / 255), self.mask(threshold)):
            return None
        return Note("mask_alpha", f"{self.name}: its alpha channel shows another mask than its colours and is left out")


def read_grey_mask(path: str | os.PathLike[str], data: bytes | None = None) -> GreyMask:
    """Read the values of a mask file without loss of depth; `data` is what it holds, where it was read already.

    Of a colour or palette file the largest of red, green and blue counts, so that a red mask on black is read as
    well as a white one. The alpha channel is left out, unless the colours are the same everywhere or those of an
    image, as in a cut-out: then it is the mask.

    Raises
    ------
    InputError
        Where the file is missing, is no whole image, or holds floating-point values outside [0, 1].
    """
    name = os.fspath(path)
    if data is None:
        data = read_bytes(name)
    levels, _ = decode_channels(data, name)
    alpha = decode_alpha(data, name)
    is_flat = alpha is not None and bool((levels == levels[:1, :1]).all())
    if levels.ndim == 3:
        levels = levels.max(axis=2)
    if alpha is not None and (alpha.shape != levels.shape or alpha.dtype.kind not in "uif"):
        alpha = None
    grey = _checked(name, levels)
    if alpha is None:
        return grey
    if (alpha == alpha[0, 0]).all():  # the same everywhere: all there, or an empty cut-out
        return grey if alpha[0, 0] or not is_flat else _checked(name, alpha, from_alpha=True)
    if is_flat or grey.looks_like_image():
        return _checked(name, alpha, from_alpha=True)
    return GreyMask(name, grey.levels, grey.full, unused_alpha=alpha)


def _checked(name: str, levels: NDArray, *, from_alpha: bool = False) -> GreyMask:
    if levels.dtype.kind == "f":
        bad = ~((levels >= 0) & (levels <= 1))
        if bad.any():
            raise InputError(f"{name}: a mask in floating point must lie in [0, 1], got {levels[bad][0]:g}")
    return GreyMask(name, levels, _full(levels), from_alpha)


def _full(levels: NDArray) -> float:
    """The value that means certainty in files of this type."""
    return 1.0 if levels.dtype.kind == "f" else 255.0 if levels.dtype.itemsize == 1 else 65535.0


def read_true_mask(
    path: str | os.PathLike[str],
    threshold: float = MASK_THRESHOLD,
    shape: tuple[int, int] | None = None,
    data: bytes | None = None,
) -> tuple[NDArray[np.bool_], tuple[Note, ...]]:
    """Read a true mask as every command reads it.

    Parameters
    ----------
    path : the mask file.
    threshold : as for `read_mask`.
    shape : (rows, columns) of its image; None where there is none to compare with.
    data : what the file holds, where it was read already.

    Returns
    -------
    mask : (H, W) bool.
    notes : what is to be known of the file.

    Raises
    ------
    InputError
        As `read_grey_mask`, and where the mask has another size than its image.
    """
    grey = read_grey_mask(path, data)
    if shape is not None and grey.levels.shape != shape:
        height, width = grey.levels.shape
        raise InputError(f"{grey.name}: the true mask is {width} x {height}, its image {shape[1]} x {shape[0]}")
    return grey.mask(threshold), grey.notes(threshold)


def check_threshold(value: float) -> float:
    """Return a mask threshold as float; raise where it is no number in [0, 255)."""
    threshold = as_number(value, "mask_threshold")
    if not 0 <= threshold < 255:
        raise InputError(f"mask_threshold must lie in [0, 255), got {threshold:g}")
    return threshold


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
        For each of `GreyMask.notes`, such as where the file holds values other than 0 and none above the threshold, as
        a mask of 0 and 1 does: the mask that comes back is empty. It is no error, because a faint soft prediction
        looks the same.

    Raises
    ------
    InputError
        Where the file is missing, is no whole image, or holds floating-point values outside [0, 1].
    """
    mask, notes = read_true_mask(as_path(path, "path"), check_threshold(threshold))
    for note in notes:
        warnings.warn(note.text, MaskWarning, stacklevel=2)
    return mask


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"
