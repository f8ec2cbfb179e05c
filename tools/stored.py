"""How fitted numbers are stored: with where they come from, and with as many digits as they are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchmarks.common import circumstances


def provenance(
    module: str, data_sets: Sequence[str], digest: str, seed: int | None = None, **counts: int
) -> dict[str, Any]:
    """What fitted numbers come from: versions, commit, command, data; `counts` says of how much, by name."""
    seeded = {} if seed is None else {"seed": seed}
    out = {
        **circumstances(),
        "command": f"python -m {module} --data DIR" + (f" --seed {seed}" if seed else ""),
        "data_sets": list(data_sets),
        "data_sha256": digest,
        **counts,
        **seeded,
    }
    del out["machine"]
    return out


def rounded(stored: dict[str, Any], digits: int, **layout: Any) -> str:
    """JSON with so many significant digits; `layout` goes to `json.dumps`."""
    cut = json.loads(json.dumps(stored), parse_float=lambda text: float(f"{float(text):.{digits}g}"))
    return json.dumps(cut, **layout) + "\n"
