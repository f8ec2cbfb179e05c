"""Torch side of the fit of styles: directions in the fitted numbers, and a vector for each task, found together.

The fitted numbers stay as they are, so that the style of zeros is the default to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, silu

from pointlabel.calibration.fit import FIT_TEMPERATURE, HEAT, SMALL_PX
from pointlabel.calibration.targets import Candidates, Case, inputs_of, standardised_inputs, true_pixels, votes_of
from pointlabel.engine.default.params import N_STYLE, DefaultParams
from pointlabel.engine.default.refine import VOTE_GAIN
from pointlabel.engine.default.regions import FEATURES
from pointlabel.engine.default.vote import centred
from pointlabel.engine.default.weights import ScoreWeights, Weights
from tools.fit_default.parts import BILINEAR, RIDGE
from tools.fit_style.gather import Task

N_SCORE = 4  # numbers of the style that the score reads
PULL = 2e-3  # on the squares of the vectors
DIRECTION_PULL = 1e-3  # on the squares of the directions
N_DRAWN = 8  # drawn tasks in each step, beside all data sets
SCORE_STEPS, BORDER_STEPS = 500, 600
TARGETS_SCORE, TARGETS_BORDER = 120, 40  # of each task and step
LIKELIHOOD = 0.2  # weight of the cross-entropy beside the overlap: few masks fit a style by it
LEAK = 0.3  # weight of masks that swallow the scene under styles drawn at random ...
REACH = 1.5  # ... of this deviation, over that of the fitted ones
DRAWN_SAYS = 0.5  # of all drawn tasks beside all data sets where the unit of the style is set
_LEVEL, _LOG_AREA = FEATURES.index("level"), FEATURES.index("log_area")
_DAMPING = torch.tensor([1.0, BILINEAR, BILINEAR])
FloatArray = NDArray[np.float64]


def leak(mass: Tensor, area: Tensor) -> Tensor:
    """How far masks swallow what is around the target: 0 up to twice its area and 20 px."""
    return torch.log1p(torch.relu(mass - 2 * area - 20) / (area + 20))


def _optimiser(groups: list[dict[str, Any]], n_steps: int) -> tuple[Any, Any]:
    optimizer = torch.optim.Adam(groups)
    rates = [group["lr"] for group in groups]
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=n_steps)


def _step(optimizer: Any, schedule: Any, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


def _chosen(tasks: Sequence[Task], rng: np.random.Generator) -> list[int]:
    """Tasks of one step: every data set, and some drawn ones."""
    drawn = rng.permutation([k for k, task in enumerate(tasks) if task.is_drawn])
    return [*(k for k, task in enumerate(tasks) if not task.is_drawn), *drawn[:N_DRAWN].tolist()]


def fit_score(
    weights: ScoreWeights, candidates: Candidates, tasks: Sequence[Task], seed: int
) -> tuple[FloatArray, FloatArray]:
    """Directions of the score's coefficients, (A, F, 3), and the vector of each task, (T, A)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    f = candidates.features
    z = torch.tensor(np.clip((f - weights.centre) / weights.deviation, -4, 4), dtype=torch.float32)
    both = centred(f[..., _LEVEL], f[..., _LOG_AREA])
    level, size = (torch.tensor(values, dtype=torch.float32) for values in both)
    bad = torch.tensor(candidates.bad)
    truths = [tuple(torch.tensor(v, dtype=torch.float32) for v in (t.inter, t.union, t.area)) for t in tasks]
    start = torch.tensor(weights.coefficients, dtype=torch.float32)
    directions = nn.Parameter(0.1 * torch.randn(N_SCORE, len(FEATURES), 3))
    vectors = nn.Parameter(0.1 * torch.randn(len(tasks), N_SCORE))
    optimizer, schedule = _optimiser(
        [{"params": [directions], "lr": 0.02}, {"params": [vectors], "lr": 0.05}], SCORE_STEPS
    )

    def shares(index: NDArray[np.int64], vector: Tensor) -> Tensor:
        parts = z[index] @ (start + _DAMPING * torch.einsum("d,dfk->fk", vector, directions))
        score = parts[..., 0] + parts[..., 1] * level[index] + parts[..., 2] * size[index]
        return torch.softmax((score / FIT_TEMPERATURE).masked_fill(bad[index], -1e4), 1)

    for _ in range(SCORE_STEPS):
        loss = DIRECTION_PULL * (directions**2).sum() + PULL * (vectors**2).sum()
        loss = loss + RIDGE * (directions[..., 1:] ** 2).sum()
        for k in _chosen(tasks, rng):
            pick = rng.integers(len(tasks[k].index), size=TARGETS_SCORE)
            index = tasks[k].index[pick]
            inter, union, area = (values[pick] for values in truths[k])
            share = shares(index, vectors[k])
            i, u = (share * inter).sum(1), (share * union).sum(1)
            loss = loss - 0.5 * i.sum() / u.sum() - 0.5 * (share * inter / union).sum(1).mean()
            if not tasks[k].is_drawn:
                share = shares(index, REACH * torch.randn(N_SCORE) * vectors.detach().std(0))
                loss = loss + LEAK * (share * leak(union + inter - area[:, None], area[:, None])).sum(1).mean()
        _step(optimizer, schedule, loss)
    return (directions * _DAMPING).detach().double().numpy(), vectors.detach().double().numpy()


