"""What reads files that come from elsewhere, and whole files of each kind; a new reader is a line of `READERS`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.fuzz import seeds
from tests.point_samples import SAMPLES


@dataclass(frozen=True, slots=True)
class Reader:
    """Whole files to damage, and what reads the damaged file at a path; a new one is a line of `READERS`."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[str], Any]
    suffix: str = ""


def _read_image(path: str) -> None:
    from pointlabel.io.decode import read_image

    image, _ = read_image(path)
    if image.ndim != 2 or image.dtype.kind not in "uif" or not image.flags.writeable or image.size == 0:
        raise AssertionError(f"no image: {image.dtype} of shape {image.shape}")


def _read_points(path: str) -> None:
    from pointlabel.io.points.fit import fit_points
    from pointlabel.io.points.images import ImageEntry

    fit_points(ImageEntry(path).load(), (20, 24))


def _read_mask(path: str) -> None:
    from pointlabel.io.masks.read import read_grey_mask

    grey = read_grey_mask(path)
    grey.mask()
    grey.soft()


def _read_table(path: str) -> None:
    from pointlabel.io.points.fit import fit_points
    from pointlabel.io.points.readers import open_points

    bound = open_points(path, points_format="csv").bind({"a", "sub/b", "c", "a,b"})
    for entry in bound.entries.values():
        fit_points(entry.load(), (20, 24))


def _read_point_files(path: str) -> None:
    from pointlabel.errors import InputError
    from pointlabel.io.points.fit import fit_points
    from pointlabel.io.points.readers import open_points

    bound = open_points(path, allow_pickle=True).bind({"t1"}, str(Path(path).parent))
    for entry in bound.entries.values():
        fit_points(entry.load(), (4, 5))
    if any("\n" in sentence for _, sentence in bound.unknown):
        raise InputError("\n")


def _read_manifest(path: str) -> None:
    from pointlabel.io.manifest import read_manifest, tidy_manifest

    list(read_manifest(path))
    tidy_manifest(path)


def _read_config(path: str) -> None:
    from click.testing import CliRunner

    from pointlabel.cli.main import main

    # There are no such images: the command ends after its options are read.
    result = CliRunner().invoke(main, ["annotate", f"{path}.none", "-p", path, "-o", f"{path}.out", "--config", path])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code != 2:
        raise AssertionError(f"exit code {result.exit_code}: {result.output[:200]}")


def _read_list(path: str) -> None:
    from pointlabel.io.datasets import read_split

    folder = Path(path).parent / "set/img_idx"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, folder / "a.txt")
    read_split(str(folder.parent), "a")


def _read_run(path: str) -> None:
    from pointlabel.training.stamp import read_stamp

    read_stamp(_as_run(path, "run.json"))


def _read_log(path: str) -> None:
    from pointlabel.training.run import read_metrics

    read_metrics(_as_run(path, "metrics.jsonl"))


def _read_sample_weights(path: str) -> None:
    from pointlabel.training.selection import read_weights

    read_weights(_as_run(path, "weights.csv"))


def _as_run(path: str, name: str) -> str:
    """The folder of a run that holds the file at `path` under a name of its own."""
    folder = Path(path).parent / "run"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / name)
    return str(folder)


def _read_detections(path: str) -> None:
    from pointlabel.io.detections import read_detections

    read_detections(path)


def _read_weights(path: str) -> None:
    from pointlabel.detectors.weights import load_weights

    load_weights(path)


def _read_published(path: str) -> None:
    from pointlabel.detectors.published_file import read_published

    read_published(path)


def _read_exchange(name: str, place: str = "") -> Callable[[str], None]:
    """Reads the masks of a format; `place` is where in a folder of the format the file belongs."""

    def read(path: str) -> None:
        from pointlabel.io.exchange.base import Images
        from pointlabel.io.exchange.table import FORMATS

        source = path
        if place:
            folder = Path(path).parent / name
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / place)
            source = str(folder)
        images = Path(path).parent / "images of masks"
        if not images.exists():
            images.mkdir()
            (images / "a.png").write_bytes(seeds.masks()[0])
        form = FORMATS[name]
        assert form.read is not None
        for image in form.read(source, Images(images), 127):
            for target in image.targets:
                if not target.mask.any() or target.mask.shape != image.mask()[target.window].shape:
                    raise AssertionError(f"a target at {target.origin} of {target.mask.shape} in {image.shape}")

    return read


def _read_points_of(form: str, name: str) -> Callable[[str], None]:
    """Reads points of a format that is named, from a file called `name`."""

    def read(path: str) -> None:
        from pointlabel.io.points.fit import fit_points
        from pointlabel.io.points.readers import open_points

        place = Path(path).parent / "points" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
        bound = open_points(str(place), points_format=form, allow_pickle=True).bind({"t1"}, str(place.parent))
        for entry in bound.entries.values():
            fit_points(entry.load(), (4, 5))

    return read


def _read_frames(path: str) -> None:
    from pointlabel.io.decode import read_image
    from pointlabel.io.frames import list_inputs

    for file in list_inputs(path, frames=True).files[:3]:
        image, _ = read_image(file.path)
        if image.ndim != 2 or image.size == 0:
            raise AssertionError(f"no image: {image.dtype} of shape {image.shape}")


