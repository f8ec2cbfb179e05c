"""What survives when commands are killed, stopped, starved of disk, robbed of a file or a worker, or set on each other.

After each disturbance no file may be half-written. Gone on with (--resume, or --overwrite where a command has none),
the result must be that of a run that nobody disturbed, without temporary files, locks or processes left. Each trial is
a fork of this process, which has loaded everything (`fault_processes`).

    python -m benchmarks.robustness.faults --out benchmarks/results/faults.json
    python -m benchmarks.robustness.faults --kind kill --command "annotate -j 2" --trials 3
"""

from __future__ import annotations

import gc
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import parser, run_on_one_thread, write_result
from benchmarks.robustness.fault_bench import Bench, Fault, Missed
from benchmarks.robustness.fault_commands import COMMANDS
from benchmarks.robustness.fault_kinds import KINDS, kill_session

#: Trials of each kind with each command, in the order of the table.
TRIALS: dict[str, dict[str, int]] = {
    "kill": {
        "annotate": 360, "annotate -j 2": 50, "annotate --shard": 60, "predict": 100, "train": 60, "calibrate": 40,
        "bench": 20, "convert": 220, "serve": 150,
    },
    "signal": {
        "annotate": 30, "annotate -j 2": 12, "annotate --shard": 10, "predict": 15, "train": 8, "calibrate": 6,
        "bench": 4, "convert": 25,
    },
    "disk full": {
        "annotate": 40, "annotate -j 2": 8, "annotate --shard": 15, "predict": 20, "train": 40, "calibrate": 5,
        "convert": 40,
    },
    "file changed": {
        "annotate": 40, "annotate -j 2": 8, "predict": 15, "train": 8, "calibrate": 5, "bench": 4, "convert": 20
    },
    "dead worker": {"annotate -j 2": 10, "bench": 4},
    "closed pipe": {"annotate": 10, "annotate -j 2": 3, "predict": 6, "train": 4, "convert": 10},
    "two runs": {"annotate": 15, "annotate -j 2": 4, "annotate --shard": 10, "predict": 8, "train": 4, "convert": 15},
    "aimed at input": {"annotate": 10, "predict": 5, "train": 5, "calibrate": 5, "bench": 5, "convert": 5},
}  # fmt: skip


def measure(bench: Bench, kind: str, name: str, n: int) -> dict[str, Any]:
    """Do trials until `n` count; how many there were, how many survived, and what the others did."""
    row: dict[str, Any] = {"kind": kind, "command": name, "trials": 0, "survived": 0, "ended_before": 0, "faults": []}
    do = partial(kill_session, bench, None) if name == "serve" else partial(KINDS[kind], bench, COMMANDS[name])
    start, endings = time.monotonic(), Counter[str]()
    while row["trials"] < n and row["ended_before"] < 10 * n + 20:
        for place in (bench.out, bench.root / "same"):
            shutil.rmtree(place, ignore_errors=True)
        try:
            do()
        except Missed:
            row["ended_before"] += 1
            continue
        except Fault as fault:
            endings[str(fault)] += 1
            print(f"{kind}, {name}: {fault}", file=sys.stderr, flush=True)
            bench.draw_again()
        else:
            row["survived"] += 1
        row["trials"] += 1
    row["faults"] = [{"what": what, "times": times} for what, times in endings.most_common(5)]
    return row | {"seconds": round(time.monotonic() - start, 1)}


def store(row: dict[str, Any], seed: int, out: Path) -> None:
    """Put a row into the stored result, in place of that of the same kind and command; the others stay."""
    held = json.loads(out.read_text(encoding="utf-8"))["result"]["rows"] if out.exists() else []
    rows = {(each["kind"], each["command"]): each for each in [*held, row]}
    ordered = [rows[kind, name] for kind, names in TRIALS.items() for name in names if (kind, name) in rows]
    write_result({"seed": seed, "rows": ordered}, out)


def load_everything() -> None:
    """Import what the commands import, and load the kernels, so that forks need not."""
    import pointlabel.bench.compare
    import pointlabel.calibration
    import pointlabel.cli.main
    import pointlabel.folder
    import pointlabel.io.exchange.convert
    import pointlabel.report.bench
    import pointlabel.session
    import pointlabel.training  # noqa: F401
    from pointlabel import annotate
    from pointlabel.synthetic import draw_scene

    scene = draw_scene(0, shape=(96, 96), n_targets=3)
    annotate(scene.image, scene.points)


def main() -> None:
    """Run the trials, print the table, write the result; status 1 where one did not survive."""
    run_on_one_thread()
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=0, help="of the moments, default 0")
    options.add_argument("--kind", choices=KINDS, action="append", help="of the disturbance, default all")
    options.add_argument("--command", choices=[*COMMANDS, "serve"], action="append", help="default all")
    options.add_argument("--trials", type=int, help="of each kind with each command")
    args = options.parse_args()
    load_everything()
    gc.freeze()  # so that forks share what is loaded
    rows = []
    root = Path(tempfile.mkdtemp(prefix="faults-"))  # no TemporaryDirectory: each fork would remove it
    try:
        bench = Bench(root, random.Random(args.seed))
        bench.prepare(args.command or COMMANDS)
        print(f"{'disturbed by':16}{'command':16}{'times':>7}{'survived':>10}{'ended before':>14}{'seconds':>9}")
        for kind, commands in TRIALS.items():
            for name, n in commands.items():
                if kind in (args.kind or TRIALS) and name in (args.command or commands):
                    bench.chance = random.Random(f"{args.seed} {kind} {name}")
                    row = measure(bench, kind, name, args.trials or (max(n // 10, 2) if args.quick else n))
                    rows.append(row)
                    if args.out is not None:
                        store(row, args.seed, args.out)
                    counts = f"{row['trials']:>7}{row['survived']:>10}{row['ended_before']:>14}{row['seconds']:>9}"
                    print(f"{kind:16}{name:16}{counts}", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if any(row["survived"] < row["trials"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
