"""Kernels compiled ahead: those that a run needs, by several processes, and none where nothing is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pointlabel import annotate
from pointlabel.engine.default import ahead
from pointlabel.synthetic import draw_scene

COUNT = """
import json
from numba.core import event
from pointlabel import annotate
from pointlabel.engine.default.ahead import compile_ahead, missing_kernels
from pointlabel.synthetic import draw_scene

class Listener(event.Listener):
    names = []
    def on_start(self, started):
        self.names.append(started.data["dispatcher"].py_func.__name__)
    def on_end(self, ended):
        pass

before = len(missing_kernels())
compile_ahead(2)
after = len(missing_kernels())
event.register("numba:compile", Listener())
scene = draw_scene(seed=0)
annotate(scene.image, scene.points)
print(json.dumps([before, after, Listener.names]))
"""


def test_the_table_names_what_a_run_calls():
    scene = draw_scene(seed=0)
    annotate(scene.image, scene.points)
    for each in ahead.KERNELS:
        dispatcher, types = ahead._resolve(each)
        # A kernel inside others that were read from the disk was not called by itself.
        assert types in dispatcher.signatures or not dispatcher.signatures, each.kernel
    assert sum(each.share for each in ahead.KERNELS) == pytest.approx(100, abs=5)


def test_nothing_is_done_where_all_is_there_or_nothing_can_be_kept(monkeypatch):
    monkeypatch.setattr(ahead, "_compile", lambda each: pytest.fail(f"compiles {each.kernel}"))
    monkeypatch.setattr(ahead, "missing_kernels", list)
    ahead.compile_ahead()
    monkeypatch.setattr(ahead, "missing_kernels", lambda: list(ahead.KERNELS))
    monkeypatch.setattr(ahead, "kernel_folder", lambda folder: None)
    ahead.compile_ahead()


@pytest.mark.slow
def test_a_run_compiles_little_more_and_other_sources_are_missed(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    words = [sys.executable, "-c", COUNT]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    before, after, compiled = json.loads(done.stdout)
    assert (before, after) == (len(ahead.KERNELS), 0)
    assert set(compiled) <= {"cut_kernel", "_mirrored"}  # one for each depth of images
    kept = next(tmp_path.rglob("*.flood_kernel.*.nbc"))
    content = bytearray(kept.read_bytes())
    content[40] ^= 1  # in the digest of the sources
    kept.write_bytes(content)
    again = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout) == [1, 0, []]
