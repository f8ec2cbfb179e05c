"""Which samples are worth training on: the weights that a run gave them, beside what is known of their targets."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from .._values import as_choice, as_number, as_path
from ..errors import InputError
from ..evaluation.shapes import describe_targets
from ..io.files import read_bytes, write_whole
from ..io.text import as_written, encode_text, harmless
from .run import WEIGHTS

if TYPE_CHECKING:
    from .data import SampleSet

#: What `select_samples` can order samples by.
ORDERS = ("weight", "difficulty", "random")


@dataclass(frozen=True, slots=True)
class SampleWeight:
    """One training image at the end of a run.

    Attributes
    ----------
    id : ``DATASET/ID``.
    weight : running mean of the weights it had.
    difficulty : prior difficulty, in (0, 1].
    n_targets : targets of its last label.
    area, elongation, fill, scr : means over those targets, as `evaluation.shapes` measures them; 0 without any.
    """

    id: str
    weight: float
    difficulty: float
    n_targets: int
    area: float
    elongation: float
    fill: float
    scr: float


def write_weights(folder: str, samples: SampleSet, weights: Sequence[float], difficulty: Sequence[float]) -> None:
    """Write ``weights.csv``: a line for each training image, in the order of the ids.

    Parameters
    ----------
    folder : of the run.
    samples : the training part with its last labels, from which targets are measured: true masks are not read.
    weights, difficulty : a number for each sample.
    """
    rows = []
    for index in range(len(samples)):
        shapes = describe_targets(samples.images[index], samples.labels[index] > 0.5)
        means = shapes.mean(0).tolist() if len(shapes) else [0.0] * 4
        rows.append(SampleWeight(harmless(samples.ids[index]), weights[index], difficulty[index], len(shapes), *means))
    text = io.StringIO()
    writer = csv.DictWriter(text, [item.name for item in fields(SampleWeight)], lineterminator="\n")
    writer.writeheader()
    for row in sorted(rows, key=lambda row: row.id):
        writer.writerow(
            {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in asdict(row).items()}
        )
    write_whole(os.path.join(folder, WEIGHTS), encode_text(text.getvalue()), durable=True)


def read_weights(folder: str | os.PathLike[str]) -> list[SampleWeight]:
    """Read what `write_weights` wrote.

    Raises
    ------
    InputError
        Where the run has no weights, or the file is damaged.
    """
    path = os.path.join(as_path(folder, "folder"), WEIGHTS)
    if not os.path.exists(path):
        raise InputError(f"{folder}: there is no {WEIGHTS}; runs of the strategy bilevel write it when they are done")
    text = read_bytes(path).decode("utf-8", "surrogateescape")
    rows = []
    table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in table:
            words = [row[item.name] for item in fields(SampleWeight)]
            numbers = [as_number(float(word), "a column") for word in words[1:]]
            rows.append(SampleWeight(as_written(words[0]), numbers[0], numbers[1], int(words[3]), *numbers[3:7]))
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError(
            f"{path}, line {table.line_num}: damaged, expected the columns of `pointlabel train`"
        ) from None
    if not rows:
        raise InputError(f"{path}: holds no sample")
    return rows


def select_samples(rows: Sequence[SampleWeight], top: float, *, by: str = "weight", seed: int = 0) -> list[str]:
    """Choose the samples to train on.

    Parameters
    ----------
    rows : from `read_weights`.
    top : share of them to keep, in (0, 1]; at least one is.
    by : "weight", the highest; "difficulty", the lowest prior difficulty; "random", by `seed`.
    seed : of the draw.

    Returns
    -------
    Ids, sorted. Of equal numbers the id that sorts first goes first.

    Raises
    ------
    InputError
        For a share or an order out of range.
    """
    if not 0 < as_number(top, "top") <= 1:
        raise InputError(f"top must lie in (0, 1], got {top:g}")
    as_choice(by, "by", ORDERS)
    as_number(seed, "seed", 0, whole=True)
    ordered = sorted(rows, key=lambda row: row.id)
    if by == "random":
        drawn = np.random.default_rng(seed).permutation(len(ordered))
        ordered = [ordered[k] for k in drawn]
    else:
        ordered.sort(key=lambda row: -row.weight if by == "weight" else row.difficulty)
    return sorted(row.id for row in ordered[: max(1, round(top * len(ordered)))])
