"""Stored results, and how a table is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
WEIGHTS = ROOT / "pointlabel" / "engine" / "default" / "weights" / "default.json"
DATASETS = ("SIRST-v1", "NUDT-SIRST", "IRSTD-1k")
POINTS = ("centroid", "coarse")


def stored(name: str) -> dict[str, Any]:
    """Result `name` of the folder of results."""
    held = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return held.get("result", held)  # a command of pointlabel writes the rows beside the circumstances


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table, first column to the left, the others to the right."""
    lines = [" | ".join(head), " | ".join(["---"] + ["---:"] * (len(head) - 1)), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def both(cell: dict[str, float], mean: str = "niou") -> str:
    return f"{cell['iou']:.3f} / {cell[mean]:.3f}"


def lines_of(name: str, part: str) -> list[dict[str, Any]]:
    return [row for row in stored(name)["rows"] if row["part"] == part]


def table(lines: Sequence[dict[str, Any]]) -> str:
    """IoU / nIoU of each line on every data set with both kinds of point."""
    columns = [f"{dataset} {points}" for points in POINTS for dataset in DATASETS]
    return markdown(["", *columns], [[line["name"], *(both(line[c]) for c in columns)] for line in lines])
