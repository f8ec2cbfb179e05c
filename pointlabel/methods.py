"""The table of annotation methods: name -> where its parameters and its function live.

Both are named as ``module:attribute`` and imported on use, so that listing the names costs nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from typing import Any

from .errors import InputError, UnknownMethodError
from .types import LabelRequest, TargetLabel

LabelFunction = Callable[[LabelRequest, Any], list[TargetLabel]]


@dataclass(frozen=True, slots=True)
class Method:
    """One annotation method.

    Attributes
    ----------
    name : what users type.
    summary : one line for listings.
    params_path, function_path : ``module:attribute`` of a frozen dataclass and of a `LabelFunction`.
    overrides : values that differ from the parameter class's defaults.
    has_tightness : whether the method follows `LabelRequest.tightness`.
    needs_true_area : whether it can use `LabelRequest.true_area` (``size_prior="oracle"``).
    is_random : whether its masks depend on the seed even without a size prior.
    """

    name: str
    summary: str
    params_path: str
    function_path: str
    overrides: Mapping[str, Any]
    has_tightness: bool = False
    needs_true_area: bool = False
    is_random: bool = False

    def params(self, **changes: Any) -> Any:
        """Build the parameters: class defaults, then the method's own, then `changes`."""
        if not changes:
            return _default_params(self.name)
        cls = _load(self.params_path)
        known = {field.name for field in fields(cls)}
        for key in changes:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(known))}"
                raise InputError(f"method {self.name} has no parameter {key}{hint}")
        return cls(**{**self.overrides, **changes})

    @property
    def params_class(self) -> type:
        """The frozen dataclass of the method's parameters."""
        return _load(self.params_path)

    @property
    def function(self) -> LabelFunction:
        """The function that labels one image."""
        return _load(self.function_path)


@cache
def _default_params(name: str) -> Any:
    """Parameters of a method without changes: frozen, so one object serves every image."""
    return _load(METHODS[name].params_path)(**METHODS[name].overrides)


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def _method(name: str, summary: str, params: str, function: str, **options: Any) -> Method:
    flags = {key: options.pop(key) for key in ("has_tightness", "needs_true_area", "is_random") if key in options}
    return Method(name, summary, f"pointlabel.{params}", f"pointlabel.{function}", options, **flags)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _method(
            "default",
            "vote over regions of many scales, spread by heat, sharpened at the border",
            "engine.params:DefaultParams",
            "engine.default:label_default",
            has_tightness=True,
        ),
        _method(
            "threshold",
            "component of the point above a share of the local contrast (the plain rule)",
            "engine.params:ThresholdParams",
            "baselines.threshold:label_threshold",
            has_tightness=True,
        ),
        _method(
            "point",
            "a 3 x 3 block around the point: the lower bound",
            "engine.diffusion_params:PointParams",
            "engine.paper:label_point",
        ),
        _method(
            "superpixel",
            "the SLIC cell of the point alone (rho = 0)",
            "engine.diffusion_params:DiffusionParams",
            "engine.paper:label_diffusion",
            needs_true_area=True,
            rho=0.0,
        ),
        _method(
            "heat",
            "heat from the point alone (rho = 1)",
            "engine.diffusion_params:DiffusionParams",
            "engine.paper:label_diffusion",
            has_tightness=True,
            needs_true_area=True,
            rho=1.0,
        ),
        _method(
            "diffusion",
            "heat from the point fused with its SLIC cell (eqs. 2 to 4)",
            "engine.diffusion_params:DiffusionParams",
            "engine.paper:label_diffusion",
            has_tightness=True,
            needs_true_area=True,
        ),
        _method(
            "d2d-paper",
            "the published diffusion as its paper writes it, with its values",
            "engine.diffusion_params:DiffusionParams",
            "engine.paper:label_diffusion",
            needs_true_area=True,
            clahe=True,
            beta=6.0,
            alpha=0.6,
            rho=0.84,
            heat_first=False,
            n_slic_iter=10,
            point_seed=False,
            n_maxima=5,
            boundary="otsu",
        ),
        _method(
            "d2d-code",
            "the published diffusion as its code runs: random particles and a dense CRF",
            "engine.diffusion_params:ParticleParams",
            "engine.particles:label_particles",
            needs_true_area=True,
            is_random=True,
        ),
    )
}


def get_method(name: str) -> Method:
    """Return the method called `name`; raise `UnknownMethodError` naming the nearest one."""
    try:
        return METHODS[name]
    except KeyError:
        near = difflib.get_close_matches(name, METHODS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(METHODS)}"
        raise UnknownMethodError(f"unknown method {name!r}; {hint}") from None
