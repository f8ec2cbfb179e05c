"""Draw pictures of the documentation: what `tightness`, a calibration, styles and the kinds of the scale loss do.

python docs/pictures.py tightness docs/images/tightness.png
python docs/pictures.py calibration docs/images/calibration.png
python docs/pictures.py losses docs/images/losses.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy import ndimage

from pointlabel import annotate
from pointlabel.synthetic import Scene, draw_scene

SEED = 7
TIGHTNESS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
N_IMAGES = 10  # that the calibration sees
STYLES = {"variance": "-", "ratio": "-", "absolute": "-", "signed": "--"}
TARGET_PX, IOU, N_PIXELS = 36.0, 0.6, 256 * 256  # at which the losses are drawn


def scene_of(seed: int) -> Scene:
    """Four targets of known shapes on clouds."""
    shapes = ("gaussian", "disc", "ellipse", "arm")
    return draw_scene(seed, n_targets=4, background="cloud", contrast=12.0, shapes=shapes, margin_px=20)


def show_target(panel: Any, scene: Scene, index: int, half: int) -> tuple[slice, slice]:
    """Draw the pixels around a target; the part of the image that they are."""
    row, column = np.ceil(scene.points[index] - 0.5).astype(int)
    part = (slice(row - half, row + half + 1), slice(column - half, column + half + 1))
    panel.imshow(scene.image[part], cmap="gray", interpolation="nearest")
    panel.set(xticks=[], yticks=[])
    return part


def outline(panel: Any, mask: NDArray[np.bool_], colour: Any, width: float, style: str = "solid") -> None:
    """Draw the border of a mask along the pixels' edges."""
    fine = mask.repeat(16, axis=0).repeat(16, axis=1)
    at = (np.arange(fine.shape[0]) + 0.5) / 16 - 0.5
    panel.contour(at, at, fine, levels=[0.5], colors=[colour], linewidths=width, linestyles=style)


def tightness() -> Any:
    """Nested borders of the default method's masks on drawn targets, from loosest to tightest."""
    scene = scene_of(SEED)
    colours = [mpl.colormaps["plasma"](0.95 - 0.85 * i / (len(TIGHTNESS) - 1)) for i in range(len(TIGHTNESS))]
    masks = [annotate(scene.image, scene.points, tightness=value).instances() for value in TIGHTNESS]
    figure, panels = plt.subplots(1, 4, figsize=(10, 3.1), layout="constrained")
    for index, panel in enumerate(panels):
        part = show_target(panel, scene, index, 11)
        for mask, colour in zip(masks, colours, strict=True):
            outline(panel, mask[part] == index + 1, colour, 1.3)
        panel.set(title=scene.shapes[index])
    lines = [Line2D([], [], color=colour) for colour in colours]
    names = [f"tightness {value:g}" for value in TIGHTNESS]
    figure.legend(lines, names, loc="outside lower center", ncols=len(TIGHTNESS), frameon=False)
    return figure


def calibration() -> Any:
    """Masks before and after a calibration on ten scenes whose annotator draws one pixel beyond the border."""
    from pointlabel.calibration import calibrate, cases_of, verdict
    from pointlabel.engine.default.params import DefaultParams

    cases = []
    for k in range(1, N_IMAGES + 1):
        known = scene_of(SEED + k)
        cases += cases_of(known.image, known.points, ndimage.binary_dilation(known.mask), f"{k:02}")
    found = calibrate(cases)
    print(verdict(found))
    scene = scene_of(SEED)
    truth = ndimage.binary_dilation(scene.mask)
    params = found.style.params(DefaultParams())
    before = annotate(scene.image, scene.points).mask()
    after = annotate(scene.image, scene.points, params=params).mask()
    kinds: tuple[tuple[NDArray[np.bool_], str, Any], ...] = (
        (truth, "white", "solid"),
        (before, "tab:orange", "dashed"),
        (after, "tab:cyan", "dashed"),
    )
    figure, panels = plt.subplots(1, 4, figsize=(10, 3.2), layout="constrained")
    for index, panel in enumerate(panels):
        part = show_target(panel, scene, index, 10)
        for mask, colour, style in kinds:
            outline(panel, mask[part], colour, 1.6, style)
        scores = [(mask & truth)[part].sum() / (mask | truth)[part].sum() for mask in (before, after)]
        panel.set(title=f"{scene.shapes[index]}: {scores[0]:.2f}, then {scores[1]:.2f}")
    lines = [Line2D([], [], color=colour, linestyle=style) for _, colour, style in kinds]
    names = ("the annotator", "defaults", "calibrated")
    figure.legend(lines, names, loc="outside lower center", ncols=3, facecolor="0.4", labelcolor="white")
    return figure


def styles() -> Any:
    """The same targets as each style that has a name draws them, with the areas of the masks."""
    from pointlabel.engine.default.params import DefaultParams
    from pointlabel.engine.default.style import load_styles

    scene = scene_of(SEED)
    named = load_styles().named
    figure, panels = plt.subplots(4, len(named), figsize=(1.5 * len(named), 6.6), layout="constrained")
    for column, (name, numbers) in enumerate(named.items()):
        mask = annotate(scene.image, scene.points, params=DefaultParams(style=numbers)).mask()
        for index in range(4):
            panel = panels[index, column]
            part = show_target(panel, scene, index, 10)
            outline(panel, mask[part], "tab:cyan", 1.5)
            area = f"{np.count_nonzero(mask[part])} px"
            panel.set(title=f"{name}\n{area}" if index == 0 else area)
    return figure


def losses() -> Any:
    """The kinds of the scale loss over the predicted area at a fixed IoU: near the target's area, and beyond."""
    import torch

    from pointlabel.losses import scale_weight  # needs the extra [train]
    from pointlabel.losses.scale import Kind

    figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
    areas = torch.from_numpy(np.geomspace(0.1, N_PIXELS, 4000))
    turn = 2 * TARGET_PX**0.5
    for panel in panels:
        for kind in get_args(Kind):
            weight = scale_weight(areas, torch.tensor(TARGET_PX, dtype=torch.float64), kind=kind)
            panel.plot(areas, 1 - IOU * weight, STYLES[kind], label=kind)
        panel.axvline(TARGET_PX, color="0.7", linewidth=0.8, zorder=0)
        for turned in (TARGET_PX - turn, TARGET_PX + turn):
            panel.axvline(turned, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
        panel.set(xlabel="predicted area $A_p$ / px")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set(xlim=(0, 4 * TARGET_PX), ylabel=f"loss without location, at IoU {IOU:g}")
    panels[0].set_title(f"near a target of {TARGET_PX:g} px")
    panels[1].set(xscale="log", xlim=(0.1, N_PIXELS), title="up to the whole image of 256 x 256 px")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def main() -> None:
    """Read the options and draw."""
    pictures = {picture.__name__: picture for picture in (tightness, calibration, styles, losses)}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("picture", choices=pictures)
    parser.add_argument("path", type=Path)
    args = parser.parse_args()
    mpl.use("Agg")
    figure = pictures[args.picture]()
    args.path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.path, dpi=100, metadata={"Software": None})
    print(f"written to {args.path}")


if __name__ == "__main__":
    main()
