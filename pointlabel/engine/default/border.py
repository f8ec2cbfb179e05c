"""Where the border lies: one field whose level sets are nested over `tightness`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._refine_kernels import component_kernel
from .params import DefaultParams
from .regions import FLOOR_NOISES, Regions
from .vote import Vote, expected_relief
from .window import HALF, Window

LOOSEST, TIGHTEST = 0.05, 0.60  # shares of the local contrast at tightness 0 and 1
#: How much a sure soft label counts beside the relief. Probabilities lie near 0 and 1, heights in between: at full
#: weight the relief would have no say until tightness comes close to 0 or 1.
CERTAINTY = np.float32(0.15)
_CENTRE = (slice(HALF - 1, HALF + 2), slice(HALF - 1, HALF + 2))


def cut_border(
    window: Window, regions: Regions, vote: Vote, refined: NDArray[np.float32], tightness: float, params: DefaultParams
) -> tuple[NDArray[np.float32], NDArray[np.bool_], bool, bool]:
    """Cut the refined soft label at `tightness` and keep the component of the peak; 3 x 3 pixels where there is none.

    Returns
    -------
    soft, mask : (65, 65) float32 in [0, 1] and bool.
    found : whether the soft label reaches 1/2 at the peak.
    touches : whether the mask reaches the window's border.
    """
    soft, mask, touches = refined, np.zeros(refined.shape, np.bool_), False
    found = bool(soft[HALF, HALF] >= 0.5)
    if found and tightness == 0.5 and not params.border_px:  # the soft label, 0 beyond the image, says it all
        touches = component_kernel(soft, 0.5, HALF, HALF, mask)
    elif found:
        least = FLOOR_NOISES * window.floor / max(float(regions.contrast.max()), 1.0)
        relief = None if tightness == 0.5 else expected_relief(regions, vote.share)
        border = border_field(soft, relief, tightness, least, params.loosest)
        if params.border_px:
            border, soft = (shift_border(each, params.border_px / window.stride) for each in (border, soft))
            soft = np.where(window.inside, soft, np.float32(0.0))
            soft[HALF, HALF] = max(soft[HALF, HALF], np.float32(0.5))  # the point itself always belongs
        border = np.where(window.inside, border, np.float32(-1.0))
        touches = component_kernel(border, 0.0, HALF, HALF, mask)
    else:
        mask[_CENTRE] = window.inside[_CENTRE]
        mask[HALF, HALF] = True
        soft = np.where(mask, np.maximum(soft, np.float32(0.5)), np.float32(0.0))
    return soft, mask, found, bool(touches)


def border_field(
    soft: NDArray[np.float32],
    relief: NDArray[np.float32] | None,
    tightness: float,
    least: float,
    loosest: float = LOOSEST,
) -> NDArray[np.float32]:
    """Field whose non-negative part is the mask at `tightness`, same shape as `soft`.

    At 0.5 that is ``soft >= 0.5``. Towards 0 it grows to the union with ``relief >= loosest``, towards 1 it shrinks to
    the intersection with ``relief >= 0.6``. Between, the two are blended linearly; each pixel changes side at most
    once, so the masks are nested.

    Parameters
    ----------
    soft : probability of the target.
    relief : height over the local background as a share of the peak's; None at tightness 0.5, where it does not count.
    tightness : in [0, 1].
    loosest : share of the local contrast at tightness 0.
    least : relief below which nothing is told from noise; no pixel joins there by its relief.
    """
    inner = CERTAINTY * (soft - np.float32(0.5))
    weight = np.float32(abs(2 * tightness - 1))
    if weight == 0 or relief is None:
        return inner
    if tightness < 0.5:
        outer = np.where(relief >= least, relief - np.float32(loosest), np.float32(-1.0))
        extreme = np.maximum(outer, inner)
    else:
        extreme = np.minimum(relief - np.float32(TIGHTEST), inner)
    return (1 - weight) * inner + weight * extreme


def disc(radius_px: float) -> NDArray[np.bool_]:
    """Pixels whose centres lie within `radius_px` of the middle one: 5 for 1, 9 for 1.5, 13 for 2, 21 for 2.3."""
    reach = int(radius_px)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside: NDArray[np.bool_] = rows**2 + columns**2 <= radius_px**2
    return inside


def shift_border(field: NDArray[np.float32], border_px: float) -> NDArray[np.float32]:
    """Grow every level set of a field by a disc of radius `border_px`, or shrink it where that is negative.

    The largest, or smallest, value within the disc: a mask that is cut afterwards is the mask that would have been cut
    before, dilated or eroded, at every level, so that masks stay nested.
    """
    footprint = disc(abs(border_px))
    if footprint.size == 1:
        return field
    from scipy import ndimage  # not at the top: a border that is not moved starts without it

    shift = ndimage.grey_dilation if border_px > 0 else ndimage.grey_erosion
    moved: NDArray[np.float32] = shift(field, footprint=footprint, mode="nearest")
    return moved
