"""Shards of a run: done at the same time, killed, resumed and merged they end with the bytes of a run without them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.folder import RunSettings, annotate_folder
from pointlabel.io.lock import hold_folder
from pointlabel.io.shards import Shard, parse_shard
from pointlabel.shards import merge, merge_shards
from pointlabel.shards.parts import in_turn

OUTPUTS = ("soft", "coco", "yolo")


def command(root: Path, *more: str) -> list[str]:
    words = ["images", "-p", "p.csv", "--method", "threshold", "--soft", "--format", "coco,yolo", *more]
    return [sys.executable, "-m", "pointlabel", "-q", "annotate", *words]


def run(root: Path, out: str = "out", mode: str = "new", shard: str | None = None, **more: Any) -> None:
    settings = more.pop("settings", None) or RunSettings("threshold", outputs=OUTPUTS)
    points = more.pop("points", "p.csv")
    annotate_folder(root / "images", root / points, root / out, settings, mode=mode, shard=shard, **more)


def lines_without_times(out: Path) -> list[dict[str, Any]]:
    """Lines of the manifest in their order, without times."""
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    for line in lines:
        for entry in (line, *line["targets"]):
            entry.pop("ms")
    return lines


@pytest.fixture
def folder(tmp_path: Path, make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eleven images, one of them damaged and one without points, and a table with names that no image has."""
    make_folder(tmp_path, 11)
    rows = [f"t{k}.png,{5 + 2 * k},{7 + k}\n" for k in range(10) if k % 3 != 2]
    rows += [f"s/t{k}.png,{5 + 2 * k},{7 + k}\ngone{k}.png,1,1\n" for k in (2, 5, 8)]
    (tmp_path / "p.csv").write_text("image,x,y\n" + "".join(rows))
    (tmp_path / "images/t4.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    return Path()


@pytest.fixture
def same(files_of: Callable[[Path], dict[str, bytes]]) -> Callable[[Path, Path], None]:
    """Assert that two output folders are equal byte for byte, but for times; the order of lines counts."""

    def check(one: Path, other: Path) -> None:
        assert files_of(one) == files_of(other)
        assert lines_without_times(one) == lines_without_times(other)

    return check


def test_shards_at_the_same_time_end_with_the_bytes_of_one_run(folder, same):
    run(folder, "one")
    run(folder, "two", jobs=2)
    same(folder / "one", folder / "two")
    works = [
        subprocess.Popen(command(folder, "-o", "out", "--shard", f"{k}/3", "-j", str(1 + k % 2)), cwd=folder)
        for k in (1, 2, 3)
    ]
    assert [work.wait(timeout=120) for work in works] == [3, 3, 3]  # each has images that fail
    done = CliRunner().invoke(main, ["merge", str(folder / "out")])
    assert (done.exit_code, done.output.count("\n")) == (3, 1), done.output
    assert "shards 3, images 14, of which 4 failed" in done.output
    same(folder / "out", folder / "one")
    assert CliRunner().invoke(main, ["merge", str(folder / "out")]).exit_code == 0
    same(folder / "out", folder / "one")


@pytest.mark.parametrize("total", [1, 20])
def test_one_shard_and_more_shards_than_images(folder, same, total):
    run(folder, "one")
    for number in range(total, 0, -1):
        run(folder, "out", shard=f"{number}/{total}")
    assert merge_shards(folder / "out").n_shards == total
    same(folder / "out", folder / "one")


def test_a_killed_shard_that_is_resumed_ends_with_the_same_bytes(tmp_path, make_folder, same):
    make_folder(tmp_path, 40, n_points=12)
    run(tmp_path, "one", points="points")
    words = command(tmp_path, "-o", "out", "--shard", "2/2", "--resume")
    words[words.index("p.csv")] = "points"
    work = subprocess.Popen(words, cwd=tmp_path)
    part = tmp_path / "out/manifest.2-of-2.jsonl"
    while work.poll() is None and not (part.exists() and part.read_bytes().count(b"\n") > 2):
        pass
    work.send_signal(signal.SIGKILL)
    work.wait()
    assert work.returncode == -signal.SIGKILL
    run(tmp_path, shard="1/2", points="points")
    with pytest.raises(InputError, match=r"shard 2/2 has not finished; the same command with --shard 2/2 --resume"):
        merge_shards(tmp_path / "out")
    assert part.read_bytes().count(b"\n") < 20
    run(tmp_path, shard="2/2", mode="resume", points="points")
    merge_shards(tmp_path / "out")
    same(tmp_path / "out", tmp_path / "one")


def test_a_shard_that_has_finished_may_be_resumed_and_done_anew(folder, same):
    run(folder, "one")
    for mode in ("new", "resume", "overwrite"):
        for number in (1, 2):
            run(folder, mode=mode, shard=f"{number}/2")
    merge_shards(folder / "out")
    same(folder / "out", folder / "one")


def test_what_does_not_go_together_is_refused(folder):
    out = folder / "out"
    run(folder, shard="1/2")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for changes, expected in (
        ({"shard": "1/2"}, r"holds shard 1/2 already; `mode=resume` goes on with it, `mode=overwrite` replaces it"),
        ({"shard": "1/4"}, "holds shard 1/2, which does not go with this one, 1/4, in its numbers of shards: 4 and 2"),
        ({"shard": "2/2", "points": "points"}, "images: their lists are not the same; give all shards the same"),
        ({}, r"holds shards of a run \(shard.1-of-2.json\); join them by pointlabel merge"),
        ({"mode": "overwrite"}, "holds shards of a run"),
        (
            {"shard": "2/2", "settings": RunSettings("threshold", outputs=OUTPUTS, polarity="dark")},
            "in its settings: polarity dark and bright; give all shards the same inputs and settings",
        ),
        (
            {"shard": "2/2", "settings": RunSettings("threshold", outputs=("overlay",))},
            "`overlay` ends with a sheet of all images",
        ),
    ):
        with pytest.raises(InputError, match=expected):
            run(folder, **changes)
    (folder / "p.csv").write_text((folder / "p.csv").read_text().replace("t0.png,5", "t0.png,6"))
    with pytest.raises(InputError, match="in its images or points: their files are not the same"):
        run(folder, shard="2/2")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    run(folder, "whole")
    with pytest.raises(InputError, match="whole holds a run without shards; leave `shard` out, or choose another"):
        run(folder, "whole", shard="1/2", mode="resume")


@pytest.mark.parametrize("text", ["0/4", "5/4", "x", "1/0", "1/4/2", "-1/4", "1/100001", "²/4"])
def test_what_is_no_shard_is_one_sentence(text):
    with pytest.raises(InputError, match=rf"a shard must be I/N, with I from 1 to N .*, such as 2/8, got {text}$"):
        parse_shard(text)
    done = CliRunner().invoke(main, ["annotate", "images", "-o", "out", "--shard", text])
    assert done.exit_code == 2
    assert f"such as 2/8, got {text}" in done.output


def test_merge_says_what_is_missing_or_damaged_and_leaves_the_folder(folder, files_of):
    out = folder / "out"
    with pytest.raises(InputError, match="images holds no shards; annotate and predict write them with --shard I/N"):
        merge_shards(folder / "images")
    run(folder, shard="3/3")
    with pytest.raises(InputError, match=r"lacks shard 1/3 \(and 1 more\); the same command with --shard 1/3 does it"):
        merge_shards(out)
    run(folder, shard="1/3")
    run(folder, shard="2/3")
    rest = r"the same command with --shard \d/3 --resume does the rest"
    part, mask = out / "manifest.1-of-3.jsonl", out / "masks/t0.png"
    lines, pixels = part.read_bytes(), mask.read_bytes()
    other = (out / "manifest.2-of-3.jsonl").read_bytes().splitlines(keepends=True)[0]
    plan = out / "shard.2-of-3.json"
    plans = plan.read_text()
    for path, data, expected in (
        (part, lines[:-40], rf"manifest.1-of-3.jsonl: lacks the line of \S+; {rest}"),
        (part, lines + other, "manifest.1-of-3.jsonl: .* is not among the images of its shard"),
        (part, lines.replace(b'"seed":0', b'"seed":1'), "was done with another seed than its shard has"),
        (part, None, rf"manifest.1-of-3.jsonl: cannot be read; {rest}"),
        (mask, None, rf"masks/t0.png: missing; {rest}"),
        (mask, pixels[:90], rf"masks/t0.png: (damaged|missing); {rest}"),
        (mask, (out / "masks/t1.png").read_bytes(), rf"masks/t0.png: not what shard ./3 wrote; {rest}"),
        (
            plan,
            plans.replace('"seed": 0', '"seed": 1').encode(),
            "shards 1/3 and 2/3 do not go together in their .*seed",
        ),
        (plan, plans.replace('"t1"', '"t3"').encode(), "together they are not all images, each once"),
        (plan, b"{}", "shard.2-of-3.json: damaged; the same command with --shard 2/3 and `mode=overwrite`"),
    ):
        kept = path.read_bytes()
        path.unlink() if data is None else path.write_bytes(data)
        before = files_of(out)
        with pytest.raises(InputError, match=expected):
            merge_shards(out)
        assert files_of(out) == before
        path.write_bytes(kept)
    assert merge_shards(out).n_images == 14


def test_another_attempt_at_a_shard_has_its_settings(folder):
    run(folder, shard="1/2")
    other = RunSettings("threshold", outputs=OUTPUTS, seed=7)
    with pytest.raises(
        InputError, match="shard 1/2, which does not go with this attempt in its settings: seed 7 and 0"
    ):
        run(folder, shard="1/2", mode="resume", settings=other)
    run(folder, shard="1/2", mode="overwrite", settings=other)
    for wrong in (5, (1, 2), "1"):
        with pytest.raises(InputError, match="a shard must be I/N"):
            run(folder, shard=wrong)  # type: ignore[arg-type]


def test_links_in_place_of_its_files_are_refused(folder):
    run(folder, shard="1/1")
    for name in ("shard.1-of-1.json", "manifest.1-of-1.jsonl"):
        path = folder / "out" / name
        path.rename(folder / "elsewhere")
        path.symlink_to((folder / "elsewhere").absolute())
        for act in (lambda: merge_shards(folder / "out"), lambda: run(folder, shard="1/1", mode="overwrite")):
            with pytest.raises(InputError, match=f"{name} is a link; move it away"):
                act()
        path.unlink()
        (folder / "elsewhere").rename(path)
    merge_shards(folder / "out")


def test_shards_are_no_run_yet_for_other_commands(folder):
    run(folder, shard="1/2")
    done = CliRunner().invoke(main, ["convert", str(folder / "out"), "-o", str(folder / "b"), "--to", "coco"])
    assert done.exit_code == 2
    assert "holds shards of a run (shard.1-of-2.json); join them by pointlabel merge" in done.output
    assert not (folder / "b").exists()


def test_a_mask_that_somebody_changed_is_kept_and_named(folder):
    for number in (1, 2):
        run(folder, shard=f"{number}/2")
    Image.new("L", (48, 40), 255).save(folder / "out/masks/t0.png")
    changed = (folder / "out/masks/t0.png").read_bytes()
    done = CliRunner().invoke(main, ["merge", str(folder / "out")])
    assert "t0.png: changed since a shard wrote it; it is kept" in done.output
    assert (folder / "out/masks/t0.png").read_bytes() == changed


@pytest.mark.parametrize("moment", ["place", "write_export", 0, 1, 3])
def test_a_merge_that_is_killed_can_be_run_again(folder, same, monkeypatch, moment):
    run(folder, "one")
    for number in (1, 2):
        run(folder, shard=f"{number}/2")
    with monkeypatch.context() as patch:
        removed: list[str] = []

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        def remove(path: str) -> None:
            if len(removed) == moment:
                raise KeyboardInterrupt
            removed.append(path)
            os.unlink(path)

        if moment == "place":
            patch.setattr(merge.FileWrite, "place", stop)
        elif moment == "write_export":
            patch.setattr(merge, "write_export", stop)
        else:
            patch.setattr(merge, "remove_file", remove)
        with pytest.raises(KeyboardInterrupt):
            merge_shards(folder / "out")
    merge_shards(folder / "out")
    same(folder / "out", folder / "one")


def test_shards_beside_the_manifest_of_another_run_are_not_removed(folder):
    run(folder, "one")
    run(folder, shard="1/2")
    lines = (folder / "one/manifest.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "out/manifest.jsonl").write_bytes(lines[0])
    with pytest.raises(InputError, match=r"shards of a run \(shard.1-of-2.json\) beside another run without shards"):
        merge_shards(folder / "out")
    assert (folder / "out/shard.1-of-2.json").exists()


def test_shards_and_whole_runs_exclude_each_other(tmp_path):
    out = str(tmp_path)
    with hold_folder(out, "annotate", "shard 1/2", "1-of-2"), hold_folder(out, "annotate", "shard 2/2", "2-of-2"):
        for words in (("merge",), ("annotate", "with method default"), ("annotate", "shard 1/2", "1-of-2")):
            with pytest.raises(InputError, match="in use by another run: annotate shard 1/2"), hold_folder(out, *words):
                pass
        assert len(list(tmp_path.iterdir())) == 2
    with hold_folder(out, "annotate", "with method default"):  # noqa: SIM117 (the order counts)
        with (
            pytest.raises(InputError, match="annotate with method default"),
            hold_folder(out, "annotate", "", "1-of-2"),
        ):
            pass
    assert not list(tmp_path.iterdir())


@given(n=st.integers(0, 60), total=st.integers(1, 70))
def test_shards_are_all_inputs_each_once_and_in_turn_they_are_in_order(n, total):
    items = list(range(n))
    own = [Shard(number, total).own(items) for number in range(1, total + 1)]
    assert list(in_turn(own)) == items
    assert max(map(len, own)) - min(map(len, own)) <= 1
