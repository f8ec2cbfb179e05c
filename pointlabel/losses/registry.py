"""The table of losses: name -> where its class lives, imported on use, and `build_loss`, which makes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._values import as_entry
from ..errors import MissingExtraError
from ..params import check_values

if TYPE_CHECKING:
    from .base import Loss


@dataclass(frozen=True, slots=True)
class LossEntry:
    """One loss.

    Attributes
    ----------
    name : what users type.
    summary : one line for listings.
    path : ``module:class`` under ``pointlabel.losses``, a subclass of `Loss`.
    fixed : options of the class that the name sets.
    needs_image : whether it has to be called with ``image=``.
    """

    name: str
    summary: str
    path: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    needs_image: bool = False

    @property
    def loss_class(self) -> type[Loss]:
        """The class; loads torch."""
        module, _, attribute = self.path.partition(":")
        try:
            return getattr(import_module(f"pointlabel.losses.{module}"), attribute)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise MissingExtraError("the losses need torch: pip install 'pointlabel[train]'") from None


LOSSES: dict[str, LossEntry] = {
    entry.name: entry
    for entry in (
        LossEntry("soft-iou", "one minus the soft IoU", "iou:SoftIoULoss"),
        LossEntry("dice", "one minus the soft Dice coefficient", "dice:DiceLoss"),
        LossEntry("focal", "cross entropy with little weight on easy pixels", "focal:FocalLoss"),
        LossEntry("edge-bce", "cross entropy of the harder half of the pixels, edges first", "edge_bce:EdgeBCELoss"),
        LossEntry("heatmap-focal", "focal loss of soft labels that grow from points", "heatmap_focal:HeatmapFocalLoss"),
        LossEntry(
            "sls",
            "MSHNet's: IoU weighted by the areas' variance, and the location",
            "scale:ScaleLoss",
            {"kind": "variance"},
        ),
        LossEntry("ratio", "the same, weighted by the areas' ratio", "scale:ScaleLoss", {"kind": "ratio"}),
        LossEntry("diff", "the same, by their absolute difference", "scale:ScaleLoss", {"kind": "absolute"}),
        LossEntry("signed", "the same, by their signed difference", "scale:ScaleLoss", {"kind": "signed"}),
        LossEntry("reem", "sls minus a reward, larger for dim targets", "reem:REEMLoss", needs_image=True),
    )
}


def get_loss(name: str) -> LossEntry:
    """Return the entry called `name`; raise `InputError` naming the nearest one."""
    return as_entry(name, "loss", LOSSES)


def build_loss(name: str, **options: Any) -> Loss:
    """Make a loss.

    Parameters
    ----------
    name : one of `LOSSES`.
    **options
        Keyword arguments of its class, such as ``reduction="none"``, except those that the name sets.

    Returns
    -------
    Loss
        A module called as ``loss(logits, target, image=image, epoch=epoch)``, whatever the name.

    Raises
    ------
    InputError
        For an unknown name or option, or an option out of range.
    MissingExtraError
        Where torch is not installed.
    """
    entry = get_loss(name)
    declared = {item.name: item.default for item in fields(entry.loss_class.options_class)}
    known = {name: value for name, value in (declared | {"reduction": "mean"}).items() if name not in entry.fixed}
    return entry.loss_class(**entry.fixed, **check_values(options, known, f"loss {entry.name}", "option"))
