"""Files that hold a trap: bombs, entities, pickles, too many bytes. Each is one sentence, at little cost."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from scipy.io import savemat

from pointlabel.cli.main import main
from pointlabel.errors import InputError
from pointlabel.io import limits
from pointlabel.io.decode import read_image
from pointlabel.io.exchange.convert import convert
from pointlabel.io.frames import list_inputs
from pointlabel.io.points.readers import open_points
from pointlabel.io.text import decode_yaml
from pointlabel.session import open_session
from tests.fuzz.mutate import png_chunks, write_png
from tests.fuzz.readers import READERS
from tests.fuzz.seeds import images, masks, stacks

ROOT = Path(__file__).parent.parent.parent
N_BYTES = 400 << 20  # that a bomb grows to
MOST_MB = 250  # that it may cost


def packed_zeros(n_bytes: int = N_BYTES) -> bytes:
    """Zeros as zlib packs them, a thousandth of their size."""
    packer, piece = zlib.compressobj(1), bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(n_bytes >> 20)) + packer.flush()


def png_bombs() -> dict[str, bytes]:
    """A small PNG whose data, text or profile grows."""
    header, *rest = png_chunks(images()[0])
    zeros = packed_zeros()
    return {
        "png data": write_png([header, (b"IDAT", zeros), (b"IEND", b"")]),
        "png text": write_png([header, (b"zTXt", b"a\0\0" + zeros), *rest]),
        "png profile": write_png([header, (b"iCCP", b"a\0\0" + zeros), *rest]),
    }


def tiff_bombs() -> dict[str, bytes]:
    """A small TIFF whose one strip grows."""
    out = {}
    for name, data in (("deflate", packed_zeros()), ("zstd", bytes(imagecodecs.zstd_encode(bytes(N_BYTES))))):
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer,
            iter((data,)),
            shape=(64, 64),
            dtype=np.uint8,
            compression=name,
            rowsperstrip=64,
            photometric="minisblack",
        )
        out[f"tiff {name}"] = buffer.getvalue()
    return out


def npz_bomb(member: str, n: int) -> bytes:
    """An archive with one array of zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("prob.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros((16, 18), np.float16))
        with archive.open(f"{member}.npy", "w", force_zip64=True) as file:
            head = io.BytesIO()
            shape = {"descr": "<f8", "fortran_order": False, "shape": (n, 2)}
            np.lib.format.write_array_header_1_0(head, shape)
            file.write(head.getvalue())
            for _ in range(n * 16 >> 20):
                file.write(bytes(1 << 20))
    return buffer.getvalue()


def read_all(path: Path, form: str | None = None, are_masks: bool = False) -> None:
    """Read all masks, all points or, without a format, the image at a path."""
    if are_masks:
        convert(path, path.parent / "out", "png", form=form)
    elif form is None:
        read_image(str(path))
    else:
        for entry in open_points(str(path), points_format=form, allow_pickle=True).bind({"t1"}).entries.values():
            entry.load()


def peak_of(reader: str, path: Path) -> tuple[str, int]:
    """What became of a file in a process of its own, and the MB that it cost beside a whole small one."""
    code = """
import resource, sys
from tests.fuzz.readers import READERS
reader, path, small = READERS[sys.argv[1]], sys.argv[2], sys.argv[3]
reader.read(small)
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) // 1024
before = peak()
try:
    reader.read(path)
    end = "read"
except ValueError as error:
    end = str(error)
print(peak() - before, end)
"""
    small = path.parent / f"small{READERS[reader].suffix}"
    small.write_bytes(READERS[reader].seeds()[0])
    command = [sys.executable, "-c", code, reader, str(path), str(small)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    cost, _, end = done.stdout.partition(" ")
    return end.strip(), int(cost)


@pytest.mark.parametrize("kind", ["png data", "png text", "png profile", "tiff deflate", "tiff zstd", "npz"])
def test_a_decompression_bomb_takes_little(kind, tmp_path):
    reader, suffix = ("npz", ".npz") if kind == "npz" else ("images", f".{kind[:4].strip()}")
    path = tmp_path / f"bomb{suffix}"
    data = npz_bomb("points", N_BYTES >> 4) if kind == "npz" else (png_bombs() | tiff_bombs())[kind]
    path.write_bytes(data)
    assert len(data) < N_BYTES // 100
    end, cost = peak_of(reader, path)
    assert cost < MOST_MB
    assert kind.startswith("png") or end != "read"  # libpng stops where it has all pixels, and passes over texts


@pytest.mark.parametrize("what", ["screen", "picture"])
def test_a_gif_that_claims_more_than_it_may_take_is_refused(what, tmp_path):
    data = bytearray(stacks("gif")[0])
    at = 6 if what == "screen" else data.rindex(b"\x2c\0\0\0\0\x0e\0\x0c\0") + 5
    data[at : at + 4] = struct.pack("<HH", 16000, 11000)
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises(InputError, match="a GIF is read up to 16,777,216 pixels, got 16000 x 11000; save it as TIFF"):
        read_image(str(tmp_path / "a.gif"))


def test_a_member_of_an_archive_that_is_no_array_is_one_sentence(tmp_path):
    np.savez(tmp_path / "a.npz", prob=np.zeros((4, 5)))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("points.npy", b"words")
    with pytest.raises(InputError, match=r"a\.npz: no archive with an array prob \(a member is no array\)"):
        read_all(tmp_path, "npz", True)


def test_a_packed_array_of_millions_of_frames_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", np.zeros((20_000_000, 1, 2), np.uint8))
    with pytest.raises(InputError, match=r"a\.npz: 20,000,000 frames are more than the limit of 1,000,000"):
        list_inputs(tmp_path / "a.npz", frames=True)


@pytest.mark.parametrize("values", [np.zeros((400, 400)), np.zeros((400, 400), np.uint8)])
def test_packed_arrays_of_matlab_are_counted_in_bytes(values, tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"frames": values}, do_compression=True)
    monkeypatch.setattr(limits, "MAX_BYTES", 400_000)
    if values.itemsize == 1:
        assert read_image(str(tmp_path / "a.mat"))[0].shape == (400, 400)
    else:
        with pytest.raises(InputError, match="400 x 400 pixels take 1 MB while they are decoded, more than the limit"):
            read_image(str(tmp_path / "a.mat"))


#: Read line by line, or piece by piece; of which a million bytes are read; mapped, and refused by their header; read a
#: frame at a time; taken for damaged, or for none of a layout's files.
OTHERWISE = (
    "manifest",
    "run masks",
    "points cvat annotations.xml",
    "config",
    "weights",
    "checkpoint",
    "onnx",
    "parquet",
    "video",
    "prediction",
    "layout",
    *(f"frames {k}" for k in ("tif", "npy", "npz", "gif")),
)


@pytest.mark.parametrize("name", [name for name in READERS if name not in OTHERWISE])
def test_a_file_of_1_gb_is_refused_from_its_size(name, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "copy", os.link)  # where a reader wants it under another name
    path = tmp_path / f"large{READERS[name].suffix}"
    with open(path, "wb") as file:
        file.write(READERS[name].seeds()[0])
        file.truncate((1 if name != "published" else 5) << 30)  # most of it a hole
    with pytest.raises(InputError, match=r"the file has [\d,]+ MB, more than the limit of [\d,]+ MB"):
        READERS[name].read(str(path))


def test_a_journal_of_1_gb_is_refused_from_its_size(draw_dataset, tmp_path):
    (tmp_path / "out").mkdir()
    with open(tmp_path / "out/journal.jsonl", "wb") as file:
        file.write(b'{"journal":1}\n')
        file.truncate(1 << 30)
    with (
        pytest.raises(InputError, match="the file has 1,074 MB, more than the limit"),
        open_session(draw_dataset() / "images", tmp_path / "out"),
    ):
        pass


ENTITIES = {
    "a bomb": '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;&b;&b;"><!ENTITY e "&d;&d;&d;&d;">]>',
    "a file": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
    "a parameter": '<!DOCTYPE a [<!ENTITY % e SYSTEM "file:///etc/hostname"> %e;]>',
    "a document type elsewhere": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
}
XML = {
    "cvat points": (
        "annotations.xml",
        "<annotations><image name='t1.png' width='5' height='4'>&e;</image></annotations>",
    ),
    "cvat masks": (
        "annotations.xml",
        "<annotations><image name='t1.png' width='5' height='4'>&e;</image></annotations>",
    ),
    "voc": ("Annotations/t1.xml", "<annotation><filename>&e;</filename></annotation>"),
    "sirst-xml": ("t1.xml", "<annotation><filename>&e;</filename></annotation>"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("kind", ENTITIES)
@pytest.mark.parametrize("reader", XML)
def test_xml_with_a_document_type_is_refused(reader, kind, encoding, tmp_path):
    name, body = XML[reader]
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    if kind == "a document type elsewhere":
        body = body.replace("&e;", "")
    path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{ENTITIES[kind]}{body}'.encode(encoding))
    source = tmp_path / "in" if reader == "voc" else path
    with pytest.raises(InputError, match=r"entities (of its own )?is not read"):
        read_all(source, reader.split()[0], reader in ("cvat masks", "voc"))


def test_anchors_of_yaml_are_not_multiplied(tmp_path):
    """Nine lists of nine of the one before: 400 million words where anything writes them out."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 9)]
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "images/train").mkdir(parents=True)
    (tmp_path / "images/train/a.png").write_bytes(masks()[0])
    (tmp_path / "labels/train/a.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (tmp_path / "data.yaml").write_text("\n".join([*lines, "names: *a8", ""]))
    with pytest.raises(InputError, match=r"data\.yaml"):
        convert(tmp_path, tmp_path / "out", "png", form="yolo")


@pytest.mark.parametrize(
    ("text", "words"),
    [("names: " + "[" * 100_000, "nested too deep"), ("names: [a]\n" * 100_000, "longer than 1,000,000")],
)
def test_yaml_that_takes_long_is_refused(text, words):
    """The parser's time grows with the square of the depth."""
    with pytest.raises(ValueError, match=words):
        decode_yaml(text)


class Trap:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('pickles run')",))


def pickled() -> bytes:
    """An array of objects that would run code."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "t1.npy", "masks.npz"])
def test_no_array_is_unpickled(name, tmp_path):
    path = tmp_path / name
    if path.suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("prob.npy", pickled())
    else:
        path.write_bytes(pickled())
    with pytest.raises(InputError, match=r"object|pickle|Python|no array|one array|no archive"):
        read_all(tmp_path, "npz", True) if name == "masks.npz" else read_all(path, "mclc" if name == "t1.npy" else None)


def test_the_folder_of_a_run_holds_no_code(tmp_path, draw_dataset):
    """Weights that are a pickle are refused, and modules beside them are never imported."""
    folder, run = draw_dataset(), tmp_path / "run"
    options = ["--model", "tiny", "--crop", "32", "--epochs", "1", "--batch-size", "4", "--strategy", "point"]
    assert CliRunner().invoke(main, ["train", str(folder), "-o", str(run), *options]).exit_code == 0
    for name in ("__init__.py", "model.py", "torch.py", "tiny.py"):
        (run / name).write_text("raise SystemExit('code runs')")
    words = ["predict", str(run), str(folder / "images"), "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(main, words).exit_code == 0
    (run / "best.safetensors").write_bytes(pickle.dumps(Trap()))
    result = CliRunner().invoke(main, [*words, "--overwrite"])
    assert result.exit_code == 2
    assert "best.safetensors" in result.output


@pytest.mark.parametrize("files", [("pytorch_model.bin",), ("model.safetensors", "modeling_sam.py")])
def test_the_folder_of_a_published_model_runs_no_code(files, tmp_path, draw_dataset):
    pytest.importorskip("transformers")
    about = {"model_type": "sam", "auto_map": {"AutoModel": "modeling_sam.SamModel"}, "architectures": ["SamModel"]}
    (tmp_path / "config.json").write_text(json.dumps(about))
    for name in files:
        code = "raise SystemExit('code runs')"
        (tmp_path / name).write_bytes(code.encode() if name.endswith(".py") else pickle.dumps(Trap()))
    words = ["annotate", str(draw_dataset()), "-o", str(tmp_path / "out"), "--method", "sam"]
    result = CliRunner().invoke(main, [*words, "--checkpoint", str(tmp_path)])
    assert "code runs" not in result.output
    assert "pickles run" not in result.output
    assert result.exit_code in (2, 3)
