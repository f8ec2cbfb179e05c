"""The default method in torch gives the masks of the Numba path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from pointlabel import InputError, annotate, annotate_images
from pointlabel.engine.default.label import label_default
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.style import load_styles
from pointlabel.engine.torch import devices
from pointlabel.engine.torch.label import PLANS, Plan, label_requests
from pointlabel.errors import MissingExtraError
from pointlabel.synthetic import draw_scene
from pointlabel.types import ImageLabels, LabelRequest, TargetLabel
from tests.real_data import real_samples

CPU = torch.device("cpu")


def overlap(ours: ImageLabels, theirs: ImageLabels) -> list[tuple[int, int]]:
    """(intersection, union) of each target's two masks."""
    out = []
    for one, other in zip(ours.targets, theirs.targets, strict=True):
        masks = np.zeros((2, *ours.shape), bool)
        for mask, target in zip(masks, (one, other), strict=True):
            mask[target.window] = target.mask
        out.append((int((masks[0] & masks[1]).sum()), int((masks[0] | masks[1]).sum())))
    return out


def assert_same(ours: TargetLabel, theirs: TargetLabel) -> None:
    """Equal but for what the round-off of float32 makes of soft label and quality."""
    assert (ours.point, ours.origin, ours.flags, ours.polarity) == (
        theirs.point,
        theirs.origin,
        theirs.flags,
        theirs.polarity,
    )
    np.testing.assert_array_equal(ours.mask, theirs.mask)
    np.testing.assert_allclose(ours.soft, theirs.soft, atol=1e-4)
    assert ours.soft.dtype == np.float32
    assert ours.quality == pytest.approx(theirs.quality, abs=1e-4)
    assert ours.presence == pytest.approx(theirs.presence, abs=1e-9)


def compare(image: np.ndarray, points: Any, **options: Any) -> ImageLabels:
    ours, theirs = (annotate(image, points, backend=backend, **options) for backend in ("torch", "numba"))
    assert len(ours.targets) == len(theirs.targets)
    for one, other in zip(ours.targets, theirs.targets, strict=True):
        assert_same(one, other)
    return ours


@pytest.mark.parametrize("tightness", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_drawn_scenes_at_every_tightness(tightness):
    for seed in range(3):
        scene = draw_scene(seed=seed, shape=(96, 128), n_targets=3, background="cloud")
        compare(scene.image, scene.points, tightness=tightness)


def test_each_target_has_its_own_tightness():
    scene = draw_scene(seed=5, shape=(96, 128), n_targets=3)
    compare(scene.image, scene.points, tightness=[0.1, 0.5, 0.9])


@pytest.mark.parametrize("polarity", ["dark", "auto"])
def test_polarity(polarity):
    scene = draw_scene(seed=6, shape=(96, 128), n_targets=2)
    image = scene.image.astype(np.int64)
    image[:, 64:] = 255 - image[:, 64:]
    compare(image, scene.points, polarity=polarity)


PARAMS = {
    "one scale": DefaultParams(n_scales=1),
    "two scales": DefaultParams(n_scales=2, temperature=1.0),
    "no heat": DefaultParams(n_steps=0),
    "much heat": DefaultParams(n_steps=30, rho=0.8, beta=9.0, alpha=0.2),
    "no refinement": DefaultParams(refine=False),
    "alone": DefaultParams(snap=False, share_heat=False),
    "larger windows": DefaultParams(enlarge=True),
    "grown": DefaultParams(border_px=2.3),
    "shrunk": DefaultParams(border_px=-1.0),
    "loose": DefaultParams(loosest=0.02),
    **{name: DefaultParams(style=style) for name, style in load_styles().named.items() if any(style)},
    "styled": DefaultParams(style=(3.0, -3.0, 3.0, 3.0, -3.0, 3.0, 3.0)),
}


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS.keys())
def test_parameters_are_followed(params):
    for seed in (11, 12):
        scene = draw_scene(seed=seed, shape=(96, 128), n_targets=3, background="cloud")
        compare(scene.image, scene.points, params=params)
        compare(scene.image, scene.points, params=params, tightness=0.25)


