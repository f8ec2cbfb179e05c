"""`annotate` and `annotate_images`: points in, pseudo-masks out, whatever the method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import as_areas, as_generator, as_image, as_points, as_unit_vector
from ._values import as_choice
from .errors import InputError, shown
from .methods.holes import home_of, leave_out_holes
from .methods.overlaps import share_out
from .methods.polarity import POLARITIES, choose_polarity, invert
from .methods.table import Method, get_method
from .types import ImageLabels, LabelRequest, TargetLabel

REFINEMENTS = ("crf",)
BACKENDS = ("numba", "torch")
LabelMany = Callable[[list[LabelRequest]], list[list[TargetLabel]]]


@dataclass(frozen=True, slots=True)
class _Part:
    """The points of one image that are taken with one polarity: which they are, and what the method gets."""

    chosen: NDArray[np.int64]
    is_dark: bool
    request: LabelRequest


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
    backend: str = "numba",
    device: str = "cpu",
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
    backend : "numba", or "torch" for the method default alone: the same masks, made in batches on a device.
    device : where torch works, "cpu", "cuda" or "cuda:N"; read with the backend torch only.

    Returns
    -------
    ImageLabels, one target for each point in the same order.

    Raises
    ------
    InputError
        Where an argument breaks a rule; `UnknownMethodError` where there is no such method, `MissingExtraError` where
        the backend needs a package that is not installed.

    Examples
    --------
    >>> from pointlabel import annotate
    >>> from pointlabel.synthetic import draw_scene
    >>> scene = draw_scene(seed=1)
    >>> labels = annotate(scene.image, scene.points)
    >>> labels.mask().shape == scene.image.shape
    True
    """
    chosen, label = _open(method, params, polarity, refine, backend, device)
    shape, parts = _prepare(image, points, chosen, tightness, polarity, true_area, as_generator(rng))
    return _gather(shape, parts, label([part.request for part in parts]), chosen, refine)


def annotate_images(
    images: Sequence[ArrayLike],
    points: Sequence[ArrayLike],
    *,
    params: Any = None,
    tightness: float | Sequence[ArrayLike] = 0.5,
    polarity: str = "bright",
    refine: str | None = None,
    backend: str = "torch",
    device: str = "cpu",
) -> list[ImageLabels]:
    """Label the targets of several images by the method default, all of them in one batch.

    Parameters
    ----------
    images : (H, W) arrays as for `annotate`; their sizes and dtypes may differ.
    points : one (N, 2) array an image.
    params, polarity, refine, backend, device : as for `annotate`.
    tightness : one number for all targets, or one entry an image: a number or (N,) numbers.

    Returns
    -------
    One `ImageLabels` an image, as from `annotate`.

    Raises
    ------
    InputError
        Where an argument breaks a rule.

    Examples
    --------
    >>> from pointlabel import annotate_images
    >>> from pointlabel.synthetic import draw_scene
    >>> scenes = [draw_scene(seed=seed) for seed in range(3)]
    >>> labels = annotate_images([s.image for s in scenes], [s.points for s in scenes], backend="numba")
    >>> len(labels)
    3
    """
    chosen, label = _open("default", params, polarity, refine, backend, device)
    for name, given in (("images", images), ("points", points)):
        if isinstance(given, str) or not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
            raise InputError(f"{name} must be a list with one entry an image, got {shown(given)}")
    n = len(images)
    is_list = isinstance(tightness, Sequence) and not isinstance(tightness, str)
    levels: list[ArrayLike] = list(tightness) if is_list else [tightness] * n  # type: ignore[arg-type, list-item]
    for name, entries in (("points", points), ("tightness", levels)):
        if len(entries) != n:
            raise InputError(f"{name} must have one entry an image, {n}, got {len(entries)}")
    generator = np.random.default_rng(0)  # the method draws nothing from it
    work = [
        _prepare(image, spots, chosen, level, polarity, None, generator)
        for image, spots, level in zip(images, points, levels, strict=True)
    ]
    labels = iter(label([part.request for _, parts in work for part in parts]))
    return [_gather(shape, parts, list(islice(labels, len(parts))), chosen, refine) for shape, parts in work]


