"""Images of every kind keep their depth; files that cannot be used say why."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import socket
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.io.decode import decode_image, read_image
from tests.fuzz.mutate import png_chunks, write_png


def encoded(array: np.ndarray, kind: str = "PNG", mode: str | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def deep_png(array: np.ndarray) -> bytes:
    """16-bit PNG of 2 to 4 channels, which Pillow cannot write."""

    height, width, channels = array.shape
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    return png(width, height, 16, {2: 4, 3: 2, 4: 6}[channels], zlib.compress(lines))


def png(width: int, height: int, depth: int, colour: int, packed: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """PNG of any header and compressed lines, with right checksums."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return write_png([(b"IHDR", header), *more, (b"IDAT", packed), (b"IEND", b"")])


@pytest.fixture
def grey(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (9, 13)).astype(np.uint8)


@pytest.fixture
def deep(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 65536, (9, 13)).astype(np.uint16)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_grey_comes_back_as_it_is(grey, kind):
    image, notes = decode_image(encoded(grey, kind), "a")
    np.testing.assert_array_equal(image, grey)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert notes == ()


def test_jpeg_is_what_pillow_reads(grey):
    data = encoded(grey, "JPEG")
    np.testing.assert_array_equal(decode_image(data, "a")[0], np.asarray(Image.open(io.BytesIO(data))))


def test_16_bit_grey_png(deep):
    image, _ = decode_image(encoded(deep), "a")
    np.testing.assert_array_equal(image, deep)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_keeps_dtype_and_values(rng, dtype, order):
    values = (rng.normal(size=(7, 5)) * 1000 + 20000).astype(dtype)
    image, _ = decode_image(tiff(values, byteorder=order), "a")
    np.testing.assert_array_equal(image, values)
    assert image.dtype == np.dtype(dtype)
    assert image.dtype.isnative


def test_nan_of_a_float_tiff_stays(rng):
    values = rng.normal(size=(6, 6)).astype(np.float32)
    values[2, 3] = np.nan
    np.testing.assert_array_equal(decode_image(tiff(values), "a")[0], values)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
def test_packed_16_bit_tiff(deep, compression):
    image, _ = decode_image(encoded(deep, "TIFF", compression=compression), "a")
    np.testing.assert_array_equal(image, deep)


def test_white_is_zero_tiff_is_turned(grey):
    image, _ = decode_image(tiff(grey, photometric="miniswhite"), "a")
    np.testing.assert_array_equal(image, 255 - grey)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_deep_colour_tiff_of_equal_channels(deep, planar):
    colour = np.stack([deep] * 3, axis=-1 if planar == "contig" else 0)
    image, notes = decode_image(tiff(colour, photometric="rgb", planarconfig=planar), "a")
    np.testing.assert_array_equal(image, deep)
    assert notes == ()


