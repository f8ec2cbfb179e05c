"""Points from one-pixel images and tables, and how they are fitted to their image."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.io.points.base import PointRow, PointSet
from pointlabel.io.points.fit import MAX_POINTS, fit_points
from pointlabel.io.points.formats import FORMATS
from pointlabel.io.points.given import Given
from pointlabel.io.points.images import ImageEntry, ImageFolder, point_image
from pointlabel.io.points.named import NamedPoints
from pointlabel.io.points.readers import open_points
from pointlabel.io.points.table import read_table
from pointlabel.io.text import as_written


def write_table(folder: Path, text: str, name: str = "points.csv", encoding: str = "utf-8") -> str:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def table_at(path: str, origin: str = "center") -> NamedPoints:
    return read_table(Given(path), origin)


def rows_of(path: str, image_id: str = "a", origin: str = "center") -> tuple[PointRow, ...]:
    return table_at(path, origin).bind({image_id}).entries[image_id].load().rows


def places(rows: tuple[PointRow, ...]) -> list[tuple[float, float]]:
    return [(row.row, row.column) for row in rows]


# One-pixel images


def test_every_non_zero_pixel_is_a_point_and_neighbours_stay_apart(tmp_path):
    pixels = np.zeros((5, 7), np.uint8)
    pixels[1, 2] = pixels[1, 3] = 1
    pixels[4, 6] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    loaded = ImageEntry(str(tmp_path / "a.png")).load()
    assert places(loaded.rows) == [(1, 2), (1, 3), (4, 6)]
    assert loaded.shape == (5, 7)
    assert loaded.sha256 == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_any_channel_counts_and_alpha_does_not(tmp_path, channel):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[2, 1, channel] = 9
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert places(ImageEntry(str(tmp_path / "a.png")).load().rows) == [(2, 1)]


def test_palette_colours_count_not_their_numbers(tmp_path):
    picture = Image.fromarray(np.array([[1, 0], [1, 1]], np.uint8))
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.save(tmp_path / "a.png")
    assert places(ImageEntry(str(tmp_path / "a.png")).load().rows) == [(0, 1)]


def test_folder_binds_by_sub_folder_and_name(tmp_path):
    for name in ("a.png", "s/a.png", "extra.bmp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        point_image([(0, 0)], (3, 3)).save(path)
    bound = ImageFolder(str(tmp_path)).bind({"a", "s/a", "lonely"})
    assert sorted(bound.entries) == ["a", "s/a"]
    assert [name for name, _ in bound.unknown] == ["extra"]
    assert "extra.bmp: there is no image for these points" in bound.unknown[0][1]


def test_two_point_images_of_one_image_are_both_named(tmp_path):
    for name in ("a.png", "a.bmp"):
        point_image([(0, 0)], (3, 3)).save(tmp_path / name)
    entry = ImageFolder(str(tmp_path)).bind({"a"}).entries["a"]
    with pytest.raises(InputError, match=r"a\.bmp, .*a\.png: point images of the same image"):
        entry.load()


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(st.data(), shapes)
def test_point_images_come_back(data, shape):
    pixels = st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1))
    points = data.draw(st.sets(pixels, max_size=8))
    buffer = io.BytesIO()
    point_image([(float(row), float(column)) for row, column in points], shape).save(buffer, "PNG")
    read = np.asarray(Image.open(buffer))
    assert set(zip(*(axis.tolist() for axis in np.nonzero(read)), strict=True)) == points


# Tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_byte_order_mark(tmp_path, delimiter, end, mark):
    lines = ["image,x,y", "a.png,1.5,2", "", "a,3,4", ""]
    path = write_table(tmp_path, mark + end.join(lines).replace(",", delimiter))
    rows = rows_of(path)
    assert places(rows) == [(2.0, 1.5), (4.0, 3.0)]
    assert [row.place for row in rows] == ["line 2", "line 4"]


def test_columns_go_by_name_and_others_are_left_alone(tmp_path):
    path = write_table(tmp_path, "who,y,X,tightness,Image,id,label\nme,7,8,0.25,s\\a.png,4,drone\n")
    (row,) = rows_of(path, "s/a")
    assert (row.row, row.column, row.tightness, row.id, row.label) == (7, 8, 0.25, "4", "drone")


def test_corner_origin_is_half_a_pixel_away(tmp_path):
    path = write_table(tmp_path, "image,x,y\na,1.5,2.5\n")
    assert places(rows_of(path, origin="corner")) == [(2.0, 1.0)]


def test_a_row_without_point_names_an_image_without_targets(tmp_path):
    bound = table_at(write_table(tmp_path, "image,x,y\na.png,,\n")).bind({"a"})
    assert bound.entries["a"].load().rows == ()


def test_names_without_image_are_unknown_with_their_line(tmp_path):
    bound = table_at(write_table(tmp_path, "image,x,y\na,1,1\nb.png,2,2\n")).bind({"a"})
    assert bound.unknown == [("b", f"{tmp_path / 'points.csv'}, line 3: there is no image b.png")]


def test_hash_follows_the_rows_of_the_image_only(tmp_path):
    one = table_at(write_table(tmp_path, "image,x,y\na,1,1\n")).bind({"a"}).entries["a"].load()
    two = table_at(write_table(tmp_path, "image,x,y\nb,9,9\na,1,1\n")).bind({"a"}).entries["a"].load()
    three = table_at(write_table(tmp_path, "image,x,y\na,1,2\n")).bind({"a"}).entries["a"].load()
    assert one.sha256 == two.sha256 != three.sha256


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"points\.csv: the file is empty"),
        ("\n\n", r"points\.csv: the table is empty"),
        ("image,Rows,col\na,1,2\n", r"must name image, x, y \(or such as cx, cy; .* ymax\), got image, Rows, col"),
        ("Bild,x,y\na,1,2\n", r"must name image \(or such as filename, .*frame\), got Bild, x, y"),
        ("image,x,x,y\na,1,2,3\n", r"names the column x twice"),
        ("image,x,y\na,1,2\na,one,2\n", r"points\.csv, line 3: x must be a number, got 'one'"),
        ("image,x,y\na,1,\n", r"line 2: y must be a number, got ''"),
        ("image,x,y\na,1_0,2\n", r"line 2: x must be a number, got '1_0'"),
        ("image,x,y\n,1,2\n", r"line 2: the column image is empty"),
        ("image,x,y\na,1,5,2,5\n", r"line 2: 5 values, but the header names 3"),
        ("image,x,y,tightness\na,1,2,1.5\n", r"line 2: tightness must lie in \[0, 1\], got 1\.5"),
        ("image,x,y,polarity\na,1,2,\nb,1,2,grey\n", r"line 3: polarity must be one of bright, dark, auto, got 'grey'"),
        ("image,x,y,tightness\na,1,2,nan\n", r"line 2: tightness must be a number, got 'nan'"),
    ],
)
def test_bad_tables_name_file_line_and_value(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        table_at(write_table(tmp_path, text))


def test_other_encodings_are_named(tmp_path):
    with pytest.raises(InputError, match=r"must be UTF-8, or UTF-16 with its byte order mark; got byte 0xe4 in line 2"):
        table_at(write_table(tmp_path, "image,x,y\nhäuser,1,2\n", encoding="latin-1"))


names = st.text("abcdäö-_() .,;\"'", min_size=1, max_size=8).map(str.strip).filter(lambda name: name and name[0] != ".")
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.lists(st.tuples(names, numbers, numbers), min_size=1, max_size=6), st.sampled_from(",;\t"))
def test_tables_come_back(tmp_path_factory, rows, delimiter):
    assume(all(as_written(name) == name for name, _, _ in rows))  # others are our own tables' way to write such names
    assume(any(abs(x) > 1 or abs(y) > 1 for _, x, y in rows))  # else they are shares, which are refused
    folder = tmp_path_factory.mktemp("table")
    with open(folder / "points.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["image", "x", "y"])
        writer.writerows([(f"{name}.png", repr(x), repr(y)) for name, x, y in rows])
    ids = {name for name, _, _ in rows}
    bound = table_at(str(folder / "points.csv")).bind(ids)
    for image_id in ids:
        expected = [(y, x) for name, x, y in rows if name == image_id]
        assert places(bound.entries[image_id].load().rows) == expected


def test_the_table_of_readers_picks_by_path(tmp_path):
    point_image([(0, 0)], (3, 3)).save(tmp_path / "a.png")
    assert isinstance(open_points(tmp_path), ImageFolder)
    assert isinstance(open_points(write_table(tmp_path, "image,x,y\n")), NamedPoints)
    (tmp_path / "points.nothing").write_text("{}")
    with pytest.raises(InputError, match=re.escape(", ".join(FORMATS.values()))):
        open_points(tmp_path / "points.nothing")
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        open_points(tmp_path / "nowhere")


# Fitting points to their image


def points_at(*where: tuple[float, float], shape: tuple[int, int] | None = None) -> PointSet:
    rows = tuple(PointRow(row, column, f"line {k}") for k, (row, column) in enumerate(where, start=2))
    return PointSet("points.csv", rows, shape, "")


@pytest.mark.parametrize(
    ("point", "sentence"),
    [
        ((math.nan, 1), r"points.csv, line 2: \(x, y\) = \(1, nan\) is not finite"),
        ((math.inf, 1), r"points.csv, line 2: \(x, y\) = \(1, inf\) is not finite"),
        ((1, 20), r"points.csv, line 2: \(x, y\) = \(20, 1\) lies outside the 20 x 10 image"),
        ((-0.51, 3), r"points.csv, line 2: \(x, y\) = \(3, -0.51\) lies outside the 20 x 10 image"),
        ((9.5, 3), r"lies outside"),
    ],
)
def test_points_that_cannot_be_used_are_dropped_and_named(point, sentence):
    fitted = fit_points(points_at(point, (4, 4)), (10, 20))
    np.testing.assert_array_equal(fitted.points, [[4, 4]])
    assert [note.kind for note in fitted.notes] == ["dropped"]
    assert re.search(sentence, fitted.notes[0].text)


def test_the_image_reaches_half_a_pixel_beyond_its_centres():
    fitted = fit_points(points_at((-0.5, -0.5), (9.49, 19.49)), (10, 20))
    assert len(fitted.points) == 2
    assert fitted.notes == ()


def test_a_second_point_in_a_pixel_is_dropped_and_named():
    fitted = fit_points(points_at((4, 4), (4.3, 3.8), (5, 4)), (10, 20))
    np.testing.assert_array_equal(fitted.points, [[4, 4], [5, 4]])
    assert [note.kind for note in fitted.notes] == ["duplicate"]
    assert "points.csv, line 3" in fitted.notes[0].text
    assert "same pixel as line 2" in fitted.notes[0].text


def test_points_of_a_larger_image_are_scaled_by_their_corners():
    fitted = fit_points(points_at((0, 0), (19, 39), (9, 10), shape=(20, 40)), (10, 20))
    np.testing.assert_allclose(fitted.points, [[-0.25, -0.25], [9.25, 19.25], [4.25, 4.75]])
    assert [note.kind for note in fitted.notes] == ["scaled"]
    assert "points.csv is 40 x 20, its image 20 x 10: points scaled" in fitted.notes[0].text


@pytest.mark.parametrize(("shape", "fits"), [((101, 100), True), ((102, 100), False), ((100, 99), False)])
def test_aspect_ratios_may_differ_by_one_percent(shape, fits):
    given_points = points_at((1, 1), shape=shape)
    if fits:
        assert len(fit_points(given_points, (50, 50)).points) == 1
    else:
        with pytest.raises(InputError, match=r"aspect ratios differ by more than 1%"):
            fit_points(given_points, (50, 50))


def test_masks_given_as_points_are_noticed():
    block = [(float(row), float(column)) for row in range(3) for column in range(4)]
    assert [note.kind for note in fit_points(points_at(*block), (10, 20)).notes] == ["touching"]
    spread = [(float(row), 3.0 * column) for row in (1, 5, 9) for column in range(4)]
    assert fit_points(points_at(*spread), (10, 20)).notes == ()


def test_more_points_than_instance_numbers_are_refused():
    rows = tuple(PointRow(float(k // 300), float(k % 300)) for k in range(MAX_POINTS + 1))
    with pytest.raises(InputError, match=r"more than 65535; is it a mask\?"):
        fit_points(PointSet("m.png", rows, None, ""), (300, 300))
