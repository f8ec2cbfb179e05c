"""The way from the command to the first kernel is short enough to be followed."""

from __future__ import annotations

import sys

from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.engine.default import regions


def test_nine_frames_from_the_command_to_the_kernel(small, monkeypatch):
    kernel, seen = regions.grow_kernel, []

    def watched(*arguments):
        frame = sys._getframe(1)
        names = ["grow_kernel"]
        while frame is not None and frame.f_code.co_filename != main.callback.__code__.co_filename:
            names.append(frame.f_code.co_name)
            if frame.f_code.co_filename.endswith("annotate.py"):
                break
            frame = frame.f_back
        seen.append(names[::-1])
        return kernel(*arguments)

    monkeypatch.setattr(regions, "grow_kernel", watched)
    command = ["annotate", str(small / "images"), "-p", str(small / "points"), "-o", str(small / "out")]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert seen[0][0] == "annotate"
    assert len(seen[0]) <= 9, " > ".join(seen[0])
