"""Damaged files through every reader: each must end in a result or in one sentence, soon and in little memory.

Input K of a reader follows from the seed and K alone. Workers run the inputs; one that crashes, hangs or grows is
ended, its input is kept, and the next goes on behind it.

    python -m tools.fuzz --inputs 1000000 --workers 2 --keep found --out benchmarks/results/fuzz.json
    python -m tools.fuzz --reader images --only 4711        # one input, here and with its traceback
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.common import write_result
from pointlabel.errors import PointLabelError
from tests.fuzz.mutate import mutate
from tests.fuzz.readers import READERS, Reader

ROOT = Path(__file__).resolve().parent.parent

# Above these an input counts as slow or big, and its worker is ended and started anew.
MOST_S, MOST_BYTES = 5.0, 1_000_000_000
#: Inputs of readers that take longer than so many milliseconds are fewer.
CHEAP_MS = 0.3
# What a worker may take at all, so that the machine stays usable.
_ADDRESS_SPACE = 6 << 30


def damaged(reader: Reader, files: Sequence[bytes], seed: int, number: int) -> bytes:
    """Input `number` of a reader."""
    random = Random(f"{seed} {number}")
    return mutate(files[number % len(files)], random, files)


def work(name: str, seed: int, start: int, stop: int, step: int) -> None:
    """Run inputs, and write a line before and after each: its number; what became of it and the seconds it took."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    reader, files = READERS[name], READERS[name].seeds()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # only the lines of this function go to the one who counts
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"damaged{reader.suffix}")
        Path(path).write_bytes(files[0])
        reader.read(path)  # what is loaded once is not the input's time
        for number in range(start, stop, step):
            data = damaged(reader, files, seed, number)
            Path(path).write_bytes(data)
            print(f"start {number}", file=out)
            begun = time.perf_counter()
            try:
                reader.read(path)
                ending = "result"
            except PointLabelError as error:
                ending = "memory" if "not enough memory" in str(error) else "refusal"
            except BaseException as error:
                ending = "crash " + " ".join(f"{type(error).__name__}: {error}".split())[:200]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            print(f"end {time.perf_counter() - begun:.3f} {peak} {ending}", file=out)
            if peak > MOST_BYTES:
                return  # the peak of a process never falls


def milliseconds(name: str) -> float:
    """What a whole file of a reader takes."""
    reader, files = READERS[name], READERS[name].seeds()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"whole{reader.suffix}")
        for _ in range(2):  # the first loads what it needs
            start = time.perf_counter()
            for data in files:
                Path(path).write_bytes(data)
                reader.read(path)
            spent = time.perf_counter() - start
    return 1000 * spent / len(files)


def shares(names: Sequence[str], inputs: int) -> dict[str, int]:
    """Inputs of each reader, `inputs` in all: readers that take long get fewer."""
    weights = {name: min(1.0, CHEAP_MS / milliseconds(name)) for name in names}
    total = sum(weights.values())
    return {name: max(1, round(inputs * weight / total)) for name, weight in weights.items()}


