"""The plain rule against a slow twin, its flags, its parameters, and images it could stumble over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel import InputError, TargetLabel, annotate, get_method
from pointlabel.baselines.threshold import FLOOR_NOISES, TIE_UNITS, subtract_median
from pointlabel.engine.default.window import HALF, MARGIN, cut_window
from pointlabel.methods.peaks import find_peak
from pointlabel.synthetic import draw_scene

PLAIN = get_method("threshold")


def one(image: NDArray, point: tuple[float, float], tightness: float = 0.5, **changes: float) -> TargetLabel:
    """Label of one point."""
    labels = annotate(image, [point], method="threshold", params=PLAIN.params(**changes), tightness=tightness)
    return labels.targets[0]


def mask_of(image: NDArray, target: TargetLabel) -> NDArray[np.bool_]:
    out = np.zeros(image.shape, bool)
    out[target.window] = target.mask
    return out


def twin(image: NDArray, point: tuple[int, int], tightness: float, background_px: int, level: float) -> NDArray:
    """The rule by scipy: median of every pixel's neighbourhood, label, pick the component of the peak."""
    peak = find_peak(image, np.array(point))
    window = cut_window(image, peak)
    units = window.units.astype(float)
    rest = (units - ndimage.median_filter(units, background_px))[MARGIN - 16 : MARGIN + 17, MARGIN - 16 : MARGIN + 17]
    inside = window.inside[HALF - 16 : HALF + 17, HALF - 16 : HALF + 17]
    height = rest[16, 16]
    relief = rest / height
    level = level - TIE_UNITS / height
    chosen = relief >= level
    if tightness == 0:
        chosen |= (relief >= 0.05) & (relief >= FLOOR_NOISES * window.floor / height)
    elif tightness == 1:
        chosen &= relief >= 0.6
    numbers, _ = ndimage.label(chosen & inside, np.ones((3, 3)))
    out = np.zeros(image.shape, bool)
    rows, columns = np.nonzero(numbers == numbers[16, 16])
    out[rows + peak[0] - 16, columns + peak[1] - 16] = True
    return out


@pytest.mark.parametrize("background_px", [5, 7, 11])
@pytest.mark.parametrize("tightness", [0.0, 0.5, 1.0])
def test_equals_its_slow_twin(background_px, tightness):
    """Narrow backgrounds are sampled at every pixel up to 7 px; 11 px has a grid of 2 px, which the twin has not."""
    agreement = []
    for seed in range(4):
        scene = draw_scene(seed, (90, 80), n_targets=3, margin_px=4)
        for point in np.rint(scene.points).astype(int):
            spot = (int(point[0]), int(point[1]))
            target = one(scene.image, spot, tightness, background_px=background_px)
            if "empty" in target.flags:
                continue
            expected = twin(scene.image, spot, tightness, background_px, 0.30)
            found = mask_of(scene.image, target)
            agreement.append((found & expected).sum() / (found | expected).sum())
    assert len(agreement) >= 6
    if background_px < 8:
        assert min(agreement) == 1
    else:
        assert np.mean(agreement) > 0.8


@pytest.mark.parametrize("level", [0.2, 0.3, 0.5])
def test_the_border_lies_at_the_level(level):
    """A cone of 20 px: its height over a flat background falls linearly, so the radius is known."""
    rows, columns = np.indices((101, 101)) - 50
    image = np.maximum(1000 - 100 * np.hypot(rows, columns), 0).astype(np.uint16)
    mask = mask_of(image, one(image, (50, 50), level=level, background_px=57))
    np.testing.assert_array_equal(mask, image >= 1000 * level)


def test_tightness_runs_from_5_to_60_percent():
    rows, columns = np.indices((101, 101)) - 50
    image = np.maximum(1000 - 100 * np.hypot(rows, columns), 0)
    masks = [mask_of(image, one(image, (50, 50), t, background_px=57)) for t in np.linspace(0, 1, 11)]
    np.testing.assert_array_equal(masks[0], image >= 50)
    np.testing.assert_array_equal(masks[-1], image >= 600)
    areas = [int(mask.sum()) for mask in masks]
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) > 5


def test_no_tightness_lets_noise_join(rng):
    """At 5 % of a peak hardly above the noise, the floor of noises keeps the mask from spilling."""
    image = rng.standard_normal((90, 90))
    image[45, 45] = 9.0
    assert one(image, (45, 45), 0.0).area < 200


def test_background_median_of_wide_windows_is_close_to_the_exact_one():
    scene = draw_scene(3, background="cloud")
    window = cut_window(scene.image, (100, 120))
    exact = ndimage.median_filter(window.units, 21)[
        MARGIN - HALF : MARGIN + HALF + 1, MARGIN - HALF : MARGIN + HALF + 1
    ]
    rest = subtract_median(window, 21)
    assert np.abs(rest - (window.core - exact)).mean() < 0.05 * window.spread


def test_flags_of_a_clear_target():
    image = np.zeros((60, 60), np.uint8)
    image[30:33, 30:33] = 200
    image[31, 31] = 210
    target = one(image, (31, 31))
    assert target.flags == ()
    assert target.area == 9
    assert target.quality > 0.5
    assert one(image, (30, 30)).flags == ("moved",)


def test_flags_of_odd_targets():
    flat = np.full((50, 50), 9, np.uint8)
    assert one(flat, (20, 20)).flags == ("empty", "low_contrast")
    assert one(flat, (20, 20)).area == 1
    assert one(flat, (20, 20)).quality == 0
    assert "clipped" in one(flat, (0, 49)).flags
    long = np.zeros((90, 90))
    long[45] = 1.0
    long[45, 45] = 1.1
    assert one(long, (45, 45)).flags == ("touches_window",)
    assert one(long[40:50], (5, 45)).flags == ("touches_window",)
    assert one(long[:, 40:50], (45, 5)).flags == ("clipped",)


def test_points_of_one_peak_keep_their_pixels():
    image = np.zeros((40, 40))
    image[20, 20] = 5.0
    labels = annotate(image, [(20, 19), (20, 21)], method="threshold")
    assert all("duplicate" in target.flags for target in labels.targets)
    assert (labels.instances() > 0).sum() >= 2


def test_soft_labels_fall_from_the_peak(scene):
    for target in annotate(scene.image, scene.points, method="threshold").targets:
        assert target.soft.max() == 1
        assert target.soft[target.mask].min() >= 0.29
        loose = annotate(scene.image, [target.point], method="threshold", tightness=0.0).targets[0]
        np.testing.assert_array_equal(target.soft > 0, (loose.soft > 0))
        np.testing.assert_array_equal(loose.mask, loose.soft > 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"background_px": 20}, "ThresholdParams.background_px must be odd, got 20"),
        ({"window_px": 40}, "ThresholdParams.window_px must be odd, got 40"),
        ({"background_px": 59}, r"ThresholdParams.background_px must lie in \[3, 57\], got 59"),
        ({"window_px": 67}, r"ThresholdParams.window_px must lie in \[9, 65\], got 67"),
        ({"level": 0}, r"ThresholdParams.level must lie in \[0.01, 0.99\], got 0"),
    ],
)
def test_parameters_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        PLAIN.params(**changes)
