"""The commands that `faults` disturbs: how each is given, how one goes on, what its files must hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointlabel.io.points.images import point_image
from pointlabel.synthetic import draw_scene

N_IMAGES = 12
# What depends on the clock and the machine, by the name of the key.
_CLOCK = re.compile(r"(^|_)(ms|mb|seconds|started|ended|date)(_|$)|^machine$|^threads$")
_OWN = re.compile(r"\.pointlabel(-\d+-[0-9a-f]+-\d+\.tmp|(\.\d+-of-\d+)?\.lock)")


@dataclass(frozen=True, slots=True)
class Command:
    """A command whose result is files below OUT.

    Attributes
    ----------
    name : in the table.
    words : of the command line without OUT; ``{out}`` and ``{data}`` stand for the folders.
    again : words to add for going on after a fault.
    anew : words to add where inputs changed meanwhile.
    reads : folders of the data whose files it reads.
    is_fork : whether all of its work is in one process.
    """

    name: str
    words: str
    again: str
    anew: str
    reads: Sequence[str] = field(default=("images", "masks_centroid"))
    is_fork: bool = True

    def given(self, data: Path, out: Path, *more: str) -> list[str]:
        """The whole command line."""
        return [word.format(data=data, out=out) for word in " ".join((self.words, *more)).split()]


_ANNOTATE = "annotate {data}/images -p {data}/masks_centroid -o {out} --soft --instances --overlay --format coco"
_TRAIN = "train {data} -o {out} --model tiny --crop 32 --epochs 2 --batch-size 8 --device cpu --picture-every 1"
COMMANDS = {
    each.name: each
    for each in (
        Command("annotate", f"{_ANNOTATE} --no-progress", "--resume", "--resume"),
        Command("annotate -j 2", f"{_ANNOTATE} --no-progress -j 2", "--resume", "--resume", is_fork=False),
        Command(
            "annotate --shard",
            "annotate {data}/images -p {data}/masks_centroid -o {out} --soft --instances --shard 1/2 --no-progress",
            "--resume",
            "--resume",
        ),
        Command(
            "predict",
            "predict {data}/run {data}/images -o {out} --threshold 0.01 --format labelme --no-progress",
            "--overwrite",
            "--overwrite",
            ("images",),
        ),
        Command("train", f"{_TRAIN} --no-progress", "--resume", "--overwrite"),
        Command(
            "calibrate",
            "calibrate {data} -o {out}/style.toml --no-progress",
            "--overwrite",
            "--overwrite",
            ("images", "masks_centroid", "masks"),
        ),
        Command(
            "bench",
            "bench accuracy {data} --methods threshold,point --json {out}/bench.json --html {out}/bench.html "
            "--no-progress",
            "",
            "",
            ("images", "masks_centroid", "masks"),
            is_fork=False,
        ),
        Command("convert", "convert {data}/masks -o {out} --to voc", "--overwrite", "--overwrite", ("masks",)),
    )
}


def draw_data(root: Path) -> None:
    """Draw a data set of small scenes, a third of them in a sub-folder."""
    for number in range(N_IMAGES):
        scene = draw_scene(number, shape=(96, 96), n_targets=3)
        name = f"{'s/' if number % 3 == 2 else ''}{number:02}.png"
        pictures = {
            "images": Image.fromarray(scene.image),
            "masks": Image.fromarray(scene.mask.astype(np.uint8) * 255),
            "masks_centroid": point_image(scene.points, scene.image.shape),
        }
        for kind, picture in pictures.items():
            (root / kind / name).parent.mkdir(parents=True, exist_ok=True)
            picture.save(root / kind / name)


def all_files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its name, as it is; one that goes meanwhile is left out."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
            except FileNotFoundError:
                continue
    return found


def leftovers(folder: Path) -> list[str]:
    """Temporary files and locks of the program below a folder."""
    return sorted(name for _, _, names in os.walk(folder) for name in names if _OWN.fullmatch(name))


def content_of(folder: Path) -> dict[str, Any]:
    """What the files below a folder hold, without what depends on clock, machine or order of lines."""
    return {name: _content(name, data) for name, data in all_files(folder).items()}


def half_written(folder: Path, whole: dict[str, bytes], is_killed: bool = True) -> list[str]:
    """Files below a folder that are neither whole nor part of what the program writes besides.

    Parameters
    ----------
    folder : that a disturbed command wrote to.
    whole : the files of one that was not.
    is_killed : whether files with temporary names, and one torn last line, may be there.
    """
    return [
        name
        for name, data in all_files(folder).items()
        if not (_OWN.fullmatch(os.path.basename(name)) and is_killed)
        and data != whole.get(name)
        and not _is_whole(name, data, is_killed)
    ]


def _is_whole(name: str, data: bytes, may_be_torn: bool) -> bool:
    """Whether a file that an undisturbed run writes otherwise, or not at all, is whole."""
    try:
        match os.path.splitext(name)[1]:
            case ".jsonl":  # lines are appended
                lines = data.splitlines(keepends=True)
                torn = lines.pop() if may_be_torn and lines and not lines[-1].endswith(b"\n") else b"\n"
                return all(isinstance(json.loads(line), dict) for line in lines) and len(torn) < 1 << 16
            case ".json" | ".safetensors":
                return bool(_content(name, data))
            case ".html":
                return data.rstrip().endswith(b"</html>")
    except ValueError:
        return False
    return False


def _content(name: str, data: bytes) -> Any:
    suffix = os.path.splitext(name)[1]
    if suffix == ".jsonl":
        return sorted(json.dumps(_timeless(json.loads(line)), sort_keys=True) for line in data.splitlines())
    if suffix == ".json":
        return _timeless(json.loads(data))
    if name == "last.safetensors":
        from pointlabel.training.checkpoint import decode_state

        return _timeless(decode_state(data, name))
    if suffix == ".safetensors":
        from safetensors.torch import load

        return {key: value.numpy().tobytes() for key, value in load(data).items()}
    if suffix == ".html":  # which shows times
        return data.rstrip().endswith(b"</html>")
    return data


def _timeless(value: Any) -> Any:
    """A value of JSON, or a state with tensors, without what depends on the clock."""
    if isinstance(value, dict):
        return {str(key): _timeless(each) for key, each in value.items() if not _CLOCK.search(str(key))}
    if isinstance(value, list):
        return [_timeless(each) for each in value]
    return value.numpy().tobytes() if hasattr(value, "numpy") else value


def differences(found: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    """Names of the files that differ between two contents, or that only one of them has."""
    return sorted(name for name in found.keys() | whole.keys() if found.get(name, ...) != whole.get(name, ...))
