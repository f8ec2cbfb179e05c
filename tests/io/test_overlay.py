"""Overlays and contact sheets: what they show, for images of any size and kind."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from pointlabel.errors import InputError
from pointlabel.io.overlay import FONT, MAX_TILES, ContactSheet, draw_overlay, drawable, shorten
from pointlabel.io.tiles import LARGEST_WINDOW_PX, parse_window, tiles
from pointlabel.types import ImageLabels, TargetLabel


def label(point, mask, origin, quality=0.5, flags=()):
    return TargetLabel(point, origin, mask.astype(np.float32), mask, quality, flags)


def spots(rng, shape, n, **options):
    """Targets of three pixels at random places."""
    out = []
    for row, column in rng.integers(0, np.array(shape) - 1, (n, 2)):
        mask = np.array([[True, True], [True, False]])
        out.append(label((float(row), float(column)), mask, (int(row), int(column)), rng.random(), **options))
    return ImageLabels(shape, tuple(out))


def colours(picture, image_colour):
    return np.all(np.asarray(picture) == image_colour, axis=2)


@pytest.mark.parametrize("n", [0, 1, 4, 40, 150])
@pytest.mark.parametrize("shape", [(16, 16), (256, 320), (3000, 4000), (2, 400)])
def test_sizes_stay_readable(rng, shape, n):
    image = rng.integers(0, 255, shape, np.uint8)
    picture = draw_overlay(image, spots(rng, shape, n))
    assert picture.mode == "RGB"
    assert max(picture.size) <= 2600
    assert min(picture.size) >= 30


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 50), np.uint8),
        np.full((40, 50), 65535, np.uint16),
        np.full((40, 50), np.nan),
        np.full((40, 50), np.inf, np.float32),
        np.linspace(-1e300, 1e300, 2000).reshape(40, 50),
        np.random.default_rng(0).normal(300, 0.01, (40, 50)).astype(np.float32),
        np.arange(2000, dtype=np.int32).reshape(40, 50) - 1000,
    ],
    ids=["zero", "saturated", "nan", "infinite", "huge", "kelvin", "negative"],
)
def test_any_values(rng, image):
    before = image.copy()
    picture = np.asarray(draw_overlay(image, spots(rng, image.shape, 3)))
    assert picture.any()
    np.testing.assert_array_equal(image, before)


def test_names_are_drawn_in_letters_that_the_font_has():
    assert drawable("Süd größe é Ångström/t1.png") == "Sud grosse e Angstrom/t1.png"
    assert drawable("漢字 t1") == "?? t1"
    missing = bytes(FONT.getmask("\uffff"))
    shown = shorten("Süd " * 40, 100)
    assert FONT.getlength(shown) <= 100
    assert all(bytes(FONT.getmask(letter)) != missing for letter in shown)


def test_the_contour_hides_nothing_of_the_target(rng):
    """All pixels of a tile that are the mask's keep their own grey value; those around it carry the contour."""
    from pointlabel.io import overlay

    image = rng.integers(0, 255, (64, 64), np.uint8)
    mask = np.array([[True, True, False], [False, False, True]])
    (tile,) = tiles("a", image, ImageLabels((64, 64), (label((30.0, 30.0), mask, (30, 30)),)))
    picture = np.asarray(overlay._draw_window(tile, 240)).astype(int)
    source = (np.arange(240) * tile.window.shape[0] / 240).astype(int)
    inside = tile.mask[source[:, None], source]
    shown = tile.window[source[:, None], source]
    np.testing.assert_array_equal(picture[inside], np.repeat(shown[inside][:, None], 3, axis=1))
    contour = np.all(picture == overlay._colour(0.5), axis=2)
    edge = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1) & np.roll(inside, -1, 1))
    for row, column in np.argwhere(edge):
        near = [(row + i, column + j) for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0))]
        assert any(contour[spot] for spot in near)


def test_tiles_hold_the_window_in_place(rng):
    image = rng.integers(0, 200, (50, 60)).astype(np.float64)
    image[3, 4] = np.nan
    mask = np.ones((2, 3), bool)
    other = label((2.0, 8.0), np.ones((1, 1), bool), (2, 8))
    labels = ImageLabels((50, 60), (label((1.0, 2.0), mask, (1, 2), 0.3, ("clipped",)), other))
    tile = tiles("scene/a", image, labels)[0]
    assert (tile.image_id, tile.number, tile.quality, tile.area) == ("scene/a", 1, 0.3, 6)
    assert tile.flags == ("clipped",)
    assert tile.window.dtype == np.uint8
    assert np.count_nonzero(tile.mask) == 6
    rows, columns = np.nonzero(tile.mask)
    offset = rows.min() - 1, columns.min() - 2
    assert tile.point == (1 + offset[0], 2 + offset[1])
    assert tile.others[2 + offset[0], 8 + offset[1]]
    assert tile.hole[3 + offset[0], 4 + offset[1]]
    assert tile.hole[: offset[0]].all()
    ranks = np.argsort(image[5:10, 5:10], axis=None)
    cut = tile.window[5 + offset[0] : 10 + offset[0], 5 + offset[1] : 10 + offset[1]]
    assert (np.diff(cut.ravel()[ranks].astype(int)) >= 0).all()


