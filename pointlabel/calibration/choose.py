"""Choose a style by what it brings on masks that it was not learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..engine.default.params import DefaultParams
from ..engine.default.style import add_style
from ..engine.default.weights import Weights, load_weights
from ..errors import InputError
from .fit import learn_border, learn_score
from .styles import OPTIONS, Option, Style
from .targets import Candidates, Case, HeatedVote, Outcome, candidates_of, label_cases, votes_of

LEAST_IMAGES = 2  # one to learn from, one to judge
N_FOLDS = 5
N_RESAMPLES = 2000
SURE = 0.9  # share of resamples in which a style must beat the defaults
UNHURT = 0.8  # share of targets that it must not label worse: few masks won big are luck more often than style ...
CLEAR = 0.1  # ... but for a style that wins so much IoU on every other target


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a calibration found.

    Attributes
    ----------
    style : what to annotate with; the defaults' where nothing was worth a change.
    option : how it was found, in words.
    best : the option that came closest, taken or not.
    least_gain : what that option has to gain to be taken.
    worth_using : whether it changes anything.
    targets, images : what it was learned from.
    before, after : (pooled IoU, mean IoU) held out, with the defaults and with the style.
    gain : held-out gain of the score, half pooled and half mean IoU.
    interval : 95 % bootstrap interval of the gain, over images.
    confidence : share of the resamples in which `best` beats the defaults.
    unhurt : share of the targets that `best` labels no worse than the defaults, held out.
    median_gain : median over the targets of the IoU that `best` gains, held out.
    size_before, size_after : area of the masks over the true area, geometric mean, held out.
    tried : held-out (pooled IoU, mean IoU) of every option by name.
    """

    style: Style
    option: str
    best: str
    least_gain: float
    worth_using: bool
    targets: int
    images: int
    before: tuple[float, float]
    after: tuple[float, float]
    gain: float
    interval: tuple[float, float]
    confidence: float
    unhurt: float
    median_gain: float
    size_before: float
    size_after: float
    tried: dict[str, tuple[float, float]]


