"""Training on what a session has labelled: one process at a time, which ends with the session and can go on."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pointlabel.errors import InputError, MissingExtraError
from pointlabel.session import Session, open_session
from pointlabel.session.training import Progress, Training
from pointlabel.training.run import read_metrics

MOST_S = 120


def wait(training: Training, is_it: Callable[[Progress], bool]) -> Progress:
    """The progress, once it is as asked for."""
    end = time.monotonic() + MOST_S
    while not is_it(now := training.progress()):
        assert time.monotonic() < end, now
        time.sleep(0.05)
    return now


def label_all(folder: Path, out: Path) -> AbstractContextManager[Session]:
    """A session in which all images of a drawn data set have their clicks."""
    return open_session(folder / "images", out, points=folder / "masks_centroid")


@pytest.mark.parametrize("extra", ["torch", "safetensors"])
def test_without_its_extra_nothing_is_written(draw_dataset, tmp_path, monkeypatch, extra):
    monkeypatch.setitem(sys.modules, extra, None)
    with label_all(draw_dataset(), tmp_path / "out") as session:
        session.open(0)
        training = Training(session, str(tmp_path / "out"))
        with pytest.raises(MissingExtraError, match=rf"training needs {extra}: pip install 'pointlabel\[train\]'"):
            training.start()
    assert not (tmp_path / "out" / "dataset-1").exists()


@pytest.mark.slow
def test_what_cannot_be_trained_on_is_said(draw_dataset, tmp_path):
    pytest.importorskip("torch")
    with open_session(draw_dataset(n_images=1) / "images", tmp_path / "out") as session:
        training = Training(session, str(tmp_path / "out"))
        with pytest.raises(InputError, match="no image has a target yet"):
            training.start()
        with pytest.raises(InputError, match="there is no training to go on with"):
            training.resume()
        training.stop()
        assert training.progress() == Progress("none")
        session.do(0, {"do": "add", "x": 30, "y": 20})
        training.start()  # one image cannot be split
        failed = wait(training, lambda now: now.status == "failed" and now.said != "")
    assert "dataset-1" in failed.said
    assert failed.loss == ()


@pytest.mark.slow
def test_a_training_is_watched_stopped_gone_on_with_and_proposes(draw_dataset, tmp_path):
    pytest.importorskip("torch")
    from pointlabel.session.trained import open_detector

    folder, out = draw_dataset(n_images=8), tmp_path / "out"
    with label_all(folder, out) as session:
        for index in range(8):
            session.open(index)
        training = Training(session, str(out))
        training.start(1000)
        now = wait(training, lambda now: len(now.loss) >= 2)
        assert now.data is not None
        assert (now.status, now.data.n_images) == ("running", 8)
        assert now.iou[0][0] == 1
        with pytest.raises(InputError, match="a training runs already; stop it first"):
            training.start()
        training.stop()
        stopped = training.progress()
        assert stopped.status == "stopped"
        training.resume()
        wait(training, lambda now: len(now.loss) > len(stopped.loss))
        training.close()
        command = training.progress().command
        assert session.notes == [f"the training was stopped; to go on with it: {command}"]
        run = now.data.run
        opened = session.open(0)
        assert isinstance(open_detector(run)(opened.board.image, opened.full), list)
    done = len(read_metrics(run))
    words = [word if word != "1000" else str(done + 1) for word in shlex.split(command)[1:]]
    refused = subprocess.run([sys.executable, "-m", "pointlabel", *words], capture_output=True, text=True)
    assert f"holds a run with epochs 1000, this one has epochs {done + 1}" in refused.stderr  # it is that run


@pytest.mark.slow
def test_a_training_ends_with_a_session_that_is_killed(draw_dataset, tmp_path):
    pytest.importorskip("torch")
    folder, out = draw_dataset(n_images=4), tmp_path / "out"
    code = f"""
import os, sys, time
from pointlabel.session import Session, open_session
from pointlabel.session.training import Training
with open_session({str(folder / "images")!r}, {str(out)!r}, points={str(folder / "masks_centroid")!r}) as session:
    [session.open(index) for index in range(4)]
    training = Training(session, {str(out)!r})
    training.start(100_000)
    while not training.progress().loss:
        time.sleep(0.05)
    print(training._process.pid, flush=True)
    os.kill(os.getpid(), 9)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=MOST_S)
    end = time.monotonic() + MOST_S
    while time.monotonic() < end:
        try:
            os.kill(int(killed.stdout), 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the training goes on")
    assert (out / "run-1" / "last.safetensors").exists()
