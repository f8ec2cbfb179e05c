"""Run a command of `pointlabel` in a process that ends when the one that started it does, however that ended.

``python -m pointlabel.session.leash train ...``: the end of its standard input is its Ctrl-C.
"""

from __future__ import annotations

import _thread
import os
import runpy
import sys
import threading

#: Below what answers clicks: a training takes all the processors it gets.
_NICE = 10


def _wait_for_the_end() -> None:
    while os.read(0, 1):
        pass
    _thread.interrupt_main()


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(_NICE)
    threading.Thread(target=_wait_for_the_end, daemon=True).start()
    sys.argv[0] = "pointlabel"
    runpy.run_module("pointlabel", run_name="__main__")
