"""Images and tables at URIs give the files of the same images on a disk; what fails there is one clear sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointlabel.errors import InputError, MissingExtraError, OutputError
from pointlabel.folder import annotate_folder
from pointlabel.io.files import FileWrite, make_folder
from pointlabel.io.images import list_images
from pointlabel.io.remote import is_uri, list_uri, read_uri
from tests.folder.conftest import read_files, read_lines, write_folder

fsspec = pytest.importorskip("fsspec")
MOST = 1 << 20


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with their points, and `one`, the run on them."""
    root = write_folder(tmp_path_factory.mktemp("local"), 6)
    table = ["image,x,y"]
    for path in sorted((root / "points").rglob("*.png")):
        places = np.argwhere(np.asarray(Image.open(path))).tolist()
        table += [f"{path.relative_to(root / 'points')},{column},{row}" for row, column in places]
    (root / "clicks.csv").write_text("\n".join(table) + "\n")
    annotate_folder(root / "images", root / "clicks.csv", root / "one")
    return root


@pytest.fixture
def memory(local: Path) -> Iterator[str]:
    """URI of a store that holds the same images and points."""
    store = fsspec.filesystem("memory")
    store.put(str(local / "images"), "/shop/images", recursive=True)
    store.put(str(local / "clicks.csv"), "/shop/clicks.csv")
    yield "memory://shop"
    store.rm("/shop", recursive=True)


@pytest.mark.parametrize("path", ["s3://bucket/a", "gs://b/c", "file:///frames/a", "memory://a"])
def test_uris(path):
    assert is_uri(path)


@pytest.mark.parametrize("path", ["a", "/a/b", "C:/a", "C://a", "a:b", "://a", "s3:/a", "s3://", "./s3://a", "a b://c"])
def test_paths_of_this_machine_are_no_uris(path):
    assert not is_uri(path)


def test_a_run_on_uris_equals_one_on_a_disk(memory, local, tmp_path):
    for points in (local / "clicks.csv", f"{memory}/clicks.csv"):
        out = tmp_path / str(points).replace("/", "-")
        annotate_folder(f"{memory}/images", points, out)
        assert read_files(out / "masks") == read_files(local / "one/masks")
        assert read_lines(out) == read_lines(local / "one")


def test_resume_and_shards_read_uris(memory, local, tmp_path):
    from pointlabel.shards import merge_shards

    out = tmp_path / "out"
    for shard in ("1/2", "2/2"):
        annotate_folder(f"{memory}/images", f"{memory}/clicks.csv", out, shard=shard, mode="resume")
    merge_shards(out)
    assert read_files(out / "masks") == read_files(local / "one/masks")
    again = annotate_folder(f"{memory}/images", f"{memory}/clicks.csv", out, mode="resume")
    assert again.n_skipped == 6


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_is_listed_as_on_a_disk(memory, local, ending):
    here, there = list_images(local / "images"), list_images(f"{memory}/images{ending}")
    assert [(file.id, file.shown, file.rivals) for file in there.files] == [
        (file.id, file.shown, file.rivals) for file in here.files
    ]
    assert there.whole
    assert there.ids == here.ids


def test_one_file_and_a_glob(memory, local):
    names = [file.shown for file in list_images(local / "images").files if "/" not in file.shown]
    one = list_images(f"{memory}/images/{names[0]}")
    assert ([file.shown for file in one.files], one.whole) == (names[:1], False)
    some = list_images(f"{memory}/images/*.png")
    assert ([file.shown for file in some.files], some.whole) == (names, False)


def test_hidden_files_and_other_files_are_no_images(memory):
    store = fsspec.filesystem("memory")
    n = len(list_images(f"{memory}/images").files)
    for name in (".hidden.png", ".thumbnails/a.png", "notes.txt"):
        store.pipe_file(f"/shop/images/{name}", b"x")
    assert len(list_images(f"{memory}/images").files) == n


def test_an_image_that_is_damaged_is_an_error_of_its_own(memory, local, tmp_path):
    name = list_images(f"{memory}/images").files[2].shown
    fsspec.filesystem("memory").pipe_file(f"/shop/images/{name}", b"no image")
    summary = annotate_folder(f"{memory}/images", local / "clicks.csv", tmp_path / "out")
    assert (summary.n_ok, summary.n_errors) == (5, 1)
    errors = [line["error"] for line in read_lines(tmp_path / "out") if line["status"] == "error"]
    assert errors == [
        f"memory:///shop/images/{name}: not a PNG, TIFF, BMP or JPEG image, or its first bytes are damaged"
    ]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("memory://shop/nothing", "memory://shop/nothing: no such file or folder"),
        ("memory://shop/*.bmp", r"memory://shop/\*.bmp: no such file or folder"),
        ("nowhere://shop", "nowhere://shop: cannot be listed .*nowhere"),
    ],
)
def test_what_is_not_there(memory, path, words):
    with pytest.raises(InputError, match=words):
        list_uri(path)


