"""The true area of a point, for methods that may know it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.folder.true_areas import true_areas


@pytest.fixture
def mask_path(tmp_path: Path) -> str:
    mask = np.zeros((30, 40), np.uint8)
    mask[2:5, 3:6] = 255
    mask[5, 6] = 255  # touches the square by a corner
    mask[20:22, 30:34] = 200
    mask[0, 39] = 127  # not above the threshold
    path = tmp_path / "m.png"
    Image.fromarray(mask).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("point", "area"), [((3, 4), 10), ((5, 6), 10), ((20.4, 33.4), 8), ((24, 33), 8), ((24, 34), 1), ((0, 39), 1)]
)
def test_area_of_the_component_at_or_near_the_point(mask_path, point, area):
    areas, notes = true_areas(mask_path, np.array([point], float), (30, 40))
    assert areas.tolist() == [area]
    assert [note.kind for note in notes] == (["mask_levels", "true_area"] if area == 1 else ["mask_levels"])


def test_no_points(mask_path):
    areas, notes = true_areas(mask_path, np.zeros((0, 2)), (30, 40))
    assert areas.shape == (0,)
    assert [note.kind for note in notes] == ["mask_levels"]


def test_the_threshold_of_the_mask(mask_path):
    areas, notes = true_areas(mask_path, np.array([(0, 39), (24, 33)], float), (30, 40), 200)
    assert areas.tolist() == [1, 1]
    assert [note.kind for note in notes] == ["mask_levels", "true_area", "true_area"]
    assert true_areas(mask_path, np.array([(0, 39)], float), (30, 40), 0)[0].tolist() == [1]


def test_a_mask_of_another_size_is_refused(mask_path):
    with pytest.raises(InputError, match=r"m\.png: the true mask is 40 x 30, its image 20 x 30"):
        true_areas(mask_path, np.zeros((0, 2)), (30, 20))
