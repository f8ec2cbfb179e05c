"""The recipes of docs/scale.md run, with stand-ins for what starts them on a cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pointlabel.io.manifest import read_manifest

PAGE = (Path(__file__).parents[2] / "docs/scale.md").read_text(encoding="utf-8")


def recipe(title: str, language: str) -> str:
    """The first block of a section."""
    section = PAGE.partition(f"\n## {title}\n")[2]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, title
    return found[1]


@pytest.fixture
def place(tmp_path: Path, draw_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data set, where the commands of the recipes are found; settings that are quick."""
    draw_dataset("data", 3)
    (tmp_path / "bin").mkdir()
    program = f'"{sys.executable}" -m pointlabel -q "$@" --method threshold'
    for name, words in (("pointlabel", program), ("srun", '"$@"')):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\nexec {words}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def merge_and_check(place: Path) -> None:
    subprocess.run([sys.executable, "-m", "pointlabel", "-q", "merge", "out"], cwd=place, check=True)
    assert [record["id"] for record in read_manifest(str(place / "out/manifest.jsonl"))] == ["0", "1", "2"]
    assert sorted(path.name for path in (place / "out").iterdir()) == ["manifest.jsonl", "masks"]


def test_the_array_job_of_slurm(place):
    script = recipe("Slurm", "bash")
    assert "--array=1-8" in script
    for task in ("1", "2", "2"):  # the second was put into the queue again
        slurm = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
        subprocess.run(["bash", "-c", script], check=True, env={**os.environ, **slurm})
    merge_and_check(place)


def test_the_indexed_job_of_kubernetes(place):
    job = yaml.safe_load(recipe("Kubernetes", "yaml"))["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert f'/{job["completions"]}"' in container["args"][0]
    script = container["args"][0].replace(f'/{job["completions"]}"', '/2"')
    for index in ("0", "1"):
        subprocess.run([*container["command"], script], check=True, env={**os.environ, "JOB_COMPLETION_INDEX": index})
    merge_and_check(place)
