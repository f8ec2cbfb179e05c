"""Where commands are disturbed, and how it is judged what came back."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.robustness.fault_commands import (
    COMMANDS,
    Command,
    all_files,
    content_of,
    differences,
    draw_data,
    half_written,
)
from benchmarks.robustness.fault_commands import leftovers as temporary_files
from benchmarks.robustness.fault_processes import Child, at_operation, command, count_operations


class Missed(Exception):
    """The command had ended before it could be disturbed; such a trial does not count."""


class Fault(Exception):
    """What did not come back as it should."""


@dataclass(slots=True)
class Whole:
    """An undisturbed run of a command: its files, their content, its operations on files, its seconds."""

    files: dict[str, bytes]
    content: dict[str, Any]
    n_operations: int
    seconds: float


@dataclass(slots=True)
class Bench:
    """Where the trials are done.

    Attributes
    ----------
    root : folder of everything.
    chance : of the moments.
    whole : by command, what its undisturbed run left.
    inputs : files of the data as they were drawn.
    """

    root: Path
    chance: random.Random
    whole: dict[str, Whole] = field(default_factory=dict)
    inputs: dict[str, bytes] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def start(self, words: list[str], before: Callable[[], None] | None = None) -> Child:
        return Child(command(words), self.root / "tmp", before)

    def run(self, words: list[str], codes: tuple[int, ...] = (0,)) -> Child:
        """Run a command to its end; a fault where it ends otherwise than with one of the codes, or hangs."""
        child = self.start(words)
        self.expect(child, child.wait(), codes)
        return child

    def expect(self, child: Child, code: int | None, codes: tuple[int, ...]) -> None:
        """A fault where a command hung, ended with another code, or not in its own words."""
        if code is None:
            raise Fault("it hangs")
        if "Traceback" in child.text or "fault of pointlabel" in child.text:
            raise Fault(f"a traceback: {child.text[-600:]}")
        if code not in codes:
            raise Fault(f"exit code {code}: {child.text[-300:]}")

    def prepare(self, names: Collection[str]) -> None:
        """Draw the data, train the detector where one predicts, and run each command undisturbed."""
        draw_data(self.data)
        (self.root / "tmp").mkdir()
        if "predict" in names:
            self.run(COMMANDS["train"].given(self.data, self.data / "run"))
        self.inputs = all_files(self.data)
        shutil.copytree(self.data, self.root / "pristine")
        for name, each in COMMANDS.items():
            if name in names:
                self.undisturbed(name, each)

    def draw_again(self) -> None:
        """Put the data back as they were drawn."""
        shutil.rmtree(self.data)
        shutil.copytree(self.root / "pristine", self.data)

    def undisturbed(self, name: str, each: Command) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        before, count = count_operations((self.out,))
        start = time.monotonic()
        child = self.start(each.given(self.data, self.out), before)
        self.expect(child, child.wait(), (0,))
        seconds = time.monotonic() - start
        self.whole[name] = Whole(all_files(self.out), content_of(self.out), count(), seconds)

    def moment(self, each: Command, act: Callable[[], None]) -> tuple[Callable[[], None] | None, float | None]:
        """A random moment: an operation on files, before which the command itself does `act`, or seconds to wait."""
        whole = self.whole[each.name]
        if each.is_fork and self.chance.random() < 0.7:
            return at_operation(self.chance.randint(1, whole.n_operations), (self.out,), act), None
        return None, self.chance.uniform(0, whole.seconds)

    def after(self, each: Command, child: Child, again: str, is_killed: bool) -> None:
        """A fault where files are half-written, or going on does not end as the undisturbed run did."""
        whole = self.whole[each.name]
        torn = half_written(self.out, whole.files, is_killed) if self.out.exists() else []
        if torn:
            raise Fault(f"half-written: {torn[:3]}")
        if not is_killed:
            self.no_leftovers()
        self.run(each.given(self.data, self.out, again))
        self.is_whole(each)
        if child.end_of_others():
            raise Fault("a process is left")

    def is_whole(self, each: Command) -> None:
        """A fault where OUT is not what the undisturbed run left, or has temporary files, or inputs are others."""
        wrong = differences(content_of(self.out), self.whole[each.name].content)
        if wrong:
            raise Fault(f"differs from the undisturbed run: {wrong[:3]}")
        self.no_leftovers()
        if all_files(self.data) != self.inputs:
            raise Fault("inputs have changed")

    def no_leftovers(self) -> None:
        left = temporary_files(self.root)
        if left:
            raise Fault(f"left behind: {left[:3]}")
