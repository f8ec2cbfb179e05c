"""The true area of a point, for methods that may know it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.folder.job import Attempt, Job, true_areas
from pointlabel.io.masks.read import MASK_THRESHOLD, read_true_mask
from pointlabel.io.samples import Entry, Sample


def areas_of(path: str, points: NDArray, shape: tuple[int, int], threshold: float = MASK_THRESHOLD) -> tuple:
    """Areas in the mask at `path`, and the notes about it."""
    mask, notes = read_true_mask(path, threshold, shape)
    attempt = Attempt(Job(Entry("m", "", None, path), "m"))
    attempt.notes += notes
    found = true_areas(Sample("m", mask, points, (), mask, (), ""), attempt)
    assert found is not None
    return found, attempt.notes


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
    areas, notes = areas_of(mask_path, np.array([point], float), (30, 40))
    assert areas.tolist() == [area]
    assert [note.kind for note in notes] == (["mask_levels", "true_area"] if area == 1 else ["mask_levels"])


def test_no_points(mask_path):
    areas, notes = areas_of(mask_path, np.zeros((0, 2)), (30, 40))
    assert areas.shape == (0,)
    assert [note.kind for note in notes] == ["mask_levels"]


def test_the_threshold_of_the_mask(mask_path):
    areas, notes = areas_of(mask_path, np.array([(0, 39), (24, 33)], float), (30, 40), 200)
    assert areas.tolist() == [1, 1]
    assert [note.kind for note in notes] == ["mask_levels", "true_area", "true_area"]
    assert areas_of(mask_path, np.array([(0, 39)], float), (30, 40), 0)[0].tolist() == [1]


def test_a_mask_of_another_size_is_refused(mask_path):
    with pytest.raises(InputError, match=r"m\.png: the true mask is 40 x 30, its image 20 x 30"):
        areas_of(mask_path, np.zeros((0, 2)), (30, 20))
