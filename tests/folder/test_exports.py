"""Formats of other tools that a run writes: resumed, removed by another run, never over foreign files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.folder import RunSettings, RunSummary, annotate_folder
from pointlabel.io.exchange import ledger
from pointlabel.io.exchange.base import Images
from pointlabel.io.exchange.run import read_run
from pointlabel.io.exchange.table import FORMATS, file_in
from pointlabel.io.files import write_whole
from pointlabel.io.masks.read import read_grey_mask
from pointlabel.io.seal import state_of_bytes
from pointlabel.io.writers import EXPORTS

EVERY = ("instances", "npz", *EXPORTS)


def run(root: Path, mode: str = "new", outputs: tuple[str, ...] = EVERY, **options: Any) -> RunSummary:
    settings = RunSettings(method="threshold", outputs=outputs)
    return annotate_folder(root / "images", root / "points", root / "out", settings, mode=mode, **options)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_format_holds_the_masks_of_the_run(small, jobs):
    run(small, jobs=jobs)
    for name in EXPORTS:
        form = FORMATS[name]
        assert form.read is not None
        folder = small / "out" / name
        found = {each.id: each for each in form.read(file_in(str(folder), form), Images(small / "images"), 127)}
        assert set(found) == {f"{'s/' if k % 3 == 2 else ''}t{k}" for k in range(7)}
        for image in found.values():
            numbers = read_grey_mask(small / f"out/instances/{image.id}.png").levels
            if name == "yolo":
                assert len(image.targets) == len(set(numbers[numbers > 0].tolist()))
            else:
                assert (image.instances() == numbers).all(), name


def test_the_manifest_alone_gives_the_masks_back(small):
    run(small, outputs=("rle",))
    images = list(read_run(str(small / "out"), Images(), 127))
    assert len(images) == 7
    for image in images:
        assert (image.mask() == (read_grey_mask(small / f"out/masks/{image.id}.png").levels > 0)).all()
        assert all(target.point is not None and target.score is not None for target in image.targets)
    run(small, "overwrite", outputs=())
    assert "rle" not in (small / "out/manifest.jsonl").read_text()
    without = list(read_run(str(small / "out"), Images(), 127))
    assert [image.mask().tolist() for image in without] == [image.mask().tolist() for image in images]


def test_a_resumed_run_ends_with_the_same_files(small, files_of):
    run(small)
    whole = files_of(small / "out")
    lines = (small / "out/manifest.jsonl").read_text().splitlines(keepends=True)
    (small / "out/manifest.jsonl").write_text("".join(lines[:3]))
    for path in (small / "out/yolo/labels/train").glob("*.txt"):
        path.unlink()
    (small / "out/coco/instances.json").unlink()
    summary = run(small, "resume")
    assert (summary.n_skipped, summary.n_ok) == (3, 4)
    assert files_of(small / "out") == whole


def test_a_run_that_dies_while_it_writes_them_goes_on(small, files_of, monkeypatch):
    run(small)
    whole = files_of(small / "out")
    run(small, "overwrite", outputs=("overlay",))
    for number in (1, 4, 9, 20):
        with monkeypatch.context() as patch:
            left = iter([None] * number)

            def write(path: str, data: bytes, left: Any = left) -> None:
                if next(left, 0) == 0:
                    raise KeyboardInterrupt
                write_whole(path, data)

            patch.setattr(ledger, "write_whole", write)
            with pytest.raises(KeyboardInterrupt):
                run(small, "overwrite")
        run(small, "resume")
        assert files_of(small / "out") == whole


def test_overwrite_removes_the_exports_of_the_earlier_run(small):
    run(small)
    (small / "out/yolo/mine.txt").write_text("mine")
    run(small, "overwrite", outputs=("coco",))
    assert sorted(path.name for path in (small / "out").iterdir()) == ["coco", "manifest.jsonl", "masks", "yolo"]
    assert [path.name for path in (small / "out/yolo").rglob("*")] == ["mine.txt"]


def test_an_image_that_is_gone_leaves_no_label(small):
    run(small, outputs=("yolo",))
    (small / "images/t0.png").unlink()
    (small / "points/t0.png").unlink()
    run(small, "overwrite", outputs=("yolo",))
    assert not (small / "out/yolo/labels/train/t0.txt").exists()
    assert (small / "out/yolo/labels/train/t1.txt").exists()


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
@pytest.mark.parametrize("place", ["coco/instances.json", "labelme/s/t2.json", "npz/t1.npz"])
def test_a_foreign_file_stops_a_run_before_anything_is_written(small, place, mode, files_of):
    if mode != "new":
        run(small)
    (small / "out" / place).parent.mkdir(parents=True, exist_ok=True)
    (small / "out" / place).write_text("mine")
    before = files_of(small / "out")
    if place.startswith("npz") and mode == "resume":
        run(small, mode)  # a file that somebody changed is kept
    else:
        with pytest.raises(InputError, match=f"{place}: .*, and would be replaced; move it away"):
            run(small, mode)
    assert files_of(small / "out") == before


def test_exports_without_a_manifest_are_not_replaced_by_a_new_run(small):
    run(small, outputs=("coco",))
    for path in (small / "out/manifest.jsonl", *(small / "out/masks").rglob("*.png")):
        path.unlink()
    with pytest.raises(InputError, match="coco: written by an earlier run that left no manifest here"):
        run(small, outputs=("coco",))
    assert run(small, "resume", outputs=("coco",)).n_ok == 7


def test_a_link_in_the_place_of_an_export_is_refused(small):
    (small / "elsewhere").mkdir()
    (small / "out").mkdir()
    (small / "out/coco").symlink_to(small / "elsewhere")
    with pytest.raises(InputError, match="coco is a link to"):
        run(small, outputs=("coco",))
    assert not list((small / "elsewhere").iterdir())


def test_labels_of_the_points_are_the_categories(small):
    (small / "p.csv").write_text("image,x,y,label\nt0.png,10,10,drone\nt0.png,30,30,\nt1.png,5,5,bird\n")
    arguments = [f"{small}/images", "-p", f"{small}/p.csv", "-o", f"{small}/out", "--method", "threshold"]
    done = CliRunner().invoke(main, ["annotate", *arguments, "--format", "coco, png"])
    assert done.exit_code == 0, done.output
    data = json.loads((small / "out/coco/instances.json").read_text())
    names = {each["id"]: each["name"] for each in data["categories"]}
    assert [names[each["category_id"]] for each in data["annotations"]] == ["drone", "target", "bird"]
    (small / "o.toml").write_text('format = "yolo,npz"')
    again = CliRunner().invoke(main, ["annotate", *arguments, "--overwrite", "--config", f"{small}/o.toml"])
    assert again.exit_code == 0, again.output
    assert sorted(path.name for path in (small / "out").iterdir()) == ["manifest.jsonl", "masks", "npz", "yolo"]
    wrong = CliRunner().invoke(main, ["annotate", *arguments, "--overwrite", "--format", "coco,yolov8"])
    assert wrong.exit_code == 2
    assert "there is no format 'yolov8'; did you mean yolo?" in wrong.output


def test_every_cut_of_an_archive_is_told_from_one_that_a_person_changed(small):
    import io

    import numpy as np

    run(small, outputs=("npz",))
    whole = (small / "out/npz/t0.npz").read_bytes()
    assert state_of_bytes(whole) == "ours"
    assert {state_of_bytes(whole[:end]) for end in range(0, len(whole), 7)} == {"free", "damaged"}
    assert {state_of_bytes(whole[:end]) for end in range(60)} == {"free", "damaged"}
    with np.load(io.BytesIO(whole), allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays.files if name in ("prob", "points")} == {
            "prob": "f",
            "points": "f",
        }
        assert (arrays["prob"].dtype, arrays["points"].shape) == (np.float16, (2, 2))
        buffer = io.BytesIO()
        np.savez(buffer, **dict(arrays))
    assert state_of_bytes(buffer.getvalue()) == "changed"
    buffer = io.BytesIO()
    np.savez(buffer, prob=np.zeros((3, 3)))
    assert state_of_bytes(buffer.getvalue()) == "foreign"
