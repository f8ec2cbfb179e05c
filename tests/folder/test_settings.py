"""Parameters by name, checked by the type and range of their defaults."""

from __future__ import annotations

import pytest

from pointlabel.errors import InputError
from pointlabel.folder import build_params
from pointlabel.folder.settings import RunSettings


def test_values_by_name():
    params = build_params("threshold", {"level": 0.4, "window_px": 21})
    assert (params.level, params.window_px, params.background_px) == (0.4, 21, 21)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"levle": 0.4}, r"method threshold has no parameter levle; did you mean level\?"),
        ({"level": "high"}, "parameter level of method threshold must be a number, got 'high'"),
        ({"level": True}, "must be a number, got True"),
        ({"window_px": 2.5}, r"parameter window_px of method threshold must be a whole number, got 2\.5"),
        ({"level": 7}, r"level must lie in \[0\.01, 0\.99\], got 7"),
    ],
)
def test_bad_values_are_named(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        build_params("threshold", changes)


def test_a_method_without_size_prior_says_so():
    with pytest.raises(InputError, match="method threshold has no size prior; leave `size_prior` out"):
        build_params("threshold", {}, "oracle")


def test_the_stamp_is_what_json_gives_back():
    import json

    stamp = RunSettings("threshold", build_params("threshold", {}), outputs=("masks", "soft")).stamp()
    assert stamp == json.loads(json.dumps(stamp))
    assert stamp["outputs"] == ["masks", "soft"]
    assert set(stamp) == {"method", "params", "tightness", "polarity", "seed", "outputs", "version"}


def test_the_stamp_names_a_refinement_only_where_there_is_one():
    params = build_params("threshold", {})
    refined = RunSettings("threshold", params, refine="crf").stamp()
    assert refined == {**RunSettings("threshold", params).stamp(), "refine": "crf"}
    with pytest.raises(InputError, match="refine must be None or one of crf, got 'none'"):
        RunSettings("threshold", params, refine="none")


def test_a_checkpoint_is_a_parameter():
    assert build_params("sam", {"checkpoint": "a"}, checkpoint="b").checkpoint == "b"
    with pytest.raises(InputError, match="method threshold has no checkpoint; leave `checkpoint` out"):
        build_params("threshold", {}, checkpoint="b")
