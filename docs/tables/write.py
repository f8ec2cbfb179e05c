"""Write the tables of README and docs out of the stored results, so that no figure is typed by hand.

    python -m docs.tables.write          rewrites what stands between the markers
    python -m docs.tables.write --check  ends with status 1 where a page is not what the results say

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable

from docs.tables import calibration, datasets, engine, faults, methods, points, scale, serving, training
from docs.tables.store import ROOT

PAGES = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / "methods" / name
        for name in ("default.md", "threshold.md", "crf.md", "sam.md", "bilevel.md", "convolutions.md")
    ),
    ROOT / "docs" / "datasets.md",
    ROOT / "docs" / "targets.md",
    ROOT / "docs" / "bench.md",
    ROOT / "docs" / "calibrate.md",
    ROOT / "docs" / "detectors.md",
    ROOT / "docs" / "formats.md",
    ROOT / "docs" / "promises.md",
    ROOT / "docs" / "scale.md",
    ROOT / "docs" / "security.md",
    ROOT / "docs" / "serve.md",
    ROOT / "docs" / "train.md",
    ROOT / "benchmarks" / "README.md",
)
MARKER = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table
    for part in (engine, methods, calibration, points, serving, training, datasets, faults, scale)
    for table in part.TABLES
}


def render(text: str) -> str:
    """The page with every table written anew; an unknown name raises KeyError."""
    return MARKER.sub(lambda match: f"{match[1]}\n{TABLES[match[2]]()}\n{match[3]}", text)


def main() -> None:
    """Rewrite the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a page is stale")
    args = parser.parse_args()
    stale = [page for page in PAGES if render(page.read_text(encoding="utf-8")) != page.read_text(encoding="utf-8")]
    for page in stale:
        print(f"{'stale' if args.check else 'written'}: {page.relative_to(ROOT)}")
        if not args.check:
            page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
    if args.check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
