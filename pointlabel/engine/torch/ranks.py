"""Order statistics of whole numbers by counting: a fixed number of passes, no sort, no branch."""

from __future__ import annotations

import torch
from torch import Tensor


def nth_smallest(values: Tensor, rank: int, *, n_bits: int, lowest: int = 0) -> Tensor:
    """The `rank`-th smallest (from 1) of each row of (N, M) whole numbers, (N,) int32.

    Parameters
    ----------
    values : whole numbers of any type, all in lowest .. lowest + 2^n_bits - 1.
    rank : in 1 .. M.

    Returns
    -------
    The order statistic less `lowest`. Built bit by bit from the highest: a bit is set where fewer than `rank` numbers
    lie below it, so that all rows take the same `n_bits` passes.
    """
    found = torch.zeros(len(values), dtype=torch.int32, device=values.device)
    for bit in reversed(range(n_bits)):
        pivot = (found + ((1 << bit) - 1 + lowest)).to(values.dtype)
        count = (values <= pivot[:, None]).sum(1, dtype=torch.int32)
        found.add_(count < rank, alpha=1 << bit)
    return found
