"""Weights of the training images by a rule in place of the meta-classifier: what is known of an image or its label.

`agreement` trusts labels that the detector confirms, `quality` those that the annotator trusts, and `errors` looks
longer at images on which the detector is certainly wrong: it marks what is far from every click, or misses a click.
docs/methods/bilevel.md says what each brought.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from ...evaluation.metrics import count_overlap
from ...types import ImageLabels
from ..data import SampleSet
from ..mining import far_alarms
from ..trainer import Trainer

#: Half a weight lies where the agreement is that of the lowest quarter, and this wide is the step around it.
AGREEMENT_WIDTH = 0.08
#: Most that an image's certain errors count, in means over the images.
MOST_ERRORS = 4.0
#: Pixels on each side of a click, in which the detector must answer.
CLICK_PX = 2

Predictions = Iterable[tuple[int, NDArray[np.float32]]]


def weights_by_rule(rule: str, trainer: Trainer) -> NDArray[np.float64]:
    """Weights (N,) of a run's training images, with its present detector; `quality` is that of the first labels."""
    samples = trainer.data.train
    if rule == "quality":
        return quality_weights(lambda index: trainer.labeller.annotate(samples, index), samples)
    of = {"agreement": agreement_weights, "errors": error_weights}[rule]
    return of(trainer.predict(samples), samples)


def agreement_weights(predictions: Predictions, samples: SampleSet) -> NDArray[np.float64]:
    """sigmoid((IoU - q) / 0.08), IoU of prediction and label cut at one half, q the lower quartile over the images.

    Parameters
    ----------
    predictions : (index, probabilities (H, W)) of all samples, in any order.
    samples : with their present labels.

    Returns
    -------
    (N,), mean 1.
    """
    found = np.zeros(len(samples))
    for index, probability in predictions:
        found[index] = _iou(probability > 0.5, samples.labels[index] > 0.5)
    weights = 1 / (1 + np.exp(-(found - np.quantile(found, 0.25)) / AGREEMENT_WIDTH))
    return weights / weights.mean()


def error_weights(predictions: Predictions, samples: SampleSet) -> NDArray[np.float64]:
    """One half, and another half times the image's share of certain errors: false pixels far from clicks, and misses.

    A click that nothing above one half lies within 2 px of counts as many pixels as the mean label has.

    Parameters and result as for `agreement_weights`; an image counts at most four times the mean.
    """
    n_pixels = sum(int((label > 0.5).sum()) for label in samples.labels)
    per_target = n_pixels / max(samples.n_points, 1)
    errors = np.zeros(len(samples))
    for index, probability in predictions:
        alarms = far_alarms(probability, samples, index)
        errors[index] = float(probability[alarms].sum()) + per_target * _misses(probability, samples.points[index])
    mean = errors.mean()
    weights = 0.5 + 0.5 * np.minimum(errors / mean, MOST_ERRORS) if mean > 0 else np.ones(len(samples))
    return weights / weights.mean()


def quality_weights(label_of: Callable[[int], ImageLabels], samples: SampleSet) -> NDArray[np.float64]:
    """Mean quality of the image's targets, as the annotator gives it; images without a target have the mean of all.

    Parameters
    ----------
    label_of : labels the sample of an index.
    samples : all of them.

    Returns
    -------
    (N,), mean 1.
    """
    found = np.full(len(samples), np.nan)
    for index in range(len(samples)):
        qualities = [target.quality for target in label_of(index).targets]
        if qualities:
            found[index] = np.mean(qualities)
    mean = np.nanmean(found)
    weights = np.where(np.isnan(found), mean, found)
    return weights / mean if mean > 0 else np.ones(len(samples))


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    both, either = count_overlap(one, other)
    return both / either if either else 1.0


def _misses(probability: NDArray[np.float32], points: NDArray[np.float64]) -> int:
    rows, columns = np.rint(points).astype(int).T
    boxes = zip(rows, columns, strict=True)
    around = [
        probability[max(row - CLICK_PX, 0) : row + CLICK_PX + 1, max(column - CLICK_PX, 0) : column + CLICK_PX + 1]
        for row, column in boxes
    ]
    return sum(box.max() <= 0.5 for box in around)
