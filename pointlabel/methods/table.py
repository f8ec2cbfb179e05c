"""The table of annotation methods: name -> where its parameters and its function live.

Both are named as ``module:attribute`` and imported on use, so that listing the names costs nothing. Installed packages
add methods by entry points of the group `GROUP`, which are looked up by name and imported on use as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InputError, PointLabelError, UnknownMethodError, name_hint, shown
from ..params import check_values, default_of
from ..types import LabelRequest, TargetLabel

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

LabelFunction = Callable[[LabelRequest, Any], list[TargetLabel]]

#: Entry points of this group name a `Method`, or a function without arguments that returns one.
GROUP = "pointlabel.methods"


class MethodWarning(UserWarning):
    """A method of an installed package is left out."""


@dataclass(frozen=True, slots=True)
class Method:
    """One annotation method.

    Attributes
    ----------
    name : what users type.
    summary : one line for listings.
    params_path, function_path : ``module:attribute`` of a frozen dataclass and of a `LabelFunction`.
    overrides : values that differ from the parameter class's defaults; values have to be hashable.
    has_tightness : whether the method follows `LabelRequest.tightness`.
    needs_true_area : whether it can use `LabelRequest.true_area` (``size_prior="oracle"``).
    is_random : whether its masks depend on the seed even without a size prior.
    needs_checkpoint : whether it runs only with a folder that holds a trained model, its parameter ``checkpoint``.
    check_path : ``module:attribute`` of a function that takes the parameters before a run and raises a
        `PointLabelError` where they cannot be used on this machine; "" for none.
    package : name and version of the installed package that adds the method; "" for this package's own.
    """

    name: str
    summary: str
    params_path: str
    function_path: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    has_tightness: bool = False
    needs_true_area: bool = False
    is_random: bool = False
    needs_checkpoint: bool = False
    check_path: str = ""
    package: str = ""

    def params(self, **changes: Any) -> Any:
        """Build the parameters: class defaults, then the method's own, then `changes`."""
        if not changes:
            return _default_params(self.params_path, tuple(self.overrides.items()))
        defaults = {item.name: default_of(item) for item in fields(self.params_class)}
        return self.params_class(**{**self.overrides, **check_values(changes, defaults, f"method {self.name}")})

    @property
    def params_class(self) -> type:
        """The frozen dataclass of the method's parameters."""
        return _params_class(self.params_path)

    @property
    def function(self) -> LabelFunction:
        """The function that labels one image."""
        return _load(self.function_path)

    def check(self, params: Any) -> None:
        """Raise where a run with `params` cannot work on this machine: a package or a checkpoint is missing."""
        if self.check_path:
            _load(self.check_path)(params)


@cache
def _default_params(path: str, overrides: tuple[tuple[str, Any], ...]) -> Any:
    """Parameters of a method without changes: frozen, so one object serves every image."""
    return _params_class(path)(**dict(overrides))


def _params_class(path: str) -> type:
    found = _load(path)
    if not (isinstance(found, type) and is_dataclass(found)):
        raise InputError(f"{path}: the parameters of a method must be a dataclass, got {found!r}")
    return found


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except PointLabelError:
        raise
    except Exception as error:  # code of others may raise anything
        raise InputError(f"{path} cannot be loaded ({type(error).__name__}: {error})") from error


def _method(name: str, summary: str, params: str, function: str, **options: Any) -> Method:
    about = ("has_tightness", "needs_true_area", "is_random", "needs_checkpoint", "check_path")
    flags = {key: options.pop(key) for key in about if key in options}
    return Method(name, summary, f"pointlabel.{params}", f"pointlabel.{function}", options, **flags)


_D2D_PAPER = ("baselines.d2d.params:DiffusionParams", "baselines.d2d.paper:label_diffusion")

