"""The fitted numbers of the default method, with where they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError


@dataclass(frozen=True, slots=True)
class ScoreWeights:
    """Score of a candidate: (F,) mean and deviation of the features, (F, 3) coefficients."""

    centre: NDArray[np.float64]
    deviation: NDArray[np.float64]
    coefficients: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RefineWeights:
    """The pixel perceptron: (I,) mean and deviation of the inputs, then three layers (in, out) with their biases."""

    centre: NDArray[np.float32]
    deviation: NDArray[np.float32]
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]


@dataclass(frozen=True, slots=True)
class QualityWeights:
    """Quality of a mask: (I,) mean and deviation of the inputs, (I, H) hidden layer, (H,) coefficients, biases."""

    centre: NDArray[np.float64]
    deviation: NDArray[np.float64]
    hidden: NDArray[np.float64]
    hidden_bias: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    bias: float


@dataclass(frozen=True, slots=True)
class Weights:
    """All fitted numbers of the default method; `plain` are those of the default style where these have another."""

    score: ScoreWeights
    refine: RefineWeights
    quality: QualityWeights
    provenance: dict[str, Any]
    plain: Weights | None = None


@cache
def load_weights(name: str = "default") -> Weights:
    """Read ``weights/NAME.json`` beside this module; `tools/fit_default/` writes it."""
    return parse_weights(read_numbers(name))


def read_numbers(name: str) -> dict[str, Any]:
    """What ``weights/NAME.json`` beside this module holds."""
    path = files("pointlabel.engine.default") / "weights" / f"{name}.json"
    try:
        stored: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"there are no fitted weights called {name!r}") from None
    return stored


def parse_weights(stored: dict[str, Any]) -> Weights:
    """Build `Weights` from what the file holds."""
    score, refine, quality = stored["score"], stored["refine"], stored["quality"]
    return Weights(
        ScoreWeights(
            np.array(score["centre"]), np.array(score["deviation"]), np.ascontiguousarray(score["coefficients"], float)
        ),
        RefineWeights(
            np.array(refine["centre"], np.float32),
            np.array(refine["deviation"], np.float32),
            tuple(
                (np.ascontiguousarray(layer["weight"], np.float32), np.array(layer["bias"], np.float32))
                for layer in refine["layers"]
            ),
        ),
        QualityWeights(
            np.array(quality["centre"]),
            np.array(quality["deviation"]),
            np.array(quality["hidden"]),
            np.array(quality["hidden_bias"]),
            np.array(quality["coefficients"]),
            float(quality["bias"]),
        ),
        stored["provenance"],
    )