def test_first_page_of_several_is_used_and_said(deep):
    image, notes = decode_image(tiff(np.stack([deep, deep // 2]), photometric="minisblack"), "stack.tif")
    np.testing.assert_array_equal(image, deep)
    assert [note.kind for note in notes] == ["pages"]
    assert "stack.tif: it holds 2 pages" in notes[0].text


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_equal_channels_give_that_channel(grey, mode):
    image, notes = decode_image(encoded(grey, mode=mode), "a")
    np.testing.assert_array_equal(image, grey)
    assert notes == ()


def test_palette_is_looked_up():
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    picture.putpalette([9, 9, 9, 200, 200, 200, 50, 50, 50])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    np.testing.assert_array_equal(decode_image(buffer.getvalue(), "a")[0], [[9, 200], [50, 200]])


def test_one_bit_is_0_and_255():
    data = encoded(np.array([[0, 255], [255, 0]], np.uint8), mode="1")
    np.testing.assert_array_equal(decode_image(data, "a")[0], [[0, 255], [255, 0]])


def test_unequal_channels_give_the_luma_of_pillow_and_a_note(rng):
    colour = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    image, notes = decode_image(encoded(colour), "sky.png")
    np.testing.assert_array_equal(image, np.asarray(Image.fromarray(colour).convert("L")))
    assert notes[0].kind == "channels"
    assert notes[0].text.startswith("sky.png: its colour channels differ")


def test_alpha_is_left_out(rng):
    colour = rng.integers(0, 256, (8, 8, 4)).astype(np.uint8)
    without, _ = decode_image(encoded(colour[..., :3].copy()), "a")
    np.testing.assert_array_equal(decode_image(encoded(colour), "a")[0], without)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_deep_png_of_equal_channels_keeps_16_bits(rng, deep, channels):
    alpha = rng.integers(0, 65536, deep.shape).astype(np.uint16)
    colour = np.stack([deep] * (1 if channels == 2 else 3) + [alpha] * (channels % 2 == 0), axis=-1)
    image, notes = decode_image(deep_png(colour), "a")
    np.testing.assert_array_equal(image, deep)
    assert image.dtype == np.uint16
    assert notes == ()


def test_deep_luma_is_the_8_bit_luma_on_a_finer_scale(rng):
    colour = rng.integers(0, 65536, (8, 8, 3)).astype(np.uint16)
    image, notes = decode_image(deep_png(colour), "a")
    exact = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(image - exact).max() <= 1.5
    assert notes[0].kind == "channels"


def damaged_png(grey: np.ndarray, how: str) -> bytes:
    (_, header), *rest = png_chunks(encoded(grey))
    raw = zlib.decompress(b"".join(body for kind, body in rest if kind == b"IDAT"))
    if how == "no end":
        return write_png([(b"IHDR", header), (b"IDAT", zlib.compress(raw))])
    if how == "few lines":
        raw = raw[: len(raw) // 2]
    whole = write_png([(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])
    if how == "wrong checksum":
        place = whole.index(b"IEND") - 5
        return whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    return whole[: len(whole) - 14] if how == "cut" else whole


@pytest.mark.parametrize("how", ["no end", "few lines", "wrong checksum", "cut"])
def test_png_data_that_is_not_whole_is_an_error(grey, how, capfd):
    with pytest.raises(InputError, match=r"^cut\.png: the file is cut short or damaged"):
        decode_image(damaged_png(grey, how), "cut.png")
    assert capfd.readouterr() == ("", "")


def test_interlaced_png(rng):
    # The seven passes of Adam7 by hand: no writer at hand makes them.
    grey = rng.integers(0, 256, (9, 13)).astype(np.uint8)
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    lines = b"".join(b"\0" + row.tobytes() for a, b, c, d in passes for row in grey[a::b, c::d] if row.size)
    header = struct.pack(">IIBBBBB", 13, 9, 8, 0, 0, 0, 1)
    data = write_png([(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")])
    np.testing.assert_array_equal(decode_image(data, "a")[0], grey)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_an_orientation_tag_is_left_alone_and_told(grey, kind, value):
    exif = Image.Exif()
    exif[274] = value
    image, notes = decode_image(encoded(grey, kind, exif=exif), "turned.x")
    assert image.shape == grey.shape
    assert [note.kind for note in notes] == ["orientation"] * (value != 1)
    if value != 1:
        assert notes[0].text.startswith(f"turned.x: its orientation tag ({value}) is left alone")


def test_an_animation_is_told():
    frames = [Image.fromarray(np.full((4, 5), level, np.uint8)) for level in (10, 20, 30)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    image, notes = decode_image(buffer.getvalue(), "a.png")
    assert (image == 10).all()
    assert [note.kind for note in notes] == ["pages"]


def test_what_is_no_image_is_named():
    with pytest.raises(InputError, match=r"notes\.png: not a PNG, TIFF, BMP or JPEG image"):
        decode_image(b"these are words, not pixels", "notes.png")


def test_complex_tiff_is_refused():
    with pytest.raises(InputError, match="pixels must be real numbers, got complex64"):
        decode_image(tiff(np.ones((4, 4), np.complex64)), "wave.tif")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read"), (b"", r"the file is empty \(0 bytes\)")],
    ids=["missing", "empty"],
)
def test_reading_says_what_is_wrong_with_the_file(tmp_path, content, sentence):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.png: {sentence}"):
        read_image(str(path))


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "device", "null in its name"])
def test_what_is_no_file_is_never_waited_for(tmp_path, kind):
    path = str(tmp_path / "a.png")
    if kind == "folder":
        os.mkdir(path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
    elif kind == "device":
        path = "/dev/zero"
    else:
        path += "\0"
    with pytest.raises(InputError, match=r": cannot be read \("):
        read_image(path)


def test_a_file_above_the_limit_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "a.png", "wb") as file:
        file.truncate(600 << 20)  # takes no space on the disk
    with pytest.raises(InputError, match=r"a\.png: the file has 629 MB, more than the limit of 537 MB"):
        read_image(str(tmp_path / "a.png"))


def test_a_header_that_claims_too_many_pixels(grey):
    with pytest.raises(InputError, match=r"huge\.tif: 65535 x 65535 pixels take 4,295 MB when decoded"):
        decode_image(claiming(65535, grey), "huge.tif")


def claiming(size: int, array: np.ndarray, **options: Any) -> bytes:
    """TIFF of an array that claims to have `size` rows and columns."""
    data = bytearray(tiff(array, **options))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for name in ("ImageWidth", "ImageLength"):
            place = file.pages.first.tags[name].valueoffset
            data[place : place + 2] = struct.pack("<H", size)
    return bytes(data)


NOTHING = zlib.compress(bytes(1000))
BOMBS = {
    "74 bytes": (png(1, 170_000_000, 8, 0, NOTHING), "more than its 17 bytes of data can hold"),
    "wide": (png(170_000_000, 1, 8, 0, NOTHING), "more than its 17 bytes of data can hold"),
    "alpha": (png(13300, 13300, 8, 6, bytes(800_000)), "13300 x 13300 pixels take 708 MB when decoded"),
    "deep alpha": (png(13300, 13300, 16, 6, bytes(1_500_000)), "13300 x 13300 pixels take 1,415 MB when decoded"),
    "30 samples": (
        claiming(3000, np.zeros((30, 30, 30)), compression="deflate", photometric="minisblack", planarconfig="contig"),
        "3000 x 3000 pixels take 2,160 MB when decoded",
    ),
    "tiles": (
        claiming(6000, np.zeros((30, 30)), compression="zstd", tile=(16, 16)),
        "tiles are more than the limit of 100,000",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_takes_too_much_is_refused_from_its_header(name):
    data, sentence = BOMBS[name]
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=rf"^bomb: .*{sentence}"):
            decode_image(data, "bomb")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_large_real_frames_are_read():
    image, _ = decode_image(png(10_000, 10_000, 16, 0, zlib.compress(bytes((1 + 20_000) * 10_000), 1)), "a")
    assert image.shape == (10_000, 10_000)
    assert image.dtype == np.uint16


def test_damaged_files_say_nothing_else(rng, grey, caplog, recwarn):
    whole = tiff(grey, metadata=None)
    with pytest.raises(InputError, match=r"cut\.tif: the file is cut short or damaged"):
        decode_image(whole[:150], "cut.tif")
    packed = encoded(grey, "TIFF", compression="tiff_lzw")
    with contextlib.suppress(InputError):
        decode_image(packed[:-3], "cut.tif")
    assert caplog.records == []
    assert len(recwarn) == 0
    logging.getLogger("tifffile").warning("still on")
    assert [record.message for record in caplog.records] == ["still on"]
