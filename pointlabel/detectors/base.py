"""What all detectors share: the checks, the padding, and the outputs in training and in evaluation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from ..errors import InputError, shown
from .padding import cut_back, pad_to_multiple

#: Pattern at the start of a name, and what to write in its place.
NameRule = tuple[str, str | Callable[[re.Match[str]], str]]


class Detector(nn.Module):
    """Base of the detectors. A subclass builds its layers and writes `maps`.

    Parameters
    ----------
    in_channels : 1 or 3.
    deep_supervision : bool, optional
        ``None`` does as the paper; nets without side outputs refuse ``True``.

    Attributes
    ----------
    name : what `build` was asked for.
    multiple : H and W that `maps` sees are multiples of this.
    has_side_outputs : whether the net can be trained with deep supervision.
    supervised_by_default : what ``deep_supervision=None`` means, where there are side outputs.
    ends : names of the layers that `maps` ends in, see `logit_layers`.
    published_names : pairs (pattern, replacement) as `re.sub` takes them, applied in turn, each at the start of the
        name: what a tensor is called in the authors' code to what it is called here.
    warming_up : bool, False at first: a trainer sets it for the first epochs. It is stored beside the weights.
    published_constants : pattern for the whole name of tensors in the authors' files that are no weights, such as fixed
        filters; they are skipped.
    """

    name: str = ""
    multiple: ClassVar[int] = 1
    has_side_outputs: ClassVar[bool] = False
    supervised_by_default: ClassVar[bool] = True
    ends: ClassVar[tuple[str, ...]] = ("head",)
    published_names: ClassVar[tuple[NameRule, ...]] = ()
    published_constants: ClassVar[str] = ""

    def __init__(self, in_channels: int = 1, deep_supervision: bool | None = None) -> None:
        super().__init__()
        if type(in_channels) is not int or in_channels not in (1, 3):
            raise InputError(f"in_channels must be 1 or 3, got {shown(in_channels)}")
        if deep_supervision and not self.has_side_outputs:
            raise InputError(f"deep_supervision must be False for {type(self).__name__}: it has no side outputs")
        self.in_channels = in_channels
        self.warming_up = False
        default = self.has_side_outputs and self.supervised_by_default
        self.deep_supervision = default if deep_supervision is None else bool(deep_supervision)

    def maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits: the map of the evaluation at the size of `image` first, then side outputs where they are asked for.

        Side outputs have the same size, or one 2, 4, 8, ... times smaller. They may be left out where
        ``self.training and self.deep_supervision`` is false.
        """
        raise NotImplementedError

    @property
    def logit_layers(self) -> list[nn.Conv2d]:
        """The convolution to one channel that each map of `maps` comes out of, in the order of the maps."""
        ends = [self.get_submodule(name) for name in self.ends]
        layers: list[Any] = [layer for end in ends for layer in (end if isinstance(end, nn.ModuleList) else [end])]
        return layers

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return logits (B, 1, H, W) for (B, in_channels, H, W); a list of maps in training with deep supervision.

        The first of them is the map of the evaluation. Some nets have smaller side outputs, see the nets: theirs are
        (B, 1, ceil(H / k), ceil(W / k)) with k = 2, 4, 8, ...
        """
        if image.ndim != 4 or image.shape[1] != self.in_channels or 0 in image.shape:
            raise InputError(f"image must have shape (B, {self.in_channels}, H, W), got {tuple(image.shape)}")
        size = (image.shape[-2], image.shape[-1])
        padded = pad_to_multiple(image, self.multiple)
        if self.training and padded.numel() == self.in_channels * self.multiple**2:
            # The deepest map would be one pixel, and batch statistics of one number are none.
            raise InputError(
                f"a training batch must hold more than one image of {self.multiple} x {self.multiple} pixels, "
                f"got shape {tuple(image.shape)}"
            )
        logits, *sides = self.maps(padded)
        logits = cut_back(logits, size)
        if not (self.training and self.deep_supervision):
            return logits
        return [logits, *(cut_back(side, size, padded.shape[-1] // side.shape[-1]) for side in sides)]
