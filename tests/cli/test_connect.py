"""``pointlabel connect`` from the command line: the address, a request, Ctrl-C, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main

pytest.importorskip("uvicorn")


def test_the_address_is_a_line_of_its_own_and_errors_are_said(draw_dataset):
    images = str(draw_dataset() / "images")
    command = [sys.executable, "-m", "pointlabel", "connect", "label-studio", "--images", images, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().strip()
        assert json.load(urllib.request.urlopen(f"{address}/health"))["status"] == "UP"
        headers = {"Content-Type": "application/json"}
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(f"{address}/predict", b"{}", headers))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        said = process.stderr.read()
    assert "refused: tasks must be a list of objects, got None\n" in said
    assert said.endswith("ended\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["label-studio"], "label-studio needs the folder of the images (--images): its tasks name them"),
        (["label-studio", "--images", "nowhere"], "nowhere: no such file or folder"),
        (["x-anylabeling", "--images", "."], "x-anylabeling sends its images; leave --images out"),
    ],
)
def test_what_a_tool_lacks_is_one_sentence(words, sentence):
    result = CliRunner().invoke(main, ["connect", *words])
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {sentence}\n")


def test_a_missing_extra_is_one_sentence(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pointlabel.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(main, ["connect", "x-anylabeling"])
    assert result.exit_code == 1
    assert result.stderr == "Error: connect needs uvicorn: pip install 'pointlabel[web]'\n"
