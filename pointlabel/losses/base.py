"""What all loss modules share: one way to be called, side outputs, the reduction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import torch
from torch import nn

from ..errors import InputError
from ..params import Params
from ._batch import Reduction, check_reduction, reduce_samples, shrink_target


@dataclass(frozen=True, kw_only=True)
class LossOptions(Params):
    """Options of a loss; a subclass declares them."""

    prefix: ClassVar[str] = ""


class Loss(nn.Module):
    """Base of the losses. A subclass names its function and its options.

    Parameters
    ----------
    reduction : "mean" over the samples, or "none": one number per sample, for a trainer that weights them.
    **options
        Fields of `options_class`; they become attributes.
    """

    #: What measures the loss, called with the options by name.
    function: ClassVar[Callable[..., torch.Tensor]]
    options_class: ClassVar[type[LossOptions]] = LossOptions

    def __init__(self, *, reduction: Reduction = "mean", **options: Any) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction: Reduction = reduction
        vars(self).update(asdict(self.options_class(**options)))

    def per_sample(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """Loss of each sample, (B,)."""
        return self.measure(logits, target)

    def per_sample_of_side(
        self, logits: torch.Tensor, target: torch.Tensor, image: torch.Tensor | None, epoch: int | None
    ) -> torch.Tensor:
        """Loss of each sample in a side output, (B,), for losses that ask less of it."""
        return self.per_sample(logits, target, image, epoch)

    def measure(self, *arguments: torch.Tensor, **more: Any) -> torch.Tensor:
        """Call the function with the options; the loss of each sample, (B,)."""
        options = {item.name: getattr(self, item.name) for item in fields(self.options_class)}
        return type(self).function(*arguments, **options, **more, reduction="none")

    def forward(
        self,
        logits: torch.Tensor | Sequence[torch.Tensor],
        target: torch.Tensor,
        *,
        image: torch.Tensor | None = None,
        epoch: int | None = None,
    ) -> torch.Tensor:
        """Measure the loss.

        Parameters
        ----------
        logits : (B, 1, H, W) or (B, H, W) floating point, or with deep supervision a sequence of them, the map of the
            evaluation first, each with the same weight. Side outputs may be 2, 4, 8, ... times smaller, rounded up:
            they are compared with the largest target in the pixels that each of theirs covers.
        target : real in [0, 1] or bool, the shape of the first map of logits.
        image : (B, C, H, W) or (B, H, W), optional
            What the detector saw, for losses that look at it.
        epoch : int, optional
            Epoch as the trainer counts it, for losses with a warm-up; ``None`` means that the warm-up is over.

        Returns
        -------
        () or (B,) float32, or float64 where the logits are.
        """
        maps = [logits] if isinstance(logits, torch.Tensor) else list(logits)
        if not maps:
            raise InputError("logits must hold at least one map, got an empty sequence")
        losses = [self.per_sample(maps[0], target, image, epoch)]
        losses += [self.per_sample_of_side(each, shrink_target(target, each), image, epoch) for each in maps[1:]]
        return reduce_samples(losses[0] if len(losses) == 1 else torch.stack(losses).mean(0), self.reduction)

    def extra_repr(self) -> str:
        """Options, for print and logs."""
        options = {name: value for name, value in vars(self).items() if name[0] != "_" and name != "training"}
        return ", ".join(f"{name}={value!r}" for name, value in options.items())
