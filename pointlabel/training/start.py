"""How a detector starts: built as the config says, at the share of pixels that targets have, not at one half."""

from __future__ import annotations

import math

import torch

from ..convolutions import replace_convolutions
from ..detectors import Detector, build
from .config import TrainConfig


def build_detector(config: TrainConfig) -> Detector:
    """The detector of a run with the convolutions of the run, in training mode, weights drawn by torch's generator."""
    net = build(config.model)
    if config.conv != "plain":
        replace_convolutions(net, config.conv)
    return net


def lower_start(net: Detector, probability: float) -> int:
    """Set the biases that shift whole maps of logits, so that a fresh detector answers about `probability`.

    With soft IoU a detector that starts at one half everywhere spends its first hundreds of steps on lowering the
    background, since targets cover a thousandth of an image. A bias of one number belongs to the last layer of a map
    exactly where it shifts every pixel of the map by as much as itself, which its gradient tells.

    Parameters
    ----------
    net : any detector, in training mode.
    probability : in (0, 1).

    Returns
    -------
    Number of biases set.
    """
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}  # batch statistics will have moved
    device = next(net.parameters()).device
    generator = torch.Generator().manual_seed(0)
    side = 2 * net.multiple
    image = torch.randn(2, net.in_channels, side, side, generator=generator).to(device)
    maps = net(image)
    biases = [parameter for parameter in net.parameters() if parameter.numel() == 1 and parameter.requires_grad]
    shifts: dict[int, float] = {}
    for logits in maps if isinstance(maps, list) else [maps]:
        gradients = torch.autograd.grad(logits.sum(), biases, retain_graph=True, allow_unused=True) if biases else ()
        for place, gradient in enumerate(gradients):
            if gradient is not None and math.isclose(float(gradient), logits.numel(), rel_tol=1e-4):
                shifts[place] = math.log(probability / (1 - probability)) - float(logits.detach().mean())
    net.load_state_dict(state)
    with torch.no_grad():
        for place, shift in shifts.items():
            biases[place].add_(shift)
    return len(shifts)
