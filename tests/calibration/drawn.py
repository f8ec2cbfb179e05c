"""Drawn scenes whose masks are drawn in a known style."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel import annotate
from pointlabel.calibration.targets import Case, cases_of
from pointlabel.synthetic import Scene, draw_scene

Draw = Callable[[Scene], NDArray[np.bool_]]


def scene_of(seed: int) -> Scene:
    """A small scene with three clear targets."""
    return draw_scene(seed, (96, 96), n_targets=3, background="sea", contrast=12.0)


def own(scene: Scene) -> NDArray[np.bool_]:
    """What the default method itself draws: nothing is left to learn."""
    return annotate(scene.image, scene.points).mask()


def wide(scene: Scene) -> NDArray[np.bool_]:
    """The same, one pixel wider."""
    return ndimage.binary_dilation(own(scene))


def narrow(scene: Scene) -> NDArray[np.bool_]:
    """The same, one pixel narrower; targets that vanish are left out."""
    return ndimage.binary_erosion(own(scene))


@cache
def cases_in(draw: Draw, n_images: int = 8, first: int = 0) -> tuple[Case, ...]:
    """Cases of some scenes with masks in one style."""
    scenes = [scene_of(first + k) for k in range(n_images)]
    return tuple(c for k, s in enumerate(scenes) for c in cases_of(s.image, s.points, draw(s), f"{first + k:03}"))