@dataclass(slots=True)
class Count:
    """What became of the inputs of one reader."""

    endings: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_bytes: int = 0
    found: list[tuple[int, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, number: int, ending: str, seconds: float, peak: int) -> None:
        """Count one input; its number is kept where its ending is none that is promised."""
        if ending in ("result", "refusal"):
            ending = "big" if peak > MOST_BYTES else "slow" if seconds > MOST_S else ending
        with self.lock:
            self.endings[ending.split(" ")[0]] += 1
            self.slowest_s, self.peak_bytes = max(self.slowest_s, seconds), max(self.peak_bytes, peak)
            if ending not in ("result", "refusal"):
                self.found.append((number, f"{ending}, {seconds:.1f} s"))

    def row(self, name: str, seed: int) -> dict[str, Any]:
        """The counts as a result."""
        return {
            "reader": name,
            "seeds": [seed],
            "inputs": sum(self.endings.values()),
            "results": self.endings["result"],
            "refused": self.endings["refusal"],
            "crashes": self.endings["crash"],
            "slow": self.endings["slow"],
            "big": self.endings["big"] + self.endings["memory"],
            "slowest_s": self.slowest_s,
            "peak_mb": self.peak_bytes / 1e6,
            "found": [f"seed {seed}, {number}: {what}" for number, what in sorted(self.found)],
        }


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The counts of two seeds of one reader."""
    worst = {key: max(first[key], second[key]) for key in ("slowest_s", "peak_mb")}
    return first | {key: first[key] + second[key] for key in first if key not in ("reader", *worst)} | worst


def run(name: str, seed: int, first: int, stop: int, step: int, count: Count) -> None:
    """Run every `step`-th input through workers, one after the other where one ends early."""
    while first < stop:
        command = [sys.executable, "-m", "tools.fuzz", "--worker", name, str(seed), str(first), str(stop), str(step)]
        worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert worker.stdout is not None
        # Twice the limit, so that a slow input is told from one that hangs, and ended in any case.
        watch = threading.Timer(60, worker.kill)
        watch.start()
        begun = None
        for line in worker.stdout:
            watch.cancel()
            kind, _, rest = line.rstrip("\n").partition(" ")
            if kind == "start":
                first, begun = int(rest), time.perf_counter()
            else:
                seconds, peak, ending = rest.split(" ", 2)
                count.add(first, ending, float(seconds), int(peak))
                first, begun = first + step, None
            watch = threading.Timer(2 * MOST_S, worker.kill)
            watch.start()
        watch.cancel()
        code = worker.wait()
        if begun is not None:
            lasted = time.perf_counter() - begun
            count.add(first, "slow" if lasted >= 2 * MOST_S else f"crash ended with {code}", lasted, 0)
            first += step
        elif code != 0:
            count.add(first, f"crash between two inputs, {code}", 0.0, 0)
            first += step


def main() -> None:
    """Read the options, run the readers, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="inputs in all; readers that take long get fewer")
    parser.add_argument("--out", type=Path, help="write the counts there as JSON, after each reader")
    parser.add_argument("--add", action="store_true", help="add to the counts that are in --out, of another seed")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other inputs")
    parser.add_argument("--reader", choices=["all", *READERS], default="all")
    parser.add_argument("--workers", type=int, default=1, help="inputs at the same time")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that ended badly")
    parser.add_argument("--only", type=int, help="run this one input of --reader here, with its traceback")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, *numbers = options.worker
        seed, start, stop, step = (int(each) for each in numbers)
        work(name, seed, start, stop, step)
        return
    names = list(READERS) if options.reader == "all" else [options.reader]
    if options.only is not None:
        run_one(names[0], options.seed, options.only)
        return
    bad = 0
    rows: dict[str, dict[str, Any]] = {}
    if options.add:
        rows = {row["reader"]: row for row in json.loads(options.out.read_text())["result"]["rows"]}
    print(
        f"{'reader':32}{'inputs':>9}{'results':>9}{'refused':>9}{'crashes':>9}{'slow':>6}{'big':>6}  slowest     peak"
    )
    for name, share in shares(names, options.inputs).items():
        count = Count()
        runs = [
            threading.Thread(target=run, args=(name, options.seed, k, share, options.workers, count))
            for k in range(options.workers)
        ]
        for each in runs:
            each.start()
        for each in runs:
            each.join()
        ends = count.endings
        print(
            f"{name:32}{sum(ends.values()):>9}{ends['result']:>9}{ends['refusal']:>9}{ends['crash']:>9}{ends['slow']:>6}"
            f"{ends['big'] + ends['memory']:>6}{count.slowest_s:>7.2f} s{count.peak_bytes / 1e6:>6.0f} MB",
            flush=True,
        )
        row = count.row(name, options.seed)
        rows[name] = joined(rows[name], row) if name in rows else row
        if options.out is not None:
            write_result({"rows": list(rows.values())}, options.out)
        files = READERS[name].seeds()
        for number, what in sorted(count.found):
            print(f"    {name} {number}: {what}")
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                data = damaged(READERS[name], files, options.seed, number)
                (options.keep / f"{name}-{options.seed}-{number}{READERS[name].suffix}").write_bytes(data)
        bad += len(count.found)
    sys.exit(1 if bad else 0)


def run_one(name: str, seed: int, number: int) -> None:
    """Run one input in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"damaged{READERS[name].suffix}")
        Path(path).write_bytes(damaged(READERS[name], READERS[name].seeds(), seed, number))
        try:
            READERS[name].read(path)
            print("result")
        except PointLabelError as error:
            print(f"refused: {error}")
        except Exception:
            traceback.print_exc()


if __name__ == "__main__":
    main()
