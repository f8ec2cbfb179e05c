"""Every wrong type in an argument is one InputError that names the argument and the value."""

# mypy: disable-error-code="arg-type, list-item, call-overload"
from __future__ import annotations

import datetime
import decimal
from dataclasses import MISSING, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointlabel import annotate, annotate_images, get_method
from pointlabel.baselines.crf.labels import CrfParams
from pointlabel.errors import InputError, shown
from pointlabel.evaluation.bootstrap import paired_bootstrap
from pointlabel.evaluation.metrics import score_image
from pointlabel.evaluation.pd_fa import SoftSweep, curve_area
from pointlabel.evaluation.report import Evaluation
from pointlabel.folder import annotate_folder, build_params
from pointlabel.folder.settings import RunSettings
from pointlabel.io.masks.read import read_mask
from pointlabel.io.text import as_written, encode_text, harmless
from pointlabel.methods.table import BUILT_IN
from pointlabel.synthetic import draw_scene
from pointlabel.training.config import TrainConfig
from pointlabel.training.split_lists import make_split

PARAMS = sorted({method.params_class for method in BUILT_IN.values()} | {CrfParams}, key=lambda cls: cls.__name__)
FIELDS = [(cls, item) for cls in (*PARAMS, TrainConfig) for item in fields(cls) if item.default is not MISSING]

#: Of no type that a parameter has, whatever its default is.
NOTHING = st.sampled_from(
    [None, 1j, {"a": 1}, b"x", object(), datetime.date(2026, 1, 1), decimal.Decimal("0.5"), np.zeros(3), {1}, len]
)


def of_another_type(default):
    """Values that cannot stand for a default: of another type, not finite, too large for any number."""
    numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, 10**5000, -(10**400)]))
    words = st.one_of(st.text(max_size=8), st.just("x" * 10_000))
    not_finite = st.sampled_from([float("nan"), float("inf"), float("-inf"), np.float64("nan"), np.float32("inf")])
    if isinstance(default, bool):
        return st.one_of(NOTHING, numbers, words, st.just([True]))
    if isinstance(default, int):
        return st.one_of(NOTHING, words, st.booleans(), st.floats(), not_finite, st.just([1]), st.just(np.True_))
    if isinstance(default, float):
        return st.one_of(NOTHING, words, st.booleans(), not_finite, st.just([0.5]), st.just(10**5000))
    if isinstance(default, str):
        return st.one_of(NOTHING, numbers, st.booleans(), st.just(["a"]), st.just("nul\0inside"))
    return st.one_of(NOTHING, numbers, words, st.booleans(), st.just([[1.0], 2.0]), st.just(["a"]), st.just([np.nan]))


@given(st.data())
def test_a_parameter_of_another_type_is_named(data):
    cls, item = data.draw(st.sampled_from(FIELDS))
    value = data.draw(of_another_type(item.default))
    with pytest.raises(InputError, match=rf"{item.name} (must|holds)"):
        cls(**{item.name: value})


@given(st.data())
def test_numbers_of_numpy_become_those_of_python(data):
    cls, item = data.draw(st.sampled_from([(cls, item) for cls, item in FIELDS if type(item.default) in (int, float)]))
    value = (np.int64 if isinstance(item.default, int) else np.float64)(item.default)
    assert type(getattr(cls(**{item.name: value}), item.name)) is type(item.default)


@given(st.data())
def test_values_of_a_config_or_of_set_get_one_sentence(data):
    method = data.draw(st.sampled_from(sorted(BUILT_IN)))
    item = data.draw(st.sampled_from(fields(BUILT_IN[method].params_class)))
    value = data.draw(of_another_type(item.default))
    with pytest.raises(InputError, match=rf"parameter {item.name} of method {method} must be"):
        build_params(method, {item.name: value})


