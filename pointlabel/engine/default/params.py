"""Parameters of the default method: frozen, ranges checked when they are built."""

from __future__ import annotations

from dataclasses import dataclass

from ..._values import Parameters, ranged
from ...errors import InputError, shown

N_SCORE_STYLE, N_BORDER_STYLE = 26, 25  # numbers of a style, see `engine.default.style`


@dataclass(frozen=True, slots=True)
class DefaultParams(Parameters):
    """Parameters of `label_default`; each step can be switched off."""

    snap: bool = True  # move the point to the brightest pixel within 2 px
    n_scales: int = ranged(4, 1, 4)  # scales of local background that vote, 1 (21 px alone) to 4 (13, 21, 35 and 57 px)
    temperature: float = ranged(0.5, 0.01, 10)  # of the vote's softmax
    n_steps: int = ranged(6, 0, 1000)  # explicit steps of heat that the vote spreads by, 0 for none, up to 1000
    rho: float = ranged(0.3, 0, 1)  # weight of the heat beside the vote in eq. (4)
    d0: float = ranged(3.2, 0.01, 100)  # conductivity of a flat medium
    beta: float = ranged(6.0, 0, 100)  # how fast it falls with texture
    alpha: float = ranged(0.6, 0, 1)  # weight of the gradient beside the entropy in the texture
    refine: bool = True  # sharpen the border by the pixel perceptron
    enlarge: bool = False  # take a window of 129 or 257 px where 65 px do not hold the target; leaks more than it finds
    share_heat: bool = True  # where masks meet, heat from each peak shares out the soft labels
    loosest: float = ranged(0.05, 0.01, 0.3)  # border at this share of the local contrast at tightness 0
    border_px: float = ranged(0.0, -3, 3)  # masks grown, or shrunk where negative, by a disc of this radius
    score_style: tuple[float, ...] = ()  # added to the score's weights of the features; 26 or none
    border_style: tuple[float, ...] = ()  # weights of the perceptron's inputs and a bias, added; 25 or none

    def __post_init__(self) -> None:
        Parameters.__post_init__(self)
        for name, wanted in (("score_style", N_SCORE_STYLE), ("border_style", N_BORDER_STYLE)):
            numbers = getattr(self, name)
            if len(numbers) not in (0, wanted) or not all(-100 <= number <= 100 for number in numbers):
                raise InputError(
                    f"DefaultParams.{name} must be a tuple of no or {wanted} numbers in [-100, 100], "
                    f"got {shown(numbers)}"
                )
