"""What survives when commands are killed, stopped, starved of disk, robbed of a file or a worker, or set on each other.

After each disturbance no file may be half-written. Gone on with (--resume, or --overwrite where a command has none),
the result must be that of a run that nobody disturbed, without temporary files, locks or processes left. Each trial is
a fork of this process, which has loaded everything (`fault_processes`).

    python -m benchmarks.faults --out benchmarks/results/faults.json
    python -m benchmarks.faults --kind kill --command "annotate -j 2" --trials 3
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import parser, run_on_one_thread, write_result
from benchmarks.fault_commands import COMMANDS, Command, all_files, content_of, differences, draw_data, half_written
from benchmarks.fault_commands import leftovers as temporary_files
from benchmarks.fault_processes import Child, at_operation, command, count_operations

#: Trials of each kind with each command, in the order of the table.
TRIALS: dict[str, dict[str, int]] = {
    "kill": {
        "annotate": 360, "annotate -j 2": 50, "predict": 100, "train": 60, "calibrate": 40, "bench": 20,
        "convert": 220, "serve": 150,
    },
    "signal": {
        "annotate": 30, "annotate -j 2": 12, "predict": 15, "train": 8, "calibrate": 6, "bench": 4, "convert": 25
    },
    "disk full": {"annotate": 40, "annotate -j 2": 8, "predict": 20, "train": 12, "calibrate": 5, "convert": 40},
    "file changed": {
        "annotate": 40, "annotate -j 2": 8, "predict": 15, "train": 8, "calibrate": 5, "bench": 4, "convert": 20
    },
    "dead worker": {"annotate -j 2": 10, "bench": 4},
    "closed pipe": {"annotate": 10, "annotate -j 2": 3, "predict": 6, "train": 4, "convert": 10},
    "two runs": {"annotate": 15, "annotate -j 2": 4, "predict": 8, "train": 4, "convert": 15},
    "aimed at input": {"annotate": 10, "predict": 5, "train": 5, "calibrate": 5, "bench": 5, "convert": 5},
}  # fmt: skip
#: Where --overwrite and the outputs of a command are aimed at what it reads.
AIMED: dict[str, tuple[str, ...]] = {
    "annotate": (
        "annotate {data}/images -p {data}/masks_centroid -o {data}/images --overwrite",
        "annotate {data}/images -p {data}/masks_centroid -o {data} --overwrite",
        "annotate {data}/images/00.png -p {data}/masks_centroid/00.png -o {data} --overwrite",
        "annotate {data}/images -p {data}/masks_centroid -o {data}/run --overwrite",
        "annotate {data} -o {data}/images --overwrite --soft",
        "annotate {data} -o {data}/spare --overwrite --html {data}/images/00.png",
    ),
    "predict": (
        "predict {data}/run {data}/images -o {data} --overwrite",
        "predict {data}/run {data}/images -o {data}/images/00.png --overwrite",
        "predict {data}/run {data}/masks -o {data} --overwrite --no-soft",
    ),
    "train": (
        "train {data} -o {data}/images/00.png --model tiny --epochs 1 --overwrite",
        "train {data} -o {data}/masks/00.png --model tiny --epochs 1",
    ),
    "calibrate": (
        "calibrate {data} -o {data}/images/00.png --overwrite",
        "calibrate {data} -o {data}/masks/01.png --overwrite",
        "calibrate {data} -o {data}/masks_centroid/00.png --overwrite",
    ),
    "bench": (
        "bench accuracy {data} --methods point --html {data}/images/00.png",
        "bench accuracy {data} --methods point --html {data}/masks/s/02.png",
    ),
    "convert": (
        "convert {data}/masks -o {data}/masks --to png --overwrite",
        "convert {data}/masks -o {data} --to png --overwrite",
        "convert {data}/masks -o {data}/masks/00.png --to coco --overwrite",
    ),
}
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
CHANGES = ("gone", "cut", "another", "a folder", "a pipe", "a dead link")


class Missed(Exception):
    """The command had ended before it could be disturbed; such a trial does not count."""


class Fault(Exception):
    """What did not come back as it should."""


@dataclass(slots=True)
class Whole:
    """An undisturbed run of a command: its files, their content, its operations on files, its seconds."""

    files: dict[str, bytes]
    content: dict[str, Any]
    n_operations: int
    seconds: float


@dataclass(slots=True)
class Bench:
    """Where the trials are done.

    Attributes
    ----------
    root : folder of everything.
    chance : of the moments.
    whole : by command, what its undisturbed run left.
    inputs : files of the data as they were drawn.
    """

    root: Path
    chance: random.Random
    whole: dict[str, Whole] = field(default_factory=dict)
    inputs: dict[str, bytes] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def start(self, words: list[str], before: Callable[[], None] | None = None) -> Child:
        return Child(command(words), self.root / "tmp", before)

    def run(self, words: list[str], codes: tuple[int, ...] = (0,)) -> Child:
        """Run a command to its end; a fault where it ends otherwise than with one of the codes, or hangs."""
        child = self.start(words)
        self.expect(child, child.wait(), codes)
        return child

    def expect(self, child: Child, code: int | None, codes: tuple[int, ...]) -> None:
        """A fault where a command hung, ended with another code, or not in its own words."""
        if code is None:
            raise Fault("it hangs")
        if "Traceback" in child.text or "fault of pointlabel" in child.text:
            raise Fault(f"a traceback: {child.text[-600:]}")
        if code not in codes:
            raise Fault(f"exit code {code}: {child.text[-300:]}")

    def prepare(self, names: Collection[str]) -> None:
        """Draw the data, train the detector where one predicts, and run each command undisturbed."""
        draw_data(self.data)
        (self.root / "tmp").mkdir()
        if "predict" in names:
            self.run(COMMANDS["train"].given(self.data, self.data / "run"))
        self.inputs = all_files(self.data)
        shutil.copytree(self.data, self.root / "pristine")
        for name, each in COMMANDS.items():
            if name in names:
                self.undisturbed(name, each)

    def draw_again(self) -> None:
        """Put the data back as they were drawn."""
        shutil.rmtree(self.data)
        shutil.copytree(self.root / "pristine", self.data)

    def undisturbed(self, name: str, each: Command) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        before, count = count_operations((self.out,))
        start = time.monotonic()
        child = self.start(each.given(self.data, self.out), before)
        self.expect(child, child.wait(), (0,))
        seconds = time.monotonic() - start
        self.whole[name] = Whole(all_files(self.out), content_of(self.out), count(), seconds)

    def moment(self, each: Command, act: Callable[[], None]) -> tuple[Callable[[], None] | None, float | None]:
        """A random moment: an operation on files, before which the command itself does `act`, or seconds to wait."""
        whole = self.whole[each.name]
        if each.is_fork and self.chance.random() < 0.7:
            return at_operation(self.chance.randint(1, whole.n_operations), (self.out,), act), None
        return None, self.chance.uniform(0, whole.seconds)

    def after(self, each: Command, child: Child, again: str, is_killed: bool) -> None:
        """A fault where files are half-written, or going on does not end as the undisturbed run did."""
        whole = self.whole[each.name]
        torn = half_written(self.out, whole.files, is_killed) if self.out.exists() else []
        if torn:
            raise Fault(f"half-written: {torn[:3]}")
        if not is_killed:
            self.no_leftovers()
        self.run(each.given(self.data, self.out, again))
        self.is_whole(each)
        if child.end_of_others():
            raise Fault("a process is left")

    def is_whole(self, each: Command) -> None:
        """A fault where OUT is not what the undisturbed run left, or has temporary files, or inputs are others."""
        wrong = differences(content_of(self.out), self.whole[each.name].content)
        if wrong:
            raise Fault(f"differs from the undisturbed run: {wrong[:3]}")
        self.no_leftovers()
        if all_files(self.data) != self.inputs:
            raise Fault("inputs have changed")

    def no_leftovers(self) -> None:
        left = temporary_files(self.root)
        if left:
            raise Fault(f"left behind: {left[:3]}")


def kill(bench: Bench, each: Command) -> None:
    """End it by kill -9 at a random moment, alone or with all its workers."""
    before, seconds = bench.moment(each, lambda: os.kill(os.getpid(), signal.SIGKILL))
    child = bench.start(each.given(bench.data, bench.out), before)
    if seconds is not None:
        time.sleep(seconds)
        if child.poll() is None:
            is_alone = bench.chance.random() < 0.5
            (os.kill if is_alone else os.killpg)(child.pid, signal.SIGKILL)
    if child.wait() != -signal.SIGKILL:
        raise Missed
    bench.after(each, child, each.again, True)


def stop(bench: Bench, each: Command) -> None:
    """Ask it to end by SIGTERM, SIGHUP or SIGINT, alone or with all its workers, as a terminal or a scheduler does."""
    number = bench.chance.choice(SIGNALS)
    before, seconds = bench.moment(each, lambda: os.kill(os.getpid(), number))
    child = bench.start(each.given(bench.data, bench.out), before)
    if seconds is not None:
        time.sleep(0.05 + seconds)  # handlers are there only after the start
        if child.poll() is None:
            (os.kill if bench.chance.random() < 0.5 else os.killpg)(child.pid, number)
    code = child.wait()
    if code == 0:
        raise Missed
    bench.expect(child, code, (128 + number, 130))
    if child.end_of_others():
        raise Fault("a process is left")
    bench.after(each, child, each.again, False)


def fill_disk(bench: Bench, each: Command) -> None:
    """Let no file grow beyond a random size from a random operation on: the kernel refuses the bytes after it."""
    whole = bench.whole[each.name]
    sizes = sorted(len(data) for data in whole.files.values())
    limit = int(bench.chance.choice(sizes) * bench.chance.random())

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    moment = bench.chance.randint(1, whole.n_operations)
    before = at_operation(moment, (bench.out,), fill) if each.is_fork else fill
    child = bench.start(each.given(bench.data, bench.out), before)
    code = child.wait()
    if code == 0:
        raise Missed
    bench.expect(child, code, (1,))
    if "cannot" not in child.text or "too large" not in child.text:
        raise Fault(f"it does not say what failed: {child.text[-300:]}")
    bench.after(each, child, each.again, False)


def change_file(bench: Bench, each: Command) -> None:
    """Take away, cut or replace an input at a random moment; put it back and go on."""
    kind = bench.chance.choice(CHANGES)
    folder = bench.data / bench.chance.choice(each.reads)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path, other = bench.chance.sample(files, 2)
    data = path.read_bytes()

    def change() -> None:
        path.unlink()
        if kind == "cut":
            path.write_bytes(data[: len(data) // 2])
        elif kind == "another":
            shutil.copy(other, path)
        elif kind == "a folder":
            path.mkdir()
        elif kind == "a pipe":
            os.mkfifo(path)
        elif kind == "a dead link":
            path.symlink_to("nowhere")

    def put_back() -> None:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    whole = bench.whole[each.name]
    if each.is_fork and bench.chance.random() < 0.7:
        before, seconds = at_operation(bench.chance.randint(1, whole.n_operations), (bench.out, folder), change), None
    else:
        before, seconds = None, bench.chance.uniform(0, whole.seconds)
    child = bench.start(each.given(bench.data, bench.out), before)
    try:
        if seconds is not None:
            time.sleep(seconds)
            if child.poll() is not None:
                raise Missed
            change()
        code = child.wait()
    finally:
        put_back()
    bench.expect(child, code, (0, 2, 3))
    if child.end_of_others():
        raise Fault("a process is left")
    bench.no_leftovers()
    is_run = (bench.out / "run.json").exists() or each.name != "train"
    bench.run(each.given(bench.data, bench.out, each.anew if is_run else ""))
    bench.is_whole(each)


def kill_worker(bench: Bench, each: Command) -> None:
    """End one of its workers by kill -9."""
    child = bench.start(each.given(bench.data, bench.out))
    time.sleep(bench.chance.uniform(0.2, 1) * bench.whole[each.name].seconds)
    workers = child.workers() if each.name != "bench" else child.others()
    if child.poll() is not None or not workers:
        child.wait()
        raise Missed
    os.kill(bench.chance.choice(workers), signal.SIGKILL)
    code = child.wait()
    if code == 0:
        raise Missed
    bench.expect(child, code, (1, 3))
    if "process died" not in " ".join(child.text.split()):
        raise Fault(f"it does not say what failed: {child.text[-300:]}")
    bench.after(each, child, each.again, True)  # the worker's temporary files stay until then


def close_pipe(bench: Bench, each: Command) -> None:
    """Be the reader of its standard streams that has gone, from a random moment on."""
    child = bench.start(each.given(bench.data, bench.out))
    time.sleep(bench.chance.uniform(0, 0.5) * bench.whole[each.name].seconds)
    child.close_pipe()
    bench.expect(child, child.wait(), (0, 1))
    bench.after(each, child, each.again, False)


def run_two(bench: Bench, each: Command) -> None:
    """Start it a second time into the same OUT, a random moment later."""
    first = bench.start(each.given(bench.data, bench.out))
    time.sleep(bench.chance.uniform(0, 1.1) * bench.whole[each.name].seconds)
    second = bench.start(each.given(bench.data, bench.out, bench.chance.choice(("", each.again))))
    codes = [child.wait() for child in (first, second)]
    for child, code in zip((first, second), codes, strict=True):
        bench.expect(child, code, (0, 2))
        if code == 2 and not any(words in " ".join(child.text.split()) for words in ("in use by", "already", "before")):
            raise Fault(f"it does not say why: {child.text[-300:]}")
    if 0 not in codes:
        raise Fault(f"neither ended: {codes}")
    bench.is_whole(each)


def aim_at_input(bench: Bench, each: Command) -> None:
    """Aim its output at what it reads, or at where that lies; all that was there must stay as it was."""
    words = bench.chance.choice(AIMED[each.name]).format(data=bench.data).split()
    try:
        bench.run(words, (0, 1, 2))
        now = all_files(bench.data)
        changed = sorted(name for name, data in bench.inputs.items() if now.get(name) != data)
        if changed:
            raise Fault(f"{' '.join(words)}: {changed[:3]}")
    finally:
        bench.draw_again()


def kill_session(bench: Bench, _: None) -> None:
    """Kill what `serve` does its work with; what was answered must be in the journal, and the masks those of it."""
    answers, theirs = os.pipe()
    chance = random.Random(bench.chance.random())

    def work() -> int:
        from pointlabel.session import open_session

        with open_session(bench.data / "images", bench.out) as session:
            for number in range(400):
                action: dict[str, Any] = {"do": chance.choice(("add", "add", "add", "undo", "redo", "accept"))}
                if action["do"] == "add":
                    action |= {"x": chance.randrange(96), "y": chance.randrange(96)}
                try:
                    is_changed = session.do(number // 7 % 6, action).changed
                except ValueError:
                    continue
                os.write(theirs, b"1" if is_changed else b"0")
        return 0

    def go_on() -> int:
        from pointlabel.session import open_session

        with open_session(bench.data / "images", bench.out):
            return 0

    how = at_operation(chance.randint(3, 120), (bench.out,), lambda: os.kill(os.getpid(), signal.SIGKILL))
    by_time = chance.random() < 0.5
    child = Child(work, bench.root / "tmp", None if by_time else how)
    os.close(theirs)
    if by_time:
        time.sleep(chance.uniform(0.02, 0.6))
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
    code = child.wait()
    with os.fdopen(answers, "rb") as pipe:
        n_answered = pipe.read().count(b"1")
    if code != -signal.SIGKILL:
        raise Missed
    journal = bench.out / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n") if journal.exists() else []
    n_logged = sum(b'"do"' in line for line in lines)
    if not n_answered <= n_logged <= n_answered + 1:
        raise Fault(f"{n_answered} actions were answered, {n_logged} are in the journal")
    again = Child(go_on, bench.root / "tmp")
    bench.expect(again, again.wait(), (0,))
    bench.no_leftovers()
    touched = {json.loads(line).get("image") for line in lines if line}
    if n_logged:
        words = f"annotate {bench.data}/images -p {bench.out}/clicks.csv -o {bench.root}/same --no-progress"
        bench.run(words.split())
        for name in touched - {None}:
            mask = f"masks/{name}.png"
            if (bench.out / mask).read_bytes() != (bench.root / "same" / mask).read_bytes():
                raise Fault(f"{mask} is not what its clicks give")
    if all_files(bench.data) != bench.inputs:
        raise Fault("inputs have changed")


KINDS: dict[str, Callable[[Bench, Command], None]] = {
    "kill": kill,
    "signal": stop,
    "disk full": fill_disk,
    "file changed": change_file,
    "dead worker": kill_worker,
    "closed pipe": close_pipe,
    "two runs": run_two,
    "aimed at input": aim_at_input,
}


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
