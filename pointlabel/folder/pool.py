"""Jobs through workers: in this process, or in several. Outcomes come in the order of the jobs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from itertools import islice, takewhile
from multiprocessing.synchronize import Event
from types import FrameType

from ..errors import PointLabelError
from ..io.lock import share_folder
from ..parent import end_with_parent
from .batched import run_together
from .close import finish_in_order, write_job
from .events import ImageDone
from .job import Job, RunContext, label_job, open_job

_LARGEST_CHUNK = 8  # images that a worker takes at a time: enough to hide what sending them costs
_WAITING_CHUNKS = 3  # for each worker, so that memory does not grow with the number of images

#: What does the jobs of a run: (jobs, context, workers) -> outcomes in the order of the jobs, as `run_jobs`.
Engine = Callable[[Sequence[Job], RunContext, int], Generator[ImageDone]]
#: Signals that a terminal or a scheduler sends to all processes of a run.
_TO_ALL = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
_GRACE_S = 2.0  # that a worker goes on after SIGTERM

# Of this worker process.
_context: RunContext | None = None
_stop: Event | None = None


def run_jobs(jobs: Sequence[Job], context: RunContext, n_workers: int) -> Generator[ImageDone]:
    """Do all jobs and yield their outcomes in order.

    With one worker they are done here, else in `n_workers` processes, a bounded number ahead of what was yielded. The
    backend torch works in this process, and takes `n_workers` threads to read and write. 0 takes one worker for each
    processor.
    Where Ctrl-C is pressed, or a signal asks the process to end, jobs that wait are dropped, those in progress end and
    are yielded, and `KeyboardInterrupt` follows.

    Raises
    ------
    OutputError
        Where an output file could not be written.
    PointLabelError
        Where a worker process died.
    """
    n_workers = n_workers or os.cpu_count() or 1
    if context.settings.backend != "numba":
        return run_together(jobs, context, n_workers)
    if n_workers == 1 or len(jobs) < 2:
        return do_in_order(jobs, context)
    return _run_workers(jobs, context, n_workers)


def do_in_order(jobs: Iterable[Job], context: RunContext, stop: Event | None = None) -> Generator[ImageDone]:
    """Do one image after the other in this process, until `stop` is set."""
    going = jobs if stop is None else takewhile(lambda _: not stop.is_set(), jobs)
    opened = map(partial(open_job, context=context), going)
    labelled = map(partial(label_job, context=context), opened)
    return finish_in_order([map(partial(write_job, context=context), labelled)])


def _run_workers(jobs: Sequence[Job], context: RunContext, n_workers: int) -> Generator[ImageDone]:
    size = max(1, min(_LARGEST_CHUNK, len(jobs) // (2 * n_workers)))
    chunks = (jobs[start : start + size] for start in range(0, len(jobs), size))
    processes = _start_method()
    stop = processes.Event()
    executor = ProcessPoolExecutor(n_workers, processes, _start_worker, (context, stop, dict(os.environ)))
    waiting: deque[Future[list[ImageDone]]] = deque()
    try:
        while True:
            for chunk in islice(chunks, _WAITING_CHUNKS * n_workers - len(waiting)):
                waiting.append(executor.submit(_do_chunk, chunk))
            if not waiting:
                return
            outcomes = waiting[0].result()  # left in the queue until it is here, so that Ctrl-C loses nothing
            waiting.popleft()
            yield from outcomes
    except KeyboardInterrupt:
        stop.set()  # chunks that wait come back empty
        with suppress(BrokenProcessPool):  # a signal to the whole group may have ended the workers too
            for future in waiting:
                yield from future.result()
        raise
    except BrokenProcessPool as error:
        raise PointLabelError("a worker process died, perhaps for want of memory; what is done stays") from error
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


def _start_method() -> multiprocessing.context.BaseContext:
    # A fork of a process that has threads (Numba's, a progress bar's) may hang, so workers start afresh.
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    # Their server starts deaf to what a terminal or a scheduler sends to all processes, and they with it: a worker that
    # is still starting must not die of it. The tracker goes first, since its start lets signals through again.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _TO_ALL)
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, _TO_ALL)
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return multiprocessing.get_context("forkserver")


def _start_worker(context: RunContext, stop: Event, environment: dict[str, str]) -> None:
    global _context, _stop
    os.environ.clear()  # the server of `_start_method` has what stood there at the first run: credentials may be new
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    signal.signal(signal.SIGTERM, _end_soon)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _context, _stop = context, stop
    share_folder(context.gate.folder, context.part)
    end_with_parent()  # workers hold both ends of their queue, so they would never end


def _end_soon(number: int, frame: FrameType | None) -> None:
    """End in a while: the parent, which may have got the same signal, takes what is in progress until then."""
    timer = threading.Timer(_GRACE_S, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _do_chunk(jobs: Sequence[Job]) -> list[ImageDone]:
    assert _context is not None
    return list(do_in_order(jobs, _context, _stop))
