"""What the refinement in torch looks at."""

from __future__ import annotations

import torch

from pointlabel.engine.torch.refine import dilate


def test_dilation(rng):
    lit = torch.from_numpy(rng.random((3, 12, 15)) > 0.97)
    theirs = torch.nn.functional.max_pool2d(lit.float(), 5, 1, 2) > 0
    assert torch.equal(dilate(lit, 2), theirs)
