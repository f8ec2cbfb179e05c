"""Starting is cheap: no heavy package is loaded before a command needs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numba", "skimage", "scipy", "matplotlib")


def _loaded_after(code: str) -> list[str]:
    tail = "\nimport json, sys\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        "import pointlabel",
        "import pointlabel; pointlabel.METHODS",
        "from click.testing import CliRunner\n"
        "from pointlabel.cli.main import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "for name in main.commands:\n"
        "    assert CliRunner().invoke(main, [name, '--help']).exit_code == 0",
    ],
    ids=["import", "methods", "help"],
)
def test_nothing_heavy_is_loaded(code):
    assert not set(_loaded_after(code)) & set(HEAVY)


def test_module_and_command_agree():
    by_module = subprocess.run(
        [sys.executable, "-m", "pointlabel", "--version"], capture_output=True, text=True, check=True
    )
    import pointlabel

    assert by_module.stdout.strip().endswith(pointlabel.__version__)
