"""Larger windows: when a target is looked at in one, and when its mask there is believed. Both engines ask here."""

from __future__ import annotations

from typing import Protocol

LEAST_AREA_PX = 200  # below which a target needs no larger window
TIMES_LARGER = 2.0  # a mask that is not so many times as large as the first is the coarser view of the same
CLEAR_CONTRAST = 15.0  # in noises: what stands out so far is no speck of something larger
SURE_CONTRAST = 6.0  # in noises: below, a larger window's mask is not believed ...
TIMES_CLEARER = 2.0  # ... nor where it does not stand out so many times as far as the first mask
#: Nor where the regions change more with the background: the feature `stability`, 2 where each is that of its
#: neighbours. What a target is does not depend on how much of its surroundings is looked at; clutter does.
LEAST_STABILITY = 1.85
#: Nor where the vote's score finds no region like a target: half a scene behind an edge is stable too.
LEAST_SCORE = -4.0


class Seen(Protocol):
    """What is asked of a label in one window."""

    @property
    def found(self) -> bool:
        """Whether there is a target at the peak."""

    @property
    def touches(self) -> bool:
        """Whether the mask reaches the window's border."""

    @property
    def contrast(self) -> float:
        """Expected contrast of the peak in noises of the window."""

    @property
    def stability(self) -> float:
        """Expected stability of the regions over backgrounds, up to 2."""

    @property
    def best_score(self) -> float:
        """Score of the best region."""

    @property
    def area_px(self) -> int:
        """Area of the mask in pixels of the image."""


def needs_larger(first: Seen) -> bool:
    """Whether the window of 65 px may not hold the target: nothing or not much stands out, or the mask leads out."""
    return not first.found or first.touches or first.contrast < CLEAR_CONTRAST


def is_believed(larger: Seen, first: Seen) -> bool:
    """Whether the mask of a larger window is taken instead of the first one: a large, clear, stable target."""
    return (
        larger.found
        and not larger.touches
        and larger.area_px >= max(LEAST_AREA_PX, TIMES_LARGER * first.area_px)
        and larger.stability >= LEAST_STABILITY
        and larger.best_score >= LEAST_SCORE
        and (first.touches or larger.contrast >= max(SURE_CONTRAST, TIMES_CLEARER * first.contrast))
    )
