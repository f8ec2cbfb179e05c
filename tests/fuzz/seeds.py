"""Small whole files of every kind that a reader meets, drawn by code, for `mutate` to damage."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.point_samples import CVAT_VIDEO, MCLC_EMPTY, SAMPLES, npy


def images() -> list[bytes]:
    """Image files of every kind that is read."""
    rng = np.random.default_rng(1)
    grey = (60 + 8 * rng.normal(size=(20, 24))).clip(0, 255).astype(np.uint8)
    colour = np.stack([grey, grey // 2, grey], axis=-1)
    deep = grey.astype(np.uint16) * 200
    out = [_saved(Image.fromarray(grey), kind) for kind in ("PNG", "BMP", "JPEG", "TIFF")]
    out += [_saved(Image.fromarray(deep), "PNG"), _saved(Image.fromarray(colour), "PNG")]
    out += [_saved(Image.fromarray(colour).convert(mode), "PNG") for mode in ("P", "RGBA", "LA", "1")]
    exif = Image.Exif()
    exif[274] = 6
    out += [_saved(Image.fromarray(colour), "JPEG", exif=exif), _saved(Image.fromarray(grey), "JPEG", progressive=True)]
    out += [_saved(Image.fromarray(colour).convert(mode), "BMP") for mode in ("RGB", "P", "1")] + [_run_length_bmp()]
    out += [_tiff(grey, compression=each) for each in ("lzw", "deflate", "zstd", "packbits", "lzma", "lerc", "jpeg")]
    out += [_tiff(deep, compression="jpeg2000"), _tiff(deep, compression="png", tile=(16, 16))]
    out += [_tiff(colour, photometric="rgb", compression="webp"), _tiff(np.stack([deep] * 3), imagej=True)]
    out += [_tiff(colour, photometric="rgb", compression="jpeg"), _tiff(deep, predictor=True, compression="lzw")]
    out += [_tiff(np.moveaxis(colour, 2, 0).copy(), photometric="rgb", planarconfig="separate")]
    out += [_tiff(grey.astype(np.float32), byteorder=">", bigtiff=True, extratags=[(42113, 2, 3, "60", True)])]
    out += [_tiff(deep, bitspersample=12), _tiff(deep.astype(np.int16), photometric="miniswhite")]
    out += [_saved(Image.fromarray(grey > 60), "TIFF", compression=each) for each in ("group3", "group4")]
    out += [_saved(Image.fromarray(colour).convert(mode), "TIFF") for mode in ("P", "CMYK", "YCbCr")]
    return out


def masks() -> list[bytes]:
    """Masks and point images."""
    mask = np.zeros((16, 18), np.uint8)
    mask[4:7, 5:8] = 255
    return [
        _saved(Image.fromarray(mask), "PNG"),
        _saved(Image.fromarray(mask > 0), "PNG"),
        _tiff(mask.astype(np.float32) / 255, compression="deflate"),
        _tiff(mask.astype(np.uint16) * 257, extratags=[(42113, 2, 2, "0", True)]),
        *images()[:12],
    ]


def exchange(name: str) -> list[bytes]:
    """Files of a format of masks, with masks and, where it has them, with polygons."""
    from pointlabel.io.exchange.base import ImageMasks
    from pointlabel.io.exchange.pictures import targets_of
    from pointlabel.io.exchange.table import FORMATS

    mask = np.zeros((16, 18), bool)
    mask[4:7, 5:8] = mask[9:13, 12:18] = True
    mask[10, 14] = False
    image = ImageMasks("a", (16, 18), tuple(targets_of(mask)), "a.png")
    form = FORMATS[name]
    assert form.write is not None
    ends = ("a.json", "a.txt", "a.xml", "a.npz", "targets-00000.parquet")
    out = []
    for options in [{}, {"polygons": True}] if form.has_polygons else [{}]:
        files = _Files()
        form.write([image], files, **options)
        named = [data for path, data in files.items() if path.endswith(ends)]
        out += named or list(files.values())
    return out


class _Files(dict[str, bytes]):
    """Takes the files of a writer."""

    def write(self, path: str, data: bytes) -> None:
        self[path] = data


def point_images() -> list[bytes]:
    """Images with one white pixel for each point."""
    marks = np.zeros((20, 24), np.uint8)
    marks[4, 7] = marks[11, 3] = 255
    grey = Image.fromarray(marks)
    saved = [_saved(grey, kind) for kind in ("PNG", "BMP")]
    return [*saved, _saved(Image.fromarray(marks > 0), "PNG"), _tiff(marks), _tiff(marks, compression="deflate")]


def tables() -> list[bytes]:
    """Tables of points."""
    return [
        b"image,x,y,label,id,tightness\na,1,2,drone,7,0.5\nsub/b.png,3.5,4.25,,,\nc,,,,,\n",
        b"\xef\xbb\xbfy;x;image\r\n1;2;a\r\n",
        b'image\tx\ty\n"a,b"\t1e1\t-2\n',
    ]


def point_files() -> list[bytes]:
    """Points in the formats of tools."""
    one_frame = CVAT_VIDEO.replace("<size>2", "<size>1").replace('frame="1"', 'frame="0"')
    return [*SAMPLES.values(), one_frame.encode(), npy(MCLC_EMPTY)]


def manifests() -> list[bytes]:
    """Manifests of a run."""
    target = {"x": 1.0, "y": 2.0, "area": 9, "quality": 0.5, "flags": ["clipped"], "polarity": "bright", "ms": 1.0}
    line: dict[str, Any] = {"id": "a", "status": "ok", "height": 9, "width": 8, "warnings": [], "image": "a.png"}
    line |= {"image_sha256": "0" * 64, "points_sha256": None, "method": "default", "params": {"window": 5}}
    line |= {"tightness": 0.5, "polarity": "auto", "seed": 0, "outputs": ["masks"], "version": "1", "ms": 1.5}
    whole = json.dumps(line | {"targets": [target]})
    failed = json.dumps({"id": "b", "status": "error", "error": "b.png: no", "targets": []})
    return [f"{whole}\n{failed}\n".encode(), f"{whole}\n".encode() * 3]


def configs() -> list[bytes]:
    """Config files of the command line."""
    return [
        b'method = "default"\ntightness = 0.5\nseed = 3\n',
        b'[annotate]\nworkers = 2\npolarity = "dark"\n\n[annotate.params]\nwindow = 7\n',
    ]


def lists() -> list[bytes]:
    """Lists of ids."""
    return [b"a\nsub/b.png\n/c\n", b"\xef\xbb\xbfa\r\n\r\nb (1)\r\n"]


def runs() -> list[bytes]:
    """What a run of training says of itself."""
    from dataclasses import asdict

    from pointlabel.training.config import TrainConfig

    split = {"train": ["a", "b"], "val": ["c"], "test": []}
    about = {"config": asdict(TrainConfig()), "datasets": ["data/set"], "names": ["set"], "split": {"set": split}}
    return [json.dumps(about | {"scaling": {"mean": 80.5, "deviation": 12.0}}).encode()]


def logs() -> list[bytes]:
    """Logs of training."""
    lines = [{"epoch": epoch, "loss": 0.5, "val_iou": 0.25, "seconds": 1.5} for epoch in (1, 2, 3)]
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]


def detections() -> list[bytes]:
    """Tables of detections."""
    from pointlabel.io.detections import COLUMNS, encode_detections

    return [encode_detections([dict.fromkeys(COLUMNS, 1) | {"image": name} for name in ("a", "=sub/b")])]


def sample_weights() -> list[bytes]:
    """Weights of the samples of a run."""
    from dataclasses import fields

    from pointlabel.training.selection import SampleWeight

    names = [item.name for item in fields(SampleWeight)]
    cells = {"id": "set/a", "n_targets": "2"}
    rows = [",".join(names), *[",".join(cells.get(name, "0.5") for name in names)] * 2]
    return ["".join(f"{row}\n" for row in rows).encode()]


def weights() -> list[bytes]:
    """Weights of a detector."""
    from pointlabel.detectors import build
    from pointlabel.detectors.weights import weights_to_bytes

    return [weights_to_bytes(build("tiny"))]


def published() -> list[bytes]:
    """Checkpoints as torch saves them."""
    import torch

    out = []
    for held in ({"state_dict": {"a.weight": torch.zeros(2, 3), "b": torch.ones(4)}, "epoch": 3}, {"x": torch.ones(5)}):
        buffer = io.BytesIO()
        torch.save(held, buffer)
        out.append(buffer.getvalue())
    return out


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _tiff(array: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def _run_length_bmp() -> bytes:
    """8-bit BMP with run lengths, which Pillow reads and does not write."""
    plain = bytearray(_saved(Image.fromarray(np.zeros((4, 6), np.uint8)), "BMP"))
    start = int.from_bytes(plain[10:14], "little")
    runs = b"\x06\x09\x00\x00" * 4 + b"\x00\x01"
    plain[30:34] = (1).to_bytes(4, "little")
    plain[34:38] = len(runs).to_bytes(4, "little")
    return bytes(plain[:start]) + runs


def stacks(kind: str) -> list[bytes]:
    """Files of frames."""
    frames = np.random.default_rng(2).integers(0, 255, (3, 12, 14)).astype(np.uint8)
    buffer = io.BytesIO()
    match kind:
        case "npy":
            np.save(buffer, frames)
        case "npz":
            np.savez_compressed(buffer, frames=frames)
        case "mat":
            from scipy.io import savemat

            savemat(buffer, {"frames": np.moveaxis(frames, 0, 2).astype(np.uint16)}, do_compression=True)
        case "gif":
            first, *others = map(Image.fromarray, frames)
            first.save(buffer, "GIF", save_all=True, append_images=others)
        case "tif":
            tifffile.imwrite(buffer, frames, photometric="minisblack", compression="deflate")
    return [buffer.getvalue()]


def videos() -> list[bytes]:
    """A video of a few frames."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "gray"
        for level in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32), 50 * level, np.uint8), format="gray")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return [buffer.getvalue()]


