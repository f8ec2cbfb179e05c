"""Whatever stands in a table, a manifest or for a link: nothing outside OUT is touched, and nothing of others in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pointlabel.errors import PointLabelError
from pointlabel.folder import RunSettings, annotate_folder

IDS = ("t0", "t1", "s/t2")
NAMES = st.one_of(
    st.sampled_from(
        [
            *(*IDS, "", ".", "..", "t0 ", "/", "//t0", "s//t2", "./t0", "../t0", "../images/t0", "../../images/t0"),
            *("masks/../../images/t0", "C:\\t0", "C:t0", "..\\images\\t0", "a" * 300, "\udcff", "=1+1"),
            *("../precious", "../../precious", "/precious", "mine", "t\0", "contact-sheet"),
        ]
    ),
    st.text(max_size=8),
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(allow_nan=True), NAMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=2)),
    max_leaves=4,
)
FOLDERS = st.sampled_from(["masks", "overlay", "..", "../..", "/", "../images"])
KINDS = st.one_of(st.lists(st.one_of(FOLDERS, NAMES)), JUNK)
LINES = st.one_of(
    st.fixed_dictionaries({}, optional={"id": st.one_of(NAMES, JUNK), "outputs": KINDS, "outputs_sha256": JUNK}),
    st.tuples(st.sampled_from(["status", "targets", "warnings", "params", "image_sha256", "tightness"]), JUNK).map(
        lambda pair: dict([pair])
    ),
    st.binary(max_size=40),
    st.sampled_from([b"[" * 100_000, b"\xff\xfe", b"NaN", b"{}\r", b"5", b"null", b'{"id":"t0","status":"ok"}']),
)
LINKS = st.sampled_from([(), ("masks",), ("masks/t0.png",), ("manifest.jsonl",), ("masks/s",), ("soft",)])


def tree(root: Path, but: Path) -> dict[str, tuple[str, bytes]]:
    """What lies below a folder, without `but`: kind and content by name; links are not followed."""
    found = {}
    for parent, folders, names in os.walk(root):
        folders[:] = [name for name in folders if Path(parent, name) != but]
        for name in (*folders, *names):
            path = Path(parent, name)
            kind = "link" if path.is_symlink() else "folder" if path.is_dir() else "file"
            content = os.readlink(path).encode() if kind == "link" else path.read_bytes() if kind == "file" else b""
            found[str(path.relative_to(root))] = (kind, content)
    return found


def annotate(root: Path, mode: str, points: str = "points", **options: Any) -> None:
    outputs = tuple(name for name in ("soft", "instances", "overlay") if options.pop(name, False))
    own = {name: options.pop(name) for name in tuple(options) if name in RunSettings.__dataclass_fields__}
    settings = RunSettings("threshold", outputs=outputs, **own)
    annotate_folder(root / "images", root / points, root / "data/out", settings, mode=mode, **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]) -> Path:
    """A run in data/out over three images, with files of a user beside it, above it and in it."""
    root = tmp_path_factory.mktemp("hostile")
    make_folder(root, 3)
    annotate(root, "new")
    for place in ("precious.png", "data/precious.png", "data/out/masks/mine.png", "elsewhere/t0.png"):
        (root / place).parent.mkdir(exist_ok=True)
        Image.new("L", (48, 40), 7).save(root / place)
    shutil.copy(root / "data/out/masks/t1.png", root / "elsewhere/t1.png")  # ours, but not in OUT
    shutil.copytree(root / "elsewhere", root / "data/images")
    return root


def test_the_tree_sees_what_changes(run, tmp_path):
    shutil.copytree(run, tmp_path / "r")
    before = tree(tmp_path / "r", tmp_path / "r/data/out")
    assert "elsewhere/t1.png" in before
    assert not any(name.startswith("data/out") for name in before)
    (tmp_path / "r/elsewhere/t1.png").unlink()
    assert tree(tmp_path / "r", tmp_path / "r/data/out") != before


@settings(max_examples=30, deadline=None)
@given(
    lines=st.lists(st.tuples(st.integers(0, 3), LINES), max_size=3),
    names=st.lists(NAMES.filter(lambda name: "\0" not in name), max_size=3),
    links=LINKS,
    mode=st.sampled_from(["resume", "overwrite", "new"]),
)
def test_nothing_of_others_is_touched(run, lines, names, links, mode):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "r")
        shutil.copytree(run, root)
        out = root / "data/out"
        lines_before = [json.loads(line) for line in (out / "manifest.jsonl").read_bytes().splitlines()]
        whole = [json.dumps(line).encode() for line in lines_before]
        for number, change in lines:
            if isinstance(change, bytes):
                whole.insert(number, change)
            else:
                whole[number % 3] = json.dumps(lines_before[number % 3] | change).encode()
        (out / "manifest.jsonl").write_bytes(b"\n".join(whole) + b"\n")
        for link in links:
            path = out / link
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            path.symlink_to(root / "elsewhere" / ("t1.png" if link.endswith("png") else ""))
        mine = out / "masks/mine.png"
        content = mine.read_bytes() if mine.exists() else None
        rows = ["image,x,y", *(f'"{name}",20,20' for name in names if '"' not in name), "t0,20,20"]
        (root / "points.csv").write_text("\n".join(rows), encoding="utf-8", errors="surrogateescape")
        before = tree(root, out)
        for points in ("points.csv", "points"):
            with contextlib.suppress(PointLabelError):
                annotate(root, mode, points, soft=bool(links))
        assert tree(root, out) == before
        assert content is None or mine.read_bytes() == content
        assert not (out / ".pointlabel.lock").exists()
        for link in links:
            assert (out / link).is_symlink()


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("masks", "masks is a link to .*elsewhere; files are written below .*out itself"),
        ("masks/t0.png", "t0.png: not written by this program, and would be replaced"),
        ("manifest.jsonl", "manifest.jsonl is a link; move it away"),
    ],
)
def test_links_are_refused_in_one_sentence(run, tmp_path, link, sentence):
    root = tmp_path / "r"
    shutil.copytree(run, root)
    shutil.rmtree(root / "data/out")
    path = root / "data/out" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(root / "elsewhere" / ("t0.png" if link.endswith("png") else ""))
    with pytest.raises(PointLabelError, match=sentence):
        annotate(root, "new")


def test_a_manifest_of_which_no_line_can_be_read_is_kept_aside(run, tmp_path):
    root = tmp_path / "r"
    shutil.copytree(run, root)
    out = root / "data/out"
    for place in ("manifest.damaged.jsonl", "manifest.damaged-2.jsonl"):  # the second does not replace the first
        text = f'{{"name": "a file of another program, {place}"}}\n'
        (out / "manifest.jsonl").write_text(text)
        annotate(root, "resume")
        assert (out / place).read_text() == text
        assert len((out / "manifest.jsonl").read_text().splitlines()) == 3
