"""The table of strategies: name -> where its class lives, imported on use. Listing the names does not load torch."""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from importlib import import_module
from typing import Any

from .._values import as_entry


@dataclass(frozen=True, slots=True)
class StrategyEntry:
    """One strategy.

    Attributes
    ----------
    name : what users type.
    summary : one line for listings.
    path : ``module:class`` under ``pointlabel.training.strategies``, a subclass of `Strategy`.
    needs_masks : whether it reads the true masks of the training images.
    has_own_labels : whether a folder of labels is of no use to it.
    mines : whether it mines clutter unless told otherwise; the published strategies stay as published.
    flagged : ``module:class`` under ``pointlabel.training``: the class of its parameters, where some of them are
        options of the command line; loads no torch.
    """

    name: str
    summary: str
    path: str
    needs_masks: bool = False
    has_own_labels: bool = False
    mines: bool = False
    flagged: str = ""

    @property
    def strategy_class(self) -> Any:
        """The class, a `Strategy`; loads torch. Its module is not imported before: strategies need the config."""
        return _load(f"strategies.{self.path}")

    def flags(self) -> list[Field]:
        """The parameters with an option of their own on the command line, ``metadata["flag"]``."""
        return [item for item in fields(_load(self.flagged)) if "flag" in item.metadata] if self.flagged else []


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(f"pointlabel.training.{module}"), attribute)


STRATEGIES: dict[str, StrategyEntry] = {
    entry.name: entry
    for entry in (
        StrategyEntry(
            "full", "true masks: the upper bound", "full:Full", needs_masks=True, has_own_labels=True, mines=True
        ),
        StrategyEntry("point", "points as masks: the lower bound", "point:PointOnly", has_own_labels=True),
        StrategyEntry("offline", "masks that a method makes once, before training", "offline:Offline", mines=True),
        StrategyEntry(
            "bilevel",
            "weights and theta learned on held-out points, labels follow",
            "bilevel:Bilevel",
            flagged="bilevel.options:BilevelOptions",
        ),
        StrategyEntry("lesps", "points that grow along with the predictions (label evolution)", "lesps:Lesps"),
        StrategyEntry("pal", "easy samples first, harder ones as the detector finds them", "pal:Pal"),
    )
}


def get_strategy(name: str) -> StrategyEntry:
    """Return the entry called `name`; raise `InputError` naming the nearest one."""
    return as_entry(name, "strategy", STRATEGIES)
