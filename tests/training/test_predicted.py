"""The folder of a prediction: what is replaced, what is refused, and what a killed one leaves."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.io.masks.png import encode_mask
from pointlabel.training.predicted import COLUMNS, PredictionFolder
from pointlabel.training.run import LABELS, RUN, remove_run

DATA = encode_mask(np.eye(20, dtype=bool))
KINDS = ("masks", "soft")


def predict(
    place: Path, ids: str = "ab", kinds: tuple[str, ...] = KINDS, overwrite: bool = False, ends: bool = True
) -> None:
    folder = PredictionFolder(str(place), list(ids), kinds, overwrite)
    for name in ids:
        for kind in kinds:
            folder.write(kind, name, DATA)
    if ends:
        folder.end([{**dict.fromkeys(COLUMNS, -1), "image": "=a"}])


def names(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*.*"))


def test_overwrite_leaves_no_file_of_the_earlier_prediction(tmp_path):
    predict(tmp_path)
    with pytest.raises(InputError, match="holds predictions already; `overwrite` replaces them"):
        predict(tmp_path)
    predict(tmp_path, "bc", ("masks",), overwrite=True)
    assert names(tmp_path) == ["detections.csv", "masks/b.png", "masks/c.png", "predict.json"]


def test_one_that_did_not_end_is_gone_over(tmp_path):
    predict(tmp_path, "abc", ends=False)
    assert not (tmp_path / "detections.csv").exists()
    predict(tmp_path, "b")
    assert names(tmp_path) == ["detections.csv", "masks/b.png", "predict.json", "soft/b.png"]


@pytest.mark.parametrize("path", ["masks/a.png", "detections.csv"])
def test_what_somebody_changed_is_never_replaced(tmp_path, path):
    predict(tmp_path)
    if path.endswith("csv"):
        (tmp_path / path).write_text((tmp_path / path).read_text() + "b,1,1,1,1,1,1,1,1,1\n")
    else:
        Image.new("L", (20, 20), 255).save(tmp_path / path)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(InputError, match=rf"{path}: .*would be replaced; move it away"):
        predict(tmp_path, "b", overwrite=True)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_no_record_is_believed(tmp_path):
    out = tmp_path / "out"
    predict(out)
    (tmp_path / "precious.png").write_bytes(DATA)
    record = json.loads((out / "predict.json").read_text())
    changes = ({"images": ["../../precious", 5]}, {"kinds": ["..", "."], "images": ["../precious"]}, {"images": 3})
    for change in changes:
        (out / "predict.json").write_text(json.dumps(record | change))
        predict(out, overwrite=True)
        assert (tmp_path / "precious.png").exists()
    (out / "predict.json").write_text("[" * 100_000)
    predict(out, overwrite=True)


def test_cells_that_begin_like_a_formula_are_made_harmless(tmp_path):
    predict(tmp_path)
    with open(tmp_path / "detections.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["image"], row["x"]) == ("'=a", "-1")


def test_a_run_of_annotate_is_not_mixed_with_it(tmp_path):
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="holds a run of annotate; choose another folder"):
        predict(tmp_path, overwrite=True)


def test_overwrite_leaves_files_of_others_among_the_labels(tmp_path):
    labels = tmp_path / LABELS / "data"
    labels.mkdir(parents=True)
    (tmp_path / RUN).write_text("{}")
    (labels / "ours.png").write_bytes(encode_mask(np.eye(9, dtype=bool)))
    (labels / "notes.txt").write_text("of a person")
    remove_run(str(tmp_path))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["notes.txt"]