def regauge(vectors: FloatArray, is_drawn: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Matrix M and its inverse, so that each number of vectors @ M has mean square 1: a pull means the same in all."""
    says = np.where(is_drawn, DRAWN_SAYS * (~is_drawn).sum() / max(is_drawn.sum(), 1), 1.0)
    values, axes = np.linalg.eigh((vectors * says[:, None]).T @ vectors / says.sum())
    scale = np.sqrt(np.maximum(values, 1e-6 * values.max() + 1e-12))
    return (axes / scale)[:, ::-1], (axes * scale).T[::-1]


@dataclass(frozen=True, slots=True)
class Pixels:
    """All pixels that the refinement sees of some targets: where each target's start, inputs, votes, truth."""

    start: NDArray[np.int64]
    inputs: Tensor
    votes: Tensor
    truth: Tensor

    def take(self, pick: NDArray[np.int64]) -> tuple[NDArray[np.int64], Tensor]:
        """Rows of the pixels of some targets, and which of them each belongs to."""
        rows = np.concatenate([np.arange(self.start[n], self.start[n + 1]) for n in pick])
        return rows, torch.tensor(np.repeat(np.arange(len(pick)), [self.start[n + 1] - self.start[n] for n in pick]))


def pixels_of(cases: list[Case], weights: Weights) -> Pixels:
    """What the refinement sees of every case under some fitted numbers; inputs are standardised."""
    seen = inputs_of(cases, votes_of(cases, weights, DefaultParams()))
    return Pixels(
        np.concatenate([[0], np.cumsum([len(s.rows) for s in seen])]),
        torch.tensor(standardised_inputs(seen, weights.refine)),
        torch.tensor(np.concatenate([s.votes for s in seen])),
        torch.tensor(true_pixels(cases, seen).astype(np.float32)),
    )


def fit_border(
    weights: Weights, pixels: Sequence[Pixels], tasks: Sequence[Task], score_vectors: FloatArray, seed: int
) -> tuple[list[tuple[FloatArray | None, FloatArray]], FloatArray]:
    """Directions of the perceptron's layers, (D, in, out) and (D, out), and the further vectors, (T, D - A).

    The first layer's weights have none: that brought nothing for twice the numbers.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    layers = [(torch.tensor(w), torch.tensor(b)) for w, b in weights.refine.layers]
    first = [p.inputs @ layers[0][0] + layers[0][1] for p in pixels]
    areas = [torch.tensor(t.area, dtype=torch.float32) for t in tasks]
    usable = [np.flatnonzero(np.diff(p.start) > 0) for p in pixels]
    fixed = torch.tensor(score_vectors, dtype=torch.float32)
    shifts = [nn.Parameter(0.1 * torch.randn(N_STYLE, len(b))) for _, b in layers]
    changes = [
        nn.Parameter(scale * torch.randn(N_STYLE, *w.shape))
        for scale, (w, _) in zip((0.03, 0.1), layers[1:], strict=True)
    ]
    vectors = nn.Parameter(0.1 * torch.randn(len(tasks), N_STYLE - fixed.shape[1]))
    optimizer, schedule = _optimiser(
        [{"params": [*shifts, *changes], "lr": 0.02}, {"params": [vectors], "lr": 0.03}], BORDER_STEPS
    )

    def logits(x: Tensor, votes: Tensor, s: Tensor) -> Tensor:
        x = silu(x + s @ shifts[0])
        for k in (1, 2):
            x = x @ (layers[k][0] + torch.tensordot(s, changes[k - 1], 1)) + layers[k][1] + s @ shifts[k]
            x = silu(x) if k == 1 else x
        return x[:, 0] + float(VOTE_GAIN) * (votes - 0.5)

    for _ in range(BORDER_STEPS):
        loss = PULL * (vectors**2).sum() + DIRECTION_PULL * sum((each**2).sum() for each in (*shifts, *changes))
        for k in _chosen(tasks, rng):
            pick = rng.choice(usable[k], TARGETS_BORDER)
            rows, owner = pixels[k].take(pick)
            x, votes, truth, area = first[k][rows], pixels[k].votes[rows], pixels[k].truth[rows], areas[k][pick]

            def summed(values: Tensor, owner: Tensor = owner) -> Tensor:
                return torch.zeros(TARGETS_BORDER).index_add(0, owner, values)

            logit = logits(x, votes, torch.cat([fixed[k], vectors[k]]))
            p = torch.sigmoid(logit)
            inter = summed(p * truth)
            union = summed(p) + area - inter
            unlikely = summed(binary_cross_entropy_with_logits(logit / HEAT, truth, reduction="none"))
            loss = loss - 0.5 * inter.sum() / union.sum() - 0.5 * (inter / union).mean()
            loss = loss + LIKELIHOOD * (unlikely / (area + SMALL_PX)).mean()
            if not tasks[k].is_drawn:
                spread = torch.cat([fixed.std(0), vectors.detach().std(0)])
                mass = summed(torch.sigmoid(logits(x, votes, REACH * torch.randn(N_STYLE) * spread)))
                loss = loss + LEAK * leak(mass, area).mean()
        _step(optimizer, schedule, loss)
    as_array = [[each.detach().double().numpy() for each in group] for group in (shifts, changes)]
    return list(zip([None, *as_array[1]], as_array[0], strict=True)), vectors.detach().double().numpy()
