"""Draw what the kinds of the scale loss do: the loss over the predicted area, at fixed IoU.

python benchmarks/draw_losses.py docs/images/losses.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from pointlabel.losses import scale_weight
from pointlabel.losses.scale import Kind

N_PIXELS = 256 * 256
STYLES = {"variance": "-", "ratio": "-", "absolute": "-", "signed": "--"}


def draw(path: Path, target: float, iou: float) -> None:
    """Left: areas near the target's. Right: all areas up to the whole image."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
    areas = torch.from_numpy(np.geomspace(0.1, N_PIXELS, 4000))
    turn = 2 * target**0.5
    for panel in panels:
        for kind in get_args(Kind):
            weight = scale_weight(areas, torch.tensor(target, dtype=torch.float64), kind=kind)
            panel.plot(areas, 1 - iou * weight, STYLES[kind], label=kind)
        panel.axvline(target, color="0.7", linewidth=0.8, zorder=0)
        for turned in (target - turn, target + turn):
            panel.axvline(turned, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
        panel.set(xlabel="predicted area $A_p$ / px")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set(xlim=(0, 4 * target), ylabel=f"loss without location, at IoU {iou:g}")
    panels[0].set_title(f"near a target of {target:g} px")
    panels[1].set(xscale="log", xlim=(0.1, N_PIXELS), title="up to the whole image of 256 x 256 px")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    print(f"written to {path}")


def main() -> None:
    """Read the options and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--target", type=float, default=36.0, help="area of the target in pixels")
    parser.add_argument("--iou", type=float, default=0.6, help="at which the loss is drawn")
    args = parser.parse_args()
    draw(args.picture, args.target, args.iou)


if __name__ == "__main__":
    main()
