"""Replace plain convolutions of any network with shaped ones, and the reverse."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from .._values import as_entry
from ..errors import InputError
from .gaussian import GaussianConv2d
from .pinwheel import PinwheelGaussianConv2d

#: Which convolutions: the side of the kernel, (rows, columns) of it, or a function of the layer's name and the layer.
Where = int | tuple[int, int] | Callable[[str, nn.Conv2d], bool]

CLASSES: dict[str, type[GaussianConv2d]] = {"gaussian": GaussianConv2d, "pinwheel": PinwheelGaussianConv2d}


def replace_convolutions(
    model: nn.Module, kind: str, *, where: Where = 3, sigma: float = math.inf, angle: float | None = None
) -> int:
    """Replace plain convolutions of `model` with shaped ones, in place.

    Weights, biases, stride, padding, dilation, groups, device, dtype, hooks and names stay; each layer gains its one
    sigma, and its one angle, which are frozen where its weights are. A layer that the model uses in several places is
    replaced once. Only layers whose class is `torch.nn.Conv2d` itself are replaced: transposed convolutions, other
    subclasses, layers whose weights are computed (weight normalisation) and those replaced before are skipped.

    With the flat Gaussian of the start, ``kind="gaussian"`` leaves the model's output as it is; ``"pinwheel"`` changes
    it at once, since its mask is binary. Parameters are added, so create the optimiser afterwards.

    Parameters
    ----------
    model : any module, of this package or another.
    kind : one of `KINDS`, "gaussian" or "pinwheel".
    where : which convolutions: the side of the kernel (3 for 3 x 3), its (rows, columns), or a function that is given
        the layer's name and the layer and returns whether to replace it.
    sigma : width of the Gaussian at the start, in taps, above 0.
    angle : of the pinwheel at the start, in radians; ``None`` takes 11.25 degrees.

    Returns
    -------
    int
        How many layers were replaced.

    Raises
    ------
    InputError
        For an unknown kind, an angle without a pinwheel, another `where`, or a start out of range.
    """
    chosen_class = as_entry(kind, "kind of convolution", CLASSES)
    if angle is not None and kind != "pinwheel":
        raise InputError(f"angle is for the kind pinwheel alone, got {angle!r} with {kind!r}")
    start = {"sigma": sigma} if angle is None else {"sigma": sigma, "angle": angle}
    chosen_class._check(**start)
    chosen = [
        layer
        for name, layer in model.named_modules()
        if type(layer) is nn.Conv2d and "weight" in layer._parameters and _fits(where, name, layer)
    ]
    for layer in chosen:
        chosen_class.adopt(layer, **start)
    return len(chosen)


def _fits(where: Where, name: str, layer: nn.Conv2d) -> bool:
    if callable(where):
        return bool(where(name, layer))
    size = (where, where) if isinstance(where, int) else where
    if not (isinstance(size, tuple) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
        raise InputError(f"where must be the side of a kernel, (rows, columns) or a function, got {where!r}")
    return layer.kernel_size == size


def find_replaced(model: nn.Module) -> dict[str, str]:
    """Return the shaped convolutions of `model`: the name of each layer -> its kind."""
    kinds = {layer_class: kind for kind, layer_class in CLASSES.items()}
    return {name: kinds[type(layer)] for name, layer in model.named_modules() if type(layer) in kinds}


@torch.no_grad()
def fold_convolutions(model: nn.Module) -> int:
    """Turn shaped convolutions of `model` back into plain ones that give the same output, in place.

    The Gaussian and the mask go into the weights; sigma and angle are gone. For use after training: tools that read the
    weights of a convolution see the kernel that counts, and nothing is computed twice. Weights that layers share are
    no longer shared.

    Returns
    -------
    int
        How many layers were replaced.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, GaussianConv2d)]
    for layer in layers:
        weight = nn.Parameter(layer.kernel(), requires_grad=layer.weight.requires_grad)
        for name in layer._parameters.keys() - {"weight", "bias"}:
            delattr(layer, name)
        plain: nn.Conv2d = layer
        plain.__class__ = nn.Conv2d
        plain.weight = weight
    return len(layers)