BUILT_IN: dict[str, Method] = {
    method.name: method
    for method in (
        _method(
            "default",
            "vote over regions of many scales, spread by heat, sharpened at the border",
            "engine.default.params:DefaultParams",
            "engine.default.label:label_default",
            has_tightness=True,
        ),
        _method(
            "threshold",
            "component of the point above a share of the local contrast (the plain rule)",
            "baselines.threshold:ThresholdParams",
            "baselines.threshold:label_threshold",
            has_tightness=True,
        ),
        _method(
            "point",
            "a 3 x 3 block around the point: the lower bound",
            "baselines.point:PointParams",
            "baselines.point:label_point",
        ),
        _method(
            "superpixel",
            "the SLIC cell of the point alone (rho = 0)",
            *_D2D_PAPER,
            needs_true_area=True,
            rho=0.0,
        ),
        _method(
            "heat",
            "heat from the point alone (rho = 1)",
            *_D2D_PAPER,
            has_tightness=True,
            needs_true_area=True,
            rho=1.0,
        ),
        _method(
            "diffusion",
            "heat from the point fused with its SLIC cell (eqs. 2 to 4)",
            *_D2D_PAPER,
            has_tightness=True,
            needs_true_area=True,
        ),
        _method(
            "d2d-paper",
            "the published diffusion as its paper writes it, with its values",
            *_D2D_PAPER,
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
            "baselines.d2d.params:ParticleParams",
            "baselines.d2d.code:label_particles",
            needs_true_area=True,
            is_random=True,
        ),
        _method(
            "mclc",
            "Monte Carlo linear clustering: noisy copies vote for the point's superpixel, then a dense CRF",
            "baselines.mclc.label:MclcParams",
            "baselines.mclc.label:label_mclc",
            needs_true_area=True,
            is_random=True,
        ),
        _method(
            "com",
            "the level set of Click on Mask: a contour that shrinks until its inside grows no brighter",
            "baselines.com.label:ComParams",
            "baselines.com.label:label_com",
        ),
        _method(
            "sam",
            "Segment Anything prompted by the point; needs a checkpoint",
            "baselines.sam.label:SamParams",
            "baselines.sam.label:label_sam",
            needs_checkpoint=True,
            check_path="pointlabel.baselines.sam.label:check_sam",
        ),
        _method(
            "sam2",
            "Segment Anything 2 prompted by the point; needs a checkpoint",
            "baselines.sam.label:SamParams",
            "baselines.sam.label:label_sam2",
            needs_checkpoint=True,
            check_path="pointlabel.baselines.sam.label:check_sam2",
        ),
    )
}


class MethodTable(Mapping[str, Method]):
    """Methods by name: this package's own, then those of installed packages, which are imported when looked up."""

    def __getitem__(self, name: str) -> Method:
        return BUILT_IN[name] if name in BUILT_IN else _outside_method(name)

    def __contains__(self, name: object) -> bool:
        return name in BUILT_IN or name in _outside()

    def __iter__(self) -> Iterator[str]:
        yield from BUILT_IN
        yield from _outside()

    def __len__(self) -> int:
        return len(BUILT_IN) + len(_outside())

    def __repr__(self) -> str:
        return f"<methods {', '.join(self)}>"


#: Every method there is, by name.
METHODS: Mapping[str, Method] = MethodTable()


def get_method(name: str) -> Method:
    """Return the method called `name`.

    Raises
    ------
    UnknownMethodError
        Where there is no such method; the message names the nearest one.
    InputError
        Where an installed package offers the method and it cannot be loaded.
    """
    try:
        return METHODS[name]
    except (KeyError, TypeError):
        raise UnknownMethodError(f"unknown method {shown(name)}; {name_hint(name, METHODS)}") from None


@cache
def _outside() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of installed packages by name, sorted; none of them is imported.

    Names of this package's own methods stay its own: a package that offers one is left out with a warning.
    """
    from importlib.metadata import entry_points  # not at the top: it costs more than the rest of this module

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        if point.name in BUILT_IN:
            warnings.warn(
                f"{_package(point)} offers a method {point.name}, which is a method of pointlabel itself; "
                "it is left out until it has another name",
                MethodWarning,
                stacklevel=2,
            )
        else:
            found[point.name] = (*found.get(point.name, ()), point)
    return found


@cache
def _outside_method(name: str) -> Method:
    """Import the method that an installed package offers; raise KeyError where none does."""
    point, *others = _outside()[name]
    if others:
        packages = ", ".join(sorted({_package(one) for one in (point, *others)}))
        raise InputError(f"several packages offer a method {name}: {packages}; uninstall all but one")
    place = f"method {name} of {_package(point)}"
    try:
        found = point.load()
        if not isinstance(found, Method) and callable(found):
            found = found()
    except Exception as error:  # code of others may raise anything
        raise InputError(f"{place} cannot be loaded ({type(error).__name__}: {error})") from error
    if not isinstance(found, Method):
        raise InputError(f"{place}: {point.value} must be a Method or a function that returns one, got {found!r}")
    if found.name != name:
        raise InputError(f"{place}: its Method is called {found.name}; the entry point must have the same name")
    return replace(found, package=_package(point))


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
