"""``pointlabel serve`` from the command line: the link, the output folder, and what is refused."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from pointlabel.calibration import Style, write_style
from pointlabel.cli.main import main
from pointlabel.engine.default.style import named_style
from pointlabel.io.manifest import read_manifest
from pointlabel.session import open_session

pytest.importorskip("uvicorn")


@contextmanager
def serve(*words: str, cwd: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "pointlabel", "serve", *words, "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline(), process
        finally:
            process.send_signal(signal.SIGINT)


def test_the_link_is_a_line_of_its_own_and_ctrl_c_ends(draw_dataset):
    folder = draw_dataset()
    with serve(str(folder), "-p", "centroid") as (line, process):
        address, _, token = line.strip().partition("/#")
        assert len(token) >= 32
        request = urllib.request.Request(f"{address}/api/session", headers={"X-Pointlabel-Token": token})
        assert urllib.request.urlopen(request).status == 200
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{address}/api/session")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert f"3 images; what is done goes to {folder / 'images'}-labels" in said
    assert said.endswith("ended; everything is written\n")
    assert (folder / "images-labels" / "journal.jsonl").exists()


@pytest.mark.slow
def test_a_style_of_calibrate_is_taken_and_kept(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    style = tmp_path / "style.toml"
    write_style(style, Style(named_style("loose")), "found", "dark")
    with serve(str(folder / "images"), "-o", str(out), "--config", str(style)) as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    with open_session(folder / "images", out) as session:
        assert session.settings.polarity == "dark"
        assert session.settings.params.style == named_style("loose")
        session.do(0, {"do": "add", "x": 9, "y": 9})
    (record,) = read_manifest(str(out / "manifest.jsonl"))
    assert (record["polarity"], record["params"]["style"]) == ("dark", list(named_style("loose")))


def test_a_port_that_is_taken_is_one_sentence(draw_dataset, tmp_path):
    folder = draw_dataset()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        words = ["serve", str(folder / "images"), "-o", str(tmp_path / "out"), "--port", str(taken.getsockname()[1])]
        result = CliRunner().invoke(main, [*words, "--no-browser"])
    assert result.exit_code == 2
    assert "cannot be used (Address already in use); give another one, or 0 for a free one" in result.stderr


def test_a_missing_extra_is_one_sentence(draw_dataset, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pointlabel.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(main, ["serve", str(draw_dataset() / "images"), "--no-browser"])
    assert result.exit_code == 1
    assert result.stderr == "Error: serve needs uvicorn: pip install 'pointlabel[web]'\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["IMAGES", "-o", "IMAGES"], "the output folder must not be the folder of the images"),
        (["IMAGES", "--style", "losse"], "did you mean loose?"),
        (["IMAGES", "--run", "nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_one_sentence(draw_dataset, tmp_path, monkeypatch, words, said):
    folder = draw_dataset()
    monkeypatch.chdir(tmp_path)
    given = [str(folder / "images") if word == "IMAGES" else word for word in words]
    result = CliRunner().invoke(main, ["serve", *given, "--no-browser"])
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_images_at_a_uri_need_an_output_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["serve", "s3://night/frames", "--no-browser"])
    assert done.exit_code == 2
    assert "s3://night/frames: for images at a URI give --out, a folder of this machine" in done.output
    assert not list(tmp_path.iterdir())
