"""A run that is killed, interrupted, or runs out of disk: resumed, it ends with the same bytes."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pointlabel.folder import RunSettings, annotate_folder

N_IMAGES = 60


@pytest.fixture
def folder(tmp_path: Path, make_folder: Callable[..., Path]) -> Path:
    """Images that take long enough to be killed in between."""
    return make_folder(tmp_path, N_IMAGES, n_points=12)


def start(root: Path, out: str, *more: str, limit: int | None = None) -> subprocess.Popen[str]:
    """Start the command in a process group of its own, with a limit on the size of files, deaf to no signal."""

    def set_limit() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which the tests themselves may have been told to ignore
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "pointlabel", "annotate", "images", "-p", "points", "-o", out]
    return subprocess.Popen(
        [*command, "--method", "threshold", "--soft", *more],
        cwd=root,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=set_limit,
    )


def finish(root: Path, out: str, jobs: int = 1) -> None:
    """Do in this process what is not done yet."""
    settings = RunSettings("threshold", outputs=("soft",))
    summary = annotate_folder(root / "images", root / "points", root / out, settings, jobs=jobs, mode="resume")
    assert summary.n_errors == 0


def wait_for_lines(process: subprocess.Popen[str], manifest: Path, count: int) -> None:
    """Wait until the manifest has `count` lines or the process ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if manifest.exists() and manifest.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.002)


def leftovers(out: Path) -> list[str]:
    return [path.name for path in out.rglob("*") if path.name.endswith(".tmp")]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed(folder, files_of, lines_of, jobs):
    finish(folder, "whole")
    chance = random.Random(jobs)
    kills = 0
    for count in sorted(chance.sample(range(N_IMAGES - 4), 3)):
        process = start(folder, "out", "--resume", "-j", str(jobs))
        wait_for_lines(process, folder / "out/manifest.jsonl", count)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate(timeout=60)  # ends when the last worker has ended too
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2
    finish(folder, "out", jobs)
    assert leftovers(folder / "out") == []
    assert files_of(folder / "out") == files_of(folder / "whole")
    assert lines_of(folder / "out") == lines_of(folder / "whole")


def test_what_a_kill_leaves_in_the_middle_of_a_write_is_mended(folder, files_of, lines_of):
    finish(folder, "whole")
    finish(folder, "out")
    manifest = folder / "out/manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:9]) + lines[9][:100])  # the files of two images are there, their lines are not
    (folder / "out/masks/.pointlabel-123-4.tmp").write_bytes(b"\x89PNG half")
    (folder / "out/.pointlabel-123-5.tmp").write_bytes(b"{")
    finish(folder, "out")
    assert leftovers(folder / "out") == []
    assert files_of(folder / "out") == files_of(folder / "whole")
    assert lines_of(folder / "out") == lines_of(folder / "whole")


@pytest.mark.parametrize(
    ("number", "code", "jobs"),
    [(signal.SIGINT, 130, 1), (signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 2), (signal.SIGHUP, 129, 1)],
)
def test_a_signal_to_all_ends_cleanly_and_it_says_how_to_go_on(folder, files_of, lines_of, number, code, jobs):
    for _ in range(5):  # on a busy machine the run may end before the signal is sent
        process = start(folder, "out", "-j", str(jobs), "--overwrite")
        wait_for_lines(process, folder / "out/manifest.jsonl", 3)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        output, errors = process.communicate(timeout=60)
        if process.returncode != 0:
            break
    assert process.returncode == code, errors
    assert f"of {N_IMAGES} images are done; --resume goes on" in errors
    assert "Traceback" not in errors
    assert output == ""
    assert leftovers(folder / "out") == []
    done = {line["id"] for line in lines_of(folder / "out")}
    assert 3 <= len(done) < N_IMAGES
    assert done <= {name[len("masks/") : -len(".png")] for name in files_of(folder / "out")}
    finish(folder, "out")
    finish(folder, "whole")
    assert files_of(folder / "out") == files_of(folder / "whole")
    assert lines_of(folder / "out") == lines_of(folder / "whole")


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("limit", "file"), [(60, "png"), (3000, "manifest.jsonl")], ids=["mask", "manifest"])
def test_a_full_disk_ends_the_run_and_leaves_nothing_half_written(folder, files_of, lines_of, limit, file, jobs):
    process = start(folder, "out", "-j", str(jobs), limit=limit)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = [line for line in errors.splitlines() if line.startswith("Error: ")]
    assert line.startswith("Error: cannot write ")
    assert f"{file} (File too large); what is done stays, and --resume goes on" in line
    assert output == ""
    assert leftovers(folder / "out") == []
    finish(folder, "whole")
    whole = files_of(folder / "whole")
    assert {name: data for name, data in whole.items() if name in files_of(folder / "out")} == files_of(folder / "out")
    assert all(entry in lines_of(folder / "whole") for entry in lines_of(folder / "out"))
    finish(folder, "out")
    assert files_of(folder / "out") == whole


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(tmp_path, make_folder):
    make_folder(tmp_path, 10, n_points=1)
    (tmp_path / "many").mkdir()
    for folder in ("images", "points"):
        (tmp_path / "many" / folder).mkdir()
        for number in range(400):
            name = f"t{3 * (number % 3)}.png"
            (tmp_path / "many" / folder / f"n{number}.png").write_bytes((tmp_path / folder / name).read_bytes())
    code = (
        "import re, sys\n"
        "from pointlabel.folder import RunSettings, annotate_folder\n"
        "root = sys.argv[1]\n"
        "annotate_folder(root + '/images', root + '/points', root + '/out', RunSettings('threshold'))\n"
        # getrusage starts from the peak of the process that forked, which may hold torch
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)\n"
    )
    peaks = [
        int(subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True).stdout)
        for root in (tmp_path, tmp_path / "many")
    ]
    assert max(peaks) < 450
    assert peaks[1] - peaks[0] < 15


def test_workers_are_deaf_to_ctrl_c_from_their_first_moment(tmp_path):
    script = """
import multiprocessing, signal
from pointlabel.folder.pool import _start_method

def tell(pipe):
    pipe.send(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))

if __name__ == "__main__":
    processes = _start_method()
    here, there = multiprocessing.Pipe()
    processes.Process(target=tell, args=(there,)).start()
    print(here.recv(), signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    (tmp_path / "tell.py").write_text(script)
    done = subprocess.run([sys.executable, "tell.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "False"], done.stderr
