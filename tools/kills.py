"""Kill `annotate` and `predict` at random moments, go on, and compare with a run that nobody disturbed.

A killed annotate goes on with --resume, a killed predict starts anew with --overwrite. What is left must be the same
bytes (the manifest apart from its times and the order of its lines), without a temporary file or a lock.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import finish, parser
from pointlabel.folder import RunSettings, annotate_folder
from pointlabel.synthetic import draw_scene

N_IMAGES = 40
SETTINGS = RunSettings(outputs=("soft", "instances", "overlay"))


def draw_data(root: Path) -> Path:
    """Draw a data set of small scenes, a third of them in a sub-folder."""
    for number in range(N_IMAGES):
        scene = draw_scene(number, shape=(128, 128), n_targets=4)
        spots = np.zeros(scene.image.shape, np.uint8)
        spots[tuple(np.ceil(scene.points - 0.5).astype(int).T)] = 255
        name = f"{'s/' if number % 3 == 2 else ''}{number:02}.png"
        pictures = {"images": scene.image, "masks": scene.mask.astype(np.uint8) * 255, "masks_centroid": spots}
        for kind, picture in pictures.items():
            (root / kind / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(root / kind / name)
    return root


def files_of(out: Path) -> dict[str, bytes]:
    """Every file below a folder by its name; the manifest as its lines, sorted, without times."""
    files = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    if "manifest.jsonl" in files:
        lines = [json.loads(line) for line in files["manifest.jsonl"].splitlines()]
        for line in lines:
            for part in (line, *line["targets"]):
                del part["ms"]
        files["manifest.jsonl"] = json.dumps(sorted(lines, key=lambda line: str(line["id"]))).encode()
    return files


def kill(words: list[str], out: Path, kind: str, chance: random.Random) -> bool:
    """Start a command, kill it when a random number of files is written, and a random moment later.

    Some are killed with all their workers at once, some alone. Whether it still ran.
    """
    command = [sys.executable, "-m", "pointlabel", *words, "--no-progress"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    count = chance.randrange(N_IMAGES)
    while process.poll() is None and sum(1 for _ in (out / kind).rglob("*.png")) < count:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))
    if chance.random() < 0.5:
        process.kill()
    elif process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def kill_annotate(root: Path, n: int, chance: random.Random) -> dict[str, int]:
    """Kill and resume; counts of kills and of runs that ended otherwise than the undisturbed one."""
    words = [str(root / "images"), "-p", str(root / "masks_centroid"), "--soft", "--instances", "--overlay"]
    places = (root / "images", root / "masks_centroid")
    annotate_folder(*places, root / "whole", SETTINGS)
    whole = files_of(root / "whole")
    counts = {"kills": 0, "ended_before": 0, "differ": 0}
    while counts["kills"] < n:
        jobs = 1 + counts["kills"] % 2
        out = root / "out"
        shutil.rmtree(out, ignore_errors=True)
        killed = kill(["annotate", *words, "-o", str(out), "-j", str(jobs)], out, "masks", chance)
        counts["kills" if killed else "ended_before"] += 1
        annotate_folder(*places, out, SETTINGS, mode="resume")
        counts["differ"] += files_of(out) != whole
        print(counts, end="\r", file=sys.stderr)
    return counts


def kill_predict(root: Path, n: int, chance: random.Random) -> dict[str, int]:
    """The same of predict, with the detector of one epoch."""
    from pointlabel.training import TrainConfig, predict_images, train

    config = TrainConfig(model="tiny", crop=32, epochs=1, batch_size=8, device="cpu", strategy="full")
    train(config, [root], root / "run")
    predict_images(root / "run", root / "images", root / "predicted", threshold=0.01)
    whole = files_of(root / "predicted")
    counts = {"kills": 0, "ended_before": 0, "differ": 0}
    while counts["kills"] < n:
        out = root / "out"
        shutil.rmtree(out, ignore_errors=True)
        words = ["predict", str(root / "run"), str(root / "images"), "--threshold", "0.01", "-o", str(out)]
        killed = kill(words, out, "soft", chance)
        counts["kills" if killed else "ended_before"] += 1
        predict_images(root / "run", root / "images", out, threshold=0.01, overwrite=True)
        counts["differ"] += files_of(out) != whole
        print(counts, end="\r", file=sys.stderr)
    return counts


def main() -> None:
    """Kill, print, write the result; status 1 where a run ended otherwise."""
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=0, help="of the moments, default 0")
    args = options.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = draw_data(Path(folder))
        for name, run, n in (("annotate", kill_annotate, 60), ("predict", kill_predict, 20)):
            counts = run(root, max(n // 10, 2) if args.quick else n, random.Random(args.seed))
            result[name] = counts
            print(
                f"{name}: killed {counts['kills']} times (and {counts['ended_before']} that had ended), "
                f"{counts['differ']} differ from the undisturbed run"
            )
    finish(result, args.out)
    if any(counts["differ"] for counts in result.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
