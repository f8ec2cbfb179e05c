"""The tables of what survives disturbances, of damaged files, and of a long run."""

from __future__ import annotations

from .store import markdown, stored

_WORDS = {
    "kill": "`kill -9`",
    "signal": "SIGTERM, SIGHUP, Ctrl-C",
    "disk full": "full disk",
    "file changed": "input gone, cut, replaced",
    "dead worker": "worker killed",
    "closed pipe": "reader of its output gone",
    "two runs": "second run into OUT",
    "aimed at input": "output aimed at input",
}


def faults() -> str:
    """Trials and survivors by disturbance and command."""
    rows = stored("faults")["rows"]
    commands = list(dict.fromkeys(row["command"] for row in rows))
    found = {(row["kind"], row["command"]): row for row in rows}
    lines = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        each = [found.get((kind, command)) for command in commands]
        total = [row for row in each if row is not None]
        lines.append([_WORDS[kind], *(map(_share, each)), _sum(total)])
    return markdown(["disturbed by", *(f"`{command}`" for command in commands), "all"], lines)


def _share(row: dict | None) -> str:
    return "" if row is None else f"{row['survived']} of {row['trials']}"


def _sum(rows: list[dict]) -> str:
    return f"**{sum(row['survived'] for row in rows):,} of {sum(row['trials'] for row in rows):,}**"


def fuzz() -> str:
    """Inputs and endings by reader."""
    held = stored("fuzz")
    keys = ("inputs", "results", "refused", "crashes", "slow", "big")
    lines = [
        [row["reader"], *(f"{row[key]:,}" for key in keys), f"{row['slowest_s']:.1f} s", f"{row['peak_mb']:,.0f} MB"]
        for row in held["rows"]
    ]
    total = ["all", *(f"{sum(row[key] for row in held['rows']):,}" for key in keys)]
    total += [f"{max(row['slowest_s'] for row in held['rows']):.1f} s"]
    total += [f"{max(row['peak_mb'] for row in held['rows']):,.0f} MB"]
    head = ["reader", "inputs", "results", "refused", "crashes", "over 5 s", "over 1 GB", "slowest", "most memory"]
    return markdown(head, [*lines, total])


def soak() -> str:
    """Memory, files and speed along a long run."""
    lines = [
        [
            f"{sample['done']:,}",
            f"{sample['memory_mb']:.0f}",
            str(sample["handles"]),
            f"{sample['frames_per_s']:.0f}",
        ]
        for sample in stored("soak")["samples"]
    ]
    return markdown(["frames done", "MB of memory", "open files", "frames per second"], lines)


TABLES = (faults, fuzz, soak)