def test_files_that_cannot_be_read(memory):
    store = fsspec.filesystem("memory")
    store.pipe_file("/shop/empty.png", b"")
    store.pipe_file("/shop/large.png", b"x" * 11)
    with pytest.raises(InputError, match=r"empty\.png: the file is empty \(0 bytes\)"):
        read_uri("memory://shop/empty.png", MOST)
    with pytest.raises(InputError, match=r"large\.png: the file has more than 0 MB, the limit"):
        read_uri("memory://shop/large.png", 10)
    assert read_uri("memory://shop/large.png", 11) == b"x" * 11
    with pytest.raises(InputError, match=r"gone\.png: cannot be read \(FileNotFoundError"):
        read_uri("memory://shop/gone.png", MOST)


@pytest.mark.parametrize(("scheme", "extra"), [("s3", "s3"), ("gs", "gs")])
def test_without_the_package_it_names_the_extra(scheme, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
    with pytest.raises(MissingExtraError, match=rf"{scheme}:// needs a package: pip install 'pointlabel\[{extra}\]'"):
        list_uri(f"{scheme}://bucket/frames")


def test_without_fsspec_it_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pointlabel\[s3\]'"):
        read_uri("s3://bucket/a.png", MOST)


def test_frames_and_several_places_are_refused(memory, local, tmp_path):
    with pytest.raises(InputError, match="frames are taken out of files of this machine only"):
        annotate_folder(f"{memory}/images", local / "clicks.csv", tmp_path / "out", frames=True)
    with pytest.raises(InputError, match="a URI must be the one place of images, but 2 places are given"):
        annotate_folder([f"{memory}/images", local / "images"], local / "clicks.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_point_images_are_no_table(memory, tmp_path):
    name = list_images(f"{memory}/images").files[0].path
    with pytest.raises(InputError, match="points there must name their images"):
        annotate_folder(f"{memory}/images", name, tmp_path / "out", points_format="one-pixel")


def test_nothing_is_written_to_a_uri(local):
    with pytest.raises(OutputError, match="output goes to a folder of this machine, not to a URI"):
        annotate_folder(local / "images", local / "clicks.csv", "memory://shop/out")
    with pytest.raises(OutputError):
        make_folder("s3://bucket/out")
    with pytest.raises(OutputError):
        FileWrite("s3://bucket", b"x")


def test_a_table_cannot_make_the_program_read_a_uri(local, tmp_path, monkeypatch):
    def never(*args: object) -> None:
        raise AssertionError("a store was asked")

    monkeypatch.setattr("pointlabel.io.remote._open", never)
    table = tmp_path / "clicks.csv"
    table.write_text((local / "clicks.csv").read_text() + "s3://bucket/secret.png,3,4\n")
    summary = annotate_folder(local / "images", table, tmp_path / "out")
    assert (summary.n_ok, summary.n_errors) == (6, 1)
    errors = [line["error"] for line in read_lines(tmp_path / "out") if line["status"] == "error"]
    assert errors == [f"{table}, line 14: there is no image s3://bucket/secret.png"]


@pytest.mark.slow
def test_a_server_that_speaks_s3(local, tmp_path, monkeypatch):
    server = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    annotate_folder(local / "images", local / "clicks.csv", tmp_path / "here", jobs=2)  # workers before there are keys
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    threads = server.ThreadedMotoServer(port=0)
    threads.start()
    try:
        host, port = threads.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        store = s3fs.S3FileSystem()
        store.mkdir("night")
        store.put(str(local / "images"), "night/images", recursive=True)
        store.put(str(local / "clicks.csv"), "night/clicks.csv")
        for jobs in (1, 2):
            out = tmp_path / f"out{jobs}"
            annotate_folder("s3://night/images", "s3://night/clicks.csv", out, jobs=jobs)
            assert read_files(out / "masks") == read_files(local / "one/masks")
            assert read_lines(out) == read_lines(local / "one")
        with pytest.raises(InputError, match="s3://night/none: no such file or folder"):
            list_images("s3://night/none")
        with pytest.raises(InputError, match="s3://other/images: "):
            list_images("s3://other/images")
    finally:
        threads.stop()
