"""The path of a GPU makes no tensor on the host: it runs on the device meta, which holds no values at all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.regions import LEVELS, SCALES
from pointlabel.engine.default.style import styled_weights
from pointlabel.engine.torch.candidates import Candidates
from pointlabel.engine.torch.crops import Crops
from pointlabel.engine.torch.cutting import Parts, cut_windows
from pointlabel.engine.torch.describing import describe
from pointlabel.engine.torch.finishing import _border
from pointlabel.engine.torch.growing import own_levels, region_sums
from pointlabel.engine.torch.medians import rest_over_medians
from pointlabel.engine.torch.softening import soften
from pointlabel.engine.torch.voting import cast_votes

N, L, K = 5, len(LEVELS), len(SCALES)


def some(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.zeros(*shape, dtype=dtype, device="meta")


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_every_step_stays_on_the_device(monkeypatch, stride):
    def listed(self: Tensor, *rest: Any, **options: Any) -> Tensor:
        return torch.zeros(37, self.ndim, dtype=torch.int64, device=self.device)  # how many there are needs values

    monkeypatch.setattr(torch.Tensor, "nonzero", listed)
    parts = Parts(some(N * 121**2), some(N, 5, dtype=torch.int64), some(N, 4, dtype=torch.int64), False)
    windows = cut_windows(parts, stride)
    rest = rest_over_medians(windows.units, SCALES)
    contrast = some(N, K)
    level_of = own_levels(rest, contrast, some(L), windows.floor, windows.inside)
    sums = region_sums(rest.flatten(0, 1), level_of.flatten(0, 1), L, contrast.flatten()).unflatten(0, (N, K))
    features = describe(sums, some(N, K - 1, L), contrast, some(K), some(L), windows.noise, windows.spread)
    bad = some(N, K, L, dtype=torch.bool)
    core = windows.units[:, 28:93, 28:93]
    candidates = Candidates(core, windows.inside, rest, level_of, contrast, features, bad, windows.floor)
    params = DefaultParams()
    weights = styled_weights(params)
    votes = cast_votes(candidates, weights.score, params.temperature)
    index, origin, domain = (some(*shape, dtype=torch.int64) for shape in ((N,), (N, 2), (N, 4)))
    crops = Crops(index, origin, domain, 29)
    soft, vote = soften(crops, candidates, votes, params, weights.refine)
    border = _border(crops, soft, some(N), candidates, votes, params)
    assert {each.device.type for each in (votes.boxes, soft, vote, border)} == {"meta"}
    assert soft.shape == vote.shape == border.shape == (N, 29, 29)
    assert soft.dtype == border.dtype == torch.float32
