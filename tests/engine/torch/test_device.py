"""The path of a GPU makes no tensor on the host: it runs on the device meta, which holds no values at all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.regions import LEVELS, SCALES
from pointlabel.engine.default.style import styled_weights
from pointlabel.engine.torch.background import running_medians
from pointlabel.engine.torch.batch import WindowBatch
from pointlabel.engine.torch.border import border_field, move_border, relief_of
from pointlabel.engine.torch.crops import Crops
from pointlabel.engine.torch.differentiable import soften, weights_as_tensors
from pointlabel.engine.torch.features import describe_candidates
from pointlabel.engine.torch.regions import own_levels, region_sums
from pointlabel.engine.torch.vote import cast_votes
from pointlabel.engine.torch.window import Parts, cut_windows

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
    image = windows.units[:, None, 28:93, 28:93].float()
    background = running_medians(windows.units, SCALES)
    rest, contrast = image - background, some(N, K)
    level_of = own_levels(rest, contrast, some(L), windows.floor, windows.inside)
    sums = region_sums(rest.flatten(0, 1), level_of.flatten(0, 1), L, contrast.flatten()).unflatten(0, (N, K))
    features = describe_candidates(sums, some(N, K - 1, L), contrast, some(K), some(L), windows.noise, windows.spread)
    bad = some(N, K, L, dtype=torch.bool)
    batch = WindowBatch(image, windows.inside[:, None], background, level_of, features, bad, windows.floor)
    params = DefaultParams()
    weights = weights_as_tensors(styled_weights(params), features)
    votes = cast_votes(batch, weights, params.temperature, rounded=True)
    index, origin, box = (some(*shape, dtype=torch.int64) for shape in ((N,), (N, 2), (N, 4)))
    crops = Crops(batch, votes, index, origin, box, 29)
    soft, field = soften(crops, weights, params, rounded=True)
    relief, least = relief_of(crops)
    soft, border = move_border(soft, border_field(soft, relief, some(N, 1, 1, 1), least), crops, 1.0)
    assert {each.device.type for each in (votes.boxes, soft, field, border)} == {"meta"}
    assert soft.shape == field.shape == border.shape == (N, 1, 29, 29)
    assert soft.dtype == border.dtype == torch.float32
