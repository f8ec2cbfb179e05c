"""`annotate`: points in, pseudo-masks out, whatever the method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._checks import as_areas, as_image, as_points, as_unit_vector
from .engine.compete import share_out
from .engine.polarity import POLARITIES, choose_polarity, invert
from .errors import InputError
from .methods import get_method
from .types import ImageLabels, LabelRequest, TargetLabel

REFINEMENTS = ("crf",)


def annotate(
    image: ArrayLike,
    points: ArrayLike,
    *,
    method: str = "default",
    params: Any = None,
    tightness: ArrayLike = 0.5,
    polarity: str = "bright",
    true_area: ArrayLike | None = None,
    refine: str | None = None,
    rng: int | np.random.Generator | None = 0,
) -> ImageLabels:
    """Label the targets of one image from one point each.

    Parameters
    ----------
    image : (H, W) array of real numbers, any dtype and scale; NaN and infinite pixels belong to no mask.
    points : (N, 2) as (row, column), centres of pixels at whole numbers.
    method : a name out of `pointlabel.METHODS`.
    params : parameter object of the method (``get_method(name).params(...)``), default None for its defaults.
    tightness : number or (N,) numbers in [0, 1]: 0 puts the border at 5 % of the local contrast, 1 at 60 %.
    polarity : "bright", "dark", or "auto", which decides for each point.
    true_area : (N,) areas of the true masks in pixels, used by ``size_prior="oracle"`` and nothing else.
    refine : "crf" sharpens every label by a dense CRF, whatever the method; default None for the method's own labels.
    rng : seed or generator, for the methods that draw random numbers.

    Returns
    -------
    ImageLabels, one target for each point in the same order.

    Raises
    ------
    InputError
        Where an argument breaks a rule; `UnknownMethodError` where there is no such method.

    Examples
    --------
    >>> from pointlabel import annotate
    >>> from pointlabel.synthetic import draw_scene
    >>> scene = draw_scene(seed=1)
    >>> labels = annotate(scene.image, scene.points)
    >>> labels.mask().shape == scene.image.shape
    True
    """
    chosen = get_method(method)
    array = as_image(image)
    shape: tuple[int, int] = array.shape[0], array.shape[1]
    spots = as_points(points, shape)
    n = len(spots)
    if polarity not in POLARITIES:
        raise InputError(f"polarity must be one of {', '.join(POLARITIES)}, got {polarity!r}")
    if refine is not None and refine not in REFINEMENTS:
        raise InputError(f"refine must be None or one of {', '.join(REFINEMENTS)}, got {refine!r}")
    tight = as_unit_vector(tightness, n, "tightness")
    if not chosen.has_tightness and np.any(tight != 0.5):
        raise InputError(f"method {method} does not follow tightness; leave it at 0.5")
    areas = None if true_area is None else as_areas(true_area, n)
    arguments = chosen.params() if params is None else params
    if type(arguments) is not chosen.params_class:
        raise InputError(
            f"params of method {method} must be {chosen.params_class.__name__}, got {type(arguments).__name__}; "
            f'build them by get_method("{method}").params(...)'
        )
    if refine is not None:
        from .refinement import refine_by_crf  # not at the top: it loads scipy

    generator = np.random.default_rng(rng)

    dark = choose_polarity(array, spots, polarity)
    targets: list[TargetLabel | None] = [None] * n
    for is_dark in (False, True):
        chosen_points = np.flatnonzero(dark == is_dark)
        if chosen_points.size == 0:
            continue
        of_all = chosen_points.size == n
        request = LabelRequest(
            image=invert(array) if is_dark else array,
            points=spots if of_all else spots[chosen_points],
            tightness=tight if of_all else tight[chosen_points],
            true_area=areas if of_all or areas is None else areas[chosen_points],
            rng=generator,
        )
        labels = chosen.function(request, arguments)
        if len(labels) != chosen_points.size:
            raise InputError(f"method {method} returned {len(labels)} labels for {chosen_points.size} points")
        if refine is not None:
            labels = refine_by_crf(request.image, labels)
        for index, target in zip(chosen_points.tolist(), labels, strict=True):
            targets[index] = replace(target, polarity="dark") if is_dark else target
    found = [target for target in targets if target is not None]
    if n == 1 and found[0].mask.any():  # nothing to share out
        return ImageLabels(shape, tuple(found))
    return ImageLabels(shape, tuple(share_out(found, shape)))
