"""Images whose targets are labelled together, for a backend that works on many windows at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from time import perf_counter
from typing import TypeVar

from ..labeling import annotate_images
from .close import Outcome, close_job, finish_in_order
from .job import Job, OpenJob, RunContext, label_job, open_job, tightness_of

#: Targets that are labelled together, by the kind of device: a few full batches of windows ...
TARGETS = {"cpu": 256, "cuda": 8192}
#: ... and the pixels of their images, which are held in memory.
PIXELS = 1 << 26
_READ_AHEAD = 4  # images for each thread

A = TypeVar("A")
B = TypeVar("B")


def run_together(jobs: Sequence[Job], context: RunContext, n_threads: int) -> Generator[Outcome]:
    """Do all jobs and yield their outcomes in order; targets of several images go through the backend together.

    Images are read and written by `n_threads` threads (decoding lets others go on); memory is bounded by `PIXELS`.

    Raises
    ------
    OutputError
        Where an output file could not be written.
    """
    if n_threads == 1:
        for batch in _batches(map(partial(open_job, context=context), jobs), context):
            label_together(batch, context)
            yield from finish_in_order(close_job(work, context) for work in batch)
        return
    with ThreadPoolExecutor(n_threads) as threads:
        opened = _ahead(threads, partial(open_job, context=context), jobs, _READ_AHEAD * n_threads)
        for batch in _batches(opened, context):
            label_together(batch, context)
            closed = _ahead(threads, partial(close_job, context=context), batch, _READ_AHEAD * n_threads)
            yield from finish_in_order(closed)


def _ahead(threads: ThreadPoolExecutor, do: Callable[[A], B], items: Iterable[A], n: int) -> Iterator[B]:
    """`map` by threads, at most `n` ahead of what was yielded."""
    left = iter(items)
    waiting = [threads.submit(do, item) for item in islice(left, n)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [threads.submit(do, item) for item in islice(left, 1)]


def _batches(opened: Iterable[OpenJob], context: RunContext) -> Iterator[list[OpenJob]]:
    most = TARGETS[context.settings.device.partition(":")[0]]
    batch: list[OpenJob] = []
    targets = pixels = 0
    for work in opened:
        batch.append(work)
        if work.image is not None and work.points is not None:
            targets += len(work.points.points)
            pixels += work.image.size
        if targets >= most or pixels >= PIXELS or len(batch) >= most:
            yield batch
            batch, targets, pixels = [], 0, 0
    if batch:
        yield batch


def label_together(batch: Sequence[OpenJob], context: RunContext) -> None:
    """Label the targets of all images that wait; where one of them fails, each is labelled on its own."""
    settings = context.settings
    waiting = [(work, work.image, work.points) for work in batch if work.is_waiting]
    whole = [(work, image, points) for work, image, points in waiting if image is not None and points is not None]
    start = perf_counter()
    try:
        labels = annotate_images(
            [image for _, image, _ in whole],
            [points.points for _, _, points in whole],
            params=settings.params,
            tightness=[tightness_of(settings, points) for _, _, points in whole],
            polarity=settings.polarity,
            refine=settings.refine,
            backend=settings.backend,
            device=settings.device,
        )
    except Exception:  # whichever image it is, the others are done
        for work, _, _ in whole:
            label_job(work, context)
        return
    seconds = perf_counter() - start
    n = max(sum(len(points.points) for _, _, points in whole), 1)
    for (work, _, points), found in zip(whole, labels, strict=True):
        work.labels = found
        work.seconds += seconds * len(points.points) / n
