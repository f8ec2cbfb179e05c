"""Commands that are disturbed end as undisturbed ones, or can be gone on with: a few trials of every kind."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.robustness.fault_kinds import KINDS
from benchmarks.robustness.faults import TRIALS

QUICK = ("annotate", "convert", "serve")


@pytest.mark.parametrize(
    ("commands", "trials"),
    [(QUICK, 1), pytest.param(sorted({*TRIALS["kill"]} - {*QUICK}), 1, marks=pytest.mark.slow)],
    ids=["quick", "others"],
)
def test_what_is_disturbed_survives(commands, trials, tmp_path):
    chosen = [word for name in commands for word in ("--command", name)]
    script = [
        sys.executable,
        "-m",
        "benchmarks.robustness.faults",
        "--trials",
        str(trials),
        "--out",
        str(tmp_path / "a.json"),
    ]
    done = subprocess.run([*script, *chosen], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "a.json").read_text())["result"]["rows"]
    expected = [(kind, name) for kind in KINDS for name in TRIALS[kind] if name in commands]
    assert [(row["kind"], row["command"]) for row in rows] == expected
    assert all(row["trials"] == row["survived"] == trials for row in rows)
