"""The images of a run through the workers of a Ray cluster.

Plain actors, not Ray Data: each is a worker process of `folder.pool` on another machine. It lives as long as the run,
so that kernels are loaded once (and compiled once for each installation, by the cache that all processes share), it
reads images by this program's own reader, and it writes masks to the output folder as a worker process does; only the
driver writes the manifest. How far work goes ahead of the next image in order is bounded here, and where a worker dies
its images go to another one. Ray Data would put blocks, an order and retries of its own between these steps.

Workers see the folders of images and of the output under the paths that the driver has.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import Any

from ..errors import InputError, MissingExtraError, OutputError, PointLabelError
from ..folder.events import ImageDone
from ..folder.job import Job, RunContext
from ..folder.pool import Engine, run_jobs
from ..io.files import remove_temporaries
from ..io.lock import share_folder
from ..io.writers import WRITERS

_LARGEST_CHUNK = 8  # images that a worker takes at a time ...
_TOGETHER = 64  # ... and where the backend labels the targets of several images together
_WAITING_CHUNKS = 3  # for each worker, so that memory does not grow with the number of images
_QUEUED_CHUNKS = 2  # that a worker has, so that it need not wait for the next
_ATTEMPTS = 3  # at a chunk whose worker dies
_END_S = 30.0  # that workers have to end what they do, where a run ends early
_STORE_BYTES = 1 << 27  # for objects, of a cluster that is started here: contexts and records are small


def open_ray(address: str | None = None) -> Engine:
    """The engine on a Ray cluster.

    Parameters
    ----------
    address : of the cluster, such as "auto" or "ray://head:10001"; None takes that of ``RAY_ADDRESS``, or starts one on
        this machine for the time of the run.

    Raises
    ------
    MissingExtraError
        Where ray is not installed.
    """
    if find_spec("ray") is None:
        raise MissingExtraError("`engine=ray` needs ray: pip install 'pointlabel[ray]'")
    return partial(_run_on, address)


def _run_on(address: str | None, jobs: Sequence[Job], context: RunContext, n_workers: int) -> Generator[ImageDone]:
    """Do all jobs and yield their outcomes in order, as `folder.pool.run_jobs`.

    Where Ctrl-C is pressed, chunks that workers have end and are yielded, and `KeyboardInterrupt` follows.

    Raises
    ------
    InputError
        Where there is no cluster at the address.
    OutputError
        Where an output file could not be written, or a worker does not see the folders.
    PointLabelError
        Where workers died again and again at the same images.
    """
    import ray

    if not jobs:
        return
    with _cluster(address, n_workers):
        unit = "GPU" if _needs_gpu(context) else "CPU"
        pool = _Pool(context, n_workers or max(1, int(ray.cluster_resources().get(unit, 1))), len(jobs))
        most = _LARGEST_CHUNK if context.settings.backend == "numba" else _TOGETHER
        size = max(1, min(most, len(jobs) // (2 * pool.n_workers)))
        chunks = (_Chunk(jobs[start : start + size]) for start in range(0, len(jobs), size))
        waiting: deque[_Chunk] = deque()
        try:
            while True:
                for chunk in islice(chunks, _WAITING_CHUNKS * pool.n_workers - len(waiting)):
                    waiting.append(chunk)
                if not waiting:
                    return
                yield from _in_order(pool, waiting)
        except KeyboardInterrupt:
            while pool.is_busy:
                pool.wait()
            yield from (done for chunk in waiting for done in chunk.outcomes or ())
            raise
        finally:
            pool.close()


def _in_order(pool: _Pool, waiting: deque[_Chunk]) -> Generator[ImageDone]:
    """Give waiting chunks to workers, and yield the outcomes of the first chunk once it is done."""
    while waiting[0].outcomes is None:
        pool.give(waiting)
        pool.wait()
    yield from waiting.popleft().outcomes or ()


@dataclass(slots=True, eq=False)
class _Chunk:
    """Some images that one worker does."""

    jobs: Sequence[Job]
    outcomes: list[ImageDone] | None = None
    is_given: bool = False
    attempts: int = 0


class _Worker:
    """An actor that does chunks."""

    def start(self, context: RunContext, folder: str) -> None:
        """Take the settings of the run, in the folder that the driver works in."""
        for place in (folder, context.gate.folder):
            if not os.path.isdir(place):
                raise OutputError(f"{place}: the worker on {socket.gethostname()} does not see this folder")
            if place is folder:
                os.chdir(place)  # paths of images may be relative to it
        share_folder(context.gate.folder, context.part)
        self._context = context

    def do(self, jobs: Sequence[Job]) -> list[ImageDone]:
        """Do images; the outcomes are in their order."""
        return list(run_jobs(jobs, self._context, 1))


class _Pool:
    """Actors and what they have to do.

    Parameters
    ----------
    context : of the run.
    n_workers : actors, each with one processor, and one GPU where the run is on GPUs; those for which the cluster has
        none yet start when it has.
    n_jobs : images; more actors are not needed.
    """

    def __init__(self, context: RunContext, n_workers: int, n_jobs: int) -> None:
        import ray

        self.n_workers = min(n_workers, n_jobs)
        self._context = ray.put(context)
        self._make = ray.remote(num_cpus=1, num_gpus=int(_needs_gpu(context)))(_Worker).remote
        self._starting: dict[Any, Any] = {}  # promise -> actor
        self._doing: dict[Any, tuple[Any, _Chunk]] = {}
        self._loads: dict[Any, int] = {}  # actor -> chunks that it has
        self._folder, self._is_shard = context.gate.folder, context.shard is not None
        self._n_unborn = 0
        self._has_lost = False
        for _ in range(self.n_workers):
            self._start()

    @property
    def is_busy(self) -> bool:
        """Whether a worker has something to do."""
        return bool(self._doing)

    def give(self, waiting: Sequence[_Chunk] | deque[_Chunk]) -> None:
        """Give chunks that no worker has to workers that have few."""
        for chunk in waiting:
            if chunk.is_given:
                continue
            worker = min(self._loads, key=self._loads.__getitem__, default=None)
            if worker is None or self._loads[worker] == _QUEUED_CHUNKS:
                return
            chunk.is_given = True
            self._loads[worker] += 1
            self._doing[worker.do.remote(chunk.jobs)] = worker, chunk

    def wait(self) -> None:
        """Wait until a chunk is done, a worker is ready, or one has died."""
        import ray

        (promise,), _ = ray.wait([*self._doing, *self._starting], num_returns=1)
        try:
            outcomes = ray.get(promise)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayActorError as error:
            self._lose(promise, error)
            return
        if promise in self._starting:
            self._loads[self._starting.pop(promise)] = 0
            return
        worker, chunk = self._doing.pop(promise)
        chunk.outcomes = outcomes
        self._loads[worker] -= 1

    def close(self) -> None:
        """End all workers, those that work after some seconds, and leave no file that one of them did not end."""
        import ray

        is_cut = self._has_lost or self.is_busy
        if self.is_busy:
            ray.wait(list(self._doing), num_returns=len(self._doing), timeout=_END_S)
        for worker in (*self._starting.values(), *self._loads):
            with suppress(ray.exceptions.RayError):
                ray.kill(worker)
        if is_cut:
            trees = [os.path.join(self._folder, kind) for kind in WRITERS]
            remove_temporaries(self._folder, trees, of_all=not self._is_shard)

    def _start(self) -> None:
        worker: Any = self._make()
        self._starting[worker.start.remote(self._context, os.getcwd())] = worker

    def _lose(self, promise: Any, error: Exception) -> None:
        """Start another worker in place of one that died, whose chunks are given away again."""
        self._has_lost = True
        if promise in self._starting:
            del self._starting[promise]
            self._n_unborn += 1
            if self._n_unborn > _ATTEMPTS * self.n_workers:
                raise PointLabelError("workers of Ray die before they begin; its logs say why") from error
            self._start()
            return
        lost = self._doing[promise][0]
        chunks = {each: chunk for each, (worker, chunk) in self._doing.items() if worker == lost}
        for each, chunk in chunks.items():
            del self._doing[each]
            chunk.is_given = False
        # A worker does its chunks one after the other, so it died at the first of them.
        first = next(iter(chunks.values()))
        first.attempts += 1
        if first.attempts == _ATTEMPTS:
            raise PointLabelError(
                f"{_ATTEMPTS} workers died, perhaps for want of memory, at images from {first.jobs[0].entry.id} on; "
                "what is done stays"
            ) from error
        del self._loads[lost]
        self._start()


def _needs_gpu(context: RunContext) -> bool:
    return context.settings.backend != "numba" and context.settings.device != "cpu"


@contextmanager
def _cluster(address: str | None, n_workers: int) -> Generator[None]:
    """Join a cluster; where it is not joined already, leave it at the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # this program sends nothing anywhere
    import ray

    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None and not os.environ.get("RAY_ADDRESS"):
        options |= {"num_cpus": n_workers or os.cpu_count(), "include_dashboard": False}
        options |= {"object_store_memory": _STORE_BYTES}
        address = "local"  # else it would join whichever cluster was started on this machine
    try:
        ray.init(address, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = address or os.environ.get("RAY_ADDRESS", "this machine")
        reason = " ".join(str(error).split())
        # Ray keeps its token from an address unless it is told to send it, and then says only that it was refused.
        hint = "" if "RAY_AUTH_MODE" in os.environ else "; one that has a token needs RAY_AUTH_MODE=token"
        raise InputError(f"no cluster of Ray at {where} ({reason}){hint}") from error
    try:
        yield
    finally:
        ray.shutdown()
