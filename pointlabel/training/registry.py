"""The table of strategies: name -> where its class lives, imported on use. Listing the names does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import InputError, name_hint, shown


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
    """

    name: str
    summary: str
    path: str
    needs_masks: bool = False
    has_own_labels: bool = False

    @property
    def strategy_class(self) -> Any:
        """The class, a `Strategy`; loads torch. Its module is not imported before: strategies need the config."""
        module, _, attribute = self.path.partition(":")
        return getattr(import_module(f"pointlabel.training.strategies.{module}"), attribute)


STRATEGIES: dict[str, StrategyEntry] = {
    entry.name: entry
    for entry in (
        StrategyEntry("full", "true masks: the upper bound", "full:Full", needs_masks=True, has_own_labels=True),
        StrategyEntry("point", "points as masks: the lower bound", "point:PointOnly", has_own_labels=True),
        StrategyEntry("offline", "masks that a method makes once, before training", "offline:Offline"),
        StrategyEntry("bilevel", "weights and theta learned on held-out points, labels follow", "bilevel:Bilevel"),
        StrategyEntry("lesps", "points that grow along with the predictions (label evolution)", "lesps:Lesps"),
        StrategyEntry("pal", "easy samples first, harder ones as the detector finds them", "pal:Pal"),
    )
}


def get_strategy(name: str) -> StrategyEntry:
    """Return the entry called `name`; raise `InputError` naming the nearest one."""
    try:
        return STRATEGIES[name]
    except (KeyError, TypeError):
        raise InputError(f"unknown strategy {shown(name)}; {name_hint(name, STRATEGIES)}") from None
