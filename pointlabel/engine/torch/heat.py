"""Heat in the default method: it smooths the vote within the votes' box. Twin of `engine.default.heat.heat_vote`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .conductance import soft_conductance
from .diffusion import diffuse, fuse

UNIT_RANGE = 65536.0  # window units over this lie in [0, 1): the medium that heat spreads in


def heat_votes(
    field: Tensor, image: Tensor, domain: Tensor, theta: Mapping[str, Tensor | float], n_steps: int
) -> Tensor:
    """Spread votes by heat and fuse both, eqs. (2) to (4).

    Parameters
    ----------
    field : (B, 1, H, W) in [0, 1], the vote.
    image : (B, 1, H, W) in window units.
    domain : (B, 1, H, W) bool, no heat leaves it. Votes beyond it are too small to count.
    theta : d0, beta, alpha and rho, numbers or tensors that broadcast with (B, 1, 1, 1).
    """
    source = torch.where(domain, field, 0.0)
    east, south = soft_conductance(
        image / UNIT_RANGE, d0=theta["d0"], beta=theta["beta"], alpha=theta["alpha"], domain=domain
    )
    return fuse(diffuse(source, east, south, n_steps=n_steps), source, theta["rho"])
