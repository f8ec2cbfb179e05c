"""What benchmarks share: their options, the data sets, timing, and results with their circumstances."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointlabel.errors import InputError
from pointlabel.evaluation.environment import circumstances as machine_and_versions
from pointlabel.io.datasets import POINT_FOLDERS, open_dataset
from pointlabel.io.samples import read_sample
from pointlabel.methods.polarity import invert

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
DATASETS = ("SIRST-v1", "NUDT-SIRST", "IRSTD-1k")
DARK = ("RSS-dark-1", "MT-blowhole")  # data sets whose targets are darker than what is around them
ALL_DATASETS = (*DATASETS, "MDvsFA-train", "DenseSIRST", *DARK)
N_FOLDS = 5
POINTS = POINT_FOLDERS


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a data set: points (N, 2) as (row, column), mask (H, W) bool."""

    id: str
    image: NDArray
    points: NDArray[np.float64]
    mask: NDArray[np.bool_]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options that every benchmark has: where the data lies, a quick run, where the result goes."""
    out = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    out.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("POINTLABEL_DATA"),
        help="folder with the data sets, default POINTLABEL_DATA",
    )
    out.add_argument("--quick", action="store_true", help="a tenth of the work, for a first look")
    out.add_argument("--out", type=Path, help="write the result there as JSON")
    return out


def need_data(args: argparse.Namespace) -> Path:
    """Return the folder of data sets; end the script with one line and status 0 where there is none.

    Status 0, so that ``make bench`` goes on to the benchmarks that draw their own scenes.
    """
    if args.data is None:
        print("skipped: it needs real images; give --data DIR or set POINTLABEL_DATA")
        sys.exit(0)
    if not args.data.is_dir():
        sys.exit(f"--data must name a folder, got {args.data}")
    return args.data


def load(data: Path, name: str, points: str = "centroid", *, every: int = 1, start: int = 0) -> Iterator[Sample]:
    """Yield the images of data set `name` in the order of their names, each `every`-th from the one at `start`.

    They come as `pointlabel.io.datasets` reads them; what it cannot read is left out with a line.
    """
    for entry in open_dataset(data / name, points=points).entries[start::every]:
        try:
            sample = read_sample(entry)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        assert sample.mask is not None
        yield Sample(sample.id, sample.image, sample.points, sample.mask)


def brightened(image: NDArray, name: str) -> NDArray:
    """An image of data set `name` with bright targets: inverted where they are dark."""
    return invert(image) if name in DARK else image


def fold_of(image_id: str) -> int:
    """Fold of an image, by a hash of its name."""
    return zlib.crc32(image_id.encode()) % N_FOLDS


def has_leaked(area: Any, true_area: Any) -> Any:
    """Whether a mask runs far over its target: more than 4 times the true area and 50 px; numbers or arrays."""
    return area > 4 * true_area + 50


def timed(function: Callable[[], Any], repeat: int = 30) -> dict[str, float]:
    """Run a function 1 + `repeat` times; the first run, which may compile, is reported apart. Milliseconds."""
    spent = []
    for _ in range(repeat + 1):
        start = perf_counter()
        function()
        spent.append((perf_counter() - start) * 1000)
    return {"first_ms": spent[0], **spread(spent[1:])}


def spread(times_ms: list[float]) -> dict[str, float]:
    """Median, 90th and 99th percentile of times in milliseconds, and how many there were."""
    median, p90, p99 = np.percentile(times_ms, [50, 90, 99])
    return {"median_ms": float(median), "p90_ms": float(p90), "p99_ms": float(p99), "n_runs": len(times_ms)}


def circumstances() -> dict[str, Any]:
    """Machine, versions, threads and commit: what a figure means nothing without."""
    return {
        **machine_and_versions(),
        "commit": _git("rev-parse", "--short", "HEAD") + ("-changed" if _git("status", "--porcelain", "-uno") else ""),
        "command": " ".join(["python -m", _module(), *sys.argv[1:]]),
    }


def finish(result: dict[str, Any], out: Path | None) -> None:
    """Write the result with its circumstances where the user asked for it."""
    if out is not None:
        write_result(result, out)
        print(f"written to {out}")


def write_result(result: dict[str, Any], out: Path) -> None:
    """Write a result with its circumstances, the folder as well."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**circumstances(), "result": result}, indent=1) + "\n", encoding="utf-8")


def replace_rows(rows: list[dict[str, Any]], about: dict[str, Any], out: Path) -> None:
    """Put rows into a stored result in place of those with their names; each says what it ran on.

    The script ends where the stored result has other settings, since its rows could not be compared then.
    """
    whole = json.loads(out.read_text(encoding="utf-8"))
    result = whole["result"]
    for name, value in about.items():
        if result[name] != value:
            sys.exit(f"{out} holds rows with {name} {result[name]}, not {value}")
    new = {row["name"]: {**row, "ran_on": circumstances()} for row in rows}
    result["rows"] = [new.pop(row["name"], row) for row in result["rows"]] + list(new.values())
    out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"written into {out}")


def run_on_one_thread() -> None:
    """Start the script anew with one thread, where it has more: numpy reads the variables when it is loaded."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        os.execve(sys.executable, [sys.executable, "-m", _module(), *sys.argv[1:]], {**os.environ, **ONE_THREAD})


def _module() -> str:
    """Name of the script as ``python -m`` takes it."""
    return ".".join(Path(sys.argv[0]).resolve().relative_to(ROOT).with_suffix("").parts)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
