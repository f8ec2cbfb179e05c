"""Torch side of the fit: the score over candidates, the refinement over pixels, the quality over targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import nn

from pointlabel.calibration.targets import Candidates
from pointlabel.engine.default.refine import EXTRA, N_INPUTS, VOTE_GAIN
from pointlabel.engine.default.regions import FEATURES
from pointlabel.engine.default.vote import centred

LEVEL, LOG_AREA = FEATURES.index("level"), FEATURES.index("log_area")
FIT_TEMPERATURE = 0.25  # sharper than in use (0.5): the fit should tell candidates apart, the vote should blend them
HIDDEN = (24, 12)
N_NETS_QUALITY, N_HIDDEN_QUALITY = 10, 4
DECAY_QUALITY = 0.03  # on the squares of the weights
BILINEAR = 0.5  # damps the slopes over level and size, which differ from set to set
RIDGE = 2e-3  # on the same slopes


@dataclass(frozen=True, slots=True)
class Pixels:
    """All pixels that the refinement sees: owner of each (sorted), inputs, vote, truth, place in the window."""

    owner: NDArray[np.int64]
    inputs: NDArray[np.float32]
    votes: NDArray[np.float32]
    truth: NDArray[np.bool_]
    place: NDArray[np.int64]
    extra: NDArray[np.float32]


def _overlap_loss(weight: torch.Tensor, inter: torch.Tensor, union: torch.Tensor) -> torch.Tensor:
    """Minus half the pooled and half the mean soft IoU."""
    i, u = (weight * inter).sum(1), (weight * union).sum(1)
    return -0.5 * i.sum() / u.sum() - 0.5 * (weight * inter / union).sum(1).mean()


def _one_cycle(parameters: list[nn.Parameter], rate: float, decay: float, n_steps: int) -> tuple[Any, Any]:
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)


def fit_score(
    candidates: Candidates, groups: NDArray[np.int64], train: NDArray[np.bool_], *, seed: int = 0, n_steps: int = 300
) -> dict[str, list]:
    """Fit the candidates' score on the targets of `train`; every data set (`groups`) weighs the same."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    good = candidates.features[train][~candidates.bad[train]]
    centre, deviation = good.mean(0), good.std(0) + 1e-9
    z = torch.tensor(np.clip((candidates.features - centre) / deviation, -4, 4), dtype=torch.float32)
    both = centred(candidates.features[..., LEVEL], candidates.features[..., LOG_AREA])
    level, size = (torch.tensor(values, dtype=torch.float32) for values in both)
    inter = torch.tensor(candidates.intersection, dtype=torch.float32)
    union = torch.tensor(candidates.union, dtype=torch.float32)
    bad = torch.tensor(candidates.bad)
    coefficients = nn.Parameter(torch.zeros(z.shape[-1], 3))
    damping = torch.tensor([1.0, BILINEAR, BILINEAR])
    optimizer, schedule = _one_cycle([coefficients], 0.03, 1e-3, n_steps)
    pools = [np.flatnonzero(train & (groups == g)) for g in np.unique(groups[train])]
    for _ in range(n_steps):
        loss = torch.zeros(())
        for pool in pools:
            b = rng.choice(pool, 160)
            parts = z[b] @ (coefficients * damping)
            score = parts[..., 0] + parts[..., 1] * level[b] + parts[..., 2] * size[b]
            weight = torch.softmax((score / FIT_TEMPERATURE).masked_fill(bad[b], -1e4), 1)
            loss = loss + _overlap_loss(weight, inter[b], union[b])
        loss = loss + RIDGE * (coefficients[:, 1:] ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return {
        "features": list(FEATURES),
        "centre": centre.tolist(),
        "deviation": deviation.tolist(),
        "coefficients": (coefficients * damping).detach().numpy().tolist(),
    }


class Perceptron(nn.Module):
    """The refinement: two hidden layers with SiLU; the last layer starts at zero, so that it starts from the vote."""

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(n_inputs, HIDDEN[0])
        self.second = nn.Linear(HIDDEN[0], HIDDEN[1])
        self.third = nn.Linear(HIDDEN[1], 1)
        nn.init.zeros_(self.third.weight)
        nn.init.zeros_(self.third.bias)

    def forward(self, x: torch.Tensor, vote: torch.Tensor) -> torch.Tensor:
        hidden = torch.nn.functional.silu(self.second(torch.nn.functional.silu(self.first(x))))
        return self.third(hidden)[..., 0] + float(VOTE_GAIN) * (vote - 0.5)


def fit_refine(
    pixels: Pixels,
    true_area: NDArray[np.float64],
    groups: NDArray[np.int64],
    train: NDArray[np.bool_],
    *,
    seed: int = 0,
    n_steps: int = 400,
) -> dict[str, list]:
    """Fit the refinement on the targets of `train` by pooled and mean soft IoU."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x = np.concatenate([pixels.inputs, pixels.extra[pixels.owner]], axis=1)
    chosen = x[train[pixels.owner]]
    centre, deviation = chosen.mean(0), chosen.std(0) + 1e-6
    inputs = torch.tensor(np.clip((x - centre) / deviation, -5, 5))
    votes, truth = torch.tensor(pixels.votes), torch.tensor(pixels.truth.astype(np.float32))
    area = torch.tensor(true_area, dtype=torch.float32)
    net = Perceptron(N_INPUTS + len(EXTRA))
    optimizer, schedule = _one_cycle(list(net.parameters()), 0.01, 1e-3, n_steps)
    start = np.searchsorted(pixels.owner, np.arange(len(groups) + 1))
    seen = train & (np.diff(start) > 0)
    pools = [np.flatnonzero(seen & (groups == g)) for g in np.unique(groups[train])]
    for _ in range(n_steps):
        loss = torch.zeros(())
        for pool in pools:
            batch = rng.choice(pool, 60)
            at = torch.tensor(np.concatenate([np.arange(start[n], start[n + 1]) for n in batch]))
            owner = torch.tensor(np.repeat(np.arange(len(batch)), [start[n + 1] - start[n] for n in batch]))
            p = torch.sigmoid(net(inputs[at], votes[at]))
            inter = torch.zeros(len(batch)).index_add(0, owner, p * truth[at])
            union = torch.zeros(len(batch)).index_add(0, owner, p) + area[batch] - inter
            loss = loss - 0.5 * inter.sum() / union.sum() - 0.5 * (inter / union).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return {
        "centre": centre.tolist(),
        "deviation": deviation.tolist(),
        "layers": [
            {"weight": layer.weight.detach().numpy().T.tolist(), "bias": layer.bias.detach().numpy().tolist()}
            for layer in (net.first, net.second, net.third)
        ],
    }


def fit_quality(
    inputs: NDArray[np.float64],
    iou: NDArray[np.float64],
    groups: NDArray[np.int64],
    train: NDArray[np.bool_],
    *,
    seed: int = 0,
    n_steps: int = 200,
) -> dict[str, object]:
    """Fit the quality to rank the targets *within* each data set, then set its scale by least squares.

    The loss of a data set is (1 - r)^2 with r the correlation with the rank of the IoU: the level of a data set,
    which no target shows, does not count, and a data set that is ranked badly counts for more than one that is ranked
    well already. Few units find one of several minima, which trade the data sets against each other; so several
    small perceptrons start from different weights and their outputs, each over its deviation, are averaged.
    """
    torch.manual_seed(seed)
    x, y, g = inputs[train], iou[train], groups[train]
    centre, deviation = x.mean(0), x.std(0) + 1e-9
    z = torch.tensor(np.clip((x - centre) / deviation, -4, 4), dtype=torch.float32)
    n_hidden = N_NETS_QUALITY * N_HIDDEN_QUALITY
    first = nn.Linear(z.shape[1], n_hidden)
    second = nn.Parameter((2 * torch.rand(N_NETS_QUALITY, N_HIDDEN_QUALITY) - 1) / N_HIDDEN_QUALITY**0.5)
    optimizer = torch.optim.Adam([*first.parameters(), second], lr=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=n_steps)
    pools = [torch.tensor(np.flatnonzero(g == group)) for group in np.unique(g)]
    ranks = [_standard(torch.tensor(rankdata(y[pool.numpy()]), dtype=torch.float32)) for pool in pools]

    def outputs() -> torch.Tensor:
        hidden = torch.nn.functional.silu(first(z))
        return (hidden.view(-1, N_NETS_QUALITY, N_HIDDEN_QUALITY) * second).sum(2)

    for _ in range(n_steps):
        out = outputs()
        loss = DECAY_QUALITY * ((first.weight**2).sum() + (first.bias**2).sum() + (second**2).sum())
        for pool, rank in zip(pools, ranks, strict=True):
            loss = loss + ((1 - (_standard(out[pool]) * rank[:, None]).mean(0)) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        out = outputs()
        second.div_(N_NETS_QUALITY * out.std(0, correction=0)[:, None])
        mean = outputs().sum(1).numpy().astype(float)
    weight = np.sqrt(1.0 / np.bincount(g)[g])  # every data set weighs the same
    slope, offset = np.polyfit(mean, y, 1, w=weight)
    return {
        "centre": centre.tolist(),
        "deviation": deviation.tolist(),
        "hidden": first.weight.detach().numpy().T.tolist(),
        "hidden_bias": first.bias.detach().numpy().tolist(),
        "coefficients": (slope * second.detach().numpy().ravel()).tolist(),
        "bias": float(offset),
    }


def _standard(values: torch.Tensor) -> torch.Tensor:
    """Values (n, ...) less their mean, over their deviation, along the first axis."""
    return (values - values.mean(0)) / values.std(0, correction=0)
