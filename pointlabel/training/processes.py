"""The processes of one run, as torchrun starts them: who is first, who takes which samples, who reports an error.

Importing this loads no torch; it is needed where there are several processes only.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..errors import InputError, PointLabelError, TrainingError

#: One process waits this long for another: making labels is left to the first one and may take hours. A process that
#: dies is noticed at once, whatever this is.
TIMEOUT = timedelta(days=2)
#: A process that reports no error ends so much later: torchrun stops all processes when one has failed, and must not
#: cut off the one that reports.
GRACE_S = 5.0


class ReportedByOtherRank(TrainingError):
    """The run failed, and another process reports why."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Place of this process among those of the run.

    Attributes
    ----------
    rank : counted from 0; the first process writes files and reports.
    n : processes of the run.
    local_rank, n_local : the same on this machine; it decides which GPU a process takes.
    """

    rank: int = 0
    n: int = 1
    local_rank: int = 0
    n_local: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def share(self, n_samples: int) -> slice:
        """The samples of a batch that this process takes: in order, their numbers differ by one at most."""
        return slice(self.rank * n_samples // self.n, (self.rank + 1) * n_samples // self.n)

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.n > 1:
            import torch

            torch.distributed.all_reduce(torch.zeros(1))  # on the CPU, which knows when it is done


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join the processes that torchrun has started; alone without it.

    Inside another `join_processes`, or where a script has made torch's process group itself, that group is used. Where
    this one makes it, one process reports an error, as it is; the others raise `ReportedByOtherRank`.

    Raises
    ------
    InputError
        Where the processes cannot be joined.
    TrainingError
        Where another process ended without a report.
    """
    started = int(os.environ.get("WORLD_SIZE", "1")) if "MASTER_ADDR" in os.environ else 1
    if started == 1 and "torch.distributed" not in sys.modules:
        yield Processes()
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        from ..parent import end_with_parent

        end_with_parent()  # a torchrun that is killed leaves its processes behind
    import torch.distributed as dist

    if not dist.is_available() or (started == 1 and not dist.is_initialized()):
        yield Processes()
    elif dist.is_initialized():
        yield _place(dist)
    else:
        store = _join(dist)
        try:
            yield _place(dist)
        except BaseException as error:
            _report_once(error, store)
            raise
        dist.destroy_process_group()


def _place(dist: Any) -> Processes:
    rank, n = dist.get_rank(), dist.get_world_size()
    local = int(os.environ.get("LOCAL_RANK", rank)), int(os.environ.get("LOCAL_WORLD_SIZE", n))
    return Processes(rank, n, *local)


def _join(dist: Any) -> Any:
    """Make the process group; the store that they share."""
    import torch

    # Tensors on the CPU meet through gloo in any case, such as that of `Processes.wait`.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        store, rank, n = next(dist.rendezvous("env://"))
        dist.init_process_group(backend, store=store, rank=rank, world_size=n, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"the processes that torchrun started cannot be joined ({error})") from error
    return store


def _report_once(error: BaseException, store: Any) -> None:
    """Return in the first process that comes here, to raise the error; raise another in those after it."""
    lost = isinstance(error, RuntimeError) and _is_of_a_lost_process(error)
    try:
        is_first = store.add("error", 1) == 1
    except RuntimeError:
        is_first = False  # the process that kept the store is gone, and has reported
    if not is_first and (lost or isinstance(error, PointLabelError)):
        time.sleep(GRACE_S)
        raise ReportedByOtherRank(f"another process reports: {error}") from error
    if lost:
        raise TrainingError(
            "another process of the run has ended; what was trained stays, and `mode=resume` goes on"
        ) from error


def _is_of_a_lost_process(error: RuntimeError) -> bool:
    """Whether an error comes from the connection to another process."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()
