"""A file per run that the tables hold, as a new writer adds it: made, made again, removed, never put over another's."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pointlabel.errors import InputError
from pointlabel.folder import RunSettings, RunSummary, annotate_folder, writers
from pointlabel.folder.events import ImageDone
from pointlabel.folder.job import Job, RunContext
from pointlabel.folder.writers import RunWriter
from pointlabel.io.files import write_whole
from pointlabel.io.writers import RUN_FILES, RunFile


class Counts(RunWriter):
    """Writes the number of targets of each image, and how many images were done just now."""

    def __init__(self, context: RunContext, jobs: Sequence[Job]) -> None:
        super().__init__(context, jobs)
        self.n_new = 0

    def add(self, done: ImageDone) -> None:
        self.n_new += done.record is not None

    def end(self, summary: RunSummary) -> None:
        lines = sorted(f"{record['id']} {len(record['targets'])}" for record in self.records())
        write_whole(self.context.gate.file("counts.txt"), "\n".join([*lines, f"new {self.n_new}"]).encode())


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The output ``counts`` in both tables."""
    monkeypatch.setitem(RUN_FILES, "counts", RunFile("counts", "the number of targets", "counts.txt"))
    monkeypatch.setattr(writers, "RUN_WRITERS", (*writers.RUN_WRITERS, ("counts", Counts)))


def run(root: Path, mode: str = "new", outputs: tuple[str, ...] = ("counts",), **options: Any) -> RunSummary:
    settings = RunSettings(method="threshold", outputs=outputs)
    return annotate_folder(root / "images", root / "points", root / "out", settings, mode=mode, **options)


def lines_of(root: Path) -> list[str]:
    return (root / "out/counts.txt").read_text().splitlines()


WHOLE = sorted(f"{'s/' if number % 3 == 2 else ''}t{number} 2" for number in range(7))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_writes_it_and_another_makes_it_anew(small, jobs):
    run(small, jobs=jobs)
    assert lines_of(small) == [*WHOLE, "new 7"]
    (small / "out/masks/t0.png").unlink()
    run(small, "resume", jobs=jobs)
    assert lines_of(small) == [*WHOLE, "new 1"]
    run(small, "overwrite", jobs=jobs)
    assert lines_of(small) == [*WHOLE, "new 7"]


def test_it_is_written_where_asked_for_alone(small):
    (small / "out/counts.txt").mkdir(parents=True)  # of no concern to a run that does not write it
    run(small, outputs=())
    assert sorted(path.name for path in (small / "out").iterdir()) == ["counts.txt", "manifest.jsonl", "masks"]
    with pytest.raises(InputError, match="holds a run with outputs masks, this one has outputs masks counts"):
        run(small, "resume")


def test_overwrite_removes_that_of_the_earlier_run(small):
    run(small)
    run(small, "overwrite", outputs=())
    assert not (small / "out/counts.txt").exists()


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_a_foreign_file_is_not_replaced(small, mode):
    if mode == "overwrite":
        run(small, outputs=())
    (small / "out").mkdir(exist_ok=True)
    (small / "out/counts.txt").write_text("mine")
    with pytest.raises(InputError, match=r"counts\.txt: not written by this run, and would be replaced; move it away"):
        run(small, mode)
    assert (small / "out/counts.txt").read_text() == "mine"
    assert (small / "out/masks").exists() == (mode == "overwrite")


@pytest.mark.parametrize("outputs", [("counts",), ()])
def test_a_link_in_its_place_stops_a_run_before_anything_is_removed(small, outputs, files_of):
    run(small)
    (small / "mine").write_text("mine")
    (small / "out/counts.txt").unlink()
    (small / "out/counts.txt").symlink_to(small / "mine")
    before = files_of(small / "out")
    with pytest.raises(InputError, match=r"counts\.txt is a link; move it away"):
        run(small, "overwrite", outputs=outputs)
    assert files_of(small / "out") == before


def test_the_command_has_its_option(small):
    spec = find_spec("pointlabel.cli.annotate")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)  # a second one: the options are made of the table when it is loaded
    spec.loader.exec_module(module)
    about = CliRunner().invoke(module.annotate, ["--help"]).output
    assert "Write the number of targets to OUT/counts.txt." in " ".join(about.split())
    common = [f"{small}/images", "-p", f"{small}/points", "-o", f"{small}/out", "--method", "threshold"]
    assert CliRunner().invoke(module.annotate, [*common, "--counts"]).exit_code == 0
    assert lines_of(small) == [*WHOLE, "new 7"]
