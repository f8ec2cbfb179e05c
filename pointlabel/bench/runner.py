"""One method over images with points: masks scored, calls timed. Images and random numbers are handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._values import as_choice, as_number
from ..baselines.d2d.params import SIZE_PRIORS
from ..errors import InputError
from ..evaluation.environment import peak_memory_mb
from ..evaluation.metrics import count_overlap
from ..evaluation.targets import owned_ious, target_areas, true_targets
from ..labeling import annotate
from ..methods.table import get_method
from ..types import ImageLabels

#: (seed, image id) -> random numbers of one image.
GeneratorOf = Callable[[int, str], np.random.Generator]


class BenchImage(NamedTuple):
    """One image to run on: id, (H, W) image, (N, 2) points as (row, column), (H, W) bool mask or None."""

    id: str
    image: NDArray
    points: NDArray[np.float64]
    mask: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Setup:
    """A method with its parameters, as it is run.

    Attributes
    ----------
    method : name of the method.
    params : its parameter object.
    size_prior : what the method knows about the size: "none", "fixed" or "oracle".
    seeds : seeds that it is run with; one where the answer does not depend on it.
    """

    method: str
    params: Any
    size_prior: str
    seeds: tuple[int, ...]


def plan_setup(method: str, *, size_prior: str = "none", n_seeds: int = 1, **changes: Any) -> Setup:
    """Build the parameters of a method for a comparison.

    Methods without a size prior run unchanged. Windows of the published size classes are drawn at random, so a
    method that uses them depends on the seed, as a random method does.

    Parameters
    ----------
    method : a name out of `pointlabel.METHODS`.
    size_prior : out of `SIZE_PRIORS`, for methods that have one.
    n_seeds : seeds 0 to n_seeds - 1 for methods that depend on the seed, in [1, 1000].
    changes : other parameters of the method.

    Raises
    ------
    InputError
        Where an argument is out of range or of another type; `UnknownMethodError` where there is no such method.
    """
    chosen = get_method(method)
    as_choice(size_prior, "size_prior", SIZE_PRIORS)
    as_number(n_seeds, "n_seeds", 1, 1000, whole=True)
    prior = "none"
    if "size_prior" in {item.name for item in fields(chosen.params_class)}:
        prior = changes["size_prior"] = size_prior
    params = chosen.params(**changes)
    is_random = chosen.is_random or prior != "none"
    return Setup(method, params, prior, tuple(range(n_seeds if is_random else 1)))


@dataclass(slots=True)
class MethodRun:
    """What a method did on the images of one data set.

    S is the number of seeds, I of images, T of points. Without masks the scores are empty.

    Attributes
    ----------
    method, size_prior, params, n_seeds : how it was run; `params` as a dictionary.
    n_images : I.
    image_of : (T,) int64, the image of each point.
    inter, union : (S, I) int64, pixels in both masks and in either.
    ious : (S, T) float64, each target with its own true target; NaN where a point has none.
    areas : (S, T) int64, pixels of each mask.
    times_ms : (T,) float64, the time of the image's call shared out over its points, with the first seed.
    first_ms : the first call in this process, which loads or compiles what the method needs.
    peak_mb, start_mb : most memory of the process at the end, and before the first call; None where not known.
    crops : for each point of the first seed (row, column, mask): the smallest box that holds its mask.
    """

    method: str
    size_prior: str
    params: dict[str, Any]
    n_seeds: int
    n_images: int
    image_of: NDArray[np.int64]
    inter: NDArray[np.int64]
    union: NDArray[np.int64]
    ious: NDArray[np.float64]
    areas: NDArray[np.int64]
    times_ms: NDArray[np.float64]
    first_ms: float
    peak_mb: float | None
    start_mb: float | None
    crops: list[tuple[int, int, NDArray[np.bool_]]] = field(default_factory=list)


def run_method(
    images: Iterable[BenchImage],
    setup: Setup,
    generator: GeneratorOf,
    *,
    repeat: int = 1,
    keep_crops: bool = False,
    on_image: Callable[[], None] = lambda: None,
) -> MethodRun:
    """Run a method on every image with every seed.

    Parameters
    ----------
    images : the images, all with a mask or all without; read one at a time.
    setup : the method and its parameters.
    generator : random numbers of each image.
    repeat : calls that are timed for each image, at least 1; the fastest counts.
    keep_crops : whether to keep the masks of the first seed.
    on_image : called after each image.

    Raises
    ------
    InputError
        Where there are no points; `PointLabelError` where the method cannot be used on this machine.
    """
    counts: list[NDArray[np.int64]] = []
    ious: list[NDArray[np.float64]] = []
    areas: list[NDArray[np.int64]] = []
    times: list[float] = []
    owners: list[int] = []
    crops: list[tuple[int, int, NDArray[np.bool_]]] = []
    first_ms, start_mb, n_images = None, None, 0
    get_method(setup.method).check(setup.params)
    for image in images:
        call = _Call(image, setup, generator)
        if first_ms is None and len(image.points):
            start_mb = peak_memory_mb()
            first_ms = call.timed()[1]
        done = [call.timed(seed) for seed in setup.seeds]
        spent = min([done[0][1], *(call.timed()[1] for _ in range(repeat - 1))])
        if image.mask is not None:
            truth = true_targets(image.mask, image.points)
            counts.append(np.array([count_overlap(labels.mask(), image.mask) for labels, _ in done]))
            ious.append(np.stack([owned_ious(labels, *truth) for labels, _ in done]))
        n = len(image.points)
        areas.append(np.array([[t.area for t in labels.targets] for labels, _ in done], np.int64).reshape(len(done), n))
        times += [spent / max(n, 1)] * n
        owners += [n_images] * n
        if keep_crops:
            crops += [_crop(target.mask, target.origin) for target in done[0][0].targets]
        n_images += 1
        on_image()
    if first_ms is None:
        raise InputError("no image has a point; there is nothing to measure")
    n_seeds = len(setup.seeds)
    both = np.stack(counts, axis=1) if counts else np.zeros((n_seeds, 0, 2), np.int64)
    return MethodRun(
        setup.method,
        setup.size_prior,
        asdict(setup.params),
        n_seeds,
        n_images,
        np.array(owners, np.int64),
        both[..., 0],
        both[..., 1],
        np.concatenate(ious, axis=1) if ious else np.zeros((n_seeds, 0)),
        np.concatenate(areas, axis=1),
        np.array(times),
        first_ms,
        peak_memory_mb(),
        start_mb,
        crops,
    )


class _Call:
    """One image with one method, ready to be called with any seed."""

    def __init__(self, image: BenchImage, setup: Setup, generator: GeneratorOf) -> None:
        self._image, self._setup, self._generator = image, setup, generator
        self._areas = None
        if setup.size_prior == "oracle":
            if image.mask is None:
                raise InputError(f"{image.id}: size_prior oracle needs a true mask")
            self._areas, _ = target_areas(image.mask, image.points)

    def timed(self, seed: int = 0) -> tuple[ImageLabels, float]:
        """Labels of the image, and the milliseconds that they took."""
        image, setup = self._image, self._setup
        rng = self._generator(seed, image.id)
        start = perf_counter()
        labels = annotate(
            image.image, image.points, method=setup.method, params=setup.params, true_area=self._areas, rng=rng
        )
        return labels, (perf_counter() - start) * 1000


def _crop(mask: NDArray[np.bool_], origin: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return (*origin, mask[:0, :0])
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return origin[0] + int(rows[0]), origin[1] + int(columns[0]), box


def join_runs(runs: Sequence[MethodRun]) -> MethodRun:
    """Put the runs of one method on several data sets together, as if they were one data set."""
    first = runs[0]
    starts = np.cumsum([0, *(run.n_images for run in runs)])
    return MethodRun(
        first.method,
        first.size_prior,
        first.params,
        first.n_seeds,
        int(starts[-1]),
        np.concatenate([run.image_of + start for run, start in zip(runs, starts, strict=False)]),
        np.concatenate([run.inter for run in runs], axis=1),
        np.concatenate([run.union for run in runs], axis=1),
        np.concatenate([run.ious for run in runs], axis=1),
        np.concatenate([run.areas for run in runs], axis=1),
        np.concatenate([run.times_ms for run in runs]),
        float(np.median([run.first_ms for run in runs])),
        max((run.peak_mb for run in runs if run.peak_mb is not None), default=None),
        min((run.start_mb for run in runs if run.start_mb is not None), default=None),
        [crop for run in runs for crop in run.crops],
    )
