"""One long run of `annotate`: memory, open files and speed along it, which must stay as they are at its start.

Frames are small drawn scenes under many names (hard links), so that the disk holds them once.

    python -m benchmarks.robustness.soak --frames 100000 --jobs 2 --out benchmarks/results/soak.json
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.common import finish, parser
from pointlabel.io.points.images import point_image
from pointlabel.synthetic import draw_scene

N_DRAWN = 20
PER_FOLDER = 1000
N_SAMPLES = 10


def draw(root: Path, n_frames: int) -> None:
    """Draw a few scenes with one target each, and link them under the names of all frames."""
    drawn = []
    for seed in range(N_DRAWN):
        scene = draw_scene(seed, shape=(64, 64), n_targets=1)
        pair = (root / f"image{seed}.png", root / f"points{seed}.png")
        Image.fromarray(scene.image).save(pair[0])
        point_image(scene.points, scene.image.shape).save(pair[1])
        drawn.append(pair)
    for number in range(n_frames):
        folder = f"{number // PER_FOLDER:04}"
        for kind, path in zip(("images", "points"), drawn[number % N_DRAWN], strict=True):
            if number % PER_FOLDER == 0:
                (root / kind / folder).mkdir(parents=True)
            os.link(path, root / kind / folder / f"{number:06}.png")


def memory_mb(pid: int) -> float:
    """What a process holds of memory of its own now, in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        held = dict(re.findall(r"(RssAnon|RssFile|RssShmem):\s+(\d+)", file.read()))
    return sum(map(int, held.values())) / 1000


def workers_of(session: int, leader: int) -> list[int]:
    """The other processes of a session."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and int(name) != leader and fields[0] != b"Z":
            found.append(int(name))
    return found


def sample(pid: int, done: int, rate: float) -> dict[str, Any]:
    """Memory and open files of a run and of its workers."""
    workers = []
    for each in workers_of(pid, pid):
        try:
            workers.append((memory_mb(each), len(os.listdir(f"/proc/{each}/fd"))))
        except OSError:
            continue
    return {
        "done": done,
        "memory_mb": memory_mb(pid),
        "worker_mb": max((memory for memory, _ in workers), default=0.0),
        "handles": len(os.listdir(f"/proc/{pid}/fd")) + sum(handles for _, handles in workers),
        "frames_per_s": rate,
    }


def watch(process: subprocess.Popen[bytes], manifest: Path, n_frames: int) -> list[dict[str, Any]]:
    """Sample a run each time another part of its frames is done."""
    samples: list[dict[str, Any]] = []
    place = done = 0
    last_done, last_time = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.2)
        if manifest.exists():
            with open(manifest, "rb") as file:
                file.seek(place)
                data = file.read()
            place, done = place + len(data), done + data.count(b"\n")
        if done == 0:
            last_time = time.monotonic()
        elif done < n_frames and done - last_done >= n_frames / N_SAMPLES:
            now = time.monotonic()
            samples.append(sample(process.pid, done, (done - last_done) / (now - last_time)))
            last_done, last_time = done, now
            print({key: round(value, 1) for key, value in samples[-1].items()}, flush=True)
    return samples


def main() -> None:
    """Draw the frames, run, sample, and say whether anything grew."""
    options = parser(__doc__)
    options.add_argument("--frames", type=int, default=100_000, help="default 100000")
    options.add_argument("--jobs", type=int, default=1, help="worker processes, default 1")
    args = options.parse_args()
    n_frames = args.frames // 10 if args.quick else args.frames
    root = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        draw(root, n_frames)
        words = ["annotate", str(root / "images"), "-p", str(root / "points"), "-o", str(root / "out"), "--no-progress"]
        command = [sys.executable, "-m", "pointlabel", *words, "-j", str(args.jobs)]
        start = time.monotonic()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        samples = watch(process, root / "out/manifest.jsonl", n_frames)
        seconds = time.monotonic() - start
        n_masks = sum(len(names) for _, _, names in os.walk(root / "out/masks"))
        result = {
            "frames": n_frames,
            "jobs": args.jobs,
            "masks": n_masks,
            "exit_code": process.returncode,
            "seconds": seconds,
            "samples": samples,
        }
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{n_masks} masks of {n_frames} frames in {seconds:.0f} s")
    finish(result, args.out)
    if process.returncode or n_masks != n_frames:
        sys.exit(1)


if __name__ == "__main__":
    main()
