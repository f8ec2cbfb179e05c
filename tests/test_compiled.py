"""Compiled kernels: kept where that is possible, made again where a file is damaged or stale, never an error."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numba.core.config
import pytest

from pointlabel import compiled
from pointlabel import kernel_cache as cache
from pointlabel.kernel_cache import kernel_folder, kernel_note

SOURCE = "from pointlabel.compiled import kernel\n\n@kernel\ndef twice(x):\n    return 2 * x\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with a kernel, whose compiled code is kept beside it, and no bytecode: that is stale within a second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", "")
    path = tmp_path / "source/doubling.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return path


def load(path: Path) -> ModuleType:
    """Import the module anew, as another process would."""
    compiled._stamp.cache_clear()
    spec = spec_from_file_location("doubling", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hits(module: ModuleType) -> int:
    return sum(module.twice.stats.cache_hits.values())


def kept(path: Path) -> list[Path]:
    return sorted(path.parent.glob("__pycache__/*.nbc"))


def test_a_kernel_is_compiled_once_for_each_signature(source):
    first = load(source)
    assert (first.twice(3), first.twice(1.5)) == (6, 3.0)
    assert len(kept(source)) == 2
    assert not list(source.parent.glob("__pycache__/*.tmp"))
    again = load(source)
    assert (again.twice(3), again.twice(1.5)) == (6, 3.0)
    assert hits(again) == 2


DAMAGE = {
    "empty": lambda content: b"",
    "short": lambda content: content[:50],
    "truncated": lambda content: content[: len(content) // 2],
    "garbage": lambda content: bytes(range(256)) * 20,
    "one bit": lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_replaced(source, damage):
    load(source).twice(3)
    (path,) = kept(source)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    mended = load(source)
    assert mended.twice(3) == 6
    assert hits(mended) == 0
    again = load(source)
    assert again.twice(3) == 6
    assert hits(again) == 1


def test_a_file_of_another_signature_or_version_is_not_taken(source, monkeypatch):
    first = load(source)
    first.twice(3)
    (of_whole,) = kept(source)
    first.twice(1.5)
    (of_real,) = set(kept(source)) - {of_whole}
    of_real.write_bytes(of_whole.read_bytes())
    assert load(source).twice(1.5) == 3.0
    monkeypatch.setattr("numba.__version__", "0.0")
    other = load(source)
    assert other.twice(3) == 6
    assert hits(other) == 0


def test_a_changed_source_is_compiled_anew_in_the_same_file(source):
    load(source).twice(3)
    source.write_text(SOURCE.replace("2 * x", "3 * x"))
    assert load(source).twice(3) == 9
    assert len(kept(source)) == 1


def test_kernels_of_the_package_are_stale_when_any_of_them_changes():
    # Code of one kernel stands in the compiled code of those that call it.
    files = {compiled._stamp(path) for path in Path(compiled.__file__).parent.rglob("_*_kernels.py")}
    assert len(files) == 1


def test_a_full_disk_costs_the_file_alone(source, monkeypatch):
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert load(source).twice(3) == 6
    assert not list(source.parent.glob("__pycache__/*"))


def test_several_processes_may_compile_at_once(source, monkeypatch):
    monkeypatch.syspath_prepend(source.parent)  # what they keep names the module that it belongs to
    command = "import doubling; assert doubling.twice(3) == 6"
    paths = os.pathsep.join([str(source.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": ""}
    running = [subprocess.Popen([sys.executable, "-B", "-c", command], env=environment) for _ in range(3)]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    assert len(kept(source)) == 1
    again = load(source)
    assert again.twice(3) == 6
    assert hits(again) == 1


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that nobody can make: a file stands in its way. The user's cache and temporary files are there too."""
    (tmp_path / "file").touch()
    path = tmp_path / "file/folder"
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def test_each_place_is_tried_in_turn(tmp_path, nowhere, monkeypatch):
    assert kernel_folder(nowhere / "a") is None
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    temporary = kernel_folder(nowhere / "b")
    assert temporary is not None
    assert temporary.parent.parent == tmp_path
    assert stat.S_IMODE(temporary.parent.stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert (tmp_path / "home/numba") in (kernel_folder(nowhere / "c") or Path()).parents
    beside = tmp_path / "source"
    assert kernel_folder(beside) == beside / "__pycache__"
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path / "chosen"))
    assert (kernel_folder(nowhere / "d") or Path()).parent == tmp_path / "chosen"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders have owners on other systems")
def test_a_temporary_folder_that_others_can_write_is_not_taken(tmp_path, nowhere, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    theirs = tmp_path / f"pointlabel-kernels-{os.getuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    assert kernel_folder(nowhere / "a") is None
    theirs.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    theirs.symlink_to(tmp_path / "elsewhere")
    assert kernel_folder(nowhere / "b") is None
    theirs.unlink()
    theirs.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert kernel_folder(nowhere / "c") is None


def test_without_any_folder_kernels_work_and_the_note_says_what_to_set(source, nowhere, monkeypatch):
    monkeypatch.setattr(compiled, "kernel_folder", lambda _: None)
    assert load(source).twice(3) == 6
    monkeypatch.setattr(cache, "kernel_folder", lambda _: None)
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in kernel_note()
