"""The ways in which a command is disturbed, a function each."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any

from benchmarks.robustness.fault_bench import Bench, Fault, Missed
from benchmarks.robustness.fault_commands import Command, all_files
from benchmarks.robustness.fault_processes import Child, at_operation

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
