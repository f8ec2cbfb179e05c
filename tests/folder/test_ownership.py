"""Masks that a person has changed are never replaced or removed; damaged leftovers of a run are done again."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pointlabel.errors import InputError
from pointlabel.folder import RunNote, RunSettings, RunSummary, annotate_folder
from pointlabel.io.masks.png import encode_mask
from pointlabel.io.seal import state_of_bytes


def run(root: Path, mode: str = "resume", **options: Any) -> RunSummary:
    outputs = tuple(name for name in ("soft", "instances", "overlay") if options.pop(name, False))
    own = {name: options.pop(name) for name in tuple(options) if name in RunSettings.__dataclass_fields__}
    settings = RunSettings(**{"method": "threshold", "outputs": outputs, **own})
    return annotate_folder(root / "images", root / "points", root / "out", settings, mode=mode, **options)


@pytest.fixture
def done(small: Path) -> Path:
    """Seven images that are annotated."""
    run(small, "new")
    return small


def edit(path: Path, keep_text: bool = False) -> bytes:
    """Change a mask as a person does, in a program that drops or keeps the texts of a PNG."""
    with Image.open(path) as image:
        pixels, texts = np.array(image), dict(image.info)
    pixels[0, :5] = 255
    info = PngInfo()
    for key, text in texts.items() if keep_text else ():
        info.add_text(str(key), str(text))
    Image.fromarray(pixels).save(path, pnginfo=info)
    return path.read_bytes()


@pytest.mark.parametrize("keep_text", [False, True])
def test_a_changed_mask_is_kept_by_resume_and_said(done, keep_text):
    mine = edit(done / "out/masks/t0.png", keep_text)
    (done / "out/masks/t1.png").unlink()
    notes = []
    summary = run(done, report=lambda event: notes.append(event.note.text) if isinstance(event, RunNote) else None)
    assert (summary.n_skipped, summary.n_ok) == (6, 1)
    assert notes == [
        f"{done}/out/masks/t0.png: changed since this program wrote it; files that somebody changed are kept: 1"
    ]
    assert (done / "out/masks/t0.png").read_bytes() == mine


@pytest.mark.parametrize("keep_text", [False, True])
@pytest.mark.parametrize("mode", ["resume", "overwrite"])
def test_a_changed_mask_is_never_replaced(done, mode, keep_text, files_of):
    mine = edit(done / "out/masks/t0.png", keep_text)
    shutil.copy(done / "points/t1.png", done / "points/t0.png")
    (done / "out/masks/t3.png").write_bytes(b"")
    before = files_of(done / "out")
    with pytest.raises(InputError, match=r"t0\.png: .* would be replaced"):
        run(done, mode)
    assert files_of(done / "out") == before
    assert before["masks/t0.png"] == mine


def test_overwrite_does_not_remove_a_changed_file_of_an_image_that_is_gone(done, files_of):
    edit(done / "out/masks/t0.png")
    for folder in ("images", "points"):
        (done / folder / "t0.png").unlink()
    before = files_of(done / "out")
    with pytest.raises(InputError, match=r"t0\.png: .*move it away, or choose another folder"):
        run(done, "overwrite")
    assert files_of(done / "out") == before


def flipped(data: bytes) -> bytes:
    at = data.index(b"IDAT") + 8
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


DAMAGES = {
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "cut at once": lambda data: data[:20],
    "cut": lambda data: data[: len(data) // 2],
    "end of zeros": lambda data: data[:-30] + bytes(30),
    "a bit": flipped,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_files_are_done_again(done, damage, files_of):
    whole = files_of(done / "out")
    path = done / "out/masks/t0.png"
    path.write_bytes(damage(path.read_bytes()))
    assert run(done).n_ok == 1
    assert files_of(done / "out") == whole


def test_the_mask_of_another_image_is_done_again(done, files_of):
    whole = files_of(done / "out")
    shutil.copy(done / "out/masks/t1.png", done / "out/masks/t0.png")
    assert run(done).n_ok == 1
    assert files_of(done / "out") == whole


def test_runs_of_versions_without_hashes_and_seals_go_on(done, lines_of):
    import json

    manifest = done / "out/manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for line in lines:
        del line["outputs_sha256"]
        path = done / f"out/masks/{line['id']}.png"
        data = path.read_bytes()
        path.write_bytes(data[:33] + data[33 + 60 :] if data[41:49] == b"pointlab" else data)
        with Image.open(path) as image:
            assert "pointlabel-seal" not in image.info
            assert image.info["Software"] == "pointlabel"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(done).n_skipped == 7


def test_a_new_run_does_not_go_over_masks_without_a_manifest(done):
    (done / "out/manifest.jsonl").unlink()
    with pytest.raises(InputError, match=r"written by an earlier run that left no manifest here"):
        run(done, "new")
    assert run(done).n_ok == 7


def test_predictions_and_annotations_are_not_mixed(small):
    (small / "out").mkdir()
    (small / "out/predict.json").write_text("{}")
    with pytest.raises(InputError, match="out holds predictions; choose another folder"):
        run(small, "overwrite")


def test_every_cut_of_a_mask_is_told_from_one_that_a_person_changed():
    mask = np.zeros((40, 50), bool)
    mask[10:13, 20:24] = True
    whole = encode_mask(mask)
    assert state_of_bytes(whole) == "ours"
    assert {state_of_bytes(whole[:end]) for end in range(len(whole))} == {"free", "damaged"}
    flips = {state_of_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]) for at in range(len(whole))}
    assert flips == {"free", "damaged"}
    image = Image.open(io.BytesIO(whole))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert state_of_bytes(buffer.getvalue()) == "foreign"
