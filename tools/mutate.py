"""Share of small faults that the tests notice: each is put into a copy of the checkout, and tests run until one fails.

    python -m tools.mutate --out mutants.json                   # a drawn sample of each target of TARGETS
    python -m tools.mutate --again mutants.json --out now.json  # the same faults, after a change of the tests

Faulty kernels run interpreted (NUMBA_DISABLE_JIT=1), for compiling them takes longer than their tests. A run that takes
ten times as long as without a fault counts as noticed. Survivors are printed: each lacks a test, or changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEFAULT, CLI = "tests/engine/default", "tests/cli"
TARGETS: dict[str, tuple[list[str], list[str]]] = {  # name: the files that get faults, the tests that should notice
    "vote": (["pointlabel/engine/default/_vote_kernels.py"], [f"{DEFAULT}/test_vote.py"]),
    "regions": (["pointlabel/engine/default/_region_kernels.py"], [f"{DEFAULT}/test_regions.py"]),
    "mean field": (["pointlabel/baselines/crf/_mean_field_kernels.py"], ["tests/baselines/test_crf.py"]),
    "annotate": (
        ["pointlabel/folder/run.py", "pointlabel/folder/output.py"],
        [f"{CLI}/test_annotate.py", "tests/folder", f"{CLI}/test_annotate_failures.py", f"{CLI}/test_streams.py"],
    ),
    "evaluate": (
        ["cli/evaluate.py", "cli/evaluate_reader.py", "cli/evaluate_tables.py", "pointlabel/evaluation/metrics.py"],
        [f"{CLI}/test_evaluate.py", "tests/evaluation", f"{CLI}/test_masks.py"],
    ),
}
OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"), ast.And: ("and", "or"), ast.Or: ("or", "and"),
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
}  # fmt: skip


def mutants(path: Path) -> Iterator[dict[str, Any]]:
    """Every fault that a file of the checkout can get: the line with it, what was there and what comes there."""
    lines = path.read_text(encoding="utf-8").splitlines()

    def fault(row: int, start: int, end: int, text: str) -> dict[str, Any]:
        line = lines[row - 1]
        at = {"file": path.relative_to(ROOT).as_posix(), "line": line, "nth": lines[: row - 1].count(line)}
        return {**at, "mutant": line[:start] + text + line[end:]}

    def between(left: ast.expr, right: ast.expr, operator: ast.AST) -> Iterator[dict[str, Any]]:
        was, becomes = OPERATORS.get(type(operator), ("", ""))
        if was and left.end_lineno == right.lineno:
            assert left.end_col_offset is not None
            start = lines[right.lineno - 1].index(was, left.end_col_offset)
            yield fault(right.lineno, start, start + len(was), becomes)

    def visit(node: ast.AST) -> Iterator[dict[str, Any]]:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                for one, operator, next_one in zip([left, *comparators], ops, comparators, strict=False):
                    yield from between(one, next_one, operator)
            case ast.BinOp(left=left, op=operator, right=right):
                yield from between(left, right, operator)
            case ast.BoolOp(op=operator, values=values):
                for one, next_one in pairwise(values):
                    yield from between(one, next_one, operator)
            case ast.AugAssign(target=target, op=operator, value=value):
                yield from between(target, value, operator)
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand) if node.lineno == operand.lineno:
                yield fault(node.lineno, node.col_offset, operand.col_offset, "")
            case ast.Constant(value=int() | float() as number, end_col_offset=int(end)):
                other = number + 1 if isinstance(number, int) else number * 1.5 + 0.1
                yield fault(node.lineno, node.col_offset, end, repr(not number if isinstance(number, bool) else other))
            case ast.Return(value=ast.expr() as value) if node.lineno == value.end_lineno:
                assert value.end_col_offset is not None
                yield fault(node.lineno, value.col_offset, value.end_col_offset, "None")
            case ast.Expr(value=ast.Call(end_col_offset=int(end))) if node.lineno == node.end_lineno:
                yield fault(node.lineno, node.col_offset, end, "pass")
            case ast.Name(id="min" | "max" as called):
                yield fault(node.lineno, node.col_offset, node.col_offset + 3, "max" if called == "min" else "min")
        for name, field in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for each in field if isinstance(field, list) else [field]:
                    if isinstance(each, ast.AST):
                        yield from visit(each)

    yield from visit(ast.parse("\n".join(lines)))


def run_tests(copy: Path, tests: list[str], interpreted: bool, limit_s: float | None = None) -> tuple[bool, float]:
    """Whether the tests pass on the copy, and the seconds they took."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "NUMBA_DISABLE_JIT": str(int(interpreted)),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    start = perf_counter()
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return False, perf_counter() - start
    if done.returncode not in (0, 1):
        sys.exit(f"the tests did not run:\n{done.stdout.decode()[-2000:]}{done.stderr.decode()[-2000:]}")
    return done.returncode == 0, perf_counter() - start


def measure(copy: Path, faults: list[dict[str, Any]], tests: list[str]) -> list[dict[str, Any]]:
    """Each fault with whether it was noticed; None where its line is no longer there."""
    interpreted = faults[0]["file"].endswith("_kernels.py")
    passed, usual_s = run_tests(copy, tests, interpreted)
    if not passed:
        sys.exit(f"the tests fail without any fault: {' '.join(tests)}")
    out = []
    for fault in faults:
        path = copy / fault["file"]
        source = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = source.splitlines()
        places = [k for k, line in enumerate(lines) if line == fault["line"]]
        noticed = None
        if len(places) > fault["nth"]:
            lines[places[fault["nth"]]] = fault["mutant"]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            noticed = not run_tests(copy, tests, interpreted, 10 * usual_s + 60)[0]
            path.write_text(source, encoding="utf-8")
        if not noticed:
            print(f"  {'gone' if noticed is None else 'alive'}: {fault['file']}: {fault['mutant'].strip()}", flush=True)
        out.append({**fault, "noticed": noticed})
    return out


def main() -> None:
    """Draw faults or take those of a file, run the tests on each, print the shares that were noticed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("targets", nargs="*", help=f"default all: {', '.join(TARGETS)}")
    options.add_argument("-n", type=int, default=30, help="faults per target, default 30")
    options.add_argument("--seed", type=int, default=0, help="of the draw, default 0")
    options.add_argument("--again", type=Path, help="a result of this script, whose faults are tried again")
    options.add_argument("--out", type=Path, help="write the faults and which were noticed there as JSON")
    args = options.parse_args()
    before = json.loads(args.again.read_text()) if args.again else {}
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info"))
        (copy / "pointlabel/cli").symlink_to("../cli")  # as the wheel has it, and before any installed one
        for name in args.targets or before or TARGETS:
            files, tests = TARGETS[name]
            if name in before:
                faults = before[name]
            else:
                all_faults = [fault for file in files for fault in mutants(ROOT / file)]
                faults = random.Random(args.seed).sample(all_faults, min(args.n, len(all_faults)))
            print(f"{name}: {len(faults)} faults", flush=True)
            result[name] = measure(copy, faults, tests)
            tried = [fault["noticed"] for fault in result[name] if fault["noticed"] is not None]
            print(f"{name}: {sum(tried)} of {len(tried)} noticed", flush=True)
            if args.out:
                args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