def pictures(kind: str) -> list[bytes]:
    """Pictures with numbered targets or soft labels."""
    numbers = np.zeros((16, 18), np.uint16)
    numbers[4:7, 5:8], numbers[9:13, 12:18] = 1, 2
    levels = numbers if kind == "instances" else numbers * np.uint16(30000)
    return [_saved(Image.fromarray(levels), "PNG"), _tiff(levels, compression="deflate")]


def run_manifests() -> list[bytes]:
    """Manifests with the masks in run lengths."""
    from pointlabel.io.exchange import rle

    mask = np.ones((2, 3), bool)
    target = {"x": 6.0, "y": 5.0, "area": 6, "flags": [], "polarity": "bright", "box": [5, 4, 3, 2], "quality": 0.5}
    target["rle"] = rle.encode(mask, (4, 5), (16, 18))
    line = {"id": "a", "status": "ok", "height": 16, "width": 18, "image": "a.png", "targets": [target]}
    return [json.dumps(line | {"outputs": ["masks"], "warnings": []}).encode() + b"\n"]


def ledgers() -> list[bytes]:
    """Lists of exported files."""
    lines = [{"path": path, "sha256": "0" * 64} for path in ("a.png", "s/b.png")]
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]


def journals() -> list[bytes]:
    """Journals of a session."""
    actions = [{"image": "a", "do": "add", "x": 3, "y": 4}, {"image": "a", "do": "restyle", "target": 1, "label": "b"}]
    lines = [{"journal": 1}, {"image": "a", "start": [{"x": 1.0, "y": 2.0, "label": ""}]}, *actions]
    return ["".join(json.dumps(line) + "\n" for line in lines).encode()]