def test_a_large_target_is_shrunk(rng):
    image = rng.normal(0, 1, (400, 400))
    labels = ImageLabels((400, 400), (label((200.0, 200.0), np.ones((200, 180), bool), (100, 110)),))
    (tile,) = tiles("a", image, labels)
    assert tile.window.shape[0] <= LARGEST_WINDOW_PX
    rows, columns = np.nonzero(tile.mask)
    assert rows.min() <= tile.point[0] <= rows.max()
    assert (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(200 / 180, rel=0.05)
    assert tile.area == 200 * 180
    assert draw_overlay(image, labels).size


def test_quality_shows_as_colour(rng):
    image = rng.integers(0, 255, (40, 40), np.uint8)
    counted = []
    for quality in (0.1, 0.5, 0.9):
        picture = draw_overlay(
            image, ImageLabels((40, 40), (label((20.0, 20.0), np.ones((3, 3), bool), (19, 19), quality),))
        )
        counted.append(
            [np.count_nonzero(colours(picture, c)) > 50 for c in ((255, 106, 41), (240, 228, 66), (86, 190, 255))]
        )
    assert counted == [[True, False, False], [False, True, False], [False, False, True]]


def test_tiles_are_sorted_by_quality_times_presence(rng):
    image = rng.integers(0, 255, (40, 40), np.uint8)
    spot = label((20.0, 20.0), np.ones((3, 3), bool), (19, 19), 0.9)
    presences = (None, 0.1, 1.0, 0.7)
    cut = tiles("a", image, ImageLabels((40, 40), tuple(replace(spot, presence=each) for each in presences)))
    assert [tile.presence for tile in sorted(cut, key=lambda tile: tile.order)] == [0.1, 0.7, None, 1.0]
    absent = draw_overlay(image, ImageLabels((40, 40), (replace(spot, presence=0.1),)))
    assert np.count_nonzero(colours(absent, (255, 106, 41))) > 50


def test_tiles_travel_between_processes(rng):
    image = rng.integers(0, 255, (100, 100), np.uint8)
    for tile in tiles("a", image, spots(rng, (100, 100), 5, flags=("moved",))):
        data = pickle.dumps(tile)
        assert len(data) < 5000
        copy = pickle.loads(data)
        assert copy.order == tile.order
        np.testing.assert_array_equal(copy.window, tile.window)


def test_the_sheet_keeps_the_lowest_whatever_the_order(rng):
    image = rng.integers(0, 255, (80, 80), np.uint8)
    cut = [tile for k in range(20) for tile in tiles(f"image_{k:02}", image, spots(rng, (80, 80), 7))]
    sheet, shuffled = ContactSheet(n=12), ContactSheet(n=12)
    for tile in cut:
        sheet.add_tiles([tile])
        assert len(sheet._tiles) < 2 * sheet.n
    shuffled.add_tiles(cut[k] for k in rng.permutation(len(cut)))
    assert sheet.n_seen == 140
    here, there = sheet.draw(), shuffled.draw()
    assert here is not None
    assert there is not None
    assert here.tobytes() == there.tobytes()
    assert [tile.order for tile in sheet._tiles] == sorted(tile.order for tile in cut)[:12]


@pytest.mark.parametrize("n", [1, 2, 60])
def test_sheets_of_any_size(rng, n):
    sheet = ContactSheet()
    shape = (64, 64)
    long_id = "a_folder_with_a_long_name/" * 4 + "image"
    sheet.add(
        long_id, rng.normal(0, 1, shape), spots(rng, shape, n, flags=("clipped", "low_contrast", "nan", "overlap"))
    )
    picture = sheet.draw()
    assert picture is not None
    assert max(picture.size) <= 2600


def test_an_empty_sheet_and_bad_input(rng):
    assert ContactSheet().draw() is None
    with pytest.raises(InputError, match="n must be at least 1, got 0"):
        ContactSheet(n=0)
    with pytest.raises(InputError, match=r"a: the image is \(4, 5\) and its labels are for \(4, 4\)"):
        ContactSheet().add("a", np.zeros((4, 5)), ImageLabels((4, 4), ()))


def test_many_targets_show_the_lowest_qualities(rng):
    labels = spots(rng, (200, 200), MAX_TILES + 30)
    few = ImageLabels((200, 200), labels.targets[:MAX_TILES])
    image = rng.integers(0, 255, (200, 200), np.uint8)
    assert draw_overlay(image, labels).height <= draw_overlay(image, few).height


def test_a_window_shows_equal_grey_levels_alike_in_all_pictures(rng):
    image = rng.integers(7000, 9000, (64, 64)).astype(np.uint16)
    labels = spots(rng, (64, 64), 3)
    cut = tiles("a", image, labels, parse_window("6000", "10000"))
    expected = np.clip((image - 6000.0) / 4000 * 255, 0, 255)
    for tile, target in zip(cut, labels.targets, strict=True):
        row, column = (round(value) for value in tile.point)
        assert abs(int(tile.window[row, column]) - expected[tuple(map(round, target.point))]) <= 1
    assert parse_window("1%", "99%").of(image) == tuple(np.percentile(image, (1, 99)))


@pytest.mark.parametrize("words", [("9", "8"), ("1%", "99"), ("-1%", "50%"), ("a", "b"), ("nan", "1"), ("0%", "101%")])
def test_a_window_is_two_levels_or_two_percentiles(words):
    with pytest.raises(InputError, match="window must be two grey levels such as 8000 12000, or 1% 99%, got"):
        parse_window(*words)
