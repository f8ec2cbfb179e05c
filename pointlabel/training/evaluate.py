"""Predictions on whole images, and what they are worth against labels or true masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..evaluation.metrics import ImageScore, Totals, count_overlap, score_image
from .augment import bring, bring_mask
from .data import Data, SampleSet

#: Turns images (B, 1, H, W) into logits (B, 1, H, W).
Forward = Callable[[torch.Tensor], torch.Tensor]


def predict_maps(
    forward: Forward, inputs: Sequence[NDArray[np.float32]], *, device: torch.device, batch_px: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (index, probabilities (H, W) float32) of images at their own size, not in order.

    Parameters
    ----------
    forward : a detector in evaluation mode.
    inputs : scaled images (H, W); those of one size share batches.
    device : where `forward` computes.
    batch_px : pixels of a batch; an image that has more is a batch of its own.
    """
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(inputs):
        by_shape.setdefault(image.shape, []).append(index)
    for shape, indices in by_shape.items():
        n = max(1, batch_px // (shape[0] * shape[1]))
        for start in range(0, len(indices), n):
            chosen = indices[start : start + n]
            batch = torch.from_numpy(np.stack([inputs[k] for k in chosen]))[:, None].to(device)
            with torch.inference_mode():
                probability = forward(batch).float().sigmoid()[:, 0].cpu().numpy()
            yield from zip(chosen, probability, strict=True)


def score_labels(maps: Iterator[tuple[int, NDArray]], samples: SampleSet, threshold: float) -> dict[str, float]:
    """Compare predictions with labels.

    Returns
    -------
    ``val_iou``, pooled over the pixels of all images, labels cut at one half; ``val_loss``, one minus the soft IoU,
    averaged over the images, with one pixel added to intersection and union.
    """
    inter = union = 0
    losses = {}
    for index, probability in maps:
        label = samples.labels[index].astype(np.float32)
        counts = count_overlap(probability > threshold, label > 0.5)
        inter, union = inter + counts[0], union + counts[1]
        both = float((probability * label).sum(dtype=np.float64))
        either = float(probability.sum(dtype=np.float64)) + float(label.sum(dtype=np.float64)) - both
        losses[index] = 1 - (both + 1) / (either + 1)
    return {
        "val_iou": inter / union if union else 0.0,
        "val_loss": float(np.mean([losses[k] for k in sorted(losses)])),
    }


def score_masks(
    maps: Iterator[tuple[int, NDArray]], samples: SampleSet, names: Sequence[str], threshold: float
) -> dict[str, Any]:
    """Compare predictions with true masks: ``whole`` and each data set by name, as `Totals.summary`."""
    whole, parts = Totals(), [Totals() for _ in names]
    assert samples.masks is not None
    for index, probability in maps:
        score = score_at_size(probability > threshold, samples.masks[index], samples.images[index])
        whole.add(score)
        parts[samples.parts[index]].add(score)
    return {
        "whole": whole.summary(),
        "parts": {name: part.summary() for name, part in zip(names, parts, strict=True) if part.n_images},
    }


def score_at_size(predicted: NDArray[np.bool_], true: NDArray[np.bool_], image: NDArray) -> ImageScore:
    """Score a mask; the local SCR of targets is measured only where the image has the size of the masks.

    The protocol "paper" brings masks to another size than the images'.
    """
    return score_image(predicted, true, image if image.shape == true.shape else None)


def scored_test_set(data: Data, protocol: str) -> SampleSet | None:
    """The test part as a protocol scores it."""
    test = data.test
    if test is None or protocol != "paper":
        return test
    assert test.masks is not None
    # The images keep their size, see `score_at_size`.
    return replace(
        test, inputs=[bring(image) for image in test.inputs], masks=[bring_mask(mask) for mask in test.masks]
    )


def draw_picture(samples: SampleSet, maps: dict[int, NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Image, label and prediction side by side, a row for each map, (H, W) uint8."""
    rows = []
    for index in sorted(maps):
        levels = samples.inputs[index]
        low, high = np.percentile(levels, (1, 99.9))
        grey = np.clip((levels - low) / max(float(high - low), 1e-6), 0, 1)
        panels = [grey, samples.labels[index].astype(np.float32), maps[index]]
        rows.append(np.concatenate([np.pad(panel, 2, constant_values=0.5) for panel in panels], axis=1))
    width = max(row.shape[1] for row in rows)
    page = np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]))) for row in rows])
    return np.rint(page * 255).astype(np.uint8)
