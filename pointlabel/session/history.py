"""What was done in one image, step by step, with undo and redo."""

from __future__ import annotations

from .state import Action, Shape, State, apply_action


class History:
    """The states of one image, of which undo and redo choose one; there is no limit to them.

    Attributes
    ----------
    n_done : how often anything was changed, so that two windows on one image see what the other did.
    """

    def __init__(self, first: State | None = None) -> None:
        self.first = State() if first is None else first
        self.state = self.first
        self.n_done = 0
        self._past: list[State] = []
        self._future: list[State] = []

    def copy(self) -> History:
        """The same history, which what is done later does not change."""
        out = History(self.first)
        out.state, out._past, out._future = self.state, self._past.copy(), self._future.copy()
        return out

    def restore(self, other: History) -> None:
        """Become what `other`, a copy, is."""
        self.state, self._past, self._future = other.state, other._past, other._future

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether something was undone that nothing has been done since."""
        return bool(self._future)

    def do(self, action: Action, shape: Shape) -> bool:
        """Do an action, "undo" and "redo" too; return whether it changed anything. Errors as `apply_action`."""
        if action.get("do") in ("undo", "redo"):
            back, on = (self._past, self._future) if action["do"] == "undo" else (self._future, self._past)
            if not back:
                return False
            on.append(self.state)
            self.state = back.pop()
            self.n_done += 1
            return True
        after = apply_action(self.state, action, shape)
        if after == self.state:
            return False
        self._past.append(self.state)
        self._future.clear()
        self.state = after
        self.n_done += 1
        return True
