"""Images through workers of Ray: the bytes of one process, also where a worker is lost; clear sentences without it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.distributed import ray_engine
from pointlabel.distributed.ray_engine import open_ray
from pointlabel.errors import MissingExtraError, OutputError, PointLabelError
from pointlabel.folder import ImageDone, RunSettings, annotate_folder
from pointlabel.folder.job import Job, RunContext
from tests.folder.conftest import read_files, read_lines, write_folder

N_IMAGES = 160


def test_without_ray_it_names_the_extra(monkeypatch):
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"`engine=ray` needs ray: pip install 'pointlabel\[ray\]'"):
        open_ray()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--ray-address", "auto"], "--ray-address is for --engine ray; leave it out"),
        (
            ["--engine", "ray", "--backend", "torch", "--device", "cuda:1"],
            "--engine ray gives each worker a GPU of its own; --device cuda, not cuda:1",
        ),
    ],
)
def test_options_that_do_not_go_together(words, expected, draw_dataset, tmp_path):
    done = CliRunner().invoke(main, ["annotate", str(draw_dataset()), "-o", str(tmp_path / "out"), *words])
    assert done.exit_code == 2
    assert expected in done.output
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, and `one`, the run of one process."""
    root = write_folder(tmp_path_factory.mktemp("ray"), N_IMAGES, n_points=6)
    annotate(root, "one")
    return root


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A cluster of two processors for the tests of this file; its address."""
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    started = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield started.address_info["address"]
    ray.shutdown()


def annotate(root: Path, out: str, **more: Any) -> None:
    settings = RunSettings("threshold", outputs=("soft", "coco"))
    summary = annotate_folder(root / "images", root / "points", root / out, settings, **more)
    assert (summary.n_ok, summary.n_errors) == (N_IMAGES, 0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def workers() -> list[int]:
    """Processes of actors of this file's cluster."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid > 1 and is_ours(parents.get(pid, 0)))

    def says(pid: int) -> bytes:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""

    return sorted(pid for pid in parents if b"ray::_Worker" in says(pid) and is_ours(pid))


@pytest.mark.slow
def test_a_worker_that_is_killed_half_way_changes_nothing(folder, cluster):
    killed: list[int] = []
    n_done = 0

    def kill(event: object) -> None:
        nonlocal n_done
        n_done += isinstance(event, ImageDone)
        if n_done == N_IMAGES // 2 and not killed:
            found = workers()
            assert len(found) == 2
            os.kill(found[0], signal.SIGKILL)
            killed.append(found[0])

    annotate(folder, "out", engine=open_ray(), jobs=2, report=kill)
    assert killed
    assert n_done == N_IMAGES
    assert read_files(folder / "out") == read_files(folder / "one")
    order = [(folder / name / "manifest.jsonl").read_text().splitlines() for name in ("out", "one")]
    assert [line[:40] for line in order[0]] == [line[:40] for line in order[1]]
    assert read_lines(folder / "out") == read_lines(folder / "one")


@pytest.mark.slow
def test_workers_that_label_images_together_leave_the_same_files(folder, cluster):
    pytest.importorskip("torch")
    settings = RunSettings(backend="torch")
    annotate_folder(folder / "images", folder / "points", folder / "torch", settings)
    annotate_folder(folder / "images", folder / "points", folder / "torch-ray", settings, engine=open_ray(), jobs=2)
    assert read_files(folder / "torch-ray") == read_files(folder / "torch")
    assert read_lines(folder / "torch-ray") == read_lines(folder / "torch")


@pytest.mark.slow
def test_images_at_which_workers_die_again_and_again_end_the_run(folder, cluster, monkeypatch):
    class Dying(ray_engine._Worker):
        def do(self, jobs: Sequence[Job]) -> list[ImageDone]:
            os._exit(1)

    monkeypatch.setattr(ray_engine, "_Worker", Dying)
    with pytest.raises(PointLabelError, match=r"3 workers died, .*, at images from s/t101 on; what is done stays"):
        annotate(folder, "dying", engine=open_ray(), jobs=1)


@pytest.mark.slow
def test_what_a_worker_does_not_see_is_one_sentence(folder, cluster, monkeypatch):
    class Blind(ray_engine._Worker):
        def start(self, context: RunContext, folder: str) -> None:
            super().start(context, f"{folder}/gone")

    monkeypatch.setattr(ray_engine, "_Worker", Blind)
    with pytest.raises(OutputError, match=r"gone: the worker on \S+ does not see this folder"):
        annotate(folder, "blind", engine=open_ray(), jobs=2)


@pytest.mark.slow
def test_ctrl_c_records_what_was_done_and_it_can_be_resumed(folder, cluster):
    n_done = 0

    def stop(event: object) -> None:
        nonlocal n_done
        n_done += isinstance(event, ImageDone)
        if n_done == 40:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        annotate(folder, "stopped", engine=open_ray(), jobs=2, report=stop)
    assert 39 <= len(read_lines(folder / "stopped")) < N_IMAGES
    settings = RunSettings("threshold", outputs=("soft", "coco"))
    annotate_folder(folder / "images", folder / "points", folder / "stopped", settings, mode="resume")
    assert read_files(folder / "stopped") == read_files(folder / "one")
    assert read_lines(folder / "stopped") == read_lines(folder / "one")


@pytest.mark.slow
def test_the_recipe_of_the_page_runs(draw_dataset, tmp_path):
    """All its lines, with two nodes on this machine that are ended by signals: `ray stop` would end others as well."""
    pytest.importorskip("ray")
    page = (Path(__file__).parents[2] / "docs/scale.md").read_text(encoding="utf-8")
    found = re.search(r"^```bash\n(export RAY_AUTH_MODE.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found
    export, make_token, head, node, annotate_line = found[1].replace("6379", str(free_port())).splitlines()
    draw_dataset("data", 3)
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    short = tempfile.mkdtemp(prefix="ray")  # sockets below it, whose paths must be short
    environment = {**os.environ, "PATH": binaries, "HOME": str(tmp_path), "HEAD": "127.0.0.1"}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": short}
    environment.pop("RAY_AUTH_MODE", None)

    def command(line: str, more: str = "") -> dict[str, Any]:
        words = ["bash", "-c", f"{export}\nexec {line.partition('#')[0]} {more}"]
        return {"args": words, "cwd": tmp_path, "env": environment, "text": True}

    def run(line: str, more: str = "") -> None:
        done = subprocess.run(**command(line, more), capture_output=True, timeout=200)
        assert done.returncode == 0, done.stderr

    run(make_token)
    assert (tmp_path / ".ray/auth_token").is_file()
    nodes = []
    try:
        for line in (f"{head.partition('#')[0]} --include-dashboard false", node):
            words = command(line, "--num-cpus 1 --block")
            nodes.append(subprocess.Popen(**words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
            said = nodes[-1].stdout
            assert said is not None
            assert any("Ray runtime started" in told for told in said)
        run(annotate_line, "--method threshold")
    finally:
        for each in nodes:
            each.terminate()
        for each in nodes:
            each.communicate(timeout=60)
    assert sorted(line["id"] for line in read_lines(tmp_path / "out")) == ["0", "1", "2"]
