"""Tables of Parquet: all that a target has comes back, other readers understand them, and damage is one sentence."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pointlabel.cli.main import main
from pointlabel.errors import InputError, MissingExtraError
from pointlabel.folder import RunSettings, annotate_folder
from pointlabel.io.exchange import parquet
from pointlabel.io.exchange.base import ImageMasks, Images
from pointlabel.io.exchange.convert import convert, export
from pointlabel.io.exchange.ledger import ExportFolder
from pointlabel.io.exchange.table import FORMATS
from pointlabel.io.manifest import LEDGER_NAME
from pointlabel.shards import merge_shards
from pointlabel.types import FLAGS
from tests.io.exchange.drawn import CASES, facts, masks_from, sets_of_masks

arrow = pytest.importorskip("pyarrow")
tables = pytest.importorskip("pyarrow.parquet")

ALL = sorted((masks_from(numbers, name) for name, numbers in CASES.items()), key=lambda image: image.id)


def write(images: Sequence[ImageMasks], folder: Path) -> None:
    export(images, ExportFolder(str(folder)), FORMATS["parquet"])


def read(place: Path) -> list[ImageMasks]:
    return list(parquet.read_parquet(str(place), Images(), 127))


def values(images: Sequence[ImageMasks]) -> list[list[Any]]:
    """What `facts` leaves out."""
    keys = ("point", "quality", "presence", "flags")
    return [[image.file, *([getattr(each, key) for key in keys] for each in image.targets)] for image in images]


@pytest.mark.parametrize("n_rows", [1, 2, 1 << 17])
@given(images=sets_of_masks(), data=st.data())
@examples(max_examples=30)
def test_everything_comes_back_in_any_number_of_files(n_rows, images, data):
    rates = st.none() | st.floats(0, 1)
    numbers = st.floats(-1e6, 1e6)
    drawn = [
        replace(
            image,
            targets=tuple(
                replace(
                    target,
                    point=data.draw(st.none() | st.tuples(numbers, numbers)),
                    score=data.draw(rates),
                    quality=data.draw(rates),
                    presence=data.draw(rates),
                    flags=tuple(data.draw(st.sets(st.sampled_from(sorted(FLAGS))))),
                )
                for target in image.targets
            ),
        )
        for image in sorted(images, key=lambda image: image.id)
    ]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS", n_rows)
        patch.setattr(parquet, "_BATCH", min(n_rows, 4096))
        write(drawn, Path(folder))
        again = read(Path(folder))
        n_files = len(list(Path(folder).glob("targets-*.parquet")))
        assert n_files == max(1, -(-sum(len(image.targets) for image in drawn) // n_rows))
    assert facts(again) == facts(drawn)
    assert values(again) == values(drawn)


def test_other_readers_understand_the_rows(tmp_path):
    coco = pytest.importorskip("pycocotools.mask")
    write(ALL, tmp_path)
    rows = tables.read_table(tmp_path / "targets-00000.parquet").to_pylist()
    targets = [(image, number, target) for image in ALL for number, target in enumerate(image.targets, start=1)]
    assert len(rows) == len(targets)
    for row, (image, number, target) in zip(rows, targets, strict=True):
        size = [row["height"], row["width"]]
        mask = coco.decode({"size": size, "counts": row["rle"]}).astype(bool)
        full = np.zeros(image.shape, bool)
        full[target.window] = target.mask
        assert mask.tolist() == full.tolist()
        assert (row["image_id"], row["number"], row["area"]) == (image.id, number, target.area)
    counts = {
        row["image_id"]: row["n_targets"] for row in tables.read_table(tmp_path / "images-00000.parquet").to_pylist()
    }
    assert counts == {image.id: len(image.targets) for image in ALL}


def test_rows_that_somebody_left_out_are_targets_less(tmp_path):
    write(ALL, tmp_path)
    path = tmp_path / "targets-00000.parquet"
    table = tables.read_table(path)
    keep = [row["number"] != 1 and row["image_id"] != "touching" for row in table.to_pylist()]
    tables.write_table(table.filter(arrow.array(keep)), path)
    expected = {image.id: len(image.targets[1:]) if image.id != "touching" else 0 for image in ALL}
    assert {image.id: len(image.targets) for image in read(tmp_path)} == expected
    alone = {image.id: len(image.targets) for image in read(path)}
    assert alone == {name: n for name, n in expected.items() if n}


def test_what_is_no_such_table_is_one_sentence(tmp_path):
    write(ALL, tmp_path)
    path = tmp_path / "targets-00000.parquet"
    whole = path.read_bytes()
    table = tables.read_table(path)

    def change(**columns: Any) -> Any:
        changed = table
        for name, value in columns.items():
            at = changed.schema.get_field_index(name)
            changed = changed.set_column(at, name, arrow.array([value, *changed[name].to_pylist()[1:]]))
        return changed

    swapped = table.take([*range(5, table.num_rows), *range(5)])
    for made, expected in (
        (table.drop_columns(["rle"]), r"no table of targets: it has no column rle"),
        (change(rle="0"), "row 1: run lengths that do not fill"),
        (change(rle=None), "row 1: segmentation must be run lengths"),
        (change(height=0), "row 1: an image of width .* and height 0 cannot be read"),
        (change(row=float("nan")), "row 1: row and col must be finite numbers"),
        (change(image_id="../x"), r"has a part that is empty|targets of .* are not where the order"),
        (swapped, "targets of .* are not where the order of the images has them"),
    ):
        tables.write_table(made, path)
        with pytest.raises(InputError, match=expected):
            read(tmp_path)
    for data in (b"", b"PAR1", whole[:-100], whole[:200] + whole[-200:], whole[:40] + b"\0" * 60 + whole[100:]):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"targets-00000.parquet"):
            read(tmp_path)


def test_a_run_and_its_shards_write_them_and_they_become_masks_again(tmp_path, draw_dataset):
    data = draw_dataset(n_images=3)
    settings = RunSettings("threshold", outputs=("parquet", "instances"))
    given = (data / "images", data / "masks_centroid")
    annotate_folder(*given, tmp_path / "out", settings)
    for number in (1, 2):
        annotate_folder(*given, tmp_path / "shards", settings, shard=f"{number}/2")
    merge_shards(tmp_path / "shards")
    for place in ("out", "shards"):
        done = CliRunner().invoke(
            main, ["convert", f"{tmp_path}/{place}/parquet", "-o", f"{tmp_path}/{place}2", "--to", "instances"]
        )
        assert done.exit_code == 0, done.output
        convert(tmp_path / place, tmp_path / f"{place}3", "coco")
        convert(tmp_path / place / "parquet", tmp_path / f"{place}4", "coco")
        for one, other in ((f"{place}/instances", f"{place}2"), (f"{place}3", f"{place}4")):
            assert files(tmp_path / one) == files(tmp_path / other)
    assert files(tmp_path / "out/parquet") == files(tmp_path / "shards/parquet")
    row = tables.read_table(tmp_path / "out/parquet/targets-00000.parquet").to_pylist()[0]
    assert (row["quality"] is not None, row["row"] is not None, row["flags"] is not None) == (True, True, True)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != LEDGER_NAME}


def test_without_pyarrow_nothing_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"parquet needs pyarrow: pip install 'pointlabel\[parquet\]'"):
        RunSettings(outputs=("parquet",))
    with pytest.raises(MissingExtraError, match="parquet needs pyarrow"):
        write(ALL, tmp_path)
