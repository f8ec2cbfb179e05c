"""A session on a folder: its files are those of `annotate`, and nothing that was done is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError
from pointlabel.folder import RunSettings, annotate_folder
from pointlabel.io.datasets import open_dataset
from pointlabel.io.manifest import read_manifest
from pointlabel.io.samples import read_sample
from pointlabel.session import open_session
from pointlabel.session.dataset import write_dataset
from pointlabel.session.folder import Session

N_TARGETS = 2  # of each drawn image


def click_all(session: Session, folder: Path, n: int = 3) -> None:
    """Click on every target of the first images of a drawn data set."""
    for index in range(n):
        with Image.open(folder / "masks_centroid" / f"{index}.png") as points:
            for row, column in np.argwhere(np.asarray(points)):
                session.do(index, {"do": "add", "x": int(column), "y": int(row)})


def records(out: Path) -> list[dict]:
    """Lines of a manifest without what depends on the clock."""
    found = list(read_manifest(str(out / "manifest.jsonl")))
    for record in found:
        del record["ms"]
        for target in record["targets"]:
            del target["ms"]
    return found


def test_files_are_those_of_annotate_for_the_same_clicks(draw_dataset, tmp_path):
    folder = draw_dataset()
    settings = RunSettings(tightness=0.4, outputs=("masks", "soft"))
    with open_session(folder / "images", tmp_path / "out", settings) as session:
        click_all(session, folder)
        session.do(1, {"do": "restyle", "target": 1, "tightness": 0.9, "label": 'a "drone"'})
        session.do(1, {"do": "move", "target": 2, "x": 40.3, "y": 31.6})
        session.do(1, {"do": "add", "x": 5, "y": 50, "polarity": "dark"})
        session.do(1, {"do": "restyle", "target": 1, "polarity": "auto"})
        session.do(2, {"do": "remove", "target": 1})
        session.do(2, {"do": "remove", "target": 2})
        session.do(2, {"do": "accept"})
    annotate_folder(folder / "images", tmp_path / "out" / "clicks.csv", tmp_path / "again", settings)
    for kind in ("masks", "soft"):
        for index in range(3):
            name = f"{kind}/{index}.png"
            assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert records(tmp_path / "out") == records(tmp_path / "again")
    summary = annotate_folder(
        folder / "images", tmp_path / "out" / "clicks.csv", tmp_path / "out", settings, mode="resume"
    )
    assert summary.n_skipped == 3


def test_points_that_are_there_are_labelled_without_a_click(draw_dataset, tmp_path):
    folder = draw_dataset()
    with open_session(folder / "images", tmp_path / "out", points=folder / "masks_centroid") as session:
        while any(item.worst.n_targets < N_TARGETS for item in session.items):
            time.sleep(0.01)
        assert [item.worst.n_targets for item in session.items] == [N_TARGETS] * 3
    annotate_folder(folder / "images", folder / "masks_centroid", tmp_path / "again")
    for index in range(3):
        name = f"masks/{index}.png"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_points_may_name_frames_of_a_stack(tmp_path):
    """As `annotate` takes them: the frames that points name are the images."""
    (tmp_path / "images").mkdir()
    stack = np.random.default_rng(0).integers(0, 40, (3, 32, 32)).astype(np.uint8)
    stack[1, 10:12, 20:22] = 250
    np.save(tmp_path / "images/clip.npy", stack)
    (tmp_path / "clicks.csv").write_text("image,x,y\nclip#000001,20,10\n")
    with open_session(tmp_path / "images", tmp_path / "out", points=tmp_path / "clicks.csv") as session:
        assert [item.file.id for item in session.items] == ["clip#000001"]
        board = session.open(0).board
        assert (board.image == stack[1]).all()
        assert board.labels.mask()[10, 20]
        made = write_dataset(session, str(tmp_path / "out"))
    (entry,) = open_dataset(made.folder, masks=False).entries
    assert (read_sample(entry).image == stack[1]).all()


def test_a_run_of_annotate_is_gone_on_with(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    annotate_folder(folder / "images", folder / "masks_centroid", out, RunSettings(tightness=0.3))
    before = records(out)
    with (
        pytest.raises(InputError, match="a run of annotate with other settings; leave yours out"),
        open_session(folder / "images", out, RunSettings()),
    ):
        pass
    with open_session(folder / "images", out) as session:
        assert session.settings.tightness == 0.3
        assert session.do(1, {"do": "remove", "target": 1}).changed
    after = records(out)
    assert after[0] == before[0]
    assert after[1]["targets"] == before[1]["targets"][1:]
    with open_session(folder / "images", out) as session:
        assert session.do(1, {"do": "undo"}).changed
    assert [record["targets"] for record in records(out)] == [record["targets"] for record in before]


WORKER = """
import sys, time
from pointlabel.session import open_session
with open_session(sys.argv[1], sys.argv[2]) as session:
    for number in range(10_000):
        name = ("add", "add", "undo", "add", "redo", "accept")[number % 6]
        action = {"do": name}
        if name == "add":
            action |= {"x": number * 7 % 80, "y": number * 11 % 64}
        try:
            print(int(session.do(number % 2, action).changed), flush=True)
        except ValueError:
            continue
