"""Stacks of frames: each frame with its own id, in its own depth, read when it is asked for."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy.io import loadmat, savemat

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.io.arrays import ArrayFrames
from pointlabel.io.decode import read_image
from pointlabel.io.frames import list_inputs
from pointlabel.io.images import list_images, strip_suffix
from pointlabel.io.matlab import is_version_5, list_arrays, read_array
from pointlabel.io.stacks import count_frames
from pointlabel.synthetic import draw_scene

N = 4


def scenes(dtype=np.uint16):
    drawn = [draw_scene(seed=k, shape=(48, 64), n_targets=1) for k in range(N)]
    return np.stack([each.image for each in drawn]).astype(dtype) * dtype(7), [each.points[0] for each in drawn]


def write(path, stack):
    kind = path.suffix[1:]
    if kind == "npy":
        np.save(path, stack)
    elif kind == "npz":
        np.savez_compressed(path, frames=stack, fps=np.array(30))
    elif kind == "mat":
        savemat(path, {"frames": np.moveaxis(stack, 0, -1), "fps": 30.0})
    elif path.stem == "plain":  # a plain array of 3 or 4 images, which tifffile calls one image of RGB in planes
        tifffile.imwrite(path, stack)
    elif path.stem == "planes":
        tifffile.imwrite(path, stack, photometric="minisblack", planarconfig="separate")
    elif kind == "tif":
        tifffile.imwrite(path, stack, photometric="minisblack", compression="zlib")
    else:
        tifffile.imwrite(path, stack, photometric="minisblack", truncate=True, metadata={"axes": "TYX"}, byteorder=">")


STACKS = ("clip.npy", "clip.npz", "clip.mat", "clip.tif", "clip.tiff", "plain.tif", "planes.tif")


def annotate(*args):
    done = CliRunner().invoke(main, ["annotate", *map(str, args), "--no-progress"])
    assert done.exit_code == 0, done.output
    return done.output


def manifest(out):
    return {row["id"]: row for row in map(json.loads, (out / "manifest.jsonl").read_text().splitlines())}


@pytest.mark.filterwarnings("ignore:<tifffile.TiffWriter.write>")
@pytest.mark.parametrize("name", STACKS)
def test_frames_that_a_table_names_are_the_images(name, tmp_path):
    stack, points = scenes()
    write(tmp_path / name, stack)
    rows = [f"{name}#{k:06d},{points[k][1]:.2f},{points[k][0]:.2f}" for k in (1, 3)]
    (tmp_path / "clicks.csv").write_text("\n".join(["image,x,y", *rows]) + "\n")
    annotate(tmp_path, "-p", tmp_path / "clicks.csv", "-o", tmp_path / "out")
    found = manifest(tmp_path / "out")
    assert list(found) == [f"{Path(name).stem}#{k:06d}" for k in (1, 3)]
    assert all(len(row["targets"]) == 1 and row["status"] == "ok" and not row["warnings"] for row in found.values())
    image, notes = read_image(f"{tmp_path / name}#000003")
    np.testing.assert_array_equal(image, stack[3])
    assert (image.dtype, notes) == (stack.dtype, ())


@pytest.mark.parametrize("header", ["sequence,frame", "image,frame"])
@pytest.mark.parametrize("name", ["clip", "clip.tif"])
@pytest.mark.parametrize("given", ["folder", "file", "all frames"])
def test_numbers_beside_the_name_of_a_stack_are_its_frames(header, name, given, tmp_path):
    stack, points = scenes()
    (tmp_path / "images").mkdir()
    write(tmp_path / "images/clip.tif", stack)
    rows = [f"{name},{k},{points[k][1]:.2f},{points[k][0]:.2f}" for k in (0, 1, 3)]
    (tmp_path / "clicks.csv").write_text("\n".join([f"{header},x,y", *rows]) + "\n")
    place = tmp_path / "images" / ("clip.tif" if given == "file" else "")
    all_frames = ["--frames"] if given == "all frames" else []
    annotate(place, "-p", tmp_path / "clicks.csv", "-o", tmp_path / "out", *all_frames)
    found = manifest(tmp_path / "out")
    with_points = {name for name, row in found.items() if row["targets"]}
    assert with_points == {f"clip#{k:06d}" for k in (0, 1, 3)}
    assert len(found) == (4 if all_frames else 3)


def test_numbers_beside_the_name_of_one_image_say_nothing(tmp_path):
    stack, points = scenes()
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images/lone.tif", stack[0])
    (tmp_path / "clicks.csv").write_text(f"image,frame,x,y\nlone,7,{points[0][1]:.2f},{points[0][0]:.2f}\n")
    annotate(tmp_path / "images", "-p", tmp_path / "clicks.csv", "-o", tmp_path / "out")
    assert [len(row["targets"]) for row in manifest(tmp_path / "out").values()] == [1]


def test_point_images_may_name_frames(tmp_path):
    stack, points = scenes()
    (tmp_path / "clips").mkdir()
    write(tmp_path / "clips/clip.tif", stack)
    (tmp_path / "points").mkdir()
    mark = np.zeros(stack.shape[1:], np.uint8)
    mark[tuple(np.floor(points[2]).astype(int))] = 255
    Image.fromarray(mark).save(tmp_path / "points/clip#000002.png")
    annotate(tmp_path / "clips", "-p", tmp_path / "points", "-o", tmp_path / "out")
    assert list(manifest(tmp_path / "out")) == ["clip#000002"]
    assert (tmp_path / "out/masks/clip#000002.png").exists()


def test_a_tiff_of_pages_counts_as_its_first_one_unless_frames_are_asked_for(tmp_path):
    stack, points = scenes()
    images = tmp_path / "images"
    images.mkdir()
    write(images / "clip.tif", stack)
    np.save(images / "other.npy", stack)
    (tmp_path / "clicks.csv").write_text(f"image,x,y\nclip,{points[0][1]},{points[0][0]}\n")
    annotate(images, "-p", tmp_path / "clicks.csv", "-o", tmp_path / "first")
    first = manifest(tmp_path / "first")
    assert list(first) == ["clip"]
    assert "it holds 4 pages; the first is used" in first["clip"]["warnings"][0]
    (tmp_path / "clicks.csv").write_text(f"image,x,y\nclip#000000,{points[0][1]},{points[0][0]}\n")
    annotate(images, "-p", tmp_path / "clicks.csv", "-o", tmp_path / "all", "--frames")
    assert list(manifest(tmp_path / "all")) == [f"{name}#{k:06d}" for name in ("clip", "other") for k in range(N)]


@pytest.mark.filterwarnings("ignore:<tifffile.TiffWriter.write>")
def test_planes_are_frames_where_they_are_asked_for_and_colours_stay_one_image(tmp_path):
    stack, _ = scenes()
    write(tmp_path / "planes.tif", stack)
    write(tmp_path / "plain.tif", stack)
    tifffile.imwrite(tmp_path / "grey.tif", stack[[0, 0, 0]], photometric="rgb", planarconfig="separate")
    tifffile.imwrite(
        tmp_path / "rgb.tif", stack[:3], photometric="rgb", planarconfig="separate", metadata=None, software="x"
    )
    names = {file.id for file in list_inputs(tmp_path, frames=True).files}
    assert names == {"grey", "rgb", *(f"{name}#{k:06d}" for name in ("plain", "planes") for k in range(N))}


def test_where_there_is_nothing_else_stacks_are_the_images(tmp_path):
    np.save(tmp_path / "clip.npy", scenes()[0])
    np.save(tmp_path / "one.npy", scenes()[0][0])
    ids = [*(f"clip#{k:06d}" for k in range(N)), "one"]
    assert [file.id for file in list_inputs(tmp_path).files] == ids
    assert [file.id for file in list_inputs(tmp_path / "clip.npy").files] == ids[:-1]
    with pytest.raises(InputError, match="no image found"):
        list_images(tmp_path)


def test_a_frame_that_is_not_there_is_an_error_of_its_own(tmp_path):
    np.save(tmp_path / "clip.npy", scenes()[0])
    with pytest.raises(InputError, match="it holds 4 frames, counted from 0, and no frame 4"):
        read_image(f"{tmp_path / 'clip.npy'}#000004")


def test_one_frame_alone_is_read_of_a_large_array(tmp_path):
    frames = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.float32, (4000, 512, 1024))  # 8 GB, sparse
    frames[3999, 5, 6] = 0.25
    frames.flush()
    image, _ = read_image(f"{tmp_path / 'large.npy'}#003999")
    assert (image.shape, image.dtype, image.sum()) == ((512, 1024), np.float32, 0.25)


def test_a_file_whose_name_ends_like_a_frame_is_that_file(tmp_path):
    Image.fromarray(np.full((4, 5), 9, np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.full((4, 5), 7, np.uint8)).save(tmp_path / "a.png#000001", format="png")
    assert read_image(f"{tmp_path / 'a.png'}#000001")[0][0, 0] == 7


@pytest.mark.parametrize(("name", "stem"), [("d/clip.tif#000123", "d/clip#000123"), ("clip#000123", "clip#000123")])
def test_the_suffix_of_a_frame_stands_before_its_number(name, stem):
    assert strip_suffix(name) == stem


DTYPES = st.sampled_from([">u2", "<u2", "u1", "<i4", "<f4", ">f8", "f2", "?"])


@given(data=st.data(), suffix=st.sampled_from(["npy", "npz", "mat"]))
def test_arrays_come_back_as_they_were_written(data, suffix, tmp_path_factory):
    kind = np.dtype(data.draw(DTYPES))
    if suffix == "mat" and kind.char in "e?":  # MATLAB has no such kind
        kind = np.dtype("f4")
    shape = (
        data.draw(st.sampled_from([2, 5] if suffix == "mat" and kind == np.uint8 else [2, 3, 4])),
        data.draw(st.integers(5, 7)),
        data.draw(st.integers(5, 7)),
    )
    stack = data.draw(hnp.arrays(kind, shape, elements=None if kind.kind != "f" else {"allow_nan": False}))
    path = tmp_path_factory.mktemp("arrays") / f"clip.{suffix}"
    write(path, stack)
    assert count_frames(str(path)) == len(stack)
    for k, frame in enumerate(stack):
        image, _ = read_image(f"{path}#{k:06d}")
        np.testing.assert_array_equal(image, frame * np.uint8(255) if kind.kind == "b" else frame)
        assert image.dtype.isnative
        assert image.dtype.itemsize >= kind.itemsize


def test_what_is_no_stack_of_images_is_one_sentence(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.zeros((4, 4)), b=np.zeros((4, 4)))
    np.save(tmp_path / "five.npy", np.zeros((1, 1, 1, 4, 4)))
    np.save(tmp_path / "objects.npy", np.array([{}, {}], object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "five.npy").read_bytes()[:90])
    for name, words in (
        ("two.npz", r"one array of images is expected, got a \(4, 4\), b \(4, 4\)"),
        ("five.npy", "an array of frames has 2 to 4 axes"),
        ("objects.npy", "cut short or damaged"),
        ("cut.npy", "cut short or damaged"),
    ):
        with pytest.raises(InputError, match=words):
            read_image(str(tmp_path / name))


def test_gif_frames_are_those_that_are_shown(tmp_path):
    frames = [Image.fromarray(np.full((8, 9), 40 * k, np.uint8)) for k in range(3)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=100)
    for k in (2, 0, 1):
        image, notes = read_image(f"{tmp_path / 'clip.gif'}#{k:06d}")
        assert (image.shape, set(np.unique(image)), notes) == ((8, 9), {40 * k}, ())


def test_video_keeps_its_sixteen_bits_in_any_order(tmp_path):
    av = pytest.importorskip("av")
    stack = (np.arange(5 * 16 * 32).reshape(5, 16, 32) * 25).astype(np.uint16)
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "gray16le"
        for frame in stack:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray16le")))
        container.mux(stream.encode())
    assert [file.id for file in list_inputs(tmp_path).files] == [f"clip#{k:06d}" for k in range(5)]
    for k in (0, 3, 4, 1):
        np.testing.assert_array_equal(read_image(f"{tmp_path / 'clip.mkv'}#{k:06d}")[0], stack[k])


@pytest.mark.slow
def test_workers_and_a_resumed_run_see_the_same_frames(tmp_path):
    stack, points = scenes()
    write(tmp_path / "clip.tif", stack)
    rows = [f"clip.tif#{k:06d},{points[k][1]},{points[k][0]}" for k in range(N)]
    (tmp_path / "clicks.csv").write_text("\n".join(["image,x,y", *rows]) + "\n")
    args = (tmp_path / "clip.tif", "-p", tmp_path / "clicks.csv")
    annotate(*args, "-o", tmp_path / "one")
    annotate(*args, "-o", tmp_path / "two", "-j", "2")
    for k in range(N):
        name = f"masks/clip#{k:06d}.png"
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    before = (tmp_path / "two/manifest.jsonl").read_text()
    annotate(*args, "-o", tmp_path / "two", "--resume")
    assert (tmp_path / "two/manifest.jsonl").read_text() == before


def test_a_window_changes_the_pictures_and_no_mask(tmp_path):
    stack, points = scenes()
    (tmp_path / "clicks.csv").write_text(f"image,x,y\nclip#000000,{points[0][1]},{points[0][0]}\n")
    np.save(tmp_path / "clip.npy", stack)
    args = (tmp_path / "clip.npy", "-p", tmp_path / "clicks.csv", "--overlay", "-o")
    annotate(*args, tmp_path / "own")
    annotate(*args, tmp_path / "set", "--window", 0, 60000)
    for name, is_same in (("masks", True), ("overlay", False)):
        both = [(tmp_path / run / name / "clip#000000.png").read_bytes() for run in ("own", "set")]
        assert (both[0] == both[1]) == is_same
    assert manifest(tmp_path / "set")["clip#000000"]["window"] == [0, 60000, False]
    again = CliRunner().invoke(main, ["annotate", *map(str, args), str(tmp_path / "set"), "--resume"])
    assert again.exit_code == 2
    assert "window" in again.output
    annotate(*args, tmp_path / "far", "--window", 70000, 90000)
    (warning,) = manifest(tmp_path / "far")["clip#000000"]["warnings"]
    assert warning.endswith("clip.npy#000000: no grey level lies between 70000 and 90000, the overlay's window")


MAT_KINDS = ("f8", "f4", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", MAT_KINDS)
def test_arrays_of_matlab_are_what_scipy_reads(kind, packed, tmp_path):
    rng = np.random.default_rng(3)
    frames_of_kind = rng.integers(0, 100, (5, 7, 4)).astype(kind)
    held = {"a": 5.0, "text": "words", "list": np.array([[1, "b"]], object), "frames": frames_of_kind}
    savemat(tmp_path / "a.mat", held, do_compression=packed)
    theirs = loadmat(tmp_path / "a.mat")["frames"]
    frames = ArrayFrames(str(tmp_path / "a.mat"))
    assert len(frames) == 4
    for k in range(4):
        ours = frames.read(k).array
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs[..., k])


def test_big_endian_arrays_of_matlab():
    values = np.arange(6, dtype=">u2").reshape(2, 3)

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    sizes, name = element(5, struct.pack(">ii", 2, 3)), element(1, b"a")
    matrix = element(6, struct.pack(">II", 11, 0)) + sizes + name + element(4, values.tobytes("F"))
    data = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + element(14, matrix)
    assert is_version_5(data)
    (variable,) = list_arrays(data)
    np.testing.assert_array_equal(read_array(variable), values)


def test_numbers_of_an_unknown_kind_do_not_end_the_process(tmp_path):
    """As SciPy's reader does."""
    savemat(tmp_path / "a.mat", {"frames": np.ones((5, 7), np.uint16)})
    data = bytearray((tmp_path / "a.mat").read_bytes())
    data[data.index(struct.pack("<II", 4, 70))] = 0
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.mat: the file is cut short or damaged \(numbers of an unknown kind 0\)"):
        read_image(str(tmp_path / "a.mat"))
