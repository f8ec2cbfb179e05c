"""Whether the compiled kernels of this installation are on disk."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def kernels_are_cached() -> bool:
    """Whether Numba has stored compiled kernels of this package, so that a run need not compile them.

    Looks where Numba writes: below ``NUMBA_CACHE_DIR``, else in the package's ``__pycache__`` folders, or in
    the user's cache where the package's folders cannot be written.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return _holds_ours(Path(chosen))
    return any(_PACKAGE.rglob("__pycache__/*_kernels.*.nbi")) or _holds_ours(_user_cache())


def _holds_ours(folder: Path) -> bool:
    # In a folder of its own, Numba makes one for each source folder: its name and a hash.
    parts = (path.name for path in _PACKAGE.iterdir() if path.is_dir())
    return any(any(folder.glob(f"{part}_*/*_kernels.*.nbi")) for part in parts if not part.startswith("_"))


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
