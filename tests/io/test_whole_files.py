"""Files are written whole or not at all; masks and manifest lines come back as they were."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pointlabel.errors import OutputError
from pointlabel.io import files
from pointlabel.io.files import FileWrite, remove_temporaries, write_whole
from pointlabel.io.json_lines import encode_line
from pointlabel.io.lock import lock_file
from pointlabel.io.manifest import ManifestWriter, decode_record, read_manifest, tidy_manifest
from pointlabel.io.masks.png import encode_instances, encode_mask, encode_soft
from pointlabel.io.outdir import name_error
from pointlabel.io.seal import state_of


def test_writing_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.bin"
    write_whole(str(path), b"one")
    write_whole(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["b.bin"]


def test_a_folder_removed_in_between_is_made_again(tmp_path):
    path = tmp_path / "a" / "b.bin"
    write_whole(str(path), b"one")
    path.unlink()
    path.parent.rmdir()
    write_whole(str(path), b"two")
    assert path.read_bytes() == b"two"


def test_below_a_plain_file_nothing_can_be_written(tmp_path):
    (tmp_path / "plain").write_text("x")
    with pytest.raises(OutputError, match=r"cannot create the folder .*plain"):
        write_whole(str(tmp_path / "plain" / "a.png"), b"x")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_bytes_and_nothing_else(tmp_path, monkeypatch, error):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    write = FileWrite._write

    def fail(self, data):
        write(self, data[:2])
        raise error

    monkeypatch.setattr(FileWrite, "_write", fail)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match=r"cannot write .*a\.png \(No space left on device\)|^$"):
        write_whole(str(path), b"new bytes")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append("sync"))
    monkeypatch.setattr(os, "replace", lambda old, new: done.append("rename"))
    write_whole(str(tmp_path / "a.png"), b"x", durable=True)
    assert done == ["sync", "rename"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_sync_that_fails_leaves_the_old_bytes(tmp_path, monkeypatch, fails):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    if fails:
        monkeypatch.setattr(os, "fsync", lambda descriptor: os.close(-1))
    written = FileWrite(str(path), b"new")
    written.start_sync()
    if fails:
        with pytest.raises(OutputError, match=r"cannot write .*a\.png"):
            written.place()
    else:
        written.discard()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


def test_temporaries_of_killed_runs_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "masks" / "s").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name in (".pointlabel-7-0.tmp", "masks/.pointlabel-7-1.tmp", "masks/s/.pointlabel-9-2.tmp"):
        (tmp_path / name).touch()
    for name in ("masks/a.tmp", "masks/.pointlabel-note", "other/.pointlabel-7-3.tmp"):
        (tmp_path / name).touch()
    assert remove_temporaries(str(tmp_path), [str(tmp_path / "masks")]) == 3
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["masks/.pointlabel-note", "masks/a.tmp", "other/.pointlabel-7-3.tmp"]


# Masks


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))
softs = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(0, 1, width=32)
)


@given(masks)
def test_masks_come_back(mask):
    image = opened(encode_mask(mask))
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), mask * np.uint8(255))


@given(softs)
def test_soft_labels_come_back_to_16_bits(soft):
    image = opened(encode_soft(soft))
    assert image.mode == "I;16"
    values = np.asarray(image)
    np.testing.assert_array_equal(values, np.rint(soft.astype(np.float64) * 65535))
    assert np.abs(values / 65535 - soft).max() <= 0.5 / 65535 + 1e-12


@given(arrays.arrays(np.uint16, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_instance_numbers_come_back(instances):
    np.testing.assert_array_equal(np.asarray(opened(encode_instances(instances))), instances)


def test_our_files_are_told_from_others(tmp_path):
    mask = np.zeros((40, 50), bool)
    (tmp_path / "ours.png").write_bytes(encode_mask(mask))
    Image.fromarray(mask).save(tmp_path / "theirs.png")
    assert state_of(str(tmp_path / "ours.png")) == "ours"
    assert state_of(str(tmp_path / "theirs.png")) == "foreign"
    assert state_of(str(tmp_path / "missing.png")) == "free"


# Manifest

texts = st.text(max_size=12)
records = st.fixed_dictionaries(
    {
        "id": texts.filter(lambda name: not name_error(name)),
        "status": st.sampled_from(["ok", "error"]),
        "warnings": st.lists(texts, max_size=2),
        "ms": st.floats(0, 1e6),
        "targets": st.lists(
            st.fixed_dictionaries({"x": st.floats(-1, 1e5), "flags": st.lists(texts, max_size=2)}), max_size=3
        ),
    }
)


@given(records)
def test_lines_come_back(record):
    line = encode_line(record)
    assert line.count(b"\n") == 1
    assert decode_record(line) == record


def test_names_that_are_no_unicode_come_back():
    record = {"id": os.fsdecode(b"caf\xe9"), "status": "ok"}
    assert decode_record(encode_line(record)) == record


@given(records, st.data())
def test_a_torn_line_is_no_record(record, data):
    line = encode_line(record)
    assert decode_record(line[: data.draw(st.integers(0, len(line) - 1))]) is None


def test_the_last_line_of_an_image_counts(tmp_path):
    path = str(tmp_path / "manifest.jsonl")
    writer = ManifestWriter(path)
    for name, status in (("a", "error"), ("b", "ok"), ("a", "ok")):
        writer.append(encode_line({"id": name, "status": status}))
    writer.append(b'{"id":"c","sta')
    writer.close()
    kept = [{"id": "b", "status": "ok"}, {"id": "a", "status": "ok"}]
    assert list(read_manifest(path)) == kept
    tidy_manifest(path)
    with open(path, encoding="utf-8") as file:
        assert [json.loads(line) for line in file] == kept


def test_a_tidy_manifest_is_not_written_again(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(encode_line({"id": "a", "status": "ok"}))
    before = path.stat().st_ino
    tidy_manifest(str(path))
    assert path.stat().st_ino == before


def test_a_manifest_that_cannot_be_opened(tmp_path):
    (tmp_path / "manifest.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*manifest\.jsonl"):
        ManifestWriter(str(tmp_path / "manifest.jsonl"))


def test_what_another_machine_writes_stays_where_locks_do_not_reach(tmp_path):
    names = {host: f".pointlabel-7-{host}0a0b0c-1.tmp" for host in (files._HOST, "0" * 6, "f" * 6)}
    for name in names.values():
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / names["f" * 6], (0, 0))
    write_whole(str(tmp_path / "a.png"), b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", names["0" * 6]}
    assert remove_temporaries(str(tmp_path)) == 1
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_file_that_another_run_took_for_a_leftover_is_begun_again(tmp_path, monkeypatch):
    taken: list[Path] = []

    def lock(descriptor: int, shared: bool = False) -> bool | None:
        if not taken:  # between making the file and locking it, another run that starts looks for leftovers
            taken.extend(path for path in tmp_path.iterdir() if path.suffix == ".tmp")
            taken[0].unlink()
        return lock_file(descriptor, shared)

    monkeypatch.setattr(files, "lock_file", lock)
    write_whole(str(tmp_path / "a.png"), b"whole")
    assert taken
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"whole"}
