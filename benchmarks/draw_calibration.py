"""Draw what calibration does: masks before and after, on drawn targets whose annotator draws one pixel wider.

python benchmarks/draw_calibration.py docs/images/calibration.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel import annotate
from pointlabel.calibration import calibrate, cases_of, verdict
from pointlabel.engine.default.params import DefaultParams
from pointlabel.synthetic import Scene, draw_scene

N_IMAGES = 10
SHAPES = ("gaussian", "disc", "ellipse", "arm")
HALF = 10


def scene_of(seed: int) -> Scene:
    """Four targets of known shapes on clouds."""
    return draw_scene(seed, n_targets=4, background="cloud", contrast=12.0, shapes=SHAPES, margin_px=20)


def style_of(scene: Scene) -> NDArray[np.bool_]:
    """How the annotator of this example draws: one pixel beyond the border."""
    return ndimage.binary_dilation(scene.mask)


def outline(panel: Any, mask: NDArray[np.bool_], colour: str, style: str) -> None:
    """Draw the border of a mask along the pixels' edges."""
    fine = mask.repeat(16, axis=0).repeat(16, axis=1)
    at = (np.arange(fine.shape[0]) + 0.5) / 16 - 0.5
    panel.contour(at, at, fine, levels=[0.5], colors=[colour], linewidths=1.6, linestyles=style)


def draw(path: Path, seed: int) -> None:
    """Calibrate on ten scenes, and draw another one before and after."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    cases = []
    for k in range(1, N_IMAGES + 1):
        known = scene_of(seed + k)
        cases += cases_of(known.image, known.points, style_of(known), f"{k:02}")
    found = calibrate(cases)
    print(verdict(found))
    scene = scene_of(seed)
    truth = style_of(scene)
    params = found.style.params(DefaultParams())
    before = annotate(scene.image, scene.points).mask()
    after = annotate(scene.image, scene.points, params=params, tightness=found.style.tightness).mask()
    kinds: tuple[tuple[NDArray[np.bool_], str, Any], ...] = (
        (truth, "white", "solid"),
        (before, "tab:orange", "dashed"),
        (after, "tab:cyan", "dashed"),
    )
    figure, panels = plt.subplots(1, 4, figsize=(10, 3.2), layout="constrained")
    for panel, point, shape in zip(panels, scene.points, scene.shapes, strict=True):
        row, column = np.ceil(point - 0.5).astype(int)
        part = (slice(row - HALF, row + HALF + 1), slice(column - HALF, column + HALF + 1))
        panel.imshow(scene.image[part], cmap="gray", interpolation="nearest")
        for mask, colour, style in kinds:
            outline(panel, mask[part], colour, style)
        scores = [(mask & truth)[part].sum() / (mask | truth)[part].sum() for mask in (before, after)]
        panel.set(xticks=[], yticks=[], title=f"{shape}: {scores[0]:.2f}, then {scores[1]:.2f}")
    lines = [Line2D([], [], color=colour, linestyle=style) for _, colour, style in kinds]
    names = ("the annotator", "defaults", "calibrated")
    figure.legend(lines, names, loc="outside lower center", ncols=3, facecolor="0.4", labelcolor="white")
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
