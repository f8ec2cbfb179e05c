"""The plugin for napari: what its manifest says is there, and layers become the labels of `annotate`."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from pointlabel import annotate
from pointlabel.errors import InputError
from pointlabel.napari_plugin import label_frames, label_layers
from pointlabel.synthetic import draw_scene

ROOT = Path(__file__).parent.parent
SCENES = [draw_scene(seed=seed, shape=(64, 80), n_targets=2) for seed in range(3)]


def layer(data: Any, scale: float = 1, shift: float = 0, **more: Any) -> Any:
    """What the plugin asks of a layer, with its data at ``scale * data + shift`` in the world."""
    about = {"data": data, "name": "frame", "multiscale": False, "rgb": False, "scale": scale, "translate": shift}
    place = {"rotate": 0, "shear": 0, "affine": None}
    world = {"data_to_world": lambda p: np.asarray(p) * scale + shift, "world_to_data": lambda p: (p - shift) / scale}
    ndim = {"ndim": data.shape[1] if data.shape[-1] <= 3 else data.ndim}
    return SimpleNamespace(**about | place | world | ndim | more)


def test_the_manifest_names_what_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    package, _, file = project["project"]["entry-points"]["napari.manifest"]["pointlabel"].partition(":")
    assert file in project["tool"]["setuptools"]["package-data"][package]
    manifest = yaml.safe_load((ROOT / package / file).read_text())
    assert manifest["name"] == project["project"]["name"]
    (command,) = manifest["contributions"]["commands"]
    module, _, name = command["python_name"].partition(":")
    assert getattr(importlib.import_module(module), name) is label_layers
    (widget,) = manifest["contributions"]["widgets"]
    assert (widget["command"], widget["autogenerate"]) == (command["id"], True)


def test_layers_become_the_labels_of_annotate_in_the_place_of_the_image():
    scene = SCENES[0]
    image = layer(scene.image, scale=2, shift=5)
    points = layer((scene.points * 2 + 5) / 3, scale=3)
    data, settings, kind = label_layers(image, points, tightness=0.7)
    expected = annotate(scene.image, scene.points, tightness=0.7)
    assert kind == "labels"
    assert np.array_equal(data, expected.instances())
    assert (settings["name"], settings["scale"], settings["translate"]) == ("frame masks", 2, 5)
    assert settings["features"]["index"] == [0, 1, 2]
    assert settings["features"]["score"] == pytest.approx([0, *(t.trust for t in expected.targets)], abs=1e-6)


def test_each_frame_of_a_stack_is_labelled_by_its_own_points():
    stack = np.stack([scene.image for scene in SCENES])
    places = [(frame, *point) for frame in (2, 0) for point in SCENES[frame].points]
    data, _, _ = label_layers(layer(stack), layer(np.array(places)))
    assert data.shape == stack.shape
    for frame, first in ((0, 2), (2, 0)):
        expected = annotate(stack[frame], SCENES[frame].points).instances().astype(int)
        assert np.array_equal(data[frame], np.where(expected > 0, expected + first, 0))
    assert not data[1].any()


def test_colours_become_their_luma():
    scene = SCENES[0]
    colours = np.repeat(scene.image[..., None], 3, axis=2)
    labels, _ = label_frames(colours, scene.points, rgb=True)
    assert np.array_equal(labels, annotate(colours, scene.points).instances())


def test_no_points_give_an_empty_layer():
    labels, scores = label_frames(SCENES[0].image, np.zeros((0, 2)))
    assert (labels.any(), scores) == (False, [])


@pytest.mark.parametrize(
    ("image", "points", "words"),
    [
        (None, layer(SCENES[0].points), "an Image layer and a Points layer are needed"),
        (layer(SCENES[0].image), layer(np.zeros((1, 3))), "the points have 3 axes and the image has 2"),
        (layer(SCENES[0].image), layer(np.array([[64.0, 2.0]])), "inside the 64 x 80 image"),
        (layer(np.zeros((3, 64, 80))), layer(np.array([[3.0, 2.0, 2.0]])), "in a frame beside the 3 x 64 x 80 image"),
        (layer(np.zeros((3, 64, 80))), layer(np.array([[np.nan, 2.0, 2.0]])), "in a frame beside"),
    ],
)
def test_layers_that_do_not_fit_are_one_sentence(image, points, words):
    with pytest.raises(InputError, match=words):
        label_layers(image, points)


def test_layers_of_napari_itself_are_read():
    layers = pytest.importorskip("napari.layers")
    scene = SCENES[0]
    image = layers.Image(scene.image, scale=(2, 2), translate=(5, 5))
    points = layers.Points((scene.points * 2 + 5) / 3, scale=(3, 3))
    data, settings, _ = label_layers(image, points)
    made = layers.Labels(data, **settings)
    assert np.array_equal(made.data, annotate(scene.image, scene.points).instances())
    assert made.scale.tolist() == [2, 2]
