"""How a detector starts: built as the config says, at the share of pixels that targets have, not at one half."""

from __future__ import annotations

import math

import torch

from .._values import as_number
from ..convolutions import replace_convolutions
from ..detectors import Detector, build
from ..errors import InputError
from ..losses.scale import WARM_UP_EPOCHS
from .checkpoint import read_checkpoint
from .config import TrainConfig

#: Logits of a fresh detector that deviate by more than the first are scaled to deviate by the second.
MOST_DEVIATION, USUAL_DEVIATION = 5.0, 1.0


def build_detector(config: TrainConfig) -> Detector:
    """The detector of a run with the convolutions of the run, in training mode, weights drawn by torch's generator."""
    net = build(config.model)
    if config.conv != "plain":
        replace_convolutions(net, config.conv)
    return net


def load_last(net: Detector, config: TrainConfig, path: str) -> None:
    """Give a detector the weights of a checkpoint ``last``, and set it to evaluation.

    Raises
    ------
    InputError
        Where the file is damaged, or belongs to another detector.
    """
    try:
        state = read_checkpoint(path)["trainer"]
        net.load_state_dict(state["net"])
        epoch = as_number(state["epoch"], "epoch", 0, whole=True)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: does not fit the detector {config.model} ({last_line(error)})") from None
    net.warming_up = warms_up(config, epoch)
    net.eval()


def last_line(error: Exception) -> str:
    """The end of a message of torch, whose first lines repeat what was called."""
    if isinstance(error, KeyError) and len(str(error)) < 80:
        return f"there is no {error}"
    lines = str(error).split("\n")
    return lines[-1].strip() or type(error).__name__


def warms_up(config: TrainConfig, epoch: int) -> bool:
    """Whether a detector that knows a warm-up is in it in this epoch, counted from 1."""
    return bool(epoch <= config.loss_params.get("warm_up_epochs", WARM_UP_EPOCHS))


@torch.no_grad()
def lower_start(net: Detector, probability: float) -> int:
    """Set the last layer of each map of logits, so that a fresh detector answers about `probability`.

    With soft IoU a detector that starts at one half everywhere spends its first hundreds of steps on lowering the
    background, since targets cover a thousandth of an image. Where its first logits are tens of units wide, as those of
    MLCLNet are drawn, these steps push everything so far down that no pixel answers any more: there the weights of the
    last layer are scaled, too.

    Parameters
    ----------
    net : any detector, in training mode.
    probability : in (0, 1).

    Returns
    -------
    Number of layers set.
    """
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}  # batch statistics will have moved
    layers, maps = net.logit_layers, _maps_of_noise(net)
    deviations = [float(logits.std()) for logits in maps]
    if max(deviations) > MOST_DEVIATION:
        for layer, deviation in zip(layers, deviations, strict=False):
            if deviation > MOST_DEVIATION:
                layer.weight.mul_(USUAL_DEVIATION / deviation)
        maps = _maps_of_noise(net)
    for layer, logits in zip(layers, maps, strict=False):  # side outputs may be left out
        assert layer.bias is not None
        layer.bias.add_(math.log(probability / (1 - probability)) - float(logits.mean()))
    for name, buffer in net.named_buffers():
        buffer.copy_(buffers[name])
    return len(maps)


def _maps_of_noise(net: Detector) -> list[torch.Tensor]:
    """The maps of logits that a detector gives for the same two images of noise."""
    generator = torch.Generator().manual_seed(0)
    side = 2 * net.multiple
    noise = torch.randn(2, net.in_channels, side, side, generator=generator)
    maps = net(noise.to(next(net.parameters()).device))
    return maps if isinstance(maps, list) else [maps]
