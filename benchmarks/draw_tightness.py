"""Draw what `tightness` does: borders of the default method's masks on drawn targets, from loosest to tightest.

python benchmarks/draw_tightness.py docs/images/tightness.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pointlabel import annotate
from pointlabel.synthetic import draw_scene

VALUES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
HALF = 11


def draw(path: Path, seed: int) -> None:
    """One panel a target: the pixels, and the nested borders along the pixels' edges."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import colormaps
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    scene = draw_scene(
        seed,
        n_targets=4,
        background="cloud",
        contrast=12.0,
        shapes=("gaussian", "disc", "ellipse", "arm"),
        margin_px=20,
    )
    colours = [colormaps["plasma"](0.95 - 0.85 * i / (len(VALUES) - 1)) for i in range(len(VALUES))]
    masks = [annotate(scene.image, scene.points, tightness=value).instances() for value in VALUES]
    figure, panels = plt.subplots(1, 4, figsize=(10, 3.1), layout="constrained")
    for index, (panel, point) in enumerate(zip(panels, scene.points, strict=True)):
        row, column = np.ceil(point - 0.5).astype(int)
        part = (slice(row - HALF, row + HALF + 1), slice(column - HALF, column + HALF + 1))
        panel.imshow(scene.image[part], cmap="gray", interpolation="nearest")
        for mask, colour in zip(masks, colours, strict=True):
            fine = (mask[part] == index + 1).repeat(16, axis=0).repeat(16, axis=1)
            at = (np.arange(fine.shape[0]) + 0.5) / 16 - 0.5
            panel.contour(at, at, fine, levels=[0.5], colors=[colour], linewidths=1.3)
        panel.set(xticks=[], yticks=[], title=scene.shapes[index])
    figure.legend(
        [Line2D([], [], color=colour) for colour in colours],
        [f"tightness {value:g}" for value in VALUES],
        loc="outside lower center",
        ncols=len(VALUES),
        frameon=False,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    print(f"written to {path}")


def main() -> None:
    """Read the options and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    draw(args.picture, args.seed)


if __name__ == "__main__":
    main()
