"""The settings of a run: method, parameters and what it writes. Runs with equal stamps have equal settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .. import __version__
from .._values import as_choice, as_number
from ..engine.default.style import named_style
from ..errors import InputError
from ..io.exchange.parquet import check_installed
from ..io.masks.read import MASK_THRESHOLD, check_threshold
from ..io.points.base import PointRow, own_polarities
from ..io.tiles import GreyWindow
from ..io.writers import EXPORTS, MASKS, OVERLAY, PARQUET, RLE, WRITERS
from ..labeling import Labeller, open_labeller
from ..methods import get_method

#: Entries that the stamp has only if the run has them: a refinement, a method of an installed package, a backend other
#: than numba, a threshold of the true masks, a window of the pictures. The device leaves no trace: masks do not depend
#: on it.
OPTIONAL = ("refine", "method_package", "backend", "mask_threshold", "window")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Settings of a run, checked once, when they are made; every step of the run gets them whole.

    Attributes
    ----------
    method : name of the method.
    params : its parameter object; None for its defaults.
    tightness : in [0, 1], for points without their own.
    polarity : "bright", "dark" or "auto".
    seed : non-negative; each image draws from a stream of (seed, image id).
    outputs : names out of `WRITERS` and `EXPORTS` of `pointlabel.io.writers`, and "rle" for run lengths
        in the manifest; masks are written always.
    refine : what sharpens the labels after the method, "crf"; None for nothing.
    backend, device : as for `pointlabel.annotate`.
    mask_threshold : in [0, 255), grey level that the targets of true masks lie above.
    window : grey levels that overlays show as black and white; None stretches each picture.
    labeller : made of these: what labels the images.

    Raises
    ------
    InputError
        Where a value is out of range, a name is unknown, or the method cannot work here.
    """

    method: str = "default"
    params: Any = None
    tightness: float = 0.5
    polarity: str = "bright"
    seed: int = 0
    outputs: tuple[str, ...] = (MASKS,)
    refine: str | None = None
    backend: str = "numba"
    device: str = "cpu"
    mask_threshold: float = MASK_THRESHOLD
    window: GreyWindow | None = None
    labeller: Labeller = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        labeller = open_labeller(
            self.method,
            self.params,
            polarity=self.polarity,
            refine=self.refine,
            backend=self.backend,
            device=self.device,
        )
        tightness = as_number(self.tightness, "tightness", 0, 1)
        if tightness != 0.5 and not labeller.method.has_tightness:
            raise InputError(f"method {self.method} does not follow tightness; leave it at 0.5")
        known = (*WRITERS, *EXPORTS, RLE)
        for name in self.outputs:
            as_choice(name, "outputs", known)
        if PARQUET in self.outputs:
            check_installed()
        labeller.method.check(labeller.params)
        checked = {
            "params": labeller.params,
            "tightness": tightness,
            "seed": as_number(self.seed, "seed", 0, whole=True),
            "outputs": tuple(name for name in known if name == MASKS or name in self.outputs),
            "mask_threshold": check_threshold(self.mask_threshold),
            "labeller": labeller,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def image_outputs(self) -> tuple[str, ...]:
        """Those of the outputs that are written per image."""
        return tuple(name for name in self.outputs if name in WRITERS)

    @property
    def exports(self) -> tuple[str, ...]:
        """Those of the outputs that are written in a format of another tool, once the run is done."""
        return tuple(name for name in self.outputs if name in EXPORTS)

    @property
    def has_rle(self) -> bool:
        """Whether the manifest gets the run lengths of the targets."""
        return RLE in self.outputs or bool(self.exports)

    @property
    def has_tightness(self) -> bool:
        """Whether the method follows tightness."""
        return self.labeller.method.has_tightness

    @property
    def is_compiled_ahead(self) -> bool:
        """Whether the run calls the kernels of `engine.default.ahead`."""
        return self.method == "default" and self.backend == "numba"

    @property
    def needs_true_area(self) -> bool:
        """Whether the run has to know the true area of each target."""
        return getattr(self.params, "size_prior", None) == "oracle"

    @property
    def draws_numbers(self) -> bool:
        """Whether the method may draw random numbers: a generator per image costs as much as a small target."""
        method = self.labeller.method
        return method.is_random or method.needs_true_area or bool(method.package)

    def tightness_of(self, rows: Sequence[PointRow]) -> float | list[float]:
        """Tightness of each point: its own where it has one, else that of the run."""
        if not self.has_tightness or all(row.tightness is None for row in rows):
            return self.tightness
        return [self.tightness if row.tightness is None else row.tightness for row in rows]

    def polarity_of(self, rows: Sequence[PointRow]) -> list[str] | None:
        """Polarity of each point: its own where it has one, else that of the run; None where none has its own."""
        return own_polarities(rows, self.polarity)

    def stamp(self) -> dict[str, Any]:
        """The part of each line of the manifest that all lines of a run have in common, as JSON gives it back.

        What a run does not use (`OPTIONAL`) is left out, so that runs of versions that did not have it can be resumed.
        """
        has_threshold = self.needs_true_area and self.mask_threshold != MASK_THRESHOLD
        stamp = {
            "method": self.method,
            "params": asdict(self.params),
            "tightness": self.tightness,
            "polarity": self.polarity,
            "seed": self.seed,
            "outputs": self.outputs,
            "version": __version__,
            "refine": self.refine,
            "method_package": self.labeller.method.package or None,
            "backend": None if self.backend == "numba" else self.backend,
            "mask_threshold": self.mask_threshold if has_threshold else None,
            "window": self.window if OVERLAY in self.outputs else None,
        }
        kept = {key: value for key, value in stamp.items() if value is not None or key not in OPTIONAL}
        return json.loads(json.dumps(kept))


def build_params(
    method: str,
    changes: Mapping[str, Any],
    size_prior: str | None = None,
    checkpoint: str | None = None,
    style: str | None = None,
) -> Any:
    """Build the parameter object of a method from values by name; the others override them.

    Parameters
    ----------
    method : its name.
    changes : values of parameters.
    size_prior, checkpoint : of the methods that have them.
    style : name of a style of the default method.

    Raises
    ------
    InputError
        Where there is no such method, parameter or style, a value is of another type or out of range, or the method has
        no size prior, checkpoint or style and one is given.
    """
    chosen, values = get_method(method), dict(changes)
    names = {field.name for field in fields(chosen.params_class)}
    for name, value in (("size_prior", size_prior), ("checkpoint", checkpoint), ("style", style)):
        if value is not None:
            if name not in names:
                raise InputError(f"method {method} has no {name.replace('_', ' ')}; leave `{name}` out")
            values[name] = named_style(value) if name == "style" else value
    return chosen.params(**values)