"""


@pytest.mark.parametrize("after", [1, 40])
def test_kill_9_loses_nothing(draw_dataset, tmp_path, after):
    folder, out = draw_dataset(), tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder / "images"), str(out)], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        n_changed = 0
        while n_changed < after:
            n_changed += int(worker.stdout.readline())
        worker.kill()
        n_changed += sum(map(int, worker.stdout.read().split()))
    lines = (out / "journal.jsonl").read_bytes().splitlines()[2:]
    assert n_changed <= len(lines) <= n_changed + 1  # one more where it was killed between the journal and the answer
    with open_session(folder / "images", out) as session:
        touched = [item.index for item in session.items if item.history is not None]
        undone = sum(session.do(0, {"do": "undo"}).changed for _ in range(200))
        assert sum(session.do(0, {"do": "redo"}).changed for _ in range(undone)) == undone
    annotate_folder(folder / "images", out / "clicks.csv", tmp_path / "again")
    assert touched[0] == 0
    for index in touched:
        name = f"masks/{index}.png"
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_table_of_clicks_that_a_kill_left_behind_is_written_again(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    with open_session(folder / "images", out) as session:
        click_all(session, folder)
    whole = (out / "clicks.csv").read_bytes()
    for left in (None, b"".join(whole.splitlines(keepends=True)[:2])):  # none yet, and one of an earlier action
        (out / "clicks.csv").unlink()
        if left is not None:
            (out / "clicks.csv").write_bytes(left)
        with open_session(folder / "images", out):
            pass
        assert (out / "clicks.csv").read_bytes() == whole


def test_a_torn_last_line_is_left_out_and_said(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    with open_session(folder / "images", out) as session:
        click_all(session, folder, 1)
    with open(out / "journal.jsonl", "ab") as file:
        file.write(b'{"image":"0","do":"remo')
    with open_session(folder / "images", out) as session:
        assert "its last line was cut short" in session.notes[0]
        assert len(session.open(0).board.state.clicks) == N_TARGETS
        session.do(0, {"do": "remove", "target": 1})
    with open_session(folder / "images", out) as session:
        assert session.notes == []
        assert [click.number for click in session.open(0).board.state.clicks] == [2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"hello\n", "no journal"),
        (b"{}\n{}\n", "no journal of this version"),
        (b'{"journal":1}\nhello\n{}\n', "line 2: no line of a journal"),
        (b'{"journal":1}\n{"image":"0","do":"remove","target":4}\n', r"line 2: cannot be done again \(there is no"),
    ],
)
def test_a_journal_that_cannot_be_played_is_refused(draw_dataset, tmp_path, text, words):
    folder, out = draw_dataset(), tmp_path / "out"
    out.mkdir()
    (out / "journal.jsonl").write_bytes(text)
    with pytest.raises(InputError, match=words), open_session(folder / "images", out):
        pass
    assert (out / "journal.jsonl").read_bytes().startswith(text)


def test_the_folder_where_one_is_counts_like_any_other(draw_dataset, tmp_path, monkeypatch):
    folder = draw_dataset()
    (folder / "images" / "sub").mkdir()
    (folder / "images" / "0.png").rename(folder / "images" / "sub" / "0.png")
    monkeypatch.chdir(folder / "images" / "sub")
    with open_session("..", tmp_path / "out") as session:
        assert [item.file.id for item in session.items] == ["1", "2", "sub/0"]


def test_a_second_session_is_told(draw_dataset, tmp_path):
    folder = draw_dataset()
    with (
        open_session(folder / "images", tmp_path / "out"),
        pytest.raises(InputError, match="in use by another run: serve on"),
        open_session(folder / "images", tmp_path / "out"),
    ):
        pass


def test_hand_edits_come_back_and_are_flagged(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    with open_session(folder / "images", out) as session:
        click_all(session, folder, 1)
        session.do(0, {"do": "brush", "target": 1, "on": [[0, 0], [1, 0]]})
    assert "edited" in records(out)[0]["targets"][0]["flags"]
    before = (out / "masks/0.png").read_bytes()
    with Image.open(out / "masks/0.png") as mask:
        assert np.asarray(mask)[0, :3].tolist() == [255, 255, 0]
    with open_session(folder / "images", out) as session:
        session.do(0, {"do": "unbrush", "target": 1})
        session.do(0, {"do": "undo"})
    assert (out / "masks/0.png").read_bytes() == before


def test_a_mask_that_somebody_changed_is_kept(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    with open_session(folder / "images", out) as session:
        click_all(session, folder, 1)
    Image.new("L", (80, 64)).save(out / "masks/0.png")
    changed = (out / "masks/0.png").read_bytes()
    with open_session(folder / "images", out) as session:
        session.do(0, {"do": "remove", "target": 1})
        session.flush()
        assert session.items[0].status == "error"
        with pytest.raises(InputError, match="not as this program wrote it"):
            session.do(0, {"do": "undo"})
    assert (out / "masks/0.png").read_bytes() == changed


def test_other_settings_label_everything_anew(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    with open_session(folder / "images", out) as session:
        click_all(session, folder)
    tight = RunSettings(tightness=0.9)
    with open_session(folder / "images", out) as session:
        session.use(tight)
    with open_session(folder / "images", out) as session:
        assert session.settings.tightness == 0.9
    annotate_folder(folder / "images", out / "clicks.csv", tmp_path / "again", tight)
    assert records(out) == records(tmp_path / "again")


def test_states_of_images(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    (folder / "images" / "9.png").write_bytes(b"no image")
    with open_session(folder / "images", out) as session:
        with pytest.raises(InputError, match=r"9\.png"):
            session.open(3)
        click_all(session, folder, 1)
        session.do(0, {"do": "accept"})
        session.do(1, {"do": "add", "x": 3, "y": 60, "polarity": "dark"})
        statuses = [item.status for item in session.items]
        assert statuses[0] == "done"
        assert statuses[2:] == ["todo", "error"]
        session.do(0, {"do": "move", "target": 1, "x": 5, "y": 5})
        assert session.items[0].status != "done"
    with open_session(folder / "images", out) as session:
        session.do(0, {"do": "undo"})
        assert session.items[0].status == "done"


def test_the_process_ends_with_its_files_written(draw_dataset, tmp_path):
    """A session that is ended by Ctrl-C has written everything."""
    folder, out = draw_dataset(), tmp_path / "out"
    code = WORKER.replace("range(10_000)", "range(2)") + "    time.sleep(60)\n"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "images"), str(out)], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        worker.stdout.readline(), worker.stdout.readline()
        os.kill(worker.pid, signal.SIGINT)
    assert (out / "clicks.csv").exists()
    assert {record["id"] for record in records(out)} == {"0", "1"}
