"""How often faults planted in the points of data sets are found before a run, and that right points raise nothing.

    python -m benchmarks.accuracy.point_checks --data DATA

DATA holds data sets, each with ``images/`` and ``masks_centroid/`` or ``masks_coarse/``. From each, images are drawn at
random, as many as stand above the columns, and looked at as ``annotate`` does. The table gives the share of draws with
a finding of the fault's kind; for right points, the number of draws with any finding. Data sets named by --dark have
dark targets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import DARK
from pointlabel.io.datasets import POINT_FOLDERS, open_dataset
from pointlabel.io.points.checks import check_points
from pointlabel.io.points.look import MOST_IMAGES, MOST_POINTS, LookedAt, spread
from pointlabel.io.samples import read_sample

SIZES = (3, 5, 10, 30)

Fault = Callable[[LookedAt, LookedAt], LookedAt]

_ANY = ("off_peak", "outside", "swapped", "polarity")
#: Fault -> what it makes of an image, given another one too, and the kinds of findings that name it.
FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "polarity": (lambda own, _: own, ("polarity",)),
    "swapped": (lambda own, _: LookedAt(own.image, own.points[:, ::-1]), ("swapped",)),
    "other images": (
        lambda own, other: LookedAt(own.image, other.points),
        ("off_peak", "outside", "swapped", "polarity"),
    ),
    "shifted by 1": (lambda own, _: LookedAt(own.image, own.points + 1), ("shifted",)),
}


def main() -> None:
    """Print a line for each data set, kind of points and fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with data sets")
    parser.add_argument("--draws", type=int, default=200, help="draws of each size")
    parser.add_argument("--dark", nargs="*", default=DARK, help="data sets with dark targets")
    options = parser.parse_args()
    print(f"{'data set':<16}{'points':<10}{'fault':<14}" + "".join(f"{n:>7}" for n in SIZES))
    for folder in sorted(path for path in options.data.iterdir() if (path / "images").is_dir()):
        polarity = "dark" if folder.name in options.dark else "bright"
        for kind in POINT_FOLDERS:
            samples = [read_sample(entry) for entry in open_dataset(folder, points=kind, masks=False).entries]
            pool = [LookedAt(each.image, each.points) for each in samples if len(each.points)]
            rng = np.random.default_rng(0)
            draws = [
                [rng.choice(len(pool), min(n, len(pool)), replace=False) for _ in range(options.draws)] for n in SIZES
            ]
            found = [sum(bool(_findings(pool, draw, polarity)) for draw in some) for some in draws]
            print(f"{folder.name:<16}{kind:<10}{'none':<14}" + "".join(f"{n:>7}" for n in found), flush=True)
            for name, (plant, kinds) in FAULTS.items():
                taken = {"bright": "dark", "dark": "bright"}[polarity] if name == "polarity" else polarity
                shares = [
                    np.mean([bool(set(_findings(pool, draw, taken, plant)) & set(kinds)) for draw in some])
                    for some in draws
                ]
                line = "".join(f"{share:>7.0%}" for share in shares)
                print(f"{folder.name:<16}{kind:<10}{name:<14}{line}", flush=True)


def _findings(pool: list[LookedAt], draw: np.ndarray, polarity: str, plant: Fault = lambda own, _: own) -> list[str]:
    """Kinds of what is found in the images drawn, with a fault planted."""
    chosen = [pool[index] for index in spread(sorted(draw.tolist()), MOST_IMAGES)]
    looked = []
    for own, other in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        planted = plant(own, other)
        looked.append(LookedAt(planted.image, planted.points[spread(range(len(planted.points)), MOST_POINTS)]))
    return [finding.kind for finding in check_points(looked, "points", polarity)]


if __name__ == "__main__":
    main()
