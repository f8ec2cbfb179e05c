"""Choose a style by what it brings on masks that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.default.params import DefaultParams
from ..engine.default.style import Styles, fold_style, load_styles
from ..engine.default.weights import Weights, load_weights
from ..errors import InputError
from .fit import fit_style
from .styles import OPTIONS, Option, Style
from .targets import Case, Outcome, label_cases

N_FOLDS = 5
N_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a calibration found.

    Attributes
    ----------
    style : what to annotate with; the default style where nothing was worth a change.
    option : how it was found, in words.
    best : the option that came closest, taken or not.
    least_gain : what that option has to gain to be taken.
    error : standard errors of its gain that are taken off before.
    worth_using : whether it changes anything.
    judged : whether masks were held out; a single mask leaves none.
    targets, images : what it was fitted to.
    before, after : (pooled IoU, mean IoU) held out, with the default style and with what is taken.
    gain : held-out gain of the score, half pooled and half mean IoU.
    interval : 95 % bootstrap interval of the gain, over images.
    size_before, size_after : area of the masks over the true area, geometric mean, held out.
    tried : held-out (pooled IoU, mean IoU) of every option by name.
    """

    style: Style
    option: str
    best: str
    least_gain: float
    error: float
    worth_using: bool
    judged: bool
    targets: int
    images: int
    before: tuple[float, float]
    after: tuple[float, float]
    gain: float
    interval: tuple[float, float]
    size_before: float
    size_after: float
    tried: dict[str, tuple[float, float]]


def calibrate(
    cases: Sequence[Case],
    *,
    params: DefaultParams | None = None,
    weights: Weights | None = None,
    styles: Styles | None = None,
    options: Sequence[Option] = OPTIONS,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Find the style of targets with known masks.

    Every option is fitted to folds of images, at most five, and judged by the engine on the images of the others; where
    all targets are of one image, on folds of targets. It passes where it gains what it has to (see `Option`). The best
    that passes is taken, else the default style stays. What is taken is fitted again to all targets. A single target
    can judge nothing: the option after the default, the safest one, is taken.

    Parameters
    ----------
    cases : from `cases_of`.
    params : of the default method to start from.
    weights : fitted numbers to start from; None for the package's.
    styles : directions of the style; None for the package's.
    options : ways to find a style, the first one the default; at least two.
    seed : of the folds and the resamples.
    report : called with the number of options done and of all.

    Raises
    ------
    InputError
        Where there is no case.
    """
    if not cases:
        raise InputError("calibration needs at least one mask with a target, got none")
    base, fitted, directions = params or DefaultParams(), weights or load_weights(), styles or load_styles()
    names, image = np.unique([case.image for case in cases], return_inverse=True)
    options = [option for option in options if len(names) >= option.least_images]
    rng = np.random.default_rng(seed)
    folds = _folds(image, rng)
    judged = len(np.unique(folds)) > 1

    def find(option: Option, at: NDArray[np.int64]) -> Style:
        if option.pulls is None:
            return Style(border_px=option.border_px)
        return Style(fit_style([cases[i] for i in at], fitted, directions, base, option.pulls), option.border_px)

    def judge(style: Style, at: NDArray[np.int64]) -> Outcome:
        numbers = fold_style(fitted, directions, style.numbers)
        return label_cases([cases[i] for i in at], numbers, style.params(base))

    everything = np.arange(len(cases))
    plain = judge(Style(), everything)
    inter, union = (np.tile(values, (len(options), 1)) for values in (plain.inter, plain.union))
    for k, option in enumerate(options):
        for fold in np.unique(folds) if k and judged else ():
            held = np.flatnonzero(folds == fold)
            outcome = judge(find(option, np.flatnonzero(folds != fold)), held)
            inter[k, held], union[k, held] = outcome.inter, outcome.union
        if report is not None:
            report(k + 1, len(options))
    scores = np.array([score(*pair) for pair in zip(inter, union, strict=True)])
    gains = scores - scores[0]
    errors = np.array([option.n_errors for option in options]) * _errors(inter / union)
    passed = gains - errors >= [option.least_gain for option in options]
    passed[0] = False
    taken = int(np.argmax(np.where(passed, scores, -1.0))) if passed.any() else 0
    taken = taken if judged else 1
    best = taken or 1 + int(np.argmax((gains - errors - [option.least_gain for option in options])[1:]))
    pooled, mean = inter.sum(1) / union.sum(1), (inter / union).mean(1)
    true_area = np.array([case.true_area for case in cases])
    sizes = np.exp(np.log((inter + union - true_area) / true_area).mean(1))
    style = find(options[taken], everything)
    return Calibration(
        style=style,
        option=options[taken].name,
        best=options[best].name,
        least_gain=options[best].least_gain,
        error=float(errors[best]),
        worth_using=style != Style(),
        judged=judged,
        targets=len(cases),
        images=len(names),
        before=(float(pooled[0]), float(mean[0])),
        after=(float(pooled[taken]), float(mean[taken])),
        gain=float(gains[taken]),
        interval=_interval(inter[[0, taken]], union[[0, taken]], image, rng) if taken else (0.0, 0.0),
        size_before=float(sizes[0]),
        size_after=float(sizes[taken]),
        tried={option.name: (float(pooled[k]), float(mean[k])) for k, option in enumerate(options)},
    )


def score(inter: NDArray[np.float64], union: NDArray[np.float64]) -> float:
    """Half the pooled and half the mean IoU."""
    return 0.5 * float(inter.sum() / union.sum()) + 0.5 * float((inter / union).mean())


def _folds(image: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of each target: that of its image, or its own where there is one image."""
    key = image if image.any() else np.arange(len(image))
    n = int(key.max()) + 1
    folds: NDArray[np.int64] = rng.permutation(np.arange(n) % min(N_FOLDS, n))[key]
    return folds


def _errors(iou: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of each option's gain in IoU over the first one, over the targets."""
    out: NDArray[np.float64] = (iou - iou[0]).std(1) / iou.shape[1] ** 0.5
    return out


def _interval(
    inter: NDArray[np.float64], union: NDArray[np.float64], image: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """95 % interval of the gain of the second row over the first, in resamples of the images."""
    n = int(image.max()) + 1
    times = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES)[:, image].astype(float).T
    pooled = (inter @ times) / (union @ times)
    scores = 0.5 * pooled + 0.5 * ((inter / union) @ times) / times.sum(0)
    low, high = np.percentile(scores[1] - scores[0], [2.5, 97.5])
    return float(low), float(high)
