"""Do wrong labels lose weight? Drawn scenes, a third of whose training labels are wrong on purpose.

python -m benchmarks.training.planted_labels --out benchmarks/results/planted_labels.json

Three kinds of wrong label: too wide by 4 px on every side, moved to another place, missing. The validation labels are
right. Printed is the mean weight at the end of a run of `bilevel`, of wrong and of right labels, over seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from benchmarks.common import finish, parser
from pointlabel.synthetic import draw_scene
from pointlabel.training import TrainConfig, train
from pointlabel.training.selection import read_weights

KINDS = ("wide", "moved", "missing")
N_TRAIN, N_VALID, SIDE = 32, 16, 48


def plant(folder: Path, kind: str, seed: int) -> set[str]:
    """Write a data set with its labels; the ids of the wrong ones."""
    rng = np.random.default_rng(seed)
    for part in ("images", "masks_centroid", "labels", "img_idx"):
        (folder / part).mkdir(parents=True)
    wrong = set()
    for k in range(N_TRAIN + N_VALID):
        scene = draw_scene(seed=1000 * seed + k, shape=(SIDE, SIDE), n_targets=1, contrast=(10.0, 15.0))
        point = np.zeros(scene.mask.shape, bool)
        point[tuple(scene.points.astype(int).T)] = True
        label = scene.mask
        if k < N_TRAIN and k % 3 == 0:
            wrong.add(f"{folder.name}/{k}")
            if kind == "wide":
                label = ndimage.binary_dilation(label, iterations=4)
            elif kind == "moved":
                label = np.roll(label, rng.integers(SIDE // 3, 2 * SIDE // 3, 2), (0, 1))
            else:
                label = np.zeros_like(label)
        for part, pixels in (("images", scene.image), ("masks_centroid", point), ("labels", label)):
            grey = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
            Image.fromarray(grey).save(folder / part / f"{k}.png")
    for name, ids in (("train", range(N_TRAIN)), ("val", range(N_TRAIN, N_TRAIN + N_VALID))):
        (folder / f"img_idx/{name}.txt").write_text("".join(f"{k}\n" for k in ids), encoding="utf-8")
    return wrong


def weigh(kind: str, hypergradient: str, seed: int, epochs: int) -> tuple[float, float]:
    """Mean weights of wrong and of right labels after a run."""
    with tempfile.TemporaryDirectory() as home:
        data, run = Path(home) / "scenes", Path(home) / "run"
        wrong = plant(data, kind, seed)
        config = TrainConfig(
            strategy="bilevel",
            options={"hypergradient": hypergradient, "every": 2, "weight_lr": 0.01},
            labels=str(data / "labels"),
            crop=32,
            batch_size=8,
            epochs=epochs,
            lr=3e-3,
            seed=seed,
            target_share=1.0,
            validate_every=epochs,
            checkpoint_every=epochs,
            device="cpu",
        )
        train(config, [data], run)
        rows = read_weights(run)
    means = [float(np.mean([row.weight for row in rows if (row.id in wrong) is side])) for side in (True, False)]
    return means[0], means[1]


def main() -> None:
    """Run, print, store."""
    options = parser(__doc__)
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N")
    options.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, metavar="KIND")
    args: argparse.Namespace = options.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for kind in args.kinds:
        for hypergradient in ("proxy", "head", "one-step"):
            found = np.array([weigh(kind, hypergradient, seed, args.epochs) for seed in args.seeds])
            row = {"kind": kind, "hypergradient": hypergradient, "wrong": found[:, 0].tolist()}
            row |= {"right": found[:, 1].tolist(), "seeds_lower": int((found[:, 0] < found[:, 1]).sum())}
            rows.append(row)
            print(
                f"{kind:<9}{hypergradient:<10} wrong {found[:, 0].mean():.2f}  right {found[:, 1].mean():.2f}  "
                f"lower in {row['seeds_lower']} of {len(args.seeds)} seeds",
                flush=True,
            )
    finish({"epochs": args.epochs, "seeds": args.seeds, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