def check_backend(backend: str, method: str, device: str) -> None:
    """Raise where `method` cannot be run by `backend` on `device` on this machine."""
    as_choice(backend, "backend", BACKENDS)
    if not isinstance(device, str):
        raise InputError(f"device must be cpu, cuda or cuda:N, got {shown(device)}")
    if backend == "numba":
        if device != "cpu":
            raise InputError(f"backend numba works on the cpu alone, got device {device!r}; take backend torch")
        return
    if method != "default":
        raise InputError(f"backend torch labels by the method default alone, got method {method}; take backend numba")
    from .engine.torch.devices import open_device

    open_device(device)


def _open(
    method: str, params: Any, polarity: str, refine: str | None, backend: str, device: str
) -> tuple[Method, LabelMany]:
    """Check what does not depend on an image; return the method, and what labels a list of requests."""
    chosen = get_method(method)
    as_choice(polarity, "polarity", POLARITIES)
    as_choice(refine, "refine", (None, *REFINEMENTS))
    arguments: Any = chosen.params() if params is None else params
    if type(arguments) is not chosen.params_class:
        raise InputError(
            f"params of method {method} must be {chosen.params_class.__name__}, got {type(arguments).__name__}; "
            f'build them by get_method("{method}").params(...)'
        )
    check_backend(backend, method, device)
    if backend == "numba":
        return chosen, lambda requests: [chosen.function(request, arguments) for request in requests]
    from .engine.torch.devices import open_device
    from .engine.torch.label import label_requests

    checked: Any = arguments
    place = open_device(device)
    return chosen, lambda requests: label_requests(requests, checked, place)


def _prepare(
    image: ArrayLike,
    points: ArrayLike,
    chosen: Method,
    tightness: ArrayLike,
    polarity: str,
    true_area: ArrayLike | None,
    generator: np.random.Generator,
) -> tuple[tuple[int, int], list[_Part]]:
    """Check one image with its points; return its shape and one part a polarity that occurs."""
    array = as_image(image)
    shape: tuple[int, int] = array.shape[0], array.shape[1]
    spots = as_points(points, shape)
    n = len(spots)
    tight = as_unit_vector(tightness, n, "tightness")
    if not chosen.has_tightness and np.any(tight != 0.5):
        raise InputError(f"method {chosen.name} does not follow tightness; leave it at 0.5")
    areas = None if true_area is None else as_areas(true_area, n)
    dark = choose_polarity(array, spots, polarity)
    parts = []
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
        parts.append(_Part(chosen_points, is_dark, request))
    return shape, parts


def _gather(
    shape: tuple[int, int], parts: list[_Part], answers: list[list[TargetLabel]], chosen: Method, refine: str | None
) -> ImageLabels:
    """Bring the labels of one image's parts into the order of its points and refine them.

    Here, for every method, pixels that are not finite leave the masks, and masks share out what they share.
    """
    targets: list[TargetLabel | None] = [None] * sum(part.chosen.size for part in parts)
    for part, labels in zip(parts, answers, strict=True):
        if len(labels) != part.chosen.size:
            raise InputError(f"method {chosen.name} returned {len(labels)} labels for {part.chosen.size} points")
        if refine is not None:
            from .baselines.crf.labels import refine_by_crf  # not at the top: it loads scipy

            labels = refine_by_crf(part.request.image, labels)
        if part.request.image.dtype.kind == "f":
            labels = [leave_out_holes(part.request.image, label) for label in labels]
        for index, target in zip(part.chosen.tolist(), labels, strict=True):
            targets[index] = replace(target, polarity="dark") if part.is_dark else target
    found = [target for target in targets if target is not None]
    if len(found) == 1 and found[0].mask.any():  # nothing to share out
        return ImageLabels(shape, tuple(found))
    homes = [home_of(parts[0].request.image, target.point) for target in found]
    return ImageLabels(shape, tuple(share_out(found, homes)))
