"""What belongs to every measured figure: machine, versions, threads; and the memory of this process."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

#: Packages whose versions are named.
PACKAGES = ("pointlabel", "numpy", "scipy", "scikit-image", "numba", "pillow", "torch")
#: Environment variables that say how many threads compiled code may take; they are read when a process starts.
THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def circumstances() -> dict[str, Any]:
    """Machine, versions of `PACKAGES` and threads, ready for JSON."""
    return {
        "machine": {
            "cpu": _cpu(),
            "n_cpus": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "versions": {name: _version(name) for name in PACKAGES},
        "threads": {name: os.environ.get(name, "default") for name in THREAD_VARIABLES},
    }


def peak_memory_mb() -> float | None:
    """Most memory this process has held so far, in units of 10^6 bytes; None where the system does not say."""
    try:
        # The peak that getrusage gives outlives the start of a new program, and would name the parent's.
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
