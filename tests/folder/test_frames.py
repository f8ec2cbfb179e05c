"""The way from the command to the first kernel is short enough to be followed."""

from __future__ import annotations

import sys

from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.engine.default import regions


def test_nine_frames_from_the_command_to_the_kernel(small, monkeypatch):
    kernel = regions.candidate_kernel
    seen: list[list[str]] = []

    def watched(*arguments):
        names, frame = ["candidate_kernel"], sys._getframe(1)
        while frame.f_back is not None and names[0] != "annotate":
            names.insert(0, frame.f_code.co_name)
            frame = frame.f_back
        seen.append(names)
        return kernel(*arguments)

    monkeypatch.setattr(regions, "candidate_kernel", watched)
    command = ["annotate", str(small / "images"), "-p", str(small / "points"), "-o", str(small / "out")]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert seen[0][0] == "annotate"
    assert len(seen[0]) <= 9, " > ".join(seen[0])
