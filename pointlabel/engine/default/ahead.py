"""Compile the kernels of the default method ahead of a first run, in several processes.

One after the other they take half a minute or more, before the first mask. Kernels are kept on disk, so what one
process has compiled the others read.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import Any, NamedTuple

from numba.core import config
from numba.core.sigutils import normalize_signature

from ...compiled import KernelCache
from ...kernel_cache import kernel_folder
from ...parent import end_with_parent

_PACKAGE = "pointlabel"  # the name of this module is another in the processes that are started here
#: More processes than this gain nothing: they would wait for the kernels that others are made of.
MOST_PROCESSES = 4


class Ahead(NamedTuple):
    """A kernel with the types of its arguments in every run.

    Attributes
    ----------
    module : below `pointlabel`, and the name of the kernel in it.
    kernel : its name.
    share : of the time that all of them take, in percent: only where the others of this table are compiled before.
    types : of its arguments, in the short names of numba.
    """

    module: str
    kernel: str
    share: int
    types: str


# Kernels that others are made of come first.
KERNELS = (
    Ahead(
        "engine.default._region_kernels", "widen_kernel", 10,
        "i4[:,::1], i8[:,::1], i8, i8, i4[:,:,::1], i8[::1], f4[:,:,::1]",
    ),
    Ahead(
        "engine._diffusion_kernels", "diffuse_kernel", 7,
        "f4[:,::1], f4[:,::1], f4[:,::1], f8, i8, f4[:,::1]",
    ),
    Ahead(
        "engine.default._region_kernels", "region_sums_kernel", 6,
        "f4[:,::1], u1[:,::1], i8[::1], i8, f8, i8, i8, f8[:,::1]",
    ),
    Ahead(
        "engine.default._region_kernels", "flood_kernel", 6,
        "f4[:,::1], b1[:,::1], i8, i8, f8[::1], i8, u1[:,::1], i4[:,::1], f4[:,::1], i8[::1]",
    ),
    Ahead(
        "engine.default._refine_kernels", "input_kernel", 5,
        "f4[:,::1], f4[:,::1], u1[:,:,::1], f4[:,:,::1], f8[::1], f8[::1], f8, i8[::1], i8[::1], i8, f4[:,::1]",
    ),
    Ahead(
        "engine.default._feature_kernels", "feature_kernel", 4,
        "f8[:,:,::1], f8[:,::1], f8[::1], f8[::1], f8[::1], f8, f8, f8[:,:,::1]",
    ),
    Ahead(
        "engine.default._heat_kernels", "heat_vote_kernel", 15,
        "f4[:,::1], i4[:,:], f8, f8, f8, i8[::1], i8, f8, f4[:,::1]",
    ),
    Ahead(
        "engine.default._refine_kernels", "near_input_kernel", 9,
        "f4[:,::1], i4[:,:], b1[:,::1], u1[:,:,::1], i4[:,::1], i8[:,::1], i4[:,:,::1], i8[::1], f4[:,:,::1], f8[::1], "
        "f8[::1], f8, i8[::1], i8[::1], f4[:,::1], f4[::1]",
    ),
    Ahead(
        "engine.default._candidate_kernels", "candidate_kernel", 7,
        "i4[:,::1], b1[:,::1], i8[:,::1], f8[::1], f8, f8, f8, f8[::1], f8, f8, i4[:,:,::1], i8[::1], f4[:,:,::1], "
        "u1[:,:,::1], f8[::1], f8[:,:,::1], b1[:,::1]",
    ),
    Ahead(
        "engine.default._window_kernels", "window_kernel", 7,
        "f8[:,::1], f8, f8, i8, UniTuple(i8, 2), UniTuple(i8, 2), i4[:,::1], b1[:,::1]",
    ),
    Ahead(
        "engine.default._vote_kernels", "tally_kernel", 5,
        "u1[:,:,::1], f8[:,:,::1], f8[:,::1], f8, i8, f4[:,::1], f8[::1]",
    ),
    Ahead(
        "engine.default._refine_kernels", "perceptron_kernel", 4,
        "f4[:,::1], f4[::1], f4[::1], f4[::1], f4[::1], f4[:,::1], f4[::1], f4[:,::1], f4[::1], f4[:,::1], f4[::1], "
        "i8[::1], i8[::1], f4[:,::1]",
    ),
    Ahead("engine.default._refine_kernels", "component_kernel", 3, "f4[:,::1], f8, i8, i8, b1[:,::1]"),
    Ahead("methods._peak_kernels", "peak_kernel", 3, "f8[:,::1], i8, i8, i8"),
    Ahead(
        "engine.default._feature_kernels", "score_kernel", 2,
        "f8[:,:,::1], f8[::1], f8[::1], f8[:,::1], b1[:,::1], f8, i8, f8[:,::1]",
    ),
    Ahead(
        "engine.default._rating_kernels", "quality_input_kernel", 2,
        "f4[:,::1], b1[:,::1], f4[:,::1], f8[::1], i8[::1], f8[::1]",
    ),
    Ahead("engine.default._rating_kernels", "expectation_kernel", 1, "f8[:,:,::1], f8[:,::1], i8[::1], f8[::1]"),
    Ahead("engine.default._rating_kernels", "logit_kernel", 1, "f8[::1], f8[::1], f8[::1], f8, f8[::1], f8"),
    Ahead(
        "engine.default._rating_kernels", "one_layer_kernel", 1,
        "f8[::1], f8[::1], f8[::1], f8, f8[:,::1], f8[::1], f8[::1], f8",
    ),
    Ahead("engine.default._refine_kernels", "label_box_kernel", 1, "f4[:,::1], b1[:,::1], f4"),
)  # fmt: skip


def missing_kernels() -> list[Ahead]:
    """The kernels of `KERNELS` that a run would compile: those not kept on disk, or of other sources or versions."""
    return [] if getattr(config, "DISABLE_JIT", 0) else [each for each in KERNELS if not _is_kept(each)]


def compile_ahead(n_processes: int | None = None) -> None:
    """Compile what is missing and keep it, each kernel in one of several processes.

    What fails in another process is left to the run that needs it. Where nothing can be kept, nothing is done.

    Parameters
    ----------
    n_processes : this one included; by default one per processor that this one may use, at most `MOST_PROCESSES`.
    """
    if kernel_folder(Path(__file__).absolute().parent) is None:
        return
    missing = missing_kernels()
    shares: list[list[Ahead]] = [[] for _ in range(min(n_processes or _n_processors(), len(missing)))]
    for each in missing:
        min(shares, key=lambda share: sum(other.share for other in share)).append(each)
    silent: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    others = []
    try:
        for share in shares[1:]:
            numbers = [str(KERNELS.index(each)) for each in share]
            with suppress(OSError):
                others.append(subprocess.Popen([get_executable(), "-m", __name__, *numbers], **silent))
        for each in shares[0] if shares else ():
            _compile(each)
        for process in others:
            process.wait()
    finally:
        for process in others:
            process.kill()
            process.wait()


def _n_processors() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_PROCESSES)


def _is_kept(each: Ahead) -> bool:
    dispatcher, types = _resolve(each)
    kept = getattr(dispatcher, "_cache", None)
    return not isinstance(kept, KernelCache) or kept.holds(types, dispatcher.targetctx)


def _compile(each: Ahead) -> None:
    dispatcher, types = _resolve(each)
    dispatcher.compile(types)


def _resolve(each: Ahead) -> tuple[Any, tuple[Any, ...]]:
    """The kernel and the types of its arguments."""
    module = import_module(f"{_PACKAGE}.{each.module}")
    return getattr(module, each.kernel), normalize_signature(f"({each.types},)")[0]


def main(numbers: Sequence[str]) -> None:
    """Compile the kernels of these numbers in `KERNELS`, as a process that `compile_ahead` started."""
    end_with_parent()
    for number in numbers:
        _compile(KERNELS[int(number)])


if __name__ == "__main__":
    main(sys.argv[1:])
