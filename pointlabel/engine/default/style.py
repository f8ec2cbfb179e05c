"""A data set's style of drawing: a few numbers that move the fitted ones along learned directions.

The first numbers of a style move the score of the candidates, all of them the perceptron of the border. Both are linear
in the style, so that for a fixed style they are plain fitted numbers again: no step knows of styles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, name_hint, shown
from .params import N_STYLE, DefaultParams
from .weights import Weights, load_weights, read_numbers

LEAK_TIMES, LEAK_PX = 4, 50  # of the default style's mask: beyond it a mask has leaked
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Styles:
    """Directions of a style of D numbers in the fitted numbers, and the styles that have names.

    Attributes
    ----------
    score : (A, F, 3), what the first A numbers add to the score's coefficients.
    layers : for each layer of the perceptron what the D numbers add to its weights, (D, in, out) or (D, 1, 1) for
        nothing, and to its biases, (D, out).
    named : name -> (D,) style.
    provenance : what they were fitted on.
    """

    score: NDArray[np.float64]
    layers: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    named: dict[str, Numbers]
    provenance: dict[str, Any]


@cache
def load_styles() -> Styles:
    """Read ``weights/styles.json`` beside this module; `tools/fit_style/` writes it."""
    return parse_styles(read_numbers("styles"))


def parse_styles(stored: dict[str, Any]) -> Styles:
    """Build `Styles` from what the file holds."""
    nothing = np.zeros((N_STYLE, 1, 1))
    return Styles(
        np.array(stored["score"]),
        tuple((np.array(layer.get("weight", nothing)), np.array(layer["bias"])) for layer in stored["layers"]),
        {name: tuple(style) for name, style in stored["named"].items()},
        stored["provenance"],
    )


def named_style(name: str) -> Numbers:
    """Numbers of a style by its name.

    Raises
    ------
    InputError
        Where no style has the name.
    """
    named = load_styles().named
    if name not in named:
        raise InputError(f"there is no style {shown(name)}; {name_hint(name, named)}")
    return named[name]


def styled_weights(params: DefaultParams) -> Weights:
    """The fitted numbers in the style of `params`; those of the package where it has none."""
    return _styled(params.style) if any(params.style) else load_weights()


@cache
def _styled(style: Numbers) -> Weights:
    return fold_style(load_weights(), load_styles(), style)


def fold_style(weights: Weights, styles: Styles, style: Numbers | NDArray[np.float64]) -> Weights:
    """Fitted numbers in a style.

    Parameters
    ----------
    weights : in the default style; not changed.
    styles : the directions.
    style : (D,), in units of the spread of the fitted data sets; none or zeros give `weights` back.
    """
    if not np.any(style):
        return weights
    s = np.asarray(style, float)
    coefficients = weights.score.coefficients + np.tensordot(s[: len(styles.score)], styles.score, 1)
    layers = tuple(
        ((weight + np.tensordot(s, change, 1)).astype(np.float32), (bias + s @ shift).astype(np.float32))
        for (weight, bias), (change, shift) in zip(weights.refine.layers, styles.layers, strict=True)
    )
    score, refine = replace(weights.score, coefficients=coefficients), replace(weights.refine, layers=layers)
    return replace(weights, score=score, refine=refine, plain=weights)


def leaks(area: float, plain_area: float) -> bool:
    """Whether a mask of a style, in pixels, swallows the scene: it is far larger than the default style's.

    Styles that few masks asked for open the border of a target now and then that no mask showed; no way of drawing
    makes a target four times as large.
    """
    return area > LEAK_TIMES * plain_area + LEAK_PX