IMAGE, POINTS = np.arange(400.0).reshape(20, 20), [(10, 10)]
MASK = IMAGE > 200


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: annotate(None, POINTS), "image must be a non-empty 2-D array"),
        (lambda: annotate([[1, 2], [3]], POINTS), "image must be real numbers in rows of equal length"),
        (lambda: annotate(IMAGE.astype(object), POINTS), "image must hold real numbers, got dtype object"),
        (lambda: annotate(IMAGE, None), "points must be real numbers, got None"),
        (lambda: annotate(IMAGE, [("1", "2")]), "points must be real numbers"),
        (lambda: annotate(IMAGE, [(None, 2)]), "points must be real numbers"),
        (lambda: annotate(IMAGE, np.array([(1j, 2)])), "points must be real numbers"),
        (lambda: annotate(IMAGE, POINTS, method=["default"]), r"unknown method \['default'\]"),
        (lambda: annotate(IMAGE, POINTS, method=None), "unknown method None"),
        (lambda: annotate(IMAGE, POINTS, params={}), "params of method default must be DefaultParams, got dict"),
        (lambda: annotate(IMAGE, POINTS, tightness="0.5"), "tightness must be real numbers, got '0.5'"),
        (lambda: annotate(IMAGE, POINTS, tightness=None), "tightness must be real numbers, got None"),
        (lambda: annotate(IMAGE, POINTS, polarity=np.array(["dark", "auto"])), "polarity must be one of"),
        (lambda: annotate(IMAGE, POINTS, true_area=["many"]), "true_area must be real numbers"),
        (lambda: annotate(IMAGE, POINTS, true_area=[1e300]), "true_area must hold whole numbers"),
        (lambda: annotate(IMAGE, POINTS, refine=1), "refine must be None or one of crf, got 1"),
        (lambda: annotate(IMAGE, POINTS, rng="a"), "rng must be a seed of 0 or more, .* got 'a'"),
        (lambda: annotate(IMAGE, POINTS, rng=-1), "rng must be a seed of 0 or more, .* got -1"),
        (lambda: annotate(IMAGE, POINTS, backend=[]), r"backend must be one of numba, torch, got \[\]"),
        (lambda: annotate(IMAGE, POINTS, device=0), "device must be cpu, cuda or cuda:N, got 0"),
        (lambda: annotate_images(None, [POINTS]), "images must be a list with one entry an image, got None"),
        (lambda: annotate_images([IMAGE], "a"), "points must be a list with one entry an image, got 'a'"),
        (lambda: RunSettings("default", None, tightness="x"), "tightness must be a number, got 'x'"),
        (lambda: RunSettings("default", None, seed=0.5), "seed must be a whole number, got 0.5"),
        (lambda: annotate_folder(None, "p", "o"), "images must be a path, got None"),
        (lambda: annotate_folder("i", 3, "o"), "points must be a path, got 3"),
        (lambda: annotate_folder("i", "p", "o\0"), "out must be a path"),
        (lambda: annotate_folder("i", "p", "o", jobs="2"), "jobs must be a whole number, got '2'"),
        (lambda: score_image(IMAGE, MASK), r"predicted must be an array \(height, width\) of bool, got an array"),
        (lambda: score_image(MASK, MASK.tolist()), r"true must be an array \(height, width\) of bool"),
        (lambda: Evaluation(seed="a"), "seed must be a whole number, got 'a'"),
        (lambda: Evaluation(profile=3), "profile must be one of exact, legacy, got 3"),
        (lambda: SoftSweep(["a"]), "thresholds must be real numbers"),
        (lambda: SoftSweep([0.1, float("nan")]), r"thresholds must increase and lie in \[0, 1\)"),
        (lambda: curve_area(None, [1]), "fa must be real numbers, got None"),
        (lambda: paired_bootstrap("a", [], []), "a must be real numbers, got 'a'"),
        (lambda: draw_scene(shape=5), "shape must be a pair, got 5"),
        (lambda: draw_scene(shape=(64, "a")), "shape must be a whole number, got 'a'"),
        (lambda: draw_scene(seed=None), "seed must be a whole number, got None"),
        (lambda: draw_scene(noise=float("nan")), "noise must be a finite number, got nan"),
        (lambda: draw_scene(contrast="high"), "contrast must be a number, got 'high'"),
        (lambda: draw_scene(shapes="disc"), "shapes must be a list of names, got 'disc'"),
        (lambda: draw_scene(dtype="colour"), "dtype must be one of integers or floats, got 'colour'"),
        (lambda: read_mask(None), "path must be a path, got None"),
        (lambda: read_mask("a.png", "127"), "threshold must be a number, got '127'"),
        (lambda: make_split("data", ratio=6), "ratio must be two or three positive numbers such as 6:2:2, got 6"),
        (lambda: TrainConfig(device="cuda:²"), "device must be auto, cpu, cuda or cuda:N"),
        (lambda: TrainConfig(loss_params={"reduction": "mean"}), "loss_params must leave reduction out"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_long_value_is_cut():
    assert len(shown("x" * 10_000)) < 100
    assert shown(10**5000) == "a value of type int"
    assert shown("a\nb") == r"'a\nb'"


def test_list_of_numbers_stands_for_a_tuple():
    assert get_method("default").params(style=[0] * 7).style == (0.0,) * 7


@given(st.text())
def test_cells_can_be_read_back_and_start_no_formula(text):
    cell = harmless(text)
    assert as_written(cell) == text
    try:
        float(cell)
    except ValueError:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.binary(max_size=20))
def test_a_name_is_written_as_the_bytes_that_it_has(name):
    assert encode_text(name.decode("utf-8", "surrogateescape")) == name
