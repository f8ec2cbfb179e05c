"""A process that ends with the one that started it, whatever that one died of."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from multiprocessing import connection

#: Seconds between two looks at who the parent is.
_EVERY_S = 1.0
_NAME = "end-with-parent"


def end_with_parent() -> None:
    """End this process when its parent is gone, at the latest a few seconds after it.

    A parent that is killed cannot tell its workers. They would wait for it for ever, or train on and write to a run
    that somebody has started anew.
    """
    if not any(thread.name == _NAME for thread in threading.enumerate()):
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True, name=_NAME).start()


def _watch(started_by: int) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:  # the process that asked for this one, which need not be the one that forked it
        connection.wait([parent.sentinel])
    else:
        while os.getppid() == started_by:
            time.sleep(_EVERY_S)
    os._exit(1)
