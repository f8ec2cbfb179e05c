"""Kernels compiled by Numba and kept on disk, where nothing that is wrong with the disk stops a run.

Numba's own ``cache=True`` raises where no folder can be written, where the disk is full, and, in every later run, where
a file was damaged. Here a kernel that cannot be kept is compiled in memory, and one that cannot be read is compiled
again and its file replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from .kernel_cache import kernel_folder

_PACKAGE = Path(__file__).resolve().parent
_DIGEST = hashlib.sha256().digest_size


def kernel(function: Any = None, /, **options: Any) -> Any:
    """Compile a function as ``numba.njit(cache=True, **options)`` does, with the cache of this module.

    A bare ``@kernel``, or ``@kernel(fastmath=True)``. Packages that add methods may use it as well.
    """
    if function is None:
        return lambda each: kernel(each, **options)
    compiled = numba.njit(**options)(function)
    source = Path(function.__code__.co_filename).absolute()
    if hasattr(compiled, "_cache") and source.is_file():  # not where NUMBA_DISABLE_JIT is set, or typed at a prompt
        folder = kernel_folder(source.parent)
        if folder is not None:
            compiled._cache = KernelCache(function, source, folder)
    return compiled


class KernelCache:
    """What Numba asks of the cache of one function: one file for each signature and processor.

    A file starts with a digest of all that follows, then a digest of all that the code was made from: so nothing is
    unpickled that was damaged, was made by other versions or sources, or belongs to another signature. It is written
    beside its place and moved there, so that several processes may compile at once.
    """

    def __init__(self, function: Any, source: Path, folder: Path) -> None:
        self._name = f"{source.stem}.{function.__qualname__}".replace("<", "").replace(">", "")
        self._code = function.__code__
        self._source = source
        self._folder = folder
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """Folder of the files."""
        return str(self._folder)

    def enable(self) -> None:
        """Read and write files again."""
        self._enabled = True

    def disable(self) -> None:
        """Neither read nor write files."""
        self._enabled = False

    def flush(self) -> None:
        """Remove the files of this function."""
        for path in self._folder.glob(f"{self._name}.*.nbc"):
            path.unlink(missing_ok=True)

    def holds(self, signature: Any, target_context: Any) -> bool:
        """Whether a file is there for a signature, of the same sources and versions."""
        path, origin = self._place(signature, target_context.codegen())
        try:
            with path.open("rb") as file:
                return file.read(2 * _DIGEST)[_DIGEST:] == origin
        except OSError:
            return False

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The compiled function for a signature; None where it is not kept, or not as it was written."""
        target_context.refresh()
        if not self._enabled:
            return None
        try:
            path, origin = self._place(signature, target_context.codegen())
            content = path.read_bytes()
            if content[:_DIGEST] != hashlib.sha256(content[_DIGEST:]).digest():
                return None
            if content[_DIGEST : 2 * _DIGEST] != origin:
                return None
            return CompileResult._rebuild(target_context, *pickle.loads(content[2 * _DIGEST :]))
        except Exception:  # whatever it is, the kernel can be compiled again
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a compiled function; where that fails it stays in memory alone."""
        if not self._enabled or compiled.library.has_dynamic_globals:
            return
        with contextlib.suppress(Exception):  # a full disk, a folder that went read-only
            path, origin = self._place(signature, compiled.codegen)
            content = origin + dumps(compiled._reduce())
            beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}.tmp")
            try:
                beside.write_bytes(hashlib.sha256(content).digest() + content)
                os.replace(beside, path)
            finally:
                beside.unlink(missing_ok=True)

    def _place(self, signature: Any, codegen: Any) -> tuple[Path, bytes]:
        """File of a signature on this processor, and the digest of what its code is made from."""
        made_for = (str(signature), codegen.magic_tuple(), sys.implementation.cache_tag)
        made_from = (numba.__version__, _stamp(self._source), self._code.co_firstlineno, self._code.co_code)
        name = hashlib.sha256(repr(made_for).encode()).hexdigest()[:16]
        origin = hashlib.sha256(repr((self._name, made_for, made_from)).encode()).digest()
        return self._folder / f"{self._name}.{name}.nbc", origin


@cache
def _stamp(source: Path) -> bytes:
    """Digest of the sources that a kernel of `source` may be compiled from.

    Kernels of this package call each other, and code of one stands in the compiled code of another.
    """
    files = sorted(_PACKAGE.rglob("_*_kernels.py")) if _PACKAGE in source.parents else [source]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()
