"""What reading one image file may take, counted from its header before anything is spent."""

from __future__ import annotations

from ..errors import InputError

#: Most bytes of the decoded pixels, width x height x channels x bytes per sample: 10,000 x 10,000 of 32 bits fit.
MAX_PIXEL_BYTES = 400 << 20
#: Most bytes in all: the file, its decoded pixels, and the copies that decoding makes of them.
MAX_BYTES = 1_250_000_000
#: Most strips, tiles or chunks of one file.
MAX_PIECES = 100_000
# Scans of a progressive JPEG, each of which visits all pixels; encoders write some 10.
_MAX_SCANS = 64


def check_cost(name: str, width: int, height: int, pixel_bytes: int, other_bytes: int) -> None:
    """Raise where an image takes more than the limits.

    Parameters
    ----------
    name : the file's name, for messages.
    width, height : in pixels.
    pixel_bytes : what the decoded pixels take, all channels.
    other_bytes : the file itself, and what decoding takes besides the pixels.
    """
    if pixel_bytes > MAX_PIXEL_BYTES:
        raise InputError(
            f"{name}: {width} x {height} pixels take {_mb(pixel_bytes)} when decoded, more than the limit of "
            f"{_mb(MAX_PIXEL_BYTES)}"
        )
    if pixel_bytes + other_bytes > MAX_BYTES:
        total = _mb(pixel_bytes + other_bytes)
        raise InputError(
            f"{name}: {width} x {height} pixels take {total} while they are decoded, more than the limit of "
            f"{_mb(MAX_BYTES)}"
        )


def check_claim(name: str, width: int, height: int, raw_bytes: int, packed_bytes: int, ratio: float) -> None:
    """Raise where the header claims more raw bytes than so many packed ones can hold, `ratio` of them for each."""
    if raw_bytes > ratio * packed_bytes + 1024:
        raise InputError(
            f"{name}: the file is cut short or damaged (it claims {width} x {height} pixels, more than its "
            f"{packed_bytes} bytes of data can hold)"
        )


def check_scans(name: str, jpeg: bytes) -> None:
    """Raise where a JPEG stream holds more scans than an encoder writes; each visits all pixels."""
    # 0xFF in the coded data is always followed by 0, so that no scan is missed.
    scans = jpeg.count(b"\xff\xda")
    if scans > _MAX_SCANS:
        raise InputError(f"{name}: {scans} scans in one JPEG image are more than the limit of {_MAX_SCANS}")


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
