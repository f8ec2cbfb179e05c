"""Convolution whose kernel is weighted by a Gaussian of learnable width."""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import InputError


class GaussianConv2d(nn.Conv2d):
    """Convolution with the kernel w(r) exp(-|r|^2 / (2 sigma^2)), r the place of a tap seen from the kernel's centre.

    One sigma for the layer, learned with the weights. Small targets are spots that fade from their centre; the Gaussian
    gives the kernel that form and leaves its signs and channels to the weights. Output sizes are those of the plain
    convolution.

    What is learned is 1 / sigma^2, which is 0 for a flat Gaussian: there the layer equals the plain convolution
    exactly and still has a slope, where sigma itself would be infinite and have none. Below 0 the parameter counts
    as 0, and keeps its gradient, so that it comes back where a Gaussian helps.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        As `torch.nn.Conv2d` takes them.
    sigma : width of the Gaussian at the start, in taps (dilation does not count), above 0; infinite is flat.

    Attributes
    ----------
    inverse_variance : parameter, one number, 1 / sigma^2 in taps^-2.

    Raises
    ------
    InputError
        Where sigma is not above 0.

    References
    ----------
    "Gaussian-shaped convolution" of arXiv 2604.09991, of which the abstract alone is known here; the start and what is
    learned are choices of this package.
    """

    inverse_variance: nn.Parameter

    def __init__(self, *args: Any, sigma: float = math.inf, **kwargs: Any) -> None:
        self._check(sigma=sigma)
        super().__init__(*args, **kwargs)
        self._begin(sigma=sigma)

    @classmethod
    def adopt(cls, conv: nn.Conv2d, **start: float) -> Self:
        """Make `conv` one of this class, in place, and return it: weights, settings, names and hooks stay.

        Parameters
        ----------
        conv : a layer whose class is `torch.nn.Conv2d` itself.
        start : what the constructor takes beyond what `torch.nn.Conv2d` does.
        """
        cls._check(**start)
        conv.__class__ = cls
        assert isinstance(conv, cls)
        conv._begin(**start)
        return conv

    @classmethod
    def _check(cls, sigma: float = math.inf) -> None:
        if not sigma > 0:
            raise InputError(f"sigma must be above 0 taps, or infinite for a flat Gaussian, got {sigma!r}")

    def _begin(self, sigma: float = math.inf) -> None:
        """Add the layer's own parameters."""
        self.inverse_variance = self._one_number(sigma**-2)

    def _one_number(self, value: float) -> nn.Parameter:
        """Parameter beside the weights: on their device, in their dtype, frozen where they are."""
        number = torch.full((), value, dtype=self.weight.dtype, device=self.weight.device)
        return nn.Parameter(number, requires_grad=self.weight.requires_grad)

    @property
    def sigma(self) -> Tensor:
        """Width of the Gaussian in taps, a tensor of one number without gradient; infinite where it is flat."""
        return self.inverse_variance.detach().clamp(min=0).rsqrt()

    def _places(self) -> tuple[Tensor, Tensor]:
        """Rows and columns of the taps from the centre, (rows, 1) and (columns,), in single precision at least."""
        dtype = torch.promote_types(self.weight.dtype, torch.float32)
        rows, columns = (
            torch.arange(size, dtype=dtype, device=self.weight.device) - (size - 1) / 2 for size in self.kernel_size
        )
        return rows[:, None], columns

    def shape(self) -> Tensor:
        """Return the factor of each tap, (rows, columns) of the kernel, in [0, 1], in single precision at least."""
        rows, columns = self._places()
        learned = self.inverse_variance.to(columns.dtype)
        used = learned + (learned.clamp(min=0) - learned).detach()
        return torch.exp(-0.5 * used * (rows.square() + columns.square()))

    def kernel(self) -> Tensor:
        """Return the kernel that the layer convolves with, of the shape and dtype of `weight`."""
        return self.weight * self.shape().to(self.weight.dtype)

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) or (C, H, W) to what the plain convolution gives."""
        return self._conv_forward(input, self.kernel(), self.bias)

    def extra_repr(self) -> str:
        """What the plain convolution says, and sigma."""
        return f"{super().extra_repr()}, sigma={float(self.sigma):.3g}"
