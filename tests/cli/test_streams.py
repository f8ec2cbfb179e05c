"""Standard streams that are closed, full or left, names that are no UTF-8, and what a terminal would act on."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli import main as cli_main
from pointlabel.cli.main import main
from pointlabel.cli.standard import plain
from pointlabel.errors import OutputError
from pointlabel.report.page import encode_page, page

#: How a shell starts a command with one of the streams missing.
CLOSED = {"stderr closed": "2>&-", "stdout closed": ">&-", "stdin closed": "<&-", "all closed": "<&- >&- 2>&-",
          "stderr full": "2>/dev/full"}  # fmt: skip


@pytest.fixture
def data(draw_dataset):
    return draw_dataset(n_images=2)


def shell(command, folder, **options):
    """Run ``pointlabel`` with these words through a shell; names may hold any bytes."""
    start = f"exec {sys.executable} -m pointlabel ".encode()
    line = start + (command if isinstance(command, bytes) else command.encode())
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, timeout=120, check=False, **options)


@pytest.mark.parametrize("how", CLOSED.values(), ids=CLOSED)
def test_a_command_does_its_work_without_a_stream(data, how):
    out = data.parent / "out"
    done = shell(f"annotate drawn/images -p drawn/masks_centroid -o out --method point {how}", data.parent)
    assert done.returncode == 0
    assert sorted(each.name for each in (out / "masks").iterdir()) == ["0.png", "1.png"]
    for each in (out / "masks").iterdir():  # what libraries say must not land in a file that took a stream's number
        assert np.unique(np.asarray(Image.open(each))).tolist() == [0, 255]


@pytest.mark.parametrize(
    "command",
    [
        "-q evaluate drawn/masks drawn/masks --json",
        "-q evaluate drawn/masks drawn/masks",
        "--help",
        "split drawn --ratio 1:1",
    ],
)
def test_a_full_disk_under_stdout_is_one_sentence(data, command):
    done = shell(f"{command} >/dev/full", data.parent)
    assert done.returncode == 1
    assert done.stderr.decode() == "Error: cannot write to standard output (No space left on device)\n"


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(data):
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "pointlabel", "-q", "evaluate", "drawn/masks", "drawn/masks", "--json"]
    done = subprocess.run(words, cwd=data.parent, stdout=writer, stderr=subprocess.PIPE, timeout=120, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


def test_an_unexpected_error_asks_for_a_report(monkeypatch):
    def broken(*args, **values):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli_main.points, "callback", broken)
    monkeypatch.setattr(cli_main.points, "params", [])
    result = CliRunner().invoke(main, ["points"])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ZeroDivisionError: division by zero. This is a fault of pointlabel; please report")
    assert "Traceback" in CliRunner().invoke(main, ["-v", "points"]).stderr


def test_an_error_of_the_library_is_one_line_that_no_terminal_acts_on(monkeypatch):
    def broken(*args, **values):
        raise OutputError("cannot write a\nb\x1b[31m\udcff")

    monkeypatch.setattr(cli_main.points, "callback", broken)
    monkeypatch.setattr(cli_main.points, "params", [])
    result = CliRunner().invoke(main, ["points"])
    assert result.stderr == "Error: cannot write a b\\x1b[31m\\udcff\n"
    assert plain("näme 星.png") == "näme 星.png"


ODD = ["b\udcff", "a,b", 'q"q', "=1+1", "[red]", "<b>x", "line\nbreak", " blank", "\x1b[2J"]


@pytest.mark.slow
def test_names_of_any_bytes_go_through_every_command(data, tmp_path):
    for part in ("images", "masks", "masks_centroid"):
        held = (data / part / "0.png").read_bytes()
        for name in ODD:
            (data / part / f"{name}.png").write_bytes(held)
    runner = CliRunner()

    def run(*words, code=0):
        result = runner.invoke(main, [str(word) for word in words])
        assert result.exit_code == code, (words, result.output)
        return result

    run("annotate", data / "images", "-p", data / "masks_centroid", "-o", tmp_path / "out", "--method", "point")
    run("evaluate", tmp_path / "out", data / "masks", "--csv", tmp_path / "e.csv")
    run("points", data / "masks", "-o", tmp_path / "p.csv", "--format", "csv")
    run("bench", "accuracy", data, "--methods", "point", "--html", tmp_path / "b.html", "--json", tmp_path / "b.json")
    (tmp_path / "b.html").read_bytes().decode("utf-8")
    json.loads((tmp_path / "b.json").read_bytes())
    assert "breaks lines; rename it" in run("split", data, code=2).stderr
    for name in ODD:
        if len(name.splitlines()) > 1 or name.strip() != name:
            for part in ("images", "masks", "masks_centroid"):
                (data / part / f"{name}.png").unlink()
    run("split", data, "--ratio", "2:1:1")
    words = ("--crop", 32, "--epochs", 1, "--batch-size", 2, "--lr", 0.01, "--device", "cpu", "--strategy", "bilevel")
    run("train", data, "-o", tmp_path / "run", *words)
    run("predict", tmp_path / "run", data / "images", "-o", tmp_path / "pr", "--threshold", 0)
    table = (tmp_path / "pr" / "detections.csv").read_bytes().decode("utf-8", "surrogateescape")
    assert {"b\udcff", "'=1+1"} <= {row["image"] for row in csv.DictReader(io.StringIO(table, newline=""))}
    run("runs", "compare", tmp_path / "run", "--html", tmp_path / "r.html", "--json", tmp_path / "r.json")
    chosen = run("select", tmp_path / "run", "--top", 1, "-o", "-").stdout_bytes.decode("utf-8", "surrogateescape")
    listed = (data / "img_idx" / "train.txt").read_bytes().decode("utf-8", "surrogateescape")
    assert set(chosen.split("\n")) <= {f"drawn/{each}" for each in listed.split("\n")} | {""}


def test_a_page_holds_what_html_may_hold():
    text = page("a\x00\x1b\udcff<script>", ["<p>ä</p>"])
    held = encode_page(text).decode("utf-8")
    assert "<title>a\ufffd\ufffd\ufffd&lt;script&gt;</title>" in held


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_dash_is_standard_output(data, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["-q", "bench", "accuracy", str(data), "--methods", "point", option, "-"])
    assert result.exit_code == 0, result.output
    if option == "--json":
        assert "runs" in json.loads(result.stdout) or "rows" in json.loads(result.stdout)
    else:
        assert result.stdout.startswith("<!doctype html>")
        assert result.stdout.endswith("</html>\n")
    assert "ms per" in result.stderr  # the table for people
    assert list(tmp_path.glob("-*")) == []


def test_one_of_two_goes_to_standard_output(data):
    result = CliRunner().invoke(main, ["bench", "accuracy", str(data), "--json", "-", "--html", "-"])
    assert result.exit_code == 2
    assert "standard output takes one of them" in result.stderr


def test_a_result_for_a_closed_output_fails_before_the_work(data):
    done = shell("bench accuracy drawn --methods point --json - >&-", data.parent)
    assert done.returncode == 1
    assert done.stderr.decode() == "Error: cannot write to standard output (it is closed)\n"


def test_a_name_in_brackets_is_no_markup_in_a_table(draw_dataset):
    folder = draw_dataset("[red]", n_images=1)
    result = CliRunner().invoke(main, ["bench", "accuracy", str(folder), "--methods", "point"])
    assert result.exit_code == 0, result.output
    assert "[red]: 1 images" in result.stdout


@pytest.mark.parametrize(
    "command", ["annotate drawn/images -p drawn/masks_centroid", "predict run drawn/images", "train drawn"]
)
def test_a_folder_cannot_go_to_stdout(data, command):
    done = shell(f"{command} -o -", data.parent)
    assert done.returncode == 2
    assert b"- is standard output, and a folder is written" in done.stderr
    assert not (data.parent / "-").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("bench accuracy . --methods point --html masks/1.png", "masks/1.png would replace what the command reads"),
        ("calibrate . -o images/0.png --overwrite", "images/0.png would replace what the command reads"),
        ("evaluate masks masks --csv masks/2.png", "masks/2.png would replace what the command reads"),
        ("evaluate masks masks --plot masks/2.png", "--plot masks/2.png would replace what the command reads"),
        ("inspect . --sheet images/1.png", "--sheet images/1.png would replace what the command reads"),
        ("inspect images --sheet masks/1.png", "masks/1.png: is no picture of this program, and would be replaced"),
        ("evaluate masks/1.png masks/1.png --plot images/1.png", "images/1.png: is no picture of this program"),
        ("annotate . -o out --html a.csv", "--html a.csv would replace what the command reads"),
        ("annotate images -p a.csv -o out --html masks/1.png", "masks/1.png: holds no text, and would be replaced"),
        ("annotate images -p a.csv -o out --html a.csv", "--html a.csv would replace what the command reads"),
        ("bench timing images -p a.json --json ./a.json", "--json ./a.json would replace what the command reads"),
    ],
)
def test_no_report_takes_the_place_of_what_is_read(draw_dataset, monkeypatch, words, sentence):
    folder = draw_dataset()
    monkeypatch.chdir(folder)
    (folder / "a.csv").write_text("image,x,y\n0,20,20\n")
    (folder / "a.json").write_text("{}")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = CliRunner().invoke(main, words.split())
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_sheet_replaces_the_one_that_was_drawn_before(draw_dataset, monkeypatch):
    monkeypatch.chdir(draw_dataset())
    for _ in range(2):
        assert CliRunner().invoke(main, ["inspect", "images", "--sheet", "../sheet.png"]).exit_code in (0, 4)


def test_a_page_in_the_folder_that_is_read_is_written_anew(draw_dataset, monkeypatch):
    monkeypatch.chdir(draw_dataset())
    words = "bench accuracy . --methods point --html page.html"
    for _ in range(2):
        result = CliRunner().invoke(main, words.split())
        assert result.exit_code == 0, result.output
