"""What one run is: method, parameters and what it writes. Two runs agree where their stamps do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .. import __version__
from .._values import as_choice, as_number
from ..errors import InputError
from ..io.masks.read import MASK_THRESHOLD, check_threshold
from ..labeling import REFINEMENTS, check_backend
from ..methods.table import get_method

POLARITIES = ("bright", "dark", "auto")
#: What can be written for each image: its folder in the output.
OUTPUTS = ("masks", "soft", "instances", "overlay")
#: Entries of the stamp that stand in it only where a run has them: a refinement, a method of an installed package, a
#: backend other than numba, a threshold of the true masks. The device leaves no trace: masks do not depend on it.
OPTIONAL = ("refine", "method_package", "backend", "mask_threshold")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Settings of a run, checked.

    Attributes
    ----------
    method : name of the method.
    params : its parameter object.
    tightness : in [0, 1], for points that carry none of their own.
    polarity : "bright", "dark" or "auto".
    seed : non-negative; each image draws from a stream of (seed, image id).
    outputs : folders out of `OUTPUTS`, "masks" first.
    refine : what sharpens the labels after the method, "crf"; None for nothing.
    backend, device : as for `pointlabel.annotate`.
    mask_threshold : in [0, 255), grey level that the targets of true masks lie above.
    """

    method: str
    params: Any
    tightness: float = 0.5
    polarity: str = "bright"
    seed: int = 0
    outputs: tuple[str, ...] = ("masks",)
    refine: str | None = None
    backend: str = "numba"
    device: str = "cpu"
    mask_threshold: float = MASK_THRESHOLD

    def __post_init__(self) -> None:
        method = get_method(self.method)
        object.__setattr__(self, "tightness", as_number(self.tightness, "tightness", 0, 1))
        if self.tightness != 0.5 and not method.has_tightness:
            raise InputError(f"method {self.method} does not follow tightness; leave it at 0.5")
        as_choice(self.polarity, "polarity", POLARITIES)
        object.__setattr__(self, "seed", as_number(self.seed, "seed", 0, whole=True))
        as_choice(self.refine, "refine", (None, *REFINEMENTS))
        object.__setattr__(self, "mask_threshold", check_threshold(self.mask_threshold))
        check_backend(self.backend, self.method, self.device)

    @property
    def has_tightness(self) -> bool:
        """Whether the method follows tightness."""
        return get_method(self.method).has_tightness

    @property
    def needs_true_area(self) -> bool:
        """Whether the run has to know the true area of each target."""
        return getattr(self.params, "size_prior", None) == "oracle"

    def stamp(self) -> dict[str, Any]:
        """The part of each line of the manifest that all lines of a run have in common, as JSON gives it back.

        What a run does without (`OPTIONAL`) is left out, so that runs of versions that did not have it can be resumed.
        """
        stamp = {
            "method": self.method,
            "params": asdict(self.params),
            "tightness": self.tightness,
            "polarity": self.polarity,
            "seed": self.seed,
            "outputs": self.outputs,
            "version": __version__,
            "refine": self.refine,
            "method_package": get_method(self.method).package or None,
            "backend": None if self.backend == "numba" else self.backend,
            "mask_threshold": self.mask_threshold
            if self.needs_true_area and self.mask_threshold != MASK_THRESHOLD
            else None,
        }
        kept = {key: value for key, value in stamp.items() if value is not None or key not in OPTIONAL}
        return json.loads(json.dumps(kept))


def build_params(
    method: str, changes: Mapping[str, Any], size_prior: str | None = None, checkpoint: str | None = None
) -> Any:
    """Build the parameter object of a method from values by name; `size_prior` and `checkpoint` go before them.

    Raises
    ------
    InputError
        Where there is no such method or parameter, a value is of another type or out of range, or the method has
        no size prior or no checkpoint and one is asked for.
    """
    chosen, values = get_method(method), dict(changes)
    names = {field.name for field in fields(chosen.params_class)}
    for name, value in (("size_prior", size_prior), ("checkpoint", checkpoint)):
        if value is not None:
            if name not in names:
                raise InputError(f"method {method} has no {name.replace('_', ' ')}; leave `{name}` out")
            values[name] = value
    return chosen.params(**values)
