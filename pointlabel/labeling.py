"""`annotate` and `annotate_images`: points in, pseudo-masks out, whatever the method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import as_areas, as_generator, as_image, as_points, as_reals, as_unit_vector
from ._values import as_choice
from .errors import InputError, shown
from .methods.holes import home_of, leave_out_holes
from .methods.overlaps import share_out
from .methods.polarity import POLARITIES, choose_polarity, invert
from .methods.table import Method, get_method
from .notebook import Labels
from .types import LabelRequest, TargetLabel

REFINEMENTS = ("crf",)
BACKENDS = ("numba", "torch")


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
) -> Labels:
    """Label the targets of one image from one point each.

    Parameters
    ----------
    image : (H, W) array of real numbers, any dtype and scale; NaN and infinite pixels belong to no mask. Of an image in
        colour, (H, W, 3) or (H, W, 4), the luma is used, as from a file.
    points : (N, 2) as (row, column), centres of pixels at whole numbers; (2,) for one point.
    method : a name out of `pointlabel.METHODS`.
    params : parameter object of the method (``get_method(name).params(...)``), default None for its defaults.
    tightness : number or (N,) numbers in [0, 1]: 0 puts the border at 5 % of the local contrast, 1 at 60 %.
    polarity : "bright", "dark", or "auto", which decides for each point.
    true_area : (N,) areas of the true masks in pixels, used by ``size_prior="oracle"`` only.
    refine : "crf" sharpens every label by a dense CRF, whatever the method; default None for the method's own labels.
    rng : seed or generator, for the methods that draw random numbers.
    backend : "numba", or "torch" for the method default only: the same masks, made in batches on a device.
    device : where torch works, "cpu", "cuda" or "cuda:N"; used with the backend torch only.

    Returns
    -------
    Labels, one target per point in the same order.

    Raises
    ------
    InputError
        Where an argument is out of range or of another type or shape; `UnknownMethodError` where there is no such
        method, `MissingExtraError` where the backend needs a package that is not installed.

    Examples
    --------
    >>> from pointlabel import annotate
    >>> from pointlabel.synthetic import draw_scene
    >>> scene = draw_scene(seed=1)
    >>> labels = annotate(scene.image, scene.points)
    >>> labels.mask().shape == scene.image.shape
    True
    """
    labeller = open_labeller(method, params, polarity=polarity, refine=refine, backend=backend, device=device)
    labels = labeller.label(image, points, tightness=tightness, true_area=true_area, rng=rng)
    return replace(labels, image=as_grey(image))


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
) -> list[Labels]:
    """Label the targets of several images by the method default, all of them in one batch.

    Parameters
    ----------
    images : (H, W) arrays as for `annotate`; their sizes and dtypes may differ.
    points : one (N, 2) array per image.
    params, polarity, refine, backend, device : as for `annotate`.
    tightness : one number for all targets, or one entry per image: a number or (N,) numbers.

    Returns
    -------
    One `Labels` per image, as from `annotate`, which do not hold their images.

    Raises
    ------
    InputError
        Where an argument is out of range or of another type or shape, or the lists differ in length.

    Examples
    --------
    >>> from pointlabel import annotate_images
    >>> from pointlabel.synthetic import draw_scene
    >>> scenes = [draw_scene(seed=seed) for seed in range(3)]
    >>> labels = annotate_images([s.image for s in scenes], [s.points for s in scenes], backend="numba")
    >>> len(labels)
    3
    """
    labeller = open_labeller("default", params, polarity=polarity, refine=refine, backend=backend, device=device)
    for name, given in (("images", images), ("points", points)):
        if isinstance(given, str) or not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
            raise InputError(f"{name} must be a list with one entry an image, got {shown(given)}")
    n = len(images)
    is_list = isinstance(tightness, Sequence) and not isinstance(tightness, str)
    levels: list[ArrayLike] = list(tightness) if is_list else [tightness] * n  # type: ignore[arg-type, list-item]
    for name, entries in (("points", points), ("tightness", levels)):
        if len(entries) != n:
            raise InputError(f"{name} must have one entry an image, {n}, got {len(entries)}")
    return labeller.label_many(zip(images, points, levels, [None] * n, strict=True))


@dataclass(frozen=True, slots=True)
class Labeller:
    """A method with its parameters, checked once by `open_labeller`, which labels any number of images.

    Attributes
    ----------
    method, params : what labels, and its parameters.
    polarity, refine : as for `annotate`.
    device : torch.device that labels the batches of windows; None where the Numba kernels work.
    """

    method: Method
    params: Any
    polarity: str = "bright"
    refine: str | None = None
    device: Any = None

    def label(
        self,
        image: ArrayLike,
        points: ArrayLike,
        *,
        tightness: ArrayLike = 0.5,
        polarity: Sequence[str] | None = None,
        true_area: ArrayLike | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> Labels:
        """Label the targets of one image; parameters, result and errors as for `annotate`.

        `polarity` holds one for each point, in place of the labeller's for all.
        """
        generator = as_generator(rng)
        if self.device is not None:
            return self.label_many([(image, points, tightness, polarity)])[0]
        array, dark, requests = self._split(image, points, tightness, polarity, true_area, generator)
        made = []
        for request in requests.values():
            made.append(self.method.function(request, self.params))  # as `engine.default.label.label_default`
        return self._join(array, dark, requests, made)

    def label_many(self, items: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike, Sequence[str] | None]]) -> list[Labels]:
        """Label the targets of several images, with torch all of them in one batch.

        Parameters
        ----------
        items : (image, points, tightness, polarity) per image, each as for `label`. Random numbers start from 0 per
            image.
        """
        if self.device is None:
            return [self.label(image, points, tightness=tight, polarity=own) for image, points, tight, own in items]
        from .engine.torch.label import label_requests

        generator = np.random.default_rng(0)  # the method draws nothing from it
        split = [self._split(image, points, tight, own, None, generator) for image, points, tight, own in items]
        every = [request for _, _, requests in split for request in requests.values()]
        made = iter(label_requests(every, self.params, self.device))
        return [self._join(array, dark, each, list(islice(made, len(each)))) for array, dark, each in split]

    def _split(
        self,
        image: ArrayLike,
        points: ArrayLike,
        tightness: ArrayLike,
        polarity: Sequence[str] | None,
        true_area: ArrayLike | None,
        generator: np.random.Generator,
    ) -> tuple[NDArray, NDArray[np.bool_], dict[bool, LabelRequest]]:
        """Check one image with its points: the image, which points are dark, and a request per polarity (is it dark?).

        Only a polarity that occurs has a request; dark targets are bright ones in theirs.
        """
        array = as_grey(image)
        spots = as_points(points, (array.shape[0], array.shape[1]))
        n = len(spots)
        tight = as_unit_vector(tightness, n, "tightness")
        if not self.method.has_tightness and np.any(tight != 0.5):
            raise InputError(f"method {self.method.name} does not follow tightness; leave it at 0.5")
        areas = None if true_area is None else as_areas(true_area, n)
        if polarity is not None:
            if len(polarity) != n:
                raise InputError(f"polarity must have one entry a point, {n}, got {len(polarity)}")
            for each in polarity:
                as_choice(each, "polarity", POLARITIES)
        dark = choose_polarity(array, spots, self.polarity if polarity is None else polarity)
        requests = {}
        kinds = sorted(set(dark.tolist()))
        for is_dark in kinds:
            taken = dark == is_dark if len(kinds) > 1 else slice(None)
            theirs = None if areas is None else areas[taken]
            turned = invert(array) if is_dark else array
            requests[is_dark] = LabelRequest(turned, spots[taken], tight[taken], theirs, generator)
        return array, dark, requests

    def _join(
        self,
        image: NDArray,
        dark: NDArray[np.bool_],
        requests: dict[bool, LabelRequest],
        made: list[list[TargetLabel]],
    ) -> Labels:
        """Refine the labels of an image's requests and put them into the order of its points.

        Here, for every method, pixels that are not finite are removed from the masks, and each shared pixel gets one
        owner.
        """
        of_polarity = {}
        for (is_dark, request), labels in zip(requests.items(), made, strict=True):
            n = len(request.points)
            if len(labels) != n:
                raise InputError(f"method {self.method.name} returned {len(labels)} labels for {n} points")
            if self.refine is not None:
                from .baselines.crf.labels import refine_by_crf  # not at the top: it loads scipy

                labels = refine_by_crf(request.image, labels)
            if image.dtype.kind == "f":
                labels = [leave_out_holes(image, label) for label in labels]
            of_polarity[is_dark] = iter([replace(label, polarity="dark") for label in labels] if is_dark else labels)
        targets = [next(of_polarity[is_dark]) for is_dark in dark.tolist()]
        if len(targets) != 1 or not targets[0].mask.any():  # there may be something to share out
            targets = share_out(targets, [home_of(image, target.point) for target in targets])
        return Labels((image.shape[0], image.shape[1]), tuple(targets))


def as_grey(image: ArrayLike) -> NDArray:
    """Return an image as `as_image` does; of one in colour, (H, W, 3) or (H, W, 4), the luma; (H, W, 1) is grey."""
    if getattr(image, "ndim", 2) == 3:
        array = as_reals(image, "image")
        if not array.size or array.shape[2] not in (3, 4):
            return as_image(array[..., 0] if array.shape[2] == 1 else array)
        from .io.pixels import merge_channels  # here, so that grey images do not wait for Pillow

        return as_image(np.ascontiguousarray(merge_channels(array[..., :3], "image")[0]))
    return as_image(image)


def open_labeller(
    method: str = "default",
    params: Any = None,
    *,
    polarity: str = "bright",
    refine: str | None = None,
    backend: str = "numba",
    device: str = "cpu",
) -> Labeller:
    """Check everything that does not depend on an image; parameters and errors as for `annotate`."""
    chosen = get_method(method)
    as_choice(polarity, "polarity", POLARITIES)
    as_choice(refine, "refine", (None, *REFINEMENTS))
    arguments: Any = chosen.params() if params is None else params
    if type(arguments) is not chosen.params_class:
        raise InputError(
            f"params of method {method} must be {chosen.params_class.__name__}, got {type(arguments).__name__}; "
            f'build them by get_method("{method}").params(...)'
        )
    return Labeller(chosen, arguments, polarity, refine, open_backend(backend, method, device))


def open_backend(backend: str, method: str, device: str) -> Any:
    """The torch.device of the backend torch, None for the backend numba.

    Raises
    ------
    InputError
        Where `method` cannot be run by `backend` on `device` on this machine; `MissingExtraError` where torch is not
        installed.
    """
    as_choice(backend, "backend", BACKENDS)
    if not isinstance(device, str):
        raise InputError(f"device must be cpu, cuda or cuda:N, got {shown(device)}")
    if backend == "numba":
        if device != "cpu":
            raise InputError(f"backend numba works on the cpu alone, got device {device!r}; take backend torch")
        return None
    if method != "default":
        raise InputError(f"backend torch labels by the method default alone, got method {method}; take backend numba")
    from .engine.torch.devices import open_device

    return open_device(device)
