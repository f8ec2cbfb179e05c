"""Where compiled kernels are kept on disk, and whether they are there already."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def kernels_are_cached() -> bool:
    """Whether compiled kernels of this package lie where a run would look for them, so that it need not compile."""
    folder = kernel_folder(_PACKAGE / "engine" / "default")
    return folder is not None and any(folder.glob("_*_kernels.*.nbc"))


def kernel_note(*, missing: bool = False) -> str:
    """What to tell the user before kernels are compiled; "" where all but `missing` are there already."""
    if kernels_are_cached() and not missing:
        return ""
    if kernel_folder(_PACKAGE / "engine" / "default") is None:
        return "compiling kernels for this run alone; set NUMBA_CACHE_DIR to a folder that can be written to keep them"
    return "compiling kernels once for this installation ..."


@cache
def kernel_folder(source: Path) -> Path | None:
    """Folder that keeps the compiled kernels of the modules in the folder `source`; None where none can be written.

    The first of these that can be written: below ``NUMBA_CACHE_DIR``; ``__pycache__`` beside the sources; the user's
    cache; a folder of the user's own among the temporary files. Cache files are pickles, which run code when they are
    read, so the last two are taken only where nobody else can write. It is made where it is missing.
    """
    for folder, others in _places(source):
        with contextlib.suppress(OSError, ValueError):
            for part in (folder.parent, folder):
                part.mkdir(mode=0o700 if others else 0o777, parents=True, exist_ok=True)
                if others and not _is_own(part, others):
                    raise PermissionError(f"others can write in {part}")
            tempfile.TemporaryFile(dir=folder).close()  # whether it can be written: permissions alone do not tell
            return folder
    return None


def _places(source: Path) -> Iterator[tuple[Path, int]]:
    """Folders in the order they are tried, each with the permissions that nobody else may have there; 0 for any."""
    from numba.core import config  # not at the top: it costs more than the rest of a run's start
    from numba.core.caching import InTreeCacheLocator

    part = InTreeCacheLocator.get_suitable_cache_subpath(str(source / "module.py"))
    chosen: str = getattr(config, "CACHE_DIR", "")
    if chosen:
        yield Path(chosen) / part, 0
    yield source / "__pycache__", 0
    with contextlib.suppress(OSError, RuntimeError):  # there may be no home folder at all
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
        if home.is_absolute():
            yield home / part, stat.S_IWOTH
    with contextlib.suppress(OSError):
        user = os.getuid() if hasattr(os, "getuid") else "user"
        yield Path(tempfile.gettempdir()) / f"pointlabel-kernels-{user}" / part, stat.S_IRWXG | stat.S_IRWXO


def _is_own(folder: Path, others: int) -> bool:
    """Whether a folder, not a link, belongs to the user and gives others none of the permissions `others`."""
    if not hasattr(os, "geteuid"):
        return True  # Windows keeps temporary files in the user's own profile
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others