def predictions() -> list[bytes]:
    """What a prediction says of itself."""
    about = {"version": "1", "kinds": ["masks"], "images": ["a"], "exports": ["coco"], "table_sha256": None}
    return [json.dumps(about, indent=1).encode()]


def checkpoints() -> list[bytes]:
    """States that training goes on from."""
    import torch

    from pointlabel.training.checkpoint import encode_state

    own = {"best_epoch": 1, "best_score": 0.5, "seconds": 2.0}
    state = {"net": {"a": torch.zeros(2, 3)}, "epoch": 1, "list": [1, None, "b", (2, 3)], 5: torch.ones(2)}
    return [encode_state({"trainer": state, "progress": own})]


def yolo_configs() -> list[bytes]:
    """Names of the classes of YOLO."""
    return [
        b"path: .\ntrain: images/train\nnames:\n  0: target\n  1: 'b c'\n",
        b"names: [target, b]\nkpt_shape: [1, 3]\n",
    ]


def layout_files() -> list[bytes]:
    """Files by which a data set of an annotation program is known."""
    return [SAMPLES["coco", "coco.json"], SAMPLES["cvat", "annotations.xml"], *yolo_configs()]


def onnx() -> list[bytes]:
    """A detector as an ONNX file."""
    from pointlabel.detectors import build
    from pointlabel.detectors.onnx_export import detector_to_onnx

    return [detector_to_onnx(build("tiny"))]
