"""Parameters of the engine's methods: frozen, ranges checked when they are built."""

from __future__ import annotations

from dataclasses import dataclass

from .._checks import check_range


@dataclass(frozen=True, slots=True)
class ThresholdParams:
    """Parameters of `label_threshold`."""

    background_px: int = 21  # side of the running median that is subtracted, odd, in [3, 61]
    level: float = 0.30  # border at this share of the point's contrast, in (0, 1)
    window_px: int = 41  # side of the window, odd, in [9, 65]

    def __post_init__(self) -> None:
        check_range(self, "background_px", 3, 61)
        check_range(self, "level", 0.01, 0.99)
        check_range(self, "window_px", 9, 65)
