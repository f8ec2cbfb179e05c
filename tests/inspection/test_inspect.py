"""What inspect finds: each kind of dirt alone, by its name and nothing beside it, and none in a clean set."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.inspection.faults import KINDS
from pointlabel.inspection.inspect import inspect_folder
from pointlabel.inspection.lists import list_hash
from pointlabel.inspection.twins import find_twins, image_print, twin_groups
from pointlabel.synthetic import draw_scene

N = 5


@pytest.fixture
def folder(draw_dataset):
    return draw_dataset("set", N)


def read(path):
    return np.array(Image.open(path))


def save(path, pixels):
    Image.fromarray(pixels).save(path)


def text(path, data):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def kinds(folder):
    """Kind -> names of what was found."""
    found: dict[str, list[str]] = {}
    for each in inspect_folder(folder).findings:
        found.setdefault(each.kind, []).append(each.name)
    return found


def run(*args):
    return CliRunner().invoke(main, ["inspect", *map(str, args)])


def test_nothing_is_wrong_with_a_clean_set(folder):
    done = run(folder)
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "nothing is wrong")
    assert kinds(folder) == {}


def moved_points(folder):
    """One point off its target, so that a target is bare and a point belongs nowhere."""
    marks = np.zeros_like(read(folder / "masks_coarse/1.png"))
    mask = read(folder / "masks/1.png")
    for row, column in np.argwhere(read(folder / "masks_coarse/1.png"))[1:]:
        marks[row, column] = 255
    far = np.argwhere(mask == 0)[-1]
    marks[tuple(far)] = 255
    save(folder / "masks_coarse/1.png", marks)


def shared_target(folder):
    """Two points in one target."""
    mask, marks = read(folder / "masks/1.png"), read(folder / "masks_coarse/1.png")
    row, column = np.argwhere(marks)[0]
    near = next((r, c) for r in (row, row + 1, row - 1) for c in (column + 1, column - 1, column) if mask[r, c])
    marks[near] = 255
    save(folder / "masks_coarse/1.png", marks)


def half_size(folder, part):
    save(folder / part / "1.png", read(folder / part / "1.png")[::2, ::2])


def grey_border(folder):
    mask = read(folder / "masks/1.png")
    mask[0, 0] = 40
    save(folder / "masks/1.png", mask)


def deep(folder):
    save(folder / "images/1.png", read(folder / "images/1.png").astype(np.uint16) * 257)


def colour(folder):
    image = read(folder / "images/1.png")
    save(folder / "images/1.png", np.stack([image, image // 2, image], axis=2))


def empty(folder):
    for part in ("masks", "masks_centroid", "masks_coarse"):
        save(folder / part / "1.png", np.zeros((64, 80), np.uint8))


def copied(folder):
    """One file under two names, with its mask and points."""
    for part in ("images", "masks", "masks_centroid", "masks_coarse"):
        shutil.copy(folder / part / "1.png", folder / part / "9.png")


DIRT = {
    "no_mask": lambda folder: (folder / "masks/1.png").unlink(),
    "no_image": lambda folder: shutil.copy(folder / "masks/1.png", folder / "masks/x.png"),
    "points_no_image": lambda folder: shutil.copy(folder / "masks_coarse/1.png", folder / "masks_coarse/x.png"),
    "same_id": lambda folder: Image.open(folder / "images/1.png").save(folder / "images/1.bmp"),
    "unreadable": lambda folder: text(folder / "images/1.png", (folder / "images/1.png").read_bytes()[:900]),
    "mask_size": lambda folder: half_size(folder, "masks"),
    "mask_faint": lambda folder: save(folder / "masks/1.png", read(folder / "masks/1.png") // 255),
    "mask_image": lambda folder: save(folder / "masks/1.png", 255 - read(folder / "masks/1.png")),
    "mask_levels": grey_border,
    "flat_image": lambda folder: save(folder / "images/1.png", np.full((64, 80), 7, np.uint8)),
    "point_off": moved_points,
    "point_shared": shared_target,
    "no_point": lambda folder: (folder / "masks_coarse/1.png").unlink(),
    "no_target": empty,
    "mixed_depth": deep,
    "colour": colour,
    "identical": copied,
    "list_form": lambda folder: text(folder / "img_idx/train.txt", b"/0.png\r\n\r\n"),
    "list_unknown": lambda folder: text(folder / "img_idx/train.txt", b"0\nx\n"),
    "list_twice": lambda folder: text(folder / "img_idx/train.txt", b"0\n0\n"),
    "list_unreadable": lambda folder: text(folder / "img_idx/train.txt", b"\n"),
}
#: What comes with a kind of dirt, as it must.
BESIDE = {
    "unreadable": set(),
    "mask_faint": {"point_off", "no_target"},
    "mask_image": {"point_off", "no_point", "point_shared"},
    "point_off": {"no_point"},
    "list_unreadable": set(),
}


@pytest.mark.parametrize("kind", DIRT)
def test_each_kind_of_dirt_is_found_alone(kind, folder):
    DIRT[kind](folder)
    found = kinds(folder)
    assert kind in found
    assert found.keys() - {kind} <= BESIDE.get(kind, set())
    done = run(folder, "--json", "-")
    report = json.loads(done.stdout)
    assert done.exit_code == (4 if any(KINDS[name].is_wrong for name in found) else 0)
    assert {each["kind"]: each["n"] for each in report["findings"]} == {k: len(v) for k, v in found.items()}


def test_points_of_another_size_are_found(folder):
    half_size(folder, "masks_coarse")
    assert "point_size" in kinds(folder)


def test_what_training_shares_with_the_test_is_wrong_and_with_all_is_not(folder):
    text(folder / "img_idx/train.txt", b"0\n1\n2\n")
    text(folder / "img_idx/trainval.txt", b"0\n1\n2\n3\n")
    text(folder / "img_idx/val.txt", b"3\n")
    text(folder / "img_idx/test.txt", b"4\n2\n")
    assert kinds(folder) == {"list_shared": ["2"]}


def test_twins_are_wrong_where_they_are_on_both_sides(folder):
    twin = np.rint(read(folder / "images/1.png") * 0.9 + 9).astype(np.uint8)
    save(folder / "images/3.png", twin)
    assert kinds(folder).get("twins") == ["1"]
    text(folder / "img_idx/train.txt", b"0\n1\n2\n")
    text(folder / "img_idx/test.txt", b"3\n4\n")
    found = kinds(folder)
    assert (found.get("twins_torn"), "twins" in found) == (["1"], False)


def test_a_hash_of_a_list_is_of_its_ids_alone(folder):
    text(folder / "img_idx/train.txt", b"2\r\n/0.png\r\n1\r\n")
    text(folder / "img_idx/test.txt", b"3")
    lists = {each["name"]: each for each in inspect_folder(folder).report()["lists"]}
    assert lists["train"]["sha256"] == list_hash(["0", "1", "2"]) != lists["test"]["sha256"]
    assert [lists[name]["n"] for name in ("train", "test")] == [3, 1]


def test_the_sheet_shows_what_is_wrong(folder, tmp_path):
    moved_points(folder)
    text(folder / "images/2.png", b"no image")
    done = run(folder, "--sheet", tmp_path / "sheet.png")
    assert done.exit_code == 4
    assert Image.open(tmp_path / "sheet.png").size[0] > 2 * 288


def test_masks_that_others_mended_are_named(draw_dataset):
    folder = draw_dataset("IRSTD-1K", 1)
    for part in ("images", "masks", "masks_centroid", "masks_coarse"):
        (folder / part / "0.png").rename(folder / part / "XDU0.png")
    assert kinds(folder) == {"fixed_elsewhere": ["XDU0"]}


def test_a_folder_of_images_is_inspected_too(folder):
    assert run(folder / "images").exit_code == 0
    assert inspect_folder(folder / "images").parts.layout == "flat"


def test_files_are_inspected_by_name(folder):
    name = next((folder / "images").iterdir())
    assert inspect_folder(name).report()["images"] == 1
    assert inspect_folder(f"{folder}/images/*.png").report()["images"] == N
    missing = run(folder / "no.png")
    assert missing.exit_code == 2
    assert "no.png: no such file or folder" in missing.stderr


def test_the_masks_of_a_run_are_no_data_set(folder):
    run_folder = folder.parent / "run"
    shutil.copytree(folder / "masks", run_folder / "masks")
    (run_folder / "manifest.jsonl").write_text('{"id":"1","status":"ok"}\n')
    refused = run(run_folder)
    assert refused.exit_code == 2
    assert "holds the masks of a run and no data set; `pointlabel evaluate` compares masks" in refused.stderr


def test_prints_follow_the_scene_and_not_its_brightness_or_its_targets():
    scenes = [draw_scene(seed=k, shape=(96, 120), n_targets=2).image.astype(float) for k in range(20)]
    marked = scenes[3].copy()
    marked[40:43, 50:53] += 80
    images = {str(k): each for k, each in enumerate(scenes)} | {"dim": scenes[3] * 0.5 + 20, "target": marked}
    images |= {"flat": np.zeros((96, 120)), "tiny": np.ones((4, 4))}
    pairs = find_twins({name: image_print(each) for name, each in images.items()})
    assert set(pairs) == {("3", "dim"), ("3", "target"), ("dim", "target")}
    groups = twin_groups(list(images), pairs)
    assert {name for name, home in groups.items() if home == groups["3"]} == {"3", "dim", "target"}
    assert groups["flat"] == "flat"


def test_real_data_is_as_its_notes_say(data):
    found = kinds(data / "SIRST-v1")
    assert (len(found["colour"]), found["point_size"]) == (159, ["Misc_111"])
    assert "same_id" not in found
