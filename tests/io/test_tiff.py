"""TIFF is read one way, whatever its compression; what a file means besides its pixels is told."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pointlabel import annotate
from pointlabel.errors import InputError
from pointlabel.io.decode import decode_channels, decode_image, decode_levels
from pointlabel.io.masks.read import read_mask
from pointlabel.io.points.images import ImageEntry

WHOLE = ("u1", "u2", "u4", "i1", "i2", "i4")
REAL = ("f2", "f4", "f8")
LOSSLESS = (None, "lzw", "deflate", "zstd", "packbits", "lzma")
WITH_PREDICTOR = ("lzw", "deflate", "zstd")


def tiff(array: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def with_nodata(array: np.ndarray, text: str, **options: Any) -> bytes:
    return tiff(array, extratags=[(42113, 2, len(text) + 1, text, True)], **options)


def drawn(seed: int, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=shape) * 20
    return (values if dtype[0] in "if" else values + 100).astype(dtype)


@given(
    seed=st.integers(0, 99),
    dtype=st.sampled_from(WHOLE + REAL),
    byteorder=st.sampled_from("<>"),
    compression=st.sampled_from(LOSSLESS),
    predictor=st.booleans(),
    tile=st.sampled_from([None, (16, 32)]),
    rowsperstrip=st.sampled_from([1, 4, 50]),
    layout=st.sampled_from(["grey", "colour", "planes"]),
    bigtiff=st.booleans(),
)
def test_all_ways_of_storing_give_the_same_pixels(
    seed, dtype, byteorder, compression, predictor, tile, rowsperstrip, layout, bigtiff
):
    shape = {"grey": (19, 35), "colour": (19, 35, 3), "planes": (3, 19, 35)}[layout]
    values = drawn(seed, dtype, shape)
    options: dict[str, Any] = {"photometric": "minisblack" if layout == "grey" else "rgb", "software": "other"}
    options |= {"planarconfig": "separate"} if layout == "planes" else {}
    options |= {"tile": tile} if tile else {"rowsperstrip": rowsperstrip}
    options |= {"predictor": True} if predictor and compression in WITH_PREDICTOR else {}
    data = tiff(values, byteorder=byteorder, compression=compression, bigtiff=bigtiff, metadata=None, **options)
    pixels, _ = decode_channels(data, "a.tif")
    np.testing.assert_array_equal(pixels, np.moveaxis(values, 0, -1) if layout == "planes" else values)
    assert pixels.dtype == np.dtype(dtype)
    assert pixels.dtype.isnative


@given(
    dtype=st.sampled_from(WHOLE + REAL), compression=st.sampled_from(LOSSLESS), orientation=st.sampled_from([1, 3, 6])
)
def test_white_is_zero_and_orientation_do_not_depend_on_the_compression(dtype, compression, orientation):
    values = drawn(3, dtype, (12, 17))
    tags = [(274, 3, 1, orientation, True)]
    image, notes = decode_image(tiff(values, photometric="miniswhite", compression=compression, extratags=tags), "a")
    turned = np.iinfo(dtype).max - values if dtype[0] == "u" else ~values if dtype[0] == "i" else -values
    np.testing.assert_array_equal(image, turned)
    kinds = [note.kind for note in notes]
    assert kinds == ["orientation"] * (orientation != 1) + ["turned"] * (dtype[0] != "u")


@given(bits=st.integers(2, 15), width=st.integers(1, 21), white=st.booleans())
def test_packed_samples(bits, width, white):
    values = np.random.default_rng(bits).integers(0, 2**bits, (5, width)).astype("u1" if bits <= 8 else "u2")
    values[0, 0] = 2**bits - 1
    data = packed(values, bits, photometric=0 if white else 1)
    most = 2**bits - 1
    expected = most - values if white else values
    image, _ = decode_image(data, "a.tif")
    np.testing.assert_array_equal(image, np.rint(expected * (255 / most)) if bits < 8 else expected)


def packed(values: np.ndarray, bits: int, *, photometric: int = 1, compression: int = 1) -> bytes:
    """TIFF of samples of any number of bits, rows padded to whole bytes."""
    planes = (values.astype(np.int64)[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    data = b"".join(np.packbits(row.ravel().astype(np.uint8)).tobytes() for row in planes)
    height, width = values.shape
    tags = [(256, width), (257, height), (258, bits), (259, compression), (262, photometric), (273, 8), (277, 1)]
    tags += [(278, height), (279, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data += b"\0" * (len(data) % 2)
    directory = struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_fax(rng, compression):
    picture = Image.fromarray(rng.random((20, 30)) < 0.3)
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", compression=compression)
    np.testing.assert_array_equal(decode_image(buffer.getvalue(), "a")[0], np.asarray(picture.convert("L")))


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "RGBA", "LA"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_colour_models(rng, mode, compression):
    colour = Image.fromarray(rng.integers(0, 256, (9, 14, 3)).astype(np.uint8))
    buffer = io.BytesIO()
    colour.convert(mode).save(buffer, "TIFF", compression=compression)
    expected = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB").convert("L"), np.int16)
    assert np.abs(decode_image(buffer.getvalue(), "a")[0] - expected).max() <= 1


def test_without_a_photometric_tag_black_is_zero():
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    data = bytearray(packed(values, 8))
    where = data.index(struct.pack("<HHI", 262, 4, 1))
    data[where : where + 2] = struct.pack("<H", 263)  # another tag, of no interest
    np.testing.assert_array_equal(decode_image(bytes(data), "a")[0], values)


@pytest.mark.filterwarnings("ignore:<tifffile.TiffWriter.write>")
@pytest.mark.parametrize("planes", [3, 4])
@pytest.mark.parametrize("metadata", [{}, None])
def test_a_stack_that_a_plain_array_writer_called_rgb_is_told(planes, metadata):
    stack = np.stack([drawn(k, "u1", (11, 13)) for k in range(planes)])
    data = tiff(stack, metadata=metadata)
    image, notes = decode_image(data, "stack.tif")
    np.testing.assert_array_equal(image, stack[0])
    assert [note.kind for note in notes] == ["pages"]


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((5, 11, 13), {"truncate": True, "metadata": {"axes": "TYX"}}, "5 frames in one page"),
        ((5, 11, 13), {"truncate": True, "imagej": True}, "5 frames in one page"),
        ((6, 11, 13), {"photometric": "minisblack", "planarconfig": "separate"}, "6 planes"),
        ((11, 13, 5), {"photometric": "minisblack", "planarconfig": "contig"}, "5 channels"),
        ((5, 11, 13), {}, "5 pages"),
    ],
)
def test_the_first_of_several_images_is_used_and_told(shape, options, words):
    stack = drawn(1, "u1", shape)
    image, notes = decode_image(tiff(stack, **options), "stack.tif")
    np.testing.assert_array_equal(image, stack[..., 0] if words == "5 channels" else stack[0])
    assert [note.kind for note in notes] == ["pages"]
    assert words in notes[0].text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (packed(np.ones((2, 3), np.uint8), 8, compression=34892), r"a\.tif: TIFF compression JPEG_LOSSY \(34892\)"),
        (
            packed(np.ones((2, 3), np.uint8), 8, compression=777),
            r"a\.tif: TIFF compression unknown \(777\) is not read",
        ),
        (packed(np.ones((2, 3), np.uint8), 40), r"a\.tif: TIFF samples of 40 bits \(unsigned\) are not read"),
        (packed(np.ones((2, 3), np.uint8), 8, photometric=8), r"a\.tif: TIFF pixels of the kind CIELAB \(8\)"),
        (
            packed(np.ones((2, 3), np.uint8), 8, photometric=3),
            r"a\.tif: the file is cut short or damaged \(its palette",
        ),
        (
            tiff(np.zeros((4, 9, 9), np.uint8), volumetric=True, photometric="minisblack"),
            r"a\.tif: the page must hold one image, got axes ZYX",
        ),
    ],
)
def test_what_is_not_read_is_named(data, sentence):
    with pytest.raises(InputError, match=sentence):
        decode_image(data, "a.tif")


@pytest.mark.parametrize(("kind", "count"), [(4, 3), (7, 4), (11, 1), (2, 4), (1, 1)])
@pytest.mark.parametrize("tag", [256, 257, 277, 278])
def test_a_size_that_is_no_number_is_named(tag, kind, count):
    data = packed(np.ones((2, 3), np.uint8), 8)
    damaged = data.replace(struct.pack("<HHI", tag, 4, 1), struct.pack("<HHI", tag, kind, count))
    assert damaged != data
    with pytest.raises(InputError, match=rf"a\.tif: the file is cut short or damaged \(its tag {tag} holds no whole"):
        decode_image(damaged, "a.tif")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("text", "value"), [("-9999", -9999), ("-3.4e+38", -3.4e38), ("-3.40282e+38", -3.4028234e38)])
def test_nodata_of_floating_point_is_nan(dtype, text, value):
    values = drawn(0, dtype, (8, 9))
    values[:3] = value
    image, notes = decode_image(with_nodata(values, text, compression="lzw"), "map.tif")
    assert np.isnan(image[:3]).all()
    np.testing.assert_array_equal(image[3:], values[3:])
    assert image.dtype == np.dtype(dtype)
    assert [note.kind for note in notes] == ["nodata"]
    assert notes[0].text.startswith("map.tif: 27 pixels (37.5 %) hold the nodata value " + text)


@pytest.mark.parametrize(("dtype", "becomes"), [("u1", "f4"), ("u2", "f4"), ("i2", "f4"), ("i4", "f8"), ("u4", "f8")])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_nodata_of_whole_numbers_is_nan(dtype, becomes, photometric):
    values = drawn(0, dtype, (8, 9))
    values[values == 77] = 78
    plain, _ = decode_image(tiff(values, photometric=photometric), "a")
    values[2, :4] = 77
    image, _, full = decode_levels(with_nodata(values, "77", photometric=photometric), "a")
    assert image.dtype == np.dtype(becomes)
    assert full == np.iinfo(dtype).max
    assert np.isnan(image[2, :4]).all()
    image[2, :4] = plain[2, :4]
    np.testing.assert_array_equal(image, plain)


@pytest.mark.parametrize("text", ["300", "-1", "1.5", "none", "", "nan", "7"])
def test_a_nodata_value_that_no_pixel_holds_changes_nothing(text):
    values = np.full((4, 5), 9, np.uint8)
    image, notes = decode_image(with_nodata(values, text), "a")
    np.testing.assert_array_equal(image, values)
    assert image.dtype == np.uint8
    assert notes == ()


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_masks_of_whole_numbers_do_not_change_by_nodata_elsewhere(scene, polarity):
    values = (scene.image if scene.image.dtype == np.uint16 else scene.image.astype(np.uint16) * 100) + 1
    values = values if polarity == "bright" else values.max() + 1 - values
    values[-1, -1] = 0
    plain, _ = decode_image(tiff(values), "a")
    holed, _ = decode_image(with_nodata(values, "0"), "a")
    assert np.isnan(holed[-1, -1])
    points = np.asarray(scene.points)
    mask, other = (annotate(image, points, polarity=polarity).mask() for image in (plain, holed))
    mask[-1, -1] = other[-1, -1] = False
    np.testing.assert_array_equal(mask, other)


def test_masks_and_points_are_read_without_regard_to_nodata(tmp_path):
    mask = np.zeros((9, 9), np.uint8)
    mask[3:5, 4] = 255
    path = str(tmp_path / "a.tif")
    for text in ("0", "255"):
        (tmp_path / "a.tif").write_bytes(with_nodata(mask, text))
        np.testing.assert_array_equal(read_mask(path), mask > 0)
        assert [(row.row, row.column) for row in ImageEntry(path).load().rows] == [(3, 4), (4, 4)]


def test_tiles_that_the_file_leaves_out_are_told():
    data = bytearray(tiff(np.full((32, 32), 5, np.uint8), tile=(16, 16), compression="deflate"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for name in ("TileOffsets", "TileByteCounts"):
            tag = file.pages.first.tags[name]
            width = 4 if tag.dtype == 4 else 2 if tag.dtype == 3 else 8
            data[tag.valueoffset : tag.valueoffset + width] = bytes(width)
    image, notes = decode_image(bytes(data), "map.tif")
    assert (image[:16, :16] == 0).all()
    assert (image[16:] == 5).all()
    assert [note.kind for note in notes] == ["missing"]


@pytest.mark.parametrize("compression", [None, *LOSSLESS[1:], "jpeg", "lerc", "png"])
def test_cut_strips_are_named(compression):
    values = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    data = tiff(values, compression=compression, rowsperstrip=16)
    with pytest.raises(InputError, match=r"cut\.tif: the file is cut short or damaged"):
        decode_image(data[: len(data) * 3 // 4], "cut.tif")


def test_damage_is_told_in_the_sentence_alone(rng, capfd):
    buffer = io.BytesIO()
    Image.fromarray(rng.random((64, 64)) < 0.1).save(buffer, "TIFF", compression="group4")
    fax = bytearray(buffer.getvalue())
    fax[40:120] = bytes(80)
    jpeg = bytearray(tiff(rng.integers(0, 256, (64, 64)).astype(np.uint8), compression="jpeg"))
    jpeg[-400:-200] = bytes(200)
    for data in (fax, jpeg):
        with contextlib.suppress(InputError):
            decode_image(bytes(data), "a.tif")
    assert capfd.readouterr() == ("", "")
