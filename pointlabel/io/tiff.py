"""TIFF files: what their samples mean. `tiff_samples` reads them."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .limits import check_cost
from .messages import Note
from .orientation import ORIENTATION, orientation_notes
from .pixels import Pixels, convert_colours
from .tiff_samples import Bytes, FileSlices, check_directory, directories, missing_pieces, read_behind, read_samples

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_PHOTOMETRIC, _PALETTE, _EXTRA_SAMPLES, _GDAL_NODATA = 262, 320, 338, 42113
_WHITE, _BLACK, _RGB, _INDEXED, _MASK, _CMYK, _YCBCR, _LINEAR = 0, 1, 2, 3, 4, 5, 6, 34892
_FAX, _JPEG = (2, 3, 4), (6, 7)
# Beyond this a nodata value is one of the largest floats, which text often holds rounded; no grey level is so large.
_HUGE = 1e30
_MAX_DESCRIPTION = 4096


def decode_tiff(data: bytes, name: str, *, find_nodata: bool = False) -> Pixels:
    """Decode the first page of a TIFF file, whatever its compression.

    Palettes are looked up, files where white is zero are inverted, and 1 to 7 bits become 8.

    Parameters
    ----------
    data : the file's bytes.
    name : its name, for messages.
    find_nodata : whether to say which pixels hold the nodata value of the tag that GDAL writes.
    """
    import tifffile

    check_directory(data, name)
    with tifffile.TiffFile(io.BytesIO(data), _multifile=False) as tiff:
        page: Any = tiff.pages[0]
        notes = _frame_notes(tiff, page, name)
        return _decode_page(data, page, name, notes, find_nodata=find_nodata)


class TiffFrames:
    """The pages of a TIFF file, or the frames or planes of a stack in one page, read one at a time.

    Parameters
    ----------
    path : the file; it is kept open.
    """

    def __init__(self, path: str) -> None:
        import tifffile

        self._name = path
        self._file = open(path, "rb")  # noqa: SIM115 - closed with the object
        self._data = FileSlices(self._file)
        self._places = list(directories(self._data))
        check_directory(self._data, path)
        self._tiff = tifffile.TiffFile(path, _multifile=False)
        one_page = len(self._places) == 1
        self._n_in_page = _frames_in_page(self._tiff.pages[0]) if one_page else 1
        self._n_planes = self._count_planes() if one_page and self._n_in_page == 1 else 1

    def __del__(self) -> None:
        for name in ("_tiff", "_file"):
            if hasattr(self, name):  # where the file could not be opened there is none
                getattr(self, name).close()

    def __len__(self) -> int:
        return max(len(self._places), self._n_in_page, self._n_planes)

    def read(self, frame: int) -> Pixels:
        """Decode one frame."""
        if self._n_in_page > 1:
            page: Any = self._tiff.pages[0]
            return _decode_page(self._data, page, self._name, (), find_nodata=True, frame=frame)
        if self._n_planes > 1:
            return _decode_page(self._data, self._tiff.pages[0], self._name, (), find_nodata=True, plane=frame)
        check_directory(self._data, self._name, self._places[frame])
        return _decode_page(self._data, self._tiff.pages[frame], self._name, (), find_nodata=True)

    def _count_planes(self) -> int:
        """Planes that are frames in the only page: 1 where they are channels."""
        page: Any = self._tiff.pages[0]
        if int(page.planarconfig) == 1 or page.samplesperpixel == 1:
            return 1
        photometric = _photometric(page, self._name)
        extra = _extra_bytes(page, photometric, None)
        planes = _channels_last(read_samples(self._data, page, self._name, nodata=None, extra_bytes=extra))
        return planes.shape[2] if _are_frames(planes, page, photometric) else 1


def _decode_page(
    data: Bytes,
    page: Any,
    name: str,
    notes: tuple[Note, ...],
    *,
    find_nodata: bool,
    frame: int = 0,
    plane: int | None = None,
) -> Pixels:
    """Decode a page, a later frame that lies behind its pixels, or one of its planes where they are frames."""
    photometric = _photometric(page, name)
    text, nodata = _nodata(page) if find_nodata else ("", None)
    if photometric == _INDEXED:
        check_cost(name, page.imagewidth, page.imagelength, page.imagewidth * page.imagelength * 3, len(data))
    extra = _extra_bytes(page, photometric, nodata)
    if frame:
        samples = read_behind(data, page, name, frame, extra_bytes=extra)
    else:
        samples = read_samples(data, page, name, nodata=nodata, extra_bytes=extra)
    notes += orientation_notes(page.tags.valueof(ORIENTATION), name)
    n_missing = missing_pieces(page)
    if n_missing:
        value = text if nodata is not None else "0"
        notes += (Note("missing", f"{name}: {n_missing} strips or tiles are left out; their pixels are {value}"),)
    array = _channels_last(samples)
    array, more = (array[..., plane], ()) if plane is not None else _colours(array, page, photometric, name)
    holes = None if nodata is None else _holes(array, nodata)
    array, turned = _levels(array, page, photometric, name)
    return Pixels(array, notes + more + turned, holes if holes is not None and holes.any() else None, text)


def _channels_last(samples: NDArray) -> NDArray:
    """Samples of a page, planes first -> (H, W, C), where planes and samples are one axis."""
    return np.moveaxis(samples[..., 0], 0, -1) if samples.shape[0] > 1 else samples[0]


def _photometric(page: Any, name: str) -> int:
    """What the samples mean; where the tag is missing, what libtiff assumes."""
    if _PHOTOMETRIC not in page.tags and int(page.compression) not in _JPEG:
        if page.samplesperpixel >= 3 and int(page.planarconfig) == 1:
            return _RGB
        return _WHITE if int(page.compression) in _FAX else _BLACK
    value = int(page.photometric)
    if value == _LINEAR:
        return _BLACK if page.samplesperpixel < 3 else _RGB
    if value not in (_WHITE, _BLACK, _RGB, _INDEXED, _MASK, _CMYK, _YCBCR):
        shown = getattr(page.photometric, "name", "unknown")
        raise InputError(f"{name}: TIFF pixels of the kind {shown} ({value}) are not read; save it as grey or RGB")
    return value


def _extra_bytes(page: Any, photometric: int, nodata: float | None) -> int:
    """Bytes per pixel that the steps after decoding take besides the samples, at most."""
    if page.dtype is None:
        return 0
    colours = 3 if photometric in (_INDEXED, _CMYK, _YCBCR) else 0
    grey = page.dtype.itemsize if page.samplesperpixel > 1 or colours else 0
    missing = 0 if nodata is None else 1 if page.dtype.kind == "f" else 1 + max(4, page.dtype.itemsize)
    return colours + grey + missing


def _frame_notes(tiff: Any, page: Any, name: str) -> tuple[Note, ...]:
    """A note where the file holds more images than the one that is read."""
    pages = len(tiff.pages)
    if pages > 1:
        return (Note("pages", f"{name}: it holds {pages} pages; the first is used"),)
    frames = _frames_in_page(page)
    if frames < 2:
        return ()
    return (Note("pages", f"{name}: it holds {frames} frames in one page; the first is used"),)


def _frames_in_page(page: Any) -> int:
    """Frames that lie behind each other in one page, as its description has it: 1 where it holds one image."""
    frames = 1
    # The start of the description is enough, and parsing one of many megabytes takes long.
    description = str(page.description)[:_MAX_DESCRIPTION]
    if description.startswith('{"shape"'):
        with contextlib.suppress(ValueError, RecursionError):
            shape = json.loads(description).get("shape")
            if isinstance(shape, list) and all(isinstance(size, int) and size > 0 for size in shape):
                frames = math.prod(shape) // max(math.prod(page.shape), 1)
    elif description.startswith("ImageJ="):
        images = re.search(r"^images=(\d{1,9})\s*$", description, re.MULTILINE)
        frames = int(images[1]) if images else 1
    return max(frames, 1)


def _colours(array: NDArray, page: Any, photometric: int, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """(H, W, C) samples -> (H, W), or (H, W, 3) in red, green and blue."""
    channels = array.shape[2]
    if photometric == _INDEXED:
        return _look_up(array[..., 0], page, name), ()
    if photometric in (_CMYK, _YCBCR) and not (photometric == _YCBCR and int(page.compression) in _JPEG):
        needed = 4 if photometric == _CMYK else 3
        model = "CMYK" if photometric == _CMYK else "YCbCr"
        if channels < needed or array.dtype != np.uint8:
            raise InputError(
                f"{name}: {model} in TIFF is read with {needed} channels of 8 bits, got {channels} of "
                f"{page.bitspersample} bits"
            )
        return convert_colours(array[..., :needed], model), ()
    if _are_frames(array, page, photometric):
        note = Note("pages", f"{name}: it holds {channels} planes, taken for frames; the first is used")
        return array[..., 0], (note,)
    if photometric in (_RGB, _YCBCR) and channels >= 3:
        return array[..., :3], ()
    if channels == 1 or _has_alpha_only(page, channels):
        return array[..., 0], ()
    return array[..., 0], (Note("pages", f"{name}: it holds {channels} channels; the first is used"),)


def _are_frames(array: NDArray, page: Any, photometric: int) -> bool:
    """Whether the planes of a page, (H, W, C), are images of their own, not the colours of one."""
    channels = array.shape[2]
    if int(page.planarconfig) == 1 or channels == 1 or photometric in (_INDEXED, _CMYK, _YCBCR):
        return False
    if photometric == _RGB and channels >= 3:
        return _is_plain_stack(page) and not _are_equal(array[..., :3])
    return not _has_alpha_only(page, channels)


def _is_plain_stack(page: Any) -> bool:
    """Whether planes of "RGB" come from a writer that makes RGB of any array of 3 or 4 planes."""
    nameless = page.samplesperpixel > 3 and _EXTRA_SAMPLES not in page.tags
    return nameless or "tifffile" in str(page.software) or str(page.description).startswith('{"shape"')


def _are_equal(colour: NDArray) -> bool:
    return all(np.array_equal(colour[..., 0], colour[..., k]) for k in (1, 2))


def _has_alpha_only(page: Any, channels: int) -> bool:
    """Whether all samples but the first are alpha."""
    extra = page.tags.valueof(_EXTRA_SAMPLES)
    kinds = extra if isinstance(extra, tuple) else (extra,)
    return channels == 2 and len(kinds) == 1 and kinds[0] in (1, 2)


def _look_up(index: NDArray, page: Any, name: str) -> NDArray:
    """Colours of a palette, (H, W, 3) uint8; (H, W) where the palette is grey."""
    values = page.tags.valueof(_PALETTE)
    size = 2 ** int(page.bitspersample)
    if values is None or np.size(values) != 3 * size or index.dtype.kind not in "ub":
        raise InputError(f"{name}: the file is cut short or damaged (its palette is missing or of another size)")
    palette = np.asarray(values, np.uint16).reshape(3, size)
    # By the standard 65535 is full intensity, but some writers stop at 255.
    bytes_ = (palette >> 8 if palette.max() > 255 else palette).astype(np.uint8)
    table = bytes_[0] if (bytes_ == bytes_[0]).all() else np.ascontiguousarray(bytes_.T)
    return table[index.astype(np.uint8) if index.dtype == bool else index]


def _levels(array: NDArray, page: Any, photometric: int, name: str) -> tuple[NDArray, tuple[Note, ...]]:
    """Invert files where white is zero, and widen fewer than 8 bits."""
    if photometric == _INDEXED:
        return array, ()
    notes: tuple[Note, ...] = ()
    array = np.require(array, requirements=["W"])
    bits = page.bitspersample
    if photometric == _WHITE:
        if array.dtype.kind == "u":
            np.subtract(array.dtype.type(2**bits - 1), array, out=array)
        elif array.dtype.kind == "b":
            np.logical_not(array, out=array)
        else:
            # Nothing says what white is among signed numbers and fractions: those are mirrored about -0.5 and 0.
            (np.invert if array.dtype.kind == "i" else np.negative)(array, out=array)
            notes = (Note("turned", f"{name}: white is zero in this file, so its grey levels are inverted"),)
    if array.dtype == bool:
        array = array.view(np.uint8)
        np.multiply(array, 255, out=array)
    elif array.dtype == np.uint8 and bits < 8:
        most = 2**bits - 1
        table = (np.arange(256) * 255 + most // 2) // most
        array = table.clip(0, 255).astype(np.uint8)[array]
    return array, notes


def _nodata(page: Any) -> tuple[str, float | None]:
    """The nodata value of GDAL, as text and as a number that the samples can hold, None where there is none."""
    text = str(page.tags.valueof(_GDAL_NODATA) or "").strip().strip("\0").strip()
    dtype = page.dtype
    if not text or dtype is None or dtype.kind not in "uif":
        return text, None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return text, None
    if dtype.kind == "f":
        return text, None if math.isnan(value) else value
    limits = np.iinfo(dtype)
    return text, value if value.is_integer() and limits.min <= value <= limits.max else None


def _holes(array: NDArray, nodata: float) -> NDArray[np.bool_]:
    """Pixels that hold the nodata value in all channels."""
    if array.dtype.kind != "f":
        found = array == array.dtype.type(int(nodata))
    elif abs(nodata) > _HUGE:
        found = array * np.sign(nodata) >= abs(nodata) * 0.999
    else:
        found = array == array.dtype.type(nodata)
    return found if found.ndim == 2 else found.all(axis=2)
