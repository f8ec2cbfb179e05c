"""A folder through the library: what is written, refused and left alone."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError, OutputError, PointLabelError
from pointlabel.folder import Event, ImageDone, RunNote, RunSettings, RunStarted, annotate_folder
from pointlabel.folder.job import image_generator
from tests.folder.conftest import run


def test_a_run_writes_what_it_says(small, lines_of, files_of):
    events: list[Event] = []
    summary = run(small, soft=True, instances=True, report=events.append)
    ids = ["s/t2", "s/t5", "t0", "t1", "t3", "t4", "t6"]
    assert sorted(files_of(small / "out")) == sorted(
        f"{k}/{i}.png" for k in ("masks", "soft", "instances") for i in ids
    )
    assert (summary.n_images, summary.n_ok, summary.n_targets, summary.n_errors) == (7, 7, 14, 0)
    assert isinstance(events[0], RunStarted)
    assert [event.image_id for event in events if isinstance(event, ImageDone)] == ids
    for line in lines_of(small / "out"):
        mask = np.asarray(Image.open(small / "out/masks" / f"{line['id']}.png"))
        instances = np.asarray(Image.open(small / "out/instances" / f"{line['id']}.png"))
        soft = np.asarray(Image.open(small / "out/soft" / f"{line['id']}.png"))
        assert set(np.unique(mask)) == {0, 255}
        assert mask.shape == instances.shape == soft.shape == (line["height"], line["width"]) == (40, 48)
        np.testing.assert_array_equal(mask > 0, instances > 0)
        for number, target in enumerate(line["targets"], start=1):
            assert (instances == number).sum() == target["area"]
            assert instances[int(target["y"]), int(target["x"])] == number


def test_a_line_holds_what_it_takes_to_do_it_again(small, lines_of):
    import hashlib

    run(small, seed=3, polarity="auto")
    line = next(line for line in lines_of(small / "out") if line["id"] == "s/t2")
    assert line["image"] == "s/t2.png"
    assert line["image_sha256"] == hashlib.sha256((small / "images/s/t2.png").read_bytes()).hexdigest()
    assert line["points_sha256"] == hashlib.sha256((small / "points/s/t2.png").read_bytes()).hexdigest()
    stamp = {key: line[key] for key in ("status", "method", "tightness", "polarity", "seed", "warnings", "outputs")}
    assert stamp == {
        "status": "ok",
        "method": "threshold",
        "tightness": 0.5,
        "polarity": "auto",
        "seed": 3,
        "warnings": [],
        "outputs": ["masks"],
    }
    assert set(line["params"]) == {"background_px", "level", "window_px"}
    assert {"x", "y", "area", "quality", "flags", "polarity"} <= set(line["targets"][0])


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_and_order_do_not_change_the_answer(small, lines_of, files_of, jobs):
    run(small, "one", overlay=True, soft=True)
    run(small, "other", overlay=True, soft=True, jobs=jobs)
    assert lines_of(small / "one") == lines_of(small / "other")
    assert files_of(small / "one") == files_of(small / "other")


def test_random_numbers_follow_seed_and_id_only():
    first = image_generator(5, "a").integers(0, 2**60, 4)
    np.testing.assert_array_equal(first, image_generator(5, "a").integers(0, 2**60, 4))
    assert not np.array_equal(first, image_generator(5, "b").integers(0, 2**60, 4))
    assert not np.array_equal(first, image_generator(6, "a").integers(0, 2**60, 4))


def test_table_and_point_images_give_the_same_masks(small, files_of, lines_of):
    rows = ["image,x,y,label,id"]
    for path in sorted((small / "points").rglob("*.png")):
        name = path.relative_to(small / "points")
        ys, xs = np.nonzero(np.asarray(Image.open(path)))
        rows += [f"{name},{x},{y},drone,{k}" for k, (y, x) in enumerate(zip(ys, xs, strict=True))]
    (small / "points.csv").write_text("\n".join(rows))
    run(small, "one")
    run(small, "two", points=small / "points.csv")
    assert files_of(small / "one") == files_of(small / "two")
    target = lines_of(small / "two")[0]["targets"][0]
    assert (target["label"], target["id"]) == ("drone", "0")


def test_tightness_of_a_point_goes_first(small, lines_of):
    (small / "points.csv").write_text("image,x,y,tightness\nt0,20,20,0.9\nt1,20,20,\n")
    run(small, points=small / "points.csv", tightness=0.25)
    found = {line["id"]: line["targets"][0].get("tightness") for line in lines_of(small / "out") if line["targets"]}
    assert found == {"t0": 0.9, "t1": None}


def test_points_without_image_and_images_without_points_are_said(small, lines_of):
    (small / "points/t0.png").rename(small / "points/t99.png")
    events: list[Event] = []
    summary = run(small, report=events.append)
    notes = [event.note for event in events if isinstance(event, RunNote)]
    assert [note.kind for note in notes] == ["unused_points"]
    assert "t99.png: there is no image for these points" in notes[0].text
    line = next(line for line in lines_of(small / "out") if line["id"] == "t0")
    assert (line["status"], line["targets"], line["points_sha256"]) == ("ok", [], None)
    assert "t0.png: no points for this image; its mask is empty" in line["warnings"][0]
    assert not np.asarray(Image.open(small / "out/masks/t0.png")).any()
    assert (summary.n_warnings, summary.n_errors) == (2, 0)


def test_one_file_says_nothing_about_the_points_of_others(small):
    events: list[Event] = []
    summary = run(small, images=small / "images/t0.png", report=events.append)
    assert not [event for event in events if isinstance(event, RunNote)]
    assert (summary.n_images, summary.n_targets) == (1, 2)


def test_output_inside_the_images_is_no_input(small):
    annotate_folder(small / "images", small / "points", small / "images/out", RunSettings("threshold"))
    settings = RunSettings("threshold")
    summary = annotate_folder(small / "images", small / "points", small / "images/out", settings, mode="resume")
    assert (summary.n_images, summary.n_skipped) == (7, 7)
    with pytest.raises(InputError, match="must not be the folder of the images"):
        annotate_folder(small / "images", small / "points", small / "images", RunSettings("threshold"))


# Resume and overwrite


def test_true_masks_are_left_alone_where_no_method_asks_for_them(small):
    assert run(small, true_masks=small / "nowhere").n_ok == 7


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_masks_of_others_are_never_replaced(small, mode):
    (small / "out/masks").mkdir(parents=True)
    Image.new("L", (48, 40)).save(small / "out/masks/t1.png")
    before = (small / "out/masks/t1.png").read_bytes()
    with pytest.raises(InputError, match=r"t1\.png: not written by this program, and would be replaced"):
        run(small, mode=mode)
    assert (small / "out/masks/t1.png").read_bytes() == before


def test_the_name_of_the_contact_sheet_is_taken(small):
    (small / "images/t0.png").rename(small / "images/contact-sheet.png")
    with pytest.raises(InputError, match="an image called contact-sheet cannot have an overlay"):
        run(small, overlay=True)


# What cannot be done


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"jobs": -1}, r"jobs must lie in \[0, 1024\], got -1"),
        ({"on_error": "wait"}, "on_error must be one of skip, stop, got 'wait'"),
        ({"mode": "append"}, "mode must be one of new, resume, overwrite, got 'append'"),
        ({"tightness": 1.5}, r"tightness must lie in \[0, 1\], got 1\.5"),
        ({"polarity": "cold"}, "polarity must be one of bright, dark, auto, got 'cold'"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"origin": "middle", "points": "points.csv"}, "origin must be one of center, corner, got 'middle'"),
        ({"method": "treshold"}, r"unknown method 'treshold'; did you mean threshold\?"),
    ],
)
def test_bad_arguments_write_nothing(small, options, sentence):
    (small / "points.csv").write_text("image,x,y\n")
    if "points" in options:
        options = {**options, "points": small / "points.csv"}
    with pytest.raises(InputError, match=sentence):
        run(small, **options)
    assert not (small / "out").exists()


def test_on_error_stop_ends_the_run_at_the_first_failure(small, lines_of):
    (small / "images/t1.png").write_bytes(b"no image")
    summary = run(small, on_error="stop")
    assert summary.stopped
    assert (summary.n_errors, summary.n_ok) == (1, 3)
    assert [(line["id"], line["status"]) for line in lines_of(small / "out")][-1] == ("t1", "error")
    (small / "images/t1.png").write_bytes((small / "images/t0.png").read_bytes())
    assert run(small, mode="resume").n_ok == 4


def test_an_error_inside_a_method_is_one_of_that_image(small, monkeypatch, lines_of):
    from pointlabel.baselines import threshold

    whole = threshold.label_threshold
    calls = iter(range(100))

    def fail_once(request, params):
        if next(calls) == 2:
            raise ZeroDivisionError("division by zero")
        return whole(request, params)

    monkeypatch.setattr(threshold, "label_threshold", fail_once)
    assert run(small).n_errors == 1
    (line,) = [line for line in lines_of(small / "out") if line["status"] == "error"]
    assert line["error"].endswith("t0.png: ZeroDivisionError: division by zero")


def test_ctrl_c_keeps_what_is_done(small, lines_of, files_of):
    seen = []

    def interrupt(event: Event) -> None:
        seen.append(event)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        run(small, report=interrupt)
    assert len(lines_of(small / "out")) == 3
    run(small, mode="resume")
    run(small, "fresh")
    assert files_of(small / "out") == files_of(small / "fresh")
    assert lines_of(small / "out") == lines_of(small / "fresh")


def test_a_folder_that_cannot_be_written_ends_the_run(small):
    (small / "plain").write_text("x")
    with pytest.raises(OutputError, match=r"cannot create the folder .*plain/out"):
        run(small, "plain/out")
    (small / "out").mkdir()
    (small / "out/masks").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot create the folder .*out/masks"):
        run(small)


def test_a_worker_that_dies_ends_the_run_with_a_sentence(tmp_path, make_folder, lines_of):
    def kill_workers(event: Event) -> None:
        if isinstance(event, ImageDone):
            for child in multiprocessing.active_children():
                child.kill()

    make_folder(tmp_path, 80, n_points=1)
    with pytest.raises(PointLabelError, match="a worker process died"):
        run(tmp_path, jobs=2, report=kill_workers)
    assert 0 < len(lines_of(tmp_path / "out")) < 80
    assert run(tmp_path, mode="resume").n_errors == 0
    assert len(lines_of(tmp_path / "out")) == 80
