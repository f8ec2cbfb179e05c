"""Images whose targets are labelled together, for a backend that works on many windows at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from time import perf_counter
from typing import TypeVar

from .close import Written, finish_in_order, write_job
from .events import ImageDone
from .job import Ended, Job, Labelled, Opened, RunContext, label_job, open_job

#: Targets that are labelled together, by the kind of device: a few full batches of windows ...
TARGETS = {"cpu": 256, "cuda": 8192}
#: ... and the pixels of their images, which are held in memory.
PIXELS = 1 << 26
_READ_AHEAD = 4  # images for each thread

A = TypeVar("A")
B = TypeVar("B")


def run_together(jobs: Sequence[Job], context: RunContext, n_threads: int) -> Generator[ImageDone]:
    """Do all jobs and yield their outcomes in order; the backend labels targets of several images together.

    Images are read and written by `n_threads` threads (decoding lets others go on); memory is bounded by `PIXELS`.

    Raises
    ------
    OutputError
        Where an output file could not be written.
    """
    ahead = _READ_AHEAD * n_threads if n_threads > 1 else 1
    write = partial(write_job, context=context)
    with ThreadPoolExecutor(n_threads) as threads, ExitStack() as stack:
        opened = stack.enter_context(closing(_ahead(threads, partial(open_job, context=context), jobs, ahead)))
        labelled = (label_together(batch, context) for batch in _batches(opened, context))
        yield from finish_in_order(
            stack.enter_context(closing(_ahead(threads, write, batch, ahead, Written.discard))) for batch in labelled
        )


def _ahead(
    threads: ThreadPoolExecutor,
    do: Callable[[A], B],
    items: Iterable[A],
    n: int,
    undo: Callable[[B], None] = lambda done: None,
) -> Generator[B]:
    """`map` by threads, at most `n` ahead of what was yielded; what was not yielded in the end is undone."""
    left = iter(items)
    waiting = deque(threads.submit(do, item) for item in islice(left, n))
    try:
        while waiting:
            done = waiting[0].result()  # left in the queue until it is here, so that Ctrl-C loses nothing
            waiting.popleft()
            yield done
            waiting += [threads.submit(do, item) for item in islice(left, 1)]
    finally:
        for future in waiting:
            if not future.cancel() and future.exception() is None:
                undo(future.result())


def _batches(opened: Iterable[Opened | Ended], context: RunContext) -> Iterator[list[Opened | Ended]]:
    most = TARGETS[context.settings.device.partition(":")[0]]
    batch: list[Opened | Ended] = []
    targets = pixels = 0
    for each in opened:
        batch.append(each)
        if isinstance(each, Opened):
            targets += len(each.sample.points)
            pixels += each.sample.image.size
        if targets >= most or pixels >= PIXELS or len(batch) >= most:
            yield batch
            batch, targets, pixels = [], 0, 0
    if batch:
        yield batch


def label_together(batch: Sequence[Opened | Ended], context: RunContext) -> list[Labelled | Ended]:
    """Label the targets of all images that were read; where one of them fails, each is labelled on its own."""
    settings = context.settings
    waiting = [(each.attempt, each.sample) for each in batch if isinstance(each, Opened)]
    start = perf_counter()
    try:
        labels = settings.labeller.label_many(
            (sample.image, sample.points, settings.tightness_of(sample.rows), settings.polarity_of(sample.rows))
            for _, sample in waiting
        )
    except Exception:  # any image may have failed; the others are done
        return [label_job(each, context) for each in batch]
    seconds = perf_counter() - start
    n = max(sum(len(sample.points) for _, sample in waiting), 1)
    for attempt, sample in waiting:
        attempt.seconds += seconds * len(sample.points) / n
    made = iter(labels)
    return [Labelled(each.attempt, each.sample, next(made)) if isinstance(each, Opened) else each for each in batch]
