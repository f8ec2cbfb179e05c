"""Parameters of the default method: frozen, ranges checked when they are built."""

from __future__ import annotations

from dataclasses import dataclass

from ...params import Params, param

N_STYLE, LONGEST_STYLE = 7, 3.0  # numbers of a style and the largest of them, see `engine.default.style`


@dataclass(frozen=True, slots=True)
class DefaultParams(Params):
    """Parameters of `label_default`; each step can be switched off."""

    snap: bool = param(True, "move the point to the brightest pixel within 2 px")
    n_scales: int = param(
        4, "scales of local background that vote, 1 (21 px alone) to 4 (13, 21, 35 and 57 px)", low=1, high=4
    )
    temperature: float = param(0.5, "temperature of the vote's softmax", low=0.01, high=10)
    n_steps: int = param(6, "explicit steps of heat that the vote spreads by, 0 for none", low=0, high=1000)
    rho: float = param(0.3, "weight of the heat beside the vote in eq. (4)", low=0, high=1)
    d0: float = param(3.2, "conductivity of a flat medium", low=0.01, high=100)
    beta: float = param(6.0, "how fast the conductivity falls with texture", low=0, high=100)
    alpha: float = param(0.6, "weight of the gradient beside the entropy in the texture", low=0, high=1)
    refine: bool = param(True, "sharpen the border by the pixel perceptron")
    enlarge: bool = param(False, "take a window of 129 or 257 px where 65 px do not hold the target")
    share_heat: bool = param(True, "where masks meet, heat from each peak shares out the soft labels")
    loosest: float = param(0.05, "border at this share of the local contrast at tightness 0", low=0.01, high=0.3)
    border_px: float = param(
        0.0, "masks grown, or shrunk where negative, by a disc of this radius in pixels", low=-3, high=3
    )
    style: tuple[float, ...] = param(
        (),
        "how masks are drawn, in deviations of the fitted data sets; none or zeros: as in the infrared sets",
        low=-LONGEST_STYLE,
        high=LONGEST_STYLE,
        lengths=(0, N_STYLE),
    )