def _read_ledger(path: str) -> None:
    from pointlabel.io.exchange.ledger import ExportFolder
    from pointlabel.io.manifest import LEDGER_NAME

    folder = _as(path, "export", LEDGER_NAME)
    ExportFolder(folder).refuse_foreign(["a.png"])


def _read_journal(path: str) -> None:
    from pointlabel.session import open_session

    images = Path(path).parent / "images of a session"
    if not images.exists():
        images.mkdir()
        (images / "a.png").write_bytes(seeds.masks()[0])
    with open_session(images, _as(path, "session", "journal.jsonl")):
        return


def _read_prediction(path: str) -> None:
    from pointlabel.training.predicted import PredictionFolder

    PredictionFolder(_as(path, "prediction", "predict.json"), ["a"], ("masks",), True)


def _read_checkpoint(path: str) -> None:
    from pointlabel.training.checkpoint import read_checkpoint

    read_checkpoint(path)


def _read_layout(path: str) -> None:
    from pointlabel.io.datasets import locate_parts
    from pointlabel.io.layouts.rules import find_layout
    from pointlabel.io.points.readers import open_points

    for name in ("annotations.xml", "instances_default.json", "data.yaml"):
        folder = Path(_as(path, f"layout {name}", name))
        if not (folder / "images").exists():
            (folder / "images").mkdir()
            (folder / "images/t1.png").write_bytes(seeds.masks()[0])
        if name in find_layout(folder).points.values():  # what the file holds fits its name
            images, points, _ = locate_parts(str(folder), None, None)
            assert points is not None
            open_points(points).bind({"t1"}, images)


def _read_onnx(path: str) -> None:
    from pointlabel.detectors.onnx_detector import OnnxDetector

    OnnxDetector(path, n_threads=1)


def _as(path: str, folder: str, name: str) -> str:
    """A new folder that holds the file at `path` under a name of its own."""
    place = Path(path).parent / folder
    for left in place.glob("*") if name != "data.yaml" else ():
        if left.is_file():
            left.unlink()
    place.mkdir(exist_ok=True)
    shutil.copy(path, place / name)
    return str(place)


READERS: dict[str, Reader] = {
    "images": Reader(seeds.images, _read_image),
    "points": Reader(seeds.point_images, _read_points, ".png"),
    "masks": Reader(seeds.masks, _read_mask, ".png"),
    "table": Reader(seeds.tables, _read_table, ".csv"),
    "point files": Reader(seeds.point_files, _read_point_files),
    "manifest": Reader(seeds.manifests, _read_manifest, ".jsonl"),
    "config": Reader(seeds.configs, _read_config, ".toml"),
    "list": Reader(seeds.lists, _read_list, ".txt"),
    "run": Reader(seeds.runs, _read_run, ".json"),
    "log": Reader(seeds.logs, _read_log, ".jsonl"),
    "sample weights": Reader(seeds.sample_weights, _read_sample_weights, ".csv"),
    "detections": Reader(seeds.detections, _read_detections, ".csv"),
    "weights": Reader(seeds.weights, _read_weights, ".safetensors"),
    "published": Reader(seeds.published, _read_published, ".pth"),
    "coco": Reader(lambda: seeds.exchange("coco"), _read_exchange("coco"), ".json"),
    "labelme": Reader(lambda: seeds.exchange("labelme"), _read_exchange("labelme"), ".json"),
    "label-studio": Reader(lambda: seeds.exchange("label-studio"), _read_exchange("label-studio"), ".json"),
    "cvat": Reader(lambda: seeds.exchange("cvat"), _read_exchange("cvat"), ".xml"),
    "yolo": Reader(lambda: seeds.exchange("yolo-seg"), _read_exchange("yolo", "labels/a.txt"), ".txt"),
    "voc": Reader(lambda: seeds.exchange("voc"), _read_exchange("voc", "Annotations/a.xml"), ".xml"),
    "yolo config": Reader(seeds.yolo_configs, _read_exchange("yolo", "data.yaml"), ".yaml"),
    "npz": Reader(lambda: seeds.exchange("npz"), _read_exchange("npz", "a.npz"), ".npz"),
    "parquet": Reader(lambda: seeds.exchange("parquet"), _read_exchange("parquet"), ".parquet"),
    "instances": Reader(lambda: seeds.pictures("instances"), _read_exchange("instances", "a.png"), ".png"),
    "soft": Reader(lambda: seeds.pictures("soft"), _read_exchange("soft", "a.png"), ".png"),
    "run masks": Reader(seeds.run_manifests, _read_exchange("run", "manifest.jsonl"), ".jsonl"),
    **{
        f"frames {kind}": Reader(partial(seeds.stacks, kind), _read_frames, f".{kind}")
        for kind in ("tif", "npy", "npz", "mat", "gif")
    },
    "video": Reader(seeds.videos, _read_frames, ".avi"),
    **{
        f"points {form} {name}": Reader(partial(list, [data]), _read_points_of(form, name), Path(name).suffix)
        for (form, name), data in SAMPLES.items()
    },
    "ledger": Reader(seeds.ledgers, _read_ledger, ".jsonl"),
    "journal": Reader(seeds.journals, _read_journal, ".jsonl"),
    "prediction": Reader(seeds.predictions, _read_prediction, ".json"),
    "checkpoint": Reader(seeds.checkpoints, _read_checkpoint, ".safetensors"),
    "layout": Reader(seeds.layout_files, _read_layout),
    "onnx": Reader(seeds.onnx, _read_onnx, ".onnx"),
}
