"""Gaussian convolution that keeps the taps under four blades, turned by a learnable angle."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .gaussian import GaussianConv2d

#: Half the width of a blade over the longer side of the kernel. A kernel of 3 x 3 is then either its axes or its
#: diagonals at every angle: with less, angles between would keep the centre alone; with more, all nine taps.
HALF_WIDTH = 0.15
#: At multiples of 45 degrees all taps of a 3 x 3 kernel lie where the slope with respect to the angle is 0, and it
#: would never move. This is halfway to where the slope is largest and the mask about to change.
START_ANGLE = math.pi / 16


class PinwheelGaussianConv2d(GaussianConv2d):
    """Gaussian convolution whose taps count under the four blades of a pinwheel, and are 0 between them.

    Two bars cross at the centre of the kernel at right angles, 0.3 times as wide as its longer side: four blades, with
    their middles at `angle` and every quarter turn from it. A tap is kept where one of them covers its centre; the
    middle tap (for even sides the middle 2 x 2) always is. Angles grow from the direction of the columns towards the
    upper side of the image, counter-clockwise as it is looked at; the mask returns after a quarter turn, so bars have
    the same response at right angles to each other.

    The mask is binary, so the angle learns by a straight-through estimator: backwards the mask has the slope of
    (1 + cos(4 (phi - angle))) / 2, phi the polar angle of the tap, which is 1 on the middle of a blade and 0 halfway
    between two. One angle for the layer. Taps between the blades rest; their weights are kept and come back when a
    blade reaches them.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        As `torch.nn.Conv2d` takes them.
    sigma : width of the Gaussian at the start, in taps, above 0; infinite is flat.
    angle : middle of a blade at the start, in radians, finite.

    Attributes
    ----------
    inverse_variance : parameter, one number, 1 / sigma^2 in taps^-2.
    angle : parameter, one number, radians.

    Raises
    ------
    InputError
        Where sigma is not above 0 or the angle is not finite.

    References
    ----------
    "Rotated pinwheel mask" of arXiv 2604.09991, of which only the abstract was available here; the form of the blades,
    the slope and the start are choices of this package. Bengio, Léonard and Courville, "Estimating or propagating
    gradients through stochastic neurons for conditional computation", 2013, for the estimator.
    """

    angle: nn.Parameter

    def __init__(self, *args: Any, sigma: float = math.inf, angle: float = START_ANGLE, **kwargs: Any) -> None:
        self._check(sigma=sigma, angle=angle)
        nn.Conv2d.__init__(self, *args, **kwargs)
        self._begin(sigma=sigma, angle=angle)

    @classmethod
    def _check(cls, sigma: float = math.inf, angle: float = START_ANGLE) -> None:
        super()._check(sigma)
        if not math.isfinite(angle):
            raise InputError(f"angle must be a finite number of radians, got {angle!r}")

    def _begin(self, sigma: float = math.inf, angle: float = START_ANGLE) -> None:
        super()._begin(sigma)
        self.angle = self._one_number(angle)

    def mask(self) -> Tensor:
        """Return 1 for taps under a blade and 0 for the others, (rows, columns) of the kernel."""
        y, x = self._places()
        y = -y  # rows grow downwards
        squared = x.square() + y.square()
        angle = self.angle.to(x.dtype)

        cosine, sine = angle.detach().cos(), angle.detach().sin()
        off_a_bar = torch.minimum((y * cosine - x * sine).abs(), (x * cosine + y * sine).abs())
        covered = (off_a_bar <= HALF_WIDTH * max(self.kernel_size)) | (squared <= 0.5)

        # cos and sin of 4 phi from the fourth power of x + iy, which has no angle to be wrong at the centre.
        length = squared.square().clamp(min=1e-3)
        cosine_4 = (squared.square() - 8 * (x * y).square()) / length
        sine_4 = 4 * x * y * (x.square() - y.square()) / length
        soft = (1 + cosine_4 * (4 * angle).cos() + sine_4 * (4 * angle).sin()) / 2
        return covered.to(x.dtype) + (soft - soft.detach())

    def shape(self) -> Tensor:
        """Return the factor of each tap, (rows, columns) of the kernel: mask times Gaussian."""
        return self.mask() * super().shape()

    def extra_repr(self) -> str:
        """What the Gaussian convolution says, and the angle."""
        return f"{super().extra_repr()}, angle={float(self.angle.detach()):.3g}"
