"""Classes that targets are counted in: by area and by local signal-to-clutter ratio."""

from __future__ import annotations

import numpy as np

#: Upper bounds of the size classes, in pixels, included in their class.
_SIZE_BOUNDS_PX = (9, 25, 81, 200)
SIZE_CLASSES = ("<=9", "10-25", "26-81", "82-200", ">200")

#: Lower bounds of the bins of the local SCR but the first, included in their bin.
_SCR_BOUNDS = (1.0, 2.0, 4.0, 8.0)
SCR_BINS = ("<1", "1-2", "2-4", "4-8", ">8")


def size_class(area_px: int) -> str:
    """Name of the size class of a target with `area_px` pixels."""
    return SIZE_CLASSES[int(np.searchsorted(_SIZE_BOUNDS_PX, area_px, side="left"))]


def scr_bin(scr: float) -> str:
    """Name of the bin of a local SCR, which must be a number."""
    return SCR_BINS[int(np.searchsorted(_SCR_BOUNDS, scr, side="right"))]
