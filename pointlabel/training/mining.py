"""Clutter mining: the detector's own alarms far from every click are certain errors, and crops are placed on them.

Clicks are complete, so what a detector marks away from all of them is wrong, whatever the labels are worth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from ..evaluation.components import find_components
from .data import SampleSet
from .evolution import mark_points

MINED_SHARE = 0.3  # of the crops that are not placed on a target
LEAST_ALARM = 0.3  # probability above which a pixel belongs to an alarm
FAR_PX = 8  # an alarm lies farther than this from every label and click, on each axis
MOST_ALARMS = 20  # of an image, the highest ones
EMPTY_PX = 30.0  # false pixels that make the loss of a crop without a target one half


@dataclass(frozen=True, slots=True)
class Clutter:
    """Places of alarms: (M,) index of the image, (M, 2) row and column."""

    index: NDArray[np.int64]
    place: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """As a checkpoint takes it."""
        return {"index": torch.from_numpy(self.index), "place": torch.from_numpy(self.place)}

    @classmethod
    def from_state(cls, state: dict[str, torch.Tensor], samples: SampleSet) -> Clutter:
        """Back from `state_dict`; refused where a place lies in no image."""
        index, place = state["index"].numpy(), state["place"].numpy()
        shapes = np.array([image.shape[:2] for image in samples.images])
        if place.shape != (len(index), 2) or not (
            ((index >= 0) & (index < len(shapes))).all() and ((place >= 0) & (place < shapes[index])).all()
        ):
            raise InputError("places of clutter lie outside the images")
        return cls(index, place)


def find_clutter(predictions: Iterable[tuple[int, NDArray[np.float32]]], samples: SampleSet) -> Clutter:
    """Peaks of the alarms of whole images that lie far from every label and every click.

    Parameters
    ----------
    predictions : (index, probabilities (H, W)) of the samples, in any order.
    samples : with their present labels.
    """
    found = {index: _alarms(map_, samples, index) for index, map_ in predictions}
    order = sorted(found)
    counts = [len(found[index]) for index in order]
    places = [np.zeros((0, 2), np.int64), *(found[index] for index in order)]
    return Clutter(np.repeat(np.array(order, np.int64), counts), np.concatenate(places))


def far_alarms(prediction: NDArray[np.float32], samples: SampleSet, index: int) -> NDArray[np.bool_]:
    """Pixels (H, W) of a sample's prediction above `LEAST_ALARM`, far from every label and every click."""
    label = samples.labels[index]
    known = (label > 0) | (mark_points(samples.points[index], label.shape) > 0)
    return (prediction > LEAST_ALARM) & ~ndimage.maximum_filter(known, 2 * FAR_PX + 1)


def _alarms(prediction: NDArray[np.float32], samples: SampleSet, index: int) -> NDArray[np.int64]:
    parts = find_components(far_alarms(prediction, samples, index))
    numbers = np.arange(1, len(parts) + 1)
    peaks = ndimage.maximum_position(prediction, parts.labels, numbers) if len(parts) else []
    ordered = sorted(peaks, key=lambda peak: (-prediction[peak], peak))
    return np.array(ordered[:MOST_ALARMS], np.int64).reshape(-1, 2)


def with_empty_crops(losses: torch.Tensor, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Losses (B,) where the label has a pixel; elsewhere S / (S + 30), S the sum of the probabilities.

    A soft IoU on a crop without a target has a slope near 1 per false pixel for faint answers and next to none for
    large alarms; the slope of this one at 0 is that of a false pixel beside a target.

    Parameters
    ----------
    losses : of the config's loss.
    logits, label : (B, 1, H, W).
    """
    mass = torch.sigmoid(logits).sum((1, 2, 3))
    return torch.where((label > 0).flatten(1).any(1), losses, mass / (mass + EMPTY_PX))
