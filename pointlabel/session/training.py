"""A detector in training on what a session has labelled: one at a time, in a process that ends with this one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from importlib.util import find_spec

from ..errors import InputError, MissingExtraError
from ..training.run import read_metrics
from .dataset import EPOCHS, TrainingData, write_dataset
from .folder import Session

#: Packages that training needs, all of the extra `train`.
_NEEDED = ("torch", "safetensors")
#: How long a process that was asked to end may take.
_END_S = 10.0
#: Lines that are kept of what it says.
_LINES = 50


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the last training is.

    Attributes
    ----------
    status : "none", "running", "stopped", "failed" or "done".
    data : what it trains on; None where the status is "none".
    loss : mean loss of the samples, for each epoch.
    iou : (epoch, IoU on the images held out) of the epochs that were validated.
    said : its last line; of one that failed, the error.
    """

    status: str
    data: TrainingData | None = None
    loss: tuple[float, ...] = ()
    iou: tuple[tuple[int, float], ...] = ()
    said: str = ""

    @property
    def command(self) -> str:
        """What goes on with it, for a shell."""
        return "" if self.data is None else f"{self.data.command} --resume"


def missing_for_training() -> str | None:
    """Which extra is missing, in one sentence; None where nothing is."""
    lacking = [name for name in _NEEDED if find_spec(name) is None]
    return f"training needs {' and '.join(lacking)}: pip install 'pointlabel[train]'" if lacking else None


class Training:
    """Trains on what a session has labelled. Safe to use from several threads.

    Parameters
    ----------
    session : what was labelled.
    out : its output folder, which gets ``dataset-N`` and ``run-N``.
    """

    def __init__(self, session: Session, out: str) -> None:
        self._session, self._out = session, out
        self._lock = threading.Lock()
        self._data: TrainingData | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._is_stopped = False

    def start(self, epochs: int = EPOCHS) -> None:
        """Write a data set of what is labelled now (`write_dataset`), and begin to train on it.

        Raises
        ------
        MissingExtraError
            Where torch is not installed.
        InputError
            Where a training runs already, or no image has a target.
        OutputError
            Where the data set cannot be written.
        """
        with self._lock:
            self._refuse()
            self._data = write_dataset(self._session, self._out, epochs)
            self._begin(self._data.words)

    def resume(self) -> None:
        """Go on with the training that was stopped, or that failed.

        Raises
        ------
        MissingExtraError, InputError
            As `start`, and where there is nothing to go on with.
        """
        with self._lock:
            self._refuse()
            if self._data is None or self._status() == "done":
                raise InputError("there is no training to go on with; start one")
            self._begin((*self._data.words, "--resume"))

    def stop(self) -> None:
        """End the training; what was trained stays. Nothing happens where none runs."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                return
            self._is_stopped = True
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self) -> None:
        """End the training with the session, which then says how to go on with it."""
        if self.progress().status == "running":
            self.stop()
            self._session.notes.append(f"the training was stopped; to go on with it: {self.progress().command}")

    def progress(self) -> Progress:
        """How far it is."""
        data, status = self._data, self._status()
        if data is None:
            return Progress("none")
        lines = read_metrics(data.run)
        loss = tuple(line["loss"] for line in lines if "loss" in line)
        iou = tuple((line["epoch"], line["val_iou"]) for line in lines if "val_iou" in line)
        said = [line for line in self._lines if line.startswith("Error: ")] if status == "failed" else []
        return Progress(status, data, loss, iou, (said or list(self._lines) or [""])[-1].removeprefix("Error: "))

    def _status(self) -> str:
        process = self._process
        if process is None:
            return "none"
        code = process.poll()
        if code is None:
            return "running"
        return "done" if code == 0 else "stopped" if self._is_stopped else "failed"

    def _refuse(self) -> None:
        missing = missing_for_training()
        if missing is not None:
            raise MissingExtraError(missing)
        if self._status() == "running":
            raise InputError("a training runs already; stop it first")

    def _begin(self, words: tuple[str, ...]) -> None:
        self._is_stopped = False
        self._lines.clear()
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pointlabel.session.leash", *words],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
        threading.Thread(target=self._listen, args=(self._process,), name="pointlabel-training", daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                if line.strip():
                    self._lines.append(line.strip())
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