def calibrate(
    cases: Sequence[Case],
    *,
    params: DefaultParams | None = None,
    weights: Weights | None = None,
    options: Sequence[Option] = OPTIONS,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Learn a style from targets with known masks.

    Every option is judged on images that it was not learned from: folds of images, at most five. It passes where it
    brings what it has to, beats the defaults in pooled and in mean IoU and in 90 % of the resamples of the images, and
    labels at least 80 % of the targets no worse, or every other one better by 0.1. The best that passes is taken, else
    the defaults stay. What is taken is learned again from all targets.

    Parameters
    ----------
    cases : from `cases_of`, of at least two images.
    params : of the default method to start from.
    weights : fitted numbers to start from; None for the package's.
    options : ways to find a style, the first one the defaults; at least two.
    seed : of the folds and the resamples.
    report : called with the number of options done and of all.

    Raises
    ------
    InputError
        Where the cases come from fewer than two images.
    """
    base, fitted = params or DefaultParams(), weights or load_weights()
    names = sorted({case.image for case in cases})
    if len(names) < LEAST_IMAGES:
        raise InputError(f"calibration needs masks with targets in at least {LEAST_IMAGES} images, got {len(names)}")
    options = [option for option in options if len(names) >= option.least_images]
    image = np.array([names.index(case.image) for case in cases])
    rng = np.random.default_rng(seed)
    n_folds = min(N_FOLDS, len(names))
    fold_of = rng.permutation(np.arange(len(names)) % n_folds)[image]
    workshop = _Workshop(cases, candidates_of(cases), fitted, base, votes_of(cases, fitted, base))
    inter, union = np.zeros((len(options), len(cases))), np.ones((len(options), len(cases)))
    for k, option in enumerate(options):
        for fold in range(n_folds):
            held = np.flatnonzero(fold_of == fold)
            style = workshop.find(option, np.flatnonzero(fold_of != fold))
            outcome = workshop.judge(style, held)
            inter[k, held], union[k, held] = outcome.inter, outcome.union
        if report is not None:
            report(k + 1, len(options))
    scores = np.array([score(inter[k], union[k]) for k in range(len(options))])
    gains = _resampled_gains(inter, union, image, len(names), rng)
    pooled, mean = inter.sum(1) / union.sum(1), (inter / union).mean(1)
    confidence = (gains > 0).mean(1)
    unhurt = (inter * union[0] >= inter[0] * union).mean(1)  # IoU against IoU, in whole numbers
    median_gain = np.median(inter / union - inter[0] / union[0], axis=1)
    passed = scores - scores[0] >= [option.least_gain for option in options]
    passed &= (pooled > pooled[0]) & (mean > mean[0]) & (confidence >= SURE)
    passed &= (unhurt >= UNHURT) | (median_gain >= CLEAR)
    taken = int(np.argmax(np.where(passed, scores, -1.0))) if passed.any() else 0
    best = taken or 1 + int(np.argmax(scores[1:]))
    true_area = np.array([case.true_area for case in cases])
    sizes = np.exp(np.log((inter + union - true_area) / true_area).mean(1))
    low, high = np.percentile(gains[taken], [2.5, 97.5]) if taken else (0.0, 0.0)
    return Calibration(
        style=workshop.find(options[taken], np.arange(len(cases))),
        option=options[taken].name,
        best=options[best].name,
        least_gain=options[best].least_gain,
        worth_using=taken > 0,
        targets=len(cases),
        images=len(names),
        before=(float(pooled[0]), float(mean[0])),
        after=(float(pooled[taken]), float(mean[taken])),
        gain=float(scores[taken] - scores[0]),
        interval=(float(low), float(high)),
        confidence=float(confidence[best]),
        unhurt=float(unhurt[best]),
        median_gain=float(median_gain[best]),
        size_before=float(sizes[0]),
        size_after=float(sizes[taken]),
        tried={option.name: (float(pooled[k]), float(mean[k])) for k, option in enumerate(options)},
    )


def score(inter: NDArray[np.float64], union: NDArray[np.float64]) -> float:
    """Half the pooled and half the mean IoU."""
    return 0.5 * float(inter.sum() / union.sum()) + 0.5 * float((inter / union).mean())


def _resampled_gains(
    inter: NDArray[np.float64],
    union: NDArray[np.float64],
    image: NDArray[np.int64],
    n_images: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Gain of each option over the first one in resamples of the images, (options, resamples)."""
    times = rng.multinomial(n_images, np.full(n_images, 1 / n_images), N_RESAMPLES)[:, image].astype(float)
    times = times[times.sum(1) > 0].T
    pooled = (inter @ times) / (union @ times)
    scores: NDArray[np.float64] = 0.5 * pooled + 0.5 * ((inter / union) @ times) / times.sum(0)
    return scores - scores[0]


@dataclass(frozen=True, slots=True)
class _Workshop:
    """Targets with what every option needs of them."""

    cases: Sequence[Case]
    candidates: Candidates
    weights: Weights
    base: DefaultParams
    votes: Sequence[HeatedVote]

    def find(self, option: Option, at: NDArray[np.int64]) -> Style:
        """The style of an option, its learned parts from the targets `at`."""
        score_style: tuple[float, ...] = ()
        border_style: tuple[float, ...] = ()
        if option.score_strength is not None:
            score_style = learn_score(self.candidates, at, self.weights, self.base, option.score_strength)
        if option.border_strength is not None:
            cases, votes, weights = self._voted(score_style, at)
            border_style = learn_border(cases, votes, weights, option.border_strength)
        return replace(option.style, score_style=score_style, border_style=border_style)

    def judge(self, style: Style, at: NDArray[np.int64]) -> Outcome:
        """Masks of the targets `at` with a style, against the truth."""
        cases, votes, _ = self._voted(style.score_style, at)
        weights = add_style(self.weights, style.score_style, style.border_style)
        return label_cases(cases, votes, weights, style.params(self.base), style.tightness)

    def _voted(
        self, score_style: tuple[float, ...], at: NDArray[np.int64]
    ) -> tuple[list[Case], Sequence[HeatedVote], Weights]:
        cases = [self.cases[i] for i in at]
        if not score_style:
            return cases, [self.votes[i] for i in at], self.weights
        weights = add_style(self.weights, score_style, ())
        return cases, votes_of(cases, weights, self.base), weights
