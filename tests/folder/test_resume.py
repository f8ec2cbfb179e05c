"""A run that goes on with an earlier one, or replaces it: what is done again, what is refused, what is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.folder import Event, ImageDone, RunNote, annotate_folder
from tests.folder.conftest import read_files, run, write_folder


def test_resume_does_what_changed_and_nothing_else(small, lines_of, files_of):
    run(small, soft=True)
    old = files_of(small / "out")
    (small / "images/t0.png").write_bytes((small / "images/t1.png").read_bytes())
    (small / "points/t3.png").write_bytes((small / "points/t4.png").read_bytes())
    (small / "out/soft/t6.png").unlink()
    done = []
    summary = run(
        small,
        soft=True,
        mode="resume",
        report=lambda event: done.append((event.image_id, event.status)) if isinstance(event, ImageDone) else None,
    )
    assert [name for name, status in done if status == "ok"] == ["t0", "t3", "t6"]
    assert (summary.n_skipped, summary.n_ok, summary.n_targets, summary.n_new_targets) == (4, 3, 14, 6)
    assert [line["id"] for line in lines_of(small / "out")] == ["s/t2", "s/t5", "t0", "t1", "t3", "t4", "t6"]
    new = files_of(small / "out")
    assert {name for name in old if old[name] != new[name]} == {
        f"{k}/{i}.png" for k in ("masks", "soft") for i in ("t0", "t3")
    }
    run(small, "fresh", soft=True)
    assert files_of(small / "fresh") == new
    assert lines_of(small / "fresh") == lines_of(small / "out")


def test_an_image_that_fails_later_loses_its_mask(small):
    run(small)
    (small / "images/t0.png").write_bytes(b"")
    summary = run(small, mode="resume")
    assert summary.n_errors == 1
    assert not (small / "out/masks/t0.png").exists()


def test_a_torn_line_is_dropped_and_done_again(small, lines_of, files_of):
    run(small)
    whole_lines, whole_files = lines_of(small / "out"), files_of(small / "out")
    manifest = small / "out/manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-40])
    events: list[Event] = []
    summary = run(small, mode="resume", report=events.append)
    assert "torn or damaged lines are dropped: 1;" in next(e.note.text for e in events if isinstance(e, RunNote))
    assert (summary.n_skipped, summary.n_ok) == (6, 1)
    assert (lines_of(small / "out"), files_of(small / "out")) == (whole_lines, whole_files)


def test_a_record_of_targets_without_figures_is_done_again(small, lines_of):
    run(small)
    manifest = small / "out/manifest.jsonl"
    before = lines_of(small / "out")
    lines = manifest.read_text().splitlines()
    record = json.loads(lines[0])
    for target in record["targets"]:
        del target["quality"]
    manifest.write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    events: list[Event] = []
    summary = run(small, mode="resume", report=events.append)
    assert (summary.n_skipped, summary.n_ok) == (6, 1)
    assert "torn or damaged lines are dropped: 1;" in next(e.note.text for e in events if isinstance(e, RunNote))
    assert lines_of(small / "out") == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.replace(b'"quality"', b'"puality"'),
        lambda line: b'{"id":"t0","status":"ok","targets":5}\n',
        lambda line: b'{"id":7,"status":"ok"}\n',
        lambda line: b"[" * 100_000 + b"\n",
        lambda line: line.replace(b'"id":"', b'"id":"\\u0000'),
        lambda line: line.replace(b'"outputs":["masks"]', b'"outputs":null'),
        lambda line: line.replace(b'"id":"', b'"id":"../'),
        lambda line: b"\xff\xfe\0\n",
        lambda line: b"null\n",
        lambda line: b'{"id":"t0","status":"ok","ms":1e999}\n',
        lambda line: b'{"id":"t0","status":"ok","ms":NaN}\n',
    ],
)
@pytest.mark.parametrize("mode", ["resume", "overwrite"])
def test_damaged_lines_of_any_shape_are_dropped_and_done_again(small, lines_of, files_of, damage, mode):
    run(small)
    whole_lines, whole_files = lines_of(small / "out"), files_of(small / "out")
    manifest = small / "out/manifest.jsonl"
    first, *rest = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(damage(first) + b"".join(rest))
    events: list[Event] = []
    summary = run(small, mode=mode, report=events.append)
    if mode == "resume":
        assert "torn or damaged lines are dropped: 1;" in next(e.note.text for e in events if isinstance(e, RunNote))
        assert (summary.n_skipped, summary.n_ok) == (6, 1)
    assert (lines_of(small / "out"), files_of(small / "out")) == (whole_lines, whole_files)


def test_a_second_run_needs_a_word(small):
    run(small)
    with pytest.raises(
        InputError, match="out holds a run already; `mode=resume` goes on with it, `mode=overwrite` replaces it"
    ):
        run(small)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tightness": 0.7}, "holds a run with tightness 0.5, this one has tightness 0.7"),
        ({"polarity": "dark"}, "holds a run with polarity bright, this one has polarity dark"),
        ({"seed": 1}, "holds a run with seed 0, this one has seed 1"),
        ({"soft": True}, "holds a run with outputs masks, this one has outputs masks soft"),
    ],
)
def test_other_settings_cannot_be_resumed(small, options, sentence):
    run(small)
    with pytest.raises(InputError, match=sentence):
        run(small, mode="resume", **options)


def test_another_parameter_or_version_cannot_be_resumed(small):
    from pointlabel.folder import build_params

    run(small)
    with pytest.raises(InputError, match=r"a run with level 0\.3, this one has level 0\.4"):
        run(small, mode="resume", params=build_params("threshold", {"level": 0.4}))
    manifest = small / "out/manifest.jsonl"
    lines = [json.loads(line) | {"version": "0.0.1"} for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"a run with version 0\.0\.1, this one has version"):
        run(small, mode="resume")


def test_overwrite_removes_the_run_and_no_foreign_file(small, lines_of):
    run(small, soft=True, overlay=True)
    for name in ("notes.txt", "masks/readme.md", "soft/mine.png"):
        (small / "out" / name).write_text("mine")
    (small / "images/t0.png").unlink()
    (small / "points/t0.png").unlink()
    run(small, mode="overwrite")
    left = {str(path.relative_to(small / "out")) for path in (small / "out").rglob("*") if path.is_file()}
    ids = ["s/t2", "s/t5", "t1", "t3", "t4", "t6"]
    expected = {"manifest.jsonl", "notes.txt", "masks/readme.md", "soft/mine.png", *(f"masks/{i}.png" for i in ids)}
    assert left == expected
    assert [line["id"] for line in lines_of(small / "out")] == ids
    assert not (small / "out/overlay").exists()


def test_the_contact_sheet_is_the_same_after_a_resume(small, files_of):
    run(small, "one", overlay=True)
    run(small, "two", overlay=True)
    manifest = small / "two/manifest.jsonl"
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:3]))
    (small / "two/overlay/contact-sheet.png").unlink()
    run(small, "two", overlay=True, mode="resume")
    assert files_of(small / "one") == files_of(small / "two")
    assert "overlay/contact-sheet.png" in files_of(small / "one")


def test_doubtful_targets_are_counted_whoever_did_them(small, lines_of):
    for path in sorted((small / "images").rglob("*.png"))[:2]:  # nothing is there any more
        Image.fromarray(np.full_like(np.asarray(Image.open(path)), 9)).save(path)
    summary = run(small, "out", method="default")
    targets = [target for line in lines_of(small / "out") for target in line["targets"]]
    doubtful = [t for t in targets if "empty" in t["flags"] or min(t["quality"], t["presence"]) < 0.5]
    assert 4 <= summary.n_doubtful == len(doubtful) < len(targets)
    assert run(small, "out", method="default", mode="resume").n_doubtful == summary.n_doubtful
    run(small, "threshold")
    assert all(target["presence"] is None for line in lines_of(small / "threshold") for target in line["targets"])


def test_runs_of_older_versions_have_no_presence(small, lines_of):
    run(small, "out")
    manifest = small / "out/manifest.jsonl"
    lines = lines_of(small / "out")
    for line in lines:
        for target in line["targets"]:
            del target["presence"]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(small, "out", mode="resume").n_skipped == len(lines)


def test_a_refined_run_is_another_run(small, files_of, lines_of):
    run(small, "plain")
    run(small, "refined", refine="crf")
    assert files_of(small / "plain") != files_of(small / "refined")
    assert {line["refine"] for line in lines_of(small / "refined")} == {"crf"}
    assert not any("refine" in line for line in lines_of(small / "plain"))
    for out, refine in (("plain", None), ("refined", "crf")):
        assert run(small, out, refine=refine, mode="resume").n_skipped == 7
    with pytest.raises(InputError, match="holds a run with refine none, this one has refine crf"):
        run(small, "plain", refine="crf", mode="resume")
    with pytest.raises(InputError, match="holds a run with refine crf, this one has refine none"):
        run(small, "refined", mode="resume")


@pytest.mark.parametrize("as_table", [False, True])
def test_a_run_that_goes_on_without_some_images_says_so(tmp_path, as_table):
    root = write_folder(tmp_path, 3)
    points = root / "points"
    if as_table:
        points = root / "clicks.csv"
        points.write_text("image,x,y\n" + "".join(f"{each.stem},10,10\n" for each in (root / "images").glob("*.png")))
    annotate_folder(root / "images", points, root / "out")
    before = read_files(root / "out/masks")
    (gone,) = (root / "images").glob("t1.png")
    gone.unlink()
    events: list[object] = []
    annotate_folder(root / "images", points, root / "out", mode="resume", report=events.append)
    notes = [event.note for event in events if isinstance(event, RunNote) and event.note.kind == "gone"]
    assert [note.text for note in notes] == [
        f"{root / 'images'}: images done before that are not there now: 1, the first t1; their masks and lines stay"
    ]
    assert read_files(root / "out/masks") == before