def blob(shape: tuple[int, int], place: tuple[float, float], width: float, height: float = 150.0) -> np.ndarray:
    rows, columns = np.indices(shape)
    return height * np.exp(-((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / (2 * width**2))


def test_every_flag(rng):
    noise = rng.normal(50, 2, (200, 220))
    flagged: set[str] = set()

    def look(image: np.ndarray, points: Any, **options: Any) -> None:
        flagged.update(flag for target in compare(image, points, **options).targets for flag in target.flags)

    look(noise + blob(noise.shape, (90, 100), 2), [(91, 101)])  # moved
    look(noise, [(90, 100)])  # low contrast
    look(noise + blob(noise.shape, (0, 100), 2), [(0, 100)])  # clipped
    look(noise + blob(noise.shape, (90, 100), 3) + blob(noise.shape, (90, 107), 3), [(90, 100), (90, 107)])
    look(noise + blob(noise.shape, (90, 100), 2), [(90, 101), (91, 100)])  # duplicate
    look(noise + blob(noise.shape, (90, 100), 2), [(90, 100), (90, 100)])
    holes = noise + blob(noise.shape, (90, 100), 2)
    holes[80:86, 95:99] = np.nan
    look(holes, [(90, 100)])
    look(np.zeros((50, 60)), [(20, 30), (0, 0)])
    stripe = noise.copy()
    stripe[88:93] += 30  # leads out of the window, where the border is loose
    look(stripe + blob(noise.shape, (90, 100), 2), [(90, 100)], tightness=0.0)
    assert flagged >= {"moved", "low_contrast", "clipped", "overlap", "duplicate", "nan", "empty"}
    assert "touches_window" in flagged


def test_a_doubtful_peak_is_compared_with_the_click():
    rng = np.random.default_rng(0)
    grains = ndimage.gaussian_filter(rng.normal(0, 16, (96, 96)), 1)
    labels = compare(100 + grains + blob((96, 96), (48, 48), 6, 14.0), [(48, 48)])
    assert "moved" not in labels.targets[0].flags


def test_large_targets_take_a_larger_window(rng):
    for radius in (35, 50):
        disc = np.hypot(*(np.indices((400, 400)) - [[[190]], [[200]]])) < radius
        image = np.where(disc, 150.0, 0.0) + rng.normal(50, 2, disc.shape)
        target = compare(image, [(190, 200)], params=DefaultParams(enlarge=True)).targets[0]
        assert target.area == pytest.approx(np.pi * radius**2, rel=0.05)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_dtypes(dtype):
    scene = draw_scene(seed=3, shape=(64, 80), n_targets=2)
    compare(scene.image.astype(dtype), scene.points)


def test_no_points_and_tiny_images():
    assert compare(np.zeros((4, 4)), []).targets == ()
    compare(np.arange(12.0).reshape(3, 4), [(2, 3)])
    compare(np.ones((1, 1)), [(0, 0)])


def test_many_images_at_once_are_those_images_one_by_one():
    scenes = [draw_scene(seed=seed, shape=(60 + seed, 80), n_targets=1 + seed % 3) for seed in range(6)]
    images = [scene.image if k % 2 else scene.image.astype(np.float32) for k, scene in enumerate(scenes)]
    levels: list[Any] = [0.5, 0.3, *([0.5] * 4)]
    together = annotate_images(images, [scene.points for scene in scenes], tightness=levels)
    for image, scene, level, found in zip(images, scenes, levels, together, strict=True):
        alone = annotate(image, scene.points, tightness=level)
        for one, other in zip(found.targets, alone.targets, strict=True):
            assert_same(one, other)
    assert annotate_images([], []) == []


@pytest.mark.parametrize("plan", [Plan(4, 33**2, (65,)), Plan(2, 10**6, (29, 41, 65), threads=2)])
def test_the_plan_does_not_change_the_masks(monkeypatch, plan):
    scenes = [draw_scene(seed=seed, shape=(96, 128), n_targets=3) for seed in range(3)]
    images, points = [scene.image for scene in scenes], [scene.points for scene in scenes]
    usual = annotate_images(images, points)
    monkeypatch.setitem(PLANS, "cpu", plan)
    for one, other in zip(annotate_images(images, points), usual, strict=True):
        for ours, theirs in zip(one.targets, other.targets, strict=True):
            assert_same(ours, theirs)


def test_candidates_of_the_device_give_the_same_labels():
    scenes = [draw_scene(seed=seed, shape=(96, 128), n_targets=3, background="cloud") for seed in range(3)]
    for params in (DefaultParams(), DefaultParams(n_scales=1, border_px=1.0)):
        requests = [
            LabelRequest(s.image, s.points, np.array([0.5, 0.4, 0.7]), None, np.random.default_rng(0)) for s in scenes
        ]
        for request, labels in zip(requests, label_requests(requests, params, CPU, compiled=False), strict=True):
            for one, other in zip(labels, label_default(request, params), strict=True):
                assert_same(one, other)


def test_real_images(data):
    both, either = 0, 0
    for name in ("SIRST-v1", "NUDT-SIRST", "IRSTD-1k"):
        samples = [s for s in real_samples(data / name, every=24) if len(s[1])]
        images, points = [s[0] for s in samples], [s[1] for s in samples]
        for tightness in (0.5, 0.2):
            for image, spots, ours in zip(
                images, points, annotate_images(images, points, tightness=tightness), strict=True
            ):
                for shared, joint in overlap(ours, annotate(image, spots, tightness=tightness)):
                    assert shared >= 0.9 * joint
                    both, either = both + shared, either + joint
    assert both >= 0.999 * either > 1000


# What is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"backend": "jax"}, "backend must be one of numba, torch, got 'jax'"),
        ({"backend": "torch", "method": "threshold"}, "by the method default alone, got method threshold"),
        ({"backend": "torch", "device": "tpu"}, "device must be cpu, cuda or cuda:N, got 'tpu'"),
        ({"backend": "torch", "device": "cuda:x"}, "device must be cpu, cuda or cuda:N, got 'cuda:x'"),
        ({"device": "cuda"}, "backend numba works on the cpu alone, got device 'cuda'"),
    ],
)
def test_bad_backends_are_named(options, sentence):
    with pytest.raises(InputError, match=sentence):
        annotate(np.zeros((9, 9)), [(4, 4)], **options)


def test_a_missing_cuda_device_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device cuda: torch finds no CUDA device on this machine"):
        annotate(np.zeros((9, 9)), [(4, 4)], backend="torch", device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="device cuda:2: this machine has 2 CUDA devices, numbered from 0"):
        devices.open_device("cuda:2")
    assert devices.open_device("cuda:1") == torch.device("cuda", 1)


def test_missing_torch_names_the_extra(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"backend torch needs torch.*pip install 'pointlabel\[train\]'"):
        annotate(np.zeros((9, 9)), [(4, 4)], backend="torch")


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="points must have one entry an image, 1, got 0"):
        annotate_images([np.zeros((9, 9))], [])
    with pytest.raises(InputError, match="tightness must have one entry an image, 1, got 2"):
        annotate_images([np.zeros((9, 9))], [[(4, 4)]], tightness=[0.5, 0.5])
