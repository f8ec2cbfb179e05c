"""A folder by the backend torch: from the library and from the command line, stopped and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.engine.torch import devices
from pointlabel.folder import RunSettings, RunSummary, annotate_folder, batched, close
from pointlabel.folder.job import Ended
from pointlabel.io.points.images import point_image
from pointlabel.labeling import Labeller
from pointlabel.synthetic import draw_scene


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five scenes, one in a sub-folder, one without points; the folder is the current one."""
    for number, name in enumerate(("a", "b", "c", "d", "s/e")):
        scene = draw_scene(seed=number, shape=(64, 80 + number), n_targets=2)
        points = [(row, column) for row, column in scene.points] if name != "c" else []
        for kind in ("images", "points"):
            (tmp_path / kind / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(tmp_path / f"images/{name}.png")
        point_image(points, scene.image.shape).save(tmp_path / f"points/{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(out: str, **options: Any) -> RunSummary:
    outputs = ("instances", *(["overlay"] if options.pop("overlay", False) else []))
    own = {name: options.pop(name) for name in tuple(options) if name in RunSettings.__dataclass_fields__}
    settings = RunSettings(**{"backend": "torch", "outputs": outputs, **own})
    return annotate_folder("images", "points", out, settings, **options)


def command(*more: str) -> Result:
    return CliRunner().invoke(main, ["annotate", "images", "-p", "points", "-o", "out", *more])


def lines_of(out: str) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in map(json.loads, Path(out, "manifest.jsonl").read_text().splitlines())}


def pictures(out: str, kind: str) -> dict[str, bytes]:
    root = Path(out, kind)
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.png"))}


def test_masks_are_those_of_numba(folder):
    run("one", backend="numba")
    summary = run("two")
    assert (summary.n_images, summary.n_ok, summary.n_targets) == (5, 5, 8)
    for kind in ("masks", "instances"):
        assert pictures("one", kind) == pictures("two", kind)
        assert len(pictures("two", kind)) == 5
    one, two = lines_of("one"), lines_of("two")
    assert list(one) == list(two)
    for name, line in two.items():
        assert line.pop("backend") == "torch"
        assert set(line) == set(one[name])
        assert line["ms"] > 0
        for ours, theirs in zip(line["targets"], one[name]["targets"], strict=True):
            assert [ours[k] for k in ("x", "y", "area", "flags")] == [theirs[k] for k in ("x", "y", "area", "flags")]
            assert ours["quality"] == pytest.approx(theirs["quality"], abs=1e-4)


@pytest.mark.parametrize("options", [{"jobs": 3}, {"overlay": True}], ids=["threads", "overlay"])
def test_small_batches_and_threads_do_not_change_the_masks(folder, monkeypatch, options):
    run("one")
    monkeypatch.setitem(batched.TARGETS, "cpu", 3)
    run("two", **options)
    assert pictures("one", "masks") == pictures("two", "masks")
    assert list(lines_of("one")) == list(lines_of("two"))


def test_memory_is_bounded_by_pixels(folder, monkeypatch):
    monkeypatch.setattr(batched, "PIXELS", 2 * 64 * 80)
    sizes: list[int] = []
    label = batched.label_together

    def watched(batch: Any, context: Any) -> Any:
        sizes.append(len(batch))
        return label(batch, context)

    monkeypatch.setattr(batched, "label_together", watched)
    run("out")
    assert sizes == [2, 2, 1]


def test_resume_does_what_is_missing(folder):
    run("out")
    whole = pictures("out", "masks")
    Path("out/masks/b.png").unlink()
    Path("out/masks/s/e.png").unlink()
    summary = run("out", mode="resume")
    assert (summary.n_ok, summary.n_skipped) == (2, 3)
    assert pictures("out", "masks") == whole


def test_one_image_that_fails_leaves_the_others_alone(folder, monkeypatch):
    Path("images/b.png").write_bytes(b"no picture")
    calls: list[int] = []
    many: Callable[..., Any] = Labeller.label_many

    def fails_together(labeller: Labeller, items: Iterable[Any]) -> Any:
        images = list(items)
        calls.append(len(images))
        if len(images) > 1:
            raise RuntimeError("out of memory")
        return many(labeller, images)

    monkeypatch.setattr(Labeller, "label_many", fails_together)
    summary = run("out")
    assert calls == [4, 1, 1, 1, 1]
    assert (summary.n_ok, summary.n_errors) == (4, 1)
    monkeypatch.setattr(Labeller, "label_many", many)
    run("again")
    assert pictures("out", "masks") == pictures("again", "masks")
    assert "b.png" in lines_of("out")["b"]["error"]


def test_no_file_is_left_of_images_that_were_ahead(folder, monkeypatch):
    Path("images/b.png").write_bytes(b"no picture")
    monkeypatch.setattr(close, "SYNC_IMAGES", 1)
    assert run("stopped", jobs=3, on_error="stop").stopped
    assert sorted(pictures("stopped", "masks")) == ["a.png"]

    def write(made: Any, context: Any) -> Any:
        if isinstance(made, Ended):
            raise KeyboardInterrupt
        return close.write_job(made, context)

    monkeypatch.setattr(batched, "write_job", write)
    with pytest.raises(KeyboardInterrupt):
        run("interrupted", jobs=3)
    for out in ("stopped", "interrupted"):
        assert list(lines_of(out)) == (["a", "b"] if out == "stopped" else ["a"])
        assert not [path for path in Path(out).rglob(".pointlabel-*") if path.suffix == ".tmp"]


def test_a_table_may_give_each_point_a_tightness_and_a_polarity(folder):
    Path("points.csv").write_text("image,x,y,tightness,polarity\na,30,30,0.1,dark\na,50,20,,\nb,30,30,0.9,\n")
    for backend in ("numba", "torch"):
        annotate_folder("images", "points.csv", backend, RunSettings(tightness=0.4, backend=backend))
    assert pictures("numba", "masks") == pictures("torch", "masks")


def test_the_command_and_its_options(folder):
    result = command("--backend", "torch", "--device", "cpu", "--refine", "crf", "--polarity", "auto")
    assert result.exit_code == 0, result.output
    assert {line["backend"] for line in lines_of("out").values()} == {"torch"}
    masks = pictures("out", "masks")
    assert command("--refine", "crf", "--polarity", "auto", "--overwrite").exit_code == 0
    assert pictures("out", "masks") == masks
    assert all("backend" not in line for line in lines_of("out").values())
    Path("c.toml").write_text("backend = 'torch'\n")
    assert command("--config", "c.toml", "--overwrite").exit_code == 0
    assert lines_of("out")["a"]["backend"] == "torch"


def test_runs_of_another_backend_are_not_resumed(folder):
    assert command("--backend", "torch").exit_code == 0
    result = command("--resume")
    assert result.exit_code == 2
    assert "holds a run with backend torch, this one has backend numba" in " ".join(result.stderr.split())
    assert command("--resume", "--backend", "torch").exit_code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--backend", "torch", "--method", "threshold"], "by the method default alone, got method threshold"),
        (["--device", "cuda"], "backend numba works on the cpu alone, got device 'cuda'"),
        (["--backend", "torch", "--device", "gpu"], "device must be cpu, cuda or cuda:N, got 'gpu'"),
        (["--backend", "torch", "--device", "cuda"], "torch finds no CUDA device on this machine"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(folder, monkeypatch, words, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = command(*words)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not Path("out").exists()


def test_without_torch_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    result = command("--backend", "torch")
    assert result.exit_code == 1
    assert "pip install 'pointlabel[train]'" in " ".join(result.stderr.split())
    assert not Path("out").exists()


def test_real_files(data, tmp_path):
    root = data / "NUDT-SIRST"
    names = sorted(path.name for path in (root / "images").glob("*.png"))[:20]
    (tmp_path / "images").mkdir()
    for name in names:
        (tmp_path / "images" / name).write_bytes((root / "images" / name).read_bytes())
    for backend in ("numba", "torch"):
        words = [
            "annotate",
            str(tmp_path / "images"),
            "-p",
            str(root / "masks_centroid"),
            "-o",
            str(tmp_path / backend),
        ]
        result = CliRunner().invoke(main, [*words, "--backend", backend])
        assert result.exit_code == 0, result.output
    one, two = (
        np.concatenate([np.asarray(Image.open(tmp_path / b / "masks" / n)).ravel() > 0 for n in names])
        for b in ("numba", "torch")
    )
    assert (one & two).sum() >= 0.999 * (one | two).sum() > 0
