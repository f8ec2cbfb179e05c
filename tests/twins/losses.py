"""Slow, obvious twins of the losses: one sample at a time, pixels in plain loops, float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def soft_iou(p: Array, t: Array, smooth: float) -> float:
    """Intersection over union of one sample."""
    return float(((p * t).sum() + smooth) / ((p + t - p * t).sum() + smooth))


def dice(p: Array, t: Array, smooth: float) -> float:
    """Dice coefficient of one sample."""
    return float((2 * (p * t).sum() + smooth) / ((p + t).sum() + smooth))


def focal(p: Array, t: Array, alpha: float, gamma: float) -> float:
    """Focal loss of one sample, pixel by pixel."""
    total = 0.0
    for a, b in zip(p.ravel(), t.ravel(), strict=True):
        total -= alpha * b * (1 - a) ** gamma * math.log(a) + (1 - alpha) * (1 - b) * a**gamma * math.log(1 - a)
    return total / p.size


def heatmap_focal(p: Array, t: Array, gamma: float, leniency: float) -> float:
    """Focal loss of a heat map: two sums over all pixels, by the number of pixels that are 1."""
    pixels = [(row, column) for row in range(t.shape[0]) for column in range(t.shape[1])]
    demanded = math.fsum(t[at] * (1 - p[at]) ** gamma * -math.log(p[at]) for at in pixels)
    unwanted = math.fsum((1 - t[at]) ** leniency * p[at] ** gamma * -math.log(1 - p[at]) for at in pixels)
    return (demanded + unwanted) / max(sum(t[at] == 1.0 for at in pixels), 1)


def edge_bce(p: Array, t: Array, edge_weight: float, easy_share: float) -> float:
    """Mean over the hard pixels of one sample, each pixel asked whether a neighbour is of the other kind."""
    costs = []
    for row in range(t.shape[0]):
        for column in range(t.shape[1]):
            here, value = t[row, column], p[row, column]
            near = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
            inside = [t[at] for at in near if 0 <= at[0] < t.shape[0] and 0 <= at[1] < t.shape[1]]
            weight = edge_weight if any((other > 0.5) != (here > 0.5) for other in inside) else 1.0
            costs.append(-weight * (here * math.log(value) + (1 - here) * math.log(1 - value)))
    least = sorted(costs)[int(easy_share * len(costs))]
    hard = [cost for cost in costs if cost >= least]
    return math.fsum(hard) / len(hard)


def location(p: Array, t: Array, *, centroid: bool = False) -> float:
    """Location loss of one sample: both places as sums over the pixels, by their number or by the mass."""
    if centroid and not t.any():
        return 0.0
    places = []
    for mask in (p, t):
        height, width = mask.shape
        weight = mask / (mask.sum() + 1e-8) if centroid else mask / mask.size
        x = y = 0.0
        for row in range(height):
            for column in range(width):
                x += weight[row, column] * column / width
                y += weight[row, column] * row / height
        places.append((math.sqrt(x * x + y * y + 1e-8), math.atan(y / (x + 1e-8))))
    (length_p, angle_p), (length_t, angle_t) = places
    length = 1 - min(length_p, length_t) / (max(length_p, length_t) + 1e-8)
    return length + 4 / math.pi**2 * (angle_p - angle_t) ** 2 if t.any() else length


def weight(predicted: float, target: float, kind: str) -> float:
    """Weight of the scale family out of its table of softenings."""
    d = predicted - target
    softening = {"variance": d * d / 4, "ratio": 0.0, "absolute": abs(d), "signed": d if d > 0 else 0.0}[kind]
    return (min(predicted, target) + softening) / (max(predicted, target) + softening)


def scale(p: Array, t: Array, kind: str) -> float:
    """Scale loss of one sample after the warm-up, with location."""
    return 1 - weight(float(p.sum()), float(t.sum()), kind) * soft_iou(p, t, 1e-6) + location(p, t)


def halved(t: Array) -> Array:
    """Each 2 x 2 pixels become their largest; those at the border that lack partners, too."""
    height, width = (-(-size // 2) for size in t.shape)
    return np.array(
        [
            [t[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max() for column in range(width)]
            for row in range(height)
        ]
    )


def deep(merged: Array, heads: list[Array], t: Array, kind: str) -> float:
    """Scale loss of one sample with MSHNet's heads from fine to coarse, each against a label of its own size."""
    values = [scale(merged, t, kind)]
    for level, head in enumerate(heads):
        if level:
            t = halved(t)
        values.append(scale(head, t, kind))
    return sum(values) / len(values)


def local_scr(image: Array, target: NDArray[np.bool_]) -> float:
    """SCR of one image: each pixel is asked where it lies."""
    places = [(row, column) for row in range(target.shape[0]) for column in range(target.shape[1])]
    inside = [place for place in places if target[place]]
    if len(inside) < 9:
        return 0.0
    boxes = []  # (centre, half inside, half outside) for rows, then for columns
    for axis in range(2):
        low, high = min(place[axis] for place in inside), max(place[axis] for place in inside)
        extent = high - low + 1
        boxes.append((round((low + high) / 2), max(1, round(0.75 * extent)), max(7, round(2 * extent))))
    ring, background = [], []
    for place in places:
        if target[place] or not math.isfinite(image[place]):
            continue
        background.append(image[place])
        far = [abs(place[axis] - boxes[axis][0]) for axis in range(2)]
        in_hole = all(far[axis] <= boxes[axis][1] for axis in range(2))
        if all(far[axis] <= boxes[axis][2] for axis in range(2)) and not in_hole:
            ring.append(image[place])
    around = ring if len(ring) >= 9 else background
    bright = [image[place] for place in inside if math.isfinite(image[place])]
    if not bright or len(around) < 2:
        return 0.0
    mean = sum(around) / len(around)
    std = math.sqrt(sum((value - mean) ** 2 for value in around) / (len(around) - 1))
    return min(abs(sum(bright) / len(bright) - mean) / (std + 2e-6), 12.0)


def reem(p: Array, t: Array, image: Array) -> float:
    """REEM's loss of one sample once the reward has started, lambda 1."""
    scr = local_scr(image, t > 0.5)
    w = 1 + 2 * (1 - scr / (scr + 2))
    return scale(p, t, "variance") - w * float((p * t).sum() / ((p + t - p * t).sum() + 1e-6))
