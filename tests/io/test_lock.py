"""One run at a time in a folder: the other is named, and what a dead one left is taken over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pointlabel.errors import InputError
from pointlabel.io import files
from pointlabel.io.files import remove_temporaries, write_whole
from pointlabel.io.lock import LOCK_NAME, hold_folder, lock_file

HOLD = """
import sys, time
from pointlabel.io.lock import hold_folder, share_folder
if len(sys.argv) > 2:
    share_folder(sys.argv[1])
    print("shared", flush=True)
    time.sleep(float(sys.argv[2]))
else:
    with hold_folder(sys.argv[1], "annotate", "with method diffusion"):
        print("held", flush=True)
        time.sleep(60)
"""


def start(*words: object) -> subprocess.Popen[str]:
    """A process that holds or shares a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, *map(str, words)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() in ("held", "shared")
    return process


def test_a_second_run_is_told_of_the_first_and_a_killed_one_is_over(tmp_path):
    out = tmp_path / "out"
    process = start(out)
    expected = (
        rf"out is in use by another run: annotate with method diffusion, started \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d, "
        rf"process {process.pid} on .*; wait for it, or choose another folder"
    )
    with pytest.raises(InputError, match=expected), hold_folder(str(out), "predict"):
        pass
    assert (out / LOCK_NAME).exists()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (out / LOCK_NAME).exists()
    with hold_folder(str(out), "predict"):
        pass
    assert list(tmp_path.iterdir()) == [out]
    assert list(out.iterdir()) == []


def test_workers_of_a_killed_run_are_waited_for(tmp_path):
    out = tmp_path / "out"
    parent = start(out)
    worker = start(out, 1.5)
    parent.kill()
    parent.communicate()
    with hold_folder(str(out), "annotate"):
        assert worker.poll() is not None or worker.wait(0.5) == 0
    worker.communicate()


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[" * 9000, b'{"pid": 1, "host": 5}', b'{"pid": 99999999999999999999}']
)
def test_a_lock_file_of_whatever_content_does_not_hold(tmp_path, content):
    (tmp_path / LOCK_NAME).write_bytes(content)
    start_time = time.monotonic()
    with hold_folder(str(tmp_path), "annotate"):
        about = json.loads((tmp_path / LOCK_NAME).read_text())
        assert (about["command"], about["pid"]) == ("annotate", os.getpid())
    assert time.monotonic() - start_time < 5
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_in_vain_goes_again(tmp_path):
    with pytest.raises(InputError, match="no"), hold_folder(str(tmp_path / "out"), "annotate"):
        raise InputError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_locked_yet_may_be_taken_for_a_leftover(tmp_path, monkeypatch):
    """As a second worker does, whose first write to the folder comes between the making of a file and its lock."""
    removed = []

    def lock_late(descriptor: int) -> bool | None:
        monkeypatch.setattr(files, "lock_file", lock_file)
        removed.append(remove_temporaries(str(tmp_path)))
        return lock_file(descriptor)

    write_whole(str(tmp_path / "a.png"), b"x")  # cleans the folder
    monkeypatch.setattr(files, "lock_file", lock_late)
    write_whole(str(tmp_path / "b.png"), b"y")
    assert removed == [1]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"x", "b.png": b"y"}


def test_temporaries_that_are_being_written_stay(tmp_path):
    code = (
        "import sys, time\nfrom pointlabel.io import files\n"
        "files.os.replace = lambda a, b: (print('here', flush=True), time.sleep(60))\n"
        "files.write_whole(sys.argv[1], b'x')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.png")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "here"
    assert remove_temporaries(str(tmp_path)) == 0
    assert len(list(tmp_path.iterdir())) == 1
    process.kill()
    process.communicate()
    write_whole(str(tmp_path / "b.png"), b"x")  # the first that this process writes there
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]
