"""What looks wrong with the points of a run as a whole: right points raise nothing, planted faults are found."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel import InputError
from pointlabel.io.datasets import POINT_FOLDERS, open_dataset
from pointlabel.io.points.checks import check_points, told_or_refused
from pointlabel.io.points.look import LookedAt, look_at_some
from pointlabel.synthetic import draw_scene


@pytest.fixture(scope="module")
def looked() -> list[LookedAt]:
    """Twelve clouded scenes with three targets each."""
    scenes = [
        draw_scene(seed=seed, shape=(96, 128), n_targets=3, background="cloud", contrast=(10.0, 15.0))
        for seed in range(12)
    ]
    return [LookedAt(scene.image, scene.points) for scene in scenes]


def kinds(looked: list[LookedAt], polarity: str = "bright") -> list[str]:
    return [finding.kind for finding in check_points(looked, "p.csv", polarity)]


def turned(looked: list[LookedAt]) -> list[LookedAt]:
    return [LookedAt(each.image.max() - each.image, each.points) for each in looked]


def test_right_points_raise_nothing(looked):
    assert (
        kinds(looked) == kinds(looked, "auto") == kinds(turned(looked), "dark") == kinds(turned(looked), "auto") == []
    )


def test_the_other_polarity_is_told_with_the_option_that_mends_it(looked):
    (note,) = told_or_refused(check_points(turned(looked), "p.csv"))
    assert note.text.startswith("p.csv: most points are darker than their surroundings")
    assert note.text.endswith("take `polarity=dark`")
    assert kinds(looked, "dark") == ["polarity"]


def test_points_of_other_images_are_told(looked):
    others = [LookedAt(a.image, b.points) for a, b in zip(looked, looked[1:] + looked[:1], strict=True)]
    assert kinds(others) == ["off_peak"]


def test_points_one_pixel_off_are_told(looked):
    assert kinds([LookedAt(each.image, each.points + 1) for each in looked]) == ["shifted"]


def test_masks_in_place_of_images_are_told(looked):
    masks = [LookedAt((each.image > each.image.mean()).astype(np.uint8) * 255, each.points) for each in looked]
    assert kinds(masks) == ["two_levels"]
    assert "two_levels" not in kinds(masks[:2])  # two pictures may happen to have two levels
    assert kinds([*masks, looked[0]]) != ["two_levels"]


@pytest.mark.parametrize("shape", [(96, 128), (96, 96)], ids=["wide", "square"])
def test_swapped_coordinates_are_refused(looked, shape):
    swapped = []
    for each in looked:
        image = each.image[: shape[0], : shape[1]]
        inside = (each.points < np.array(shape) - 1).all(axis=1)
        swapped.append(LookedAt(image, each.points[inside][:, ::-1]))
    with pytest.raises(InputError, match=r"p\.csv: x and y look swapped: .*swap them"):
        told_or_refused(check_points(swapped, "p.csv"))


def test_points_outside_their_images_are_refused(looked):
    far = [LookedAt(each.image, each.points + 500) for each in looked]
    with pytest.raises(InputError, match=r"p\.csv: 36 of 36 points lie outside their images"):
        told_or_refused(check_points(far, "p.csv"))


def test_one_point_outside_is_refused_only_where_it_is_all_there_is(looked):
    far = [LookedAt(looked[0].image, np.array([[3.0, 700.5]]))]
    assert kinds(far) == []
    sentence = r"1 of 1 points lie outside their images, the first at \(x, y\) = \(700.5, 3\) of \d+ x \d+ pixels"
    with pytest.raises(InputError, match=sentence):
        told_or_refused(check_points(far, "p.csv", are_all=True))


def test_what_shows_nothing_proves_nothing():
    flat, empty = np.zeros((20, 20)), np.zeros((0, 2))
    holes = np.full((20, 20), np.nan)
    assert kinds([]) == kinds([LookedAt(flat, empty)]) == []
    assert kinds([LookedAt(holes, np.array([[5.0, 5.0]])), LookedAt(flat, np.array([[np.nan, 2.0]]))]) == []


def test_right_points_of_the_real_data_sets_raise_nothing(data):
    names = {"SIRST-v1": "bright", "NUDT-SIRST": "bright", "IRSTD-1k": "bright", "DenseSIRST": "bright"}
    names |= {"MDvsFA-train": "bright", "RSS-dark-1": "dark", "MT-blowhole": "dark"}
    for name, polarity in names.items():
        if not (data / name).is_dir():
            continue
        for kind in POINT_FOLDERS:
            entries = open_dataset(data / name, points=kind, masks=False).entries
            work = [(entry.image, entry.points) for entry in entries if entry.points is not None]
            for start in range(3):
                found = check_points(look_at_some(work[start::40]), name, polarity)
                assert not found, (name, kind, start, found)
