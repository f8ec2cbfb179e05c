"""Keep decoders quiet: what is wrong with a file is said once, by the error."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import ExitStack


class _Quiet:
    """No warnings, and no log of the decoders, while any thread is inside.

    Both belong to the process: if each thread restored them for itself, they could stay off permanently.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._restore = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._n_inside += 1
            if self._n_inside == 1:
                for name in ("tifffile", "imagecodecs"):
                    log = logging.getLogger(name)
                    self._restore.callback(setattr, log, "disabled", log.disabled)
                    log.disabled = True
                self._restore.enter_context(warnings.catch_warnings())
                # Pillow warns of large images, among others: frames of 10,000 x 10,000 pixels are real.
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._restore.close()


QUIET = _Quiet()
