"""Draw a small data set, annotate it from its points, score the masks: the whole tool in one go.

python benchmarks/demo.py demo-out                        # what `make demo` runs
python benchmarks/demo.py tutorial/data --dataset -n 60   # images, clicks and masks as the tutorial has them
python benchmarks/demo.py --picture docs/images/overview.png
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointlabel import annotate
from pointlabel.synthetic import Scene, draw_scene

BACKGROUNDS = ("cloud", "sea", "noise")
FOLDERS = ("images", "masks_centroid", "masks")
OUTLINE, GAP = 128, 129  # palette of the picture: 128 greys, the colour of masks' borders, white


def demo_scene(index: int, seed: int) -> Scene:
    """The scenes of the demo: backgrounds in turn, every other one with 16 bits."""
    return draw_scene(
        seed=seed + index,
        n_targets=3 + index % 4,
        background=BACKGROUNDS[index % len(BACKGROUNDS)],
        dtype=np.uint16 if index % 2 else np.uint8,
    )


def draw_scenes(n_images: int, seed: int) -> Iterator[tuple[str, Scene, NDArray[np.intp]]]:
    """Yield (file name, scene, pixels of its points as (N, 2) rows and columns)."""
    for index in range(n_images):
        scene = demo_scene(index, seed)
        yield f"{scene.background}_{index:02d}.png", scene, np.ceil(scene.points - 0.5).astype(int)


def write_folders(folder: Path, n_images: int, seed: int) -> None:
    """Write a data set: images, one-pixel point images and true masks; what was drawn there before goes."""
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    for name, scene, pixels in draw_scenes(n_images, seed):
        points = np.zeros(scene.image.shape, np.uint8)
        points[tuple(pixels.T)] = 255
        for kind, array in zip(FOLDERS, (scene.image, points, np.uint8(255) * scene.mask), strict=True):
            Image.fromarray(array).save(folder / kind / name)


def write_dataset(folder: Path, n_images: int, seed: int) -> None:
    """Write ``images/``, ``masks/`` with the true masks, and ``clicks.csv`` with a click on each target.

    Where users are told to put images of their own nothing is removed.
    """
    for name in ("images", "masks"):
        if (folder / name).exists():
            sys.exit(f"{folder / name} is there already; name another folder")
        (folder / name).mkdir(parents=True)
    lines = ["image,x,y"]
    for name, scene, pixels in draw_scenes(n_images, seed):
        Image.fromarray(scene.image).save(folder / "images" / name)
        Image.fromarray(np.uint8(255) * scene.mask).save(folder / "masks" / name)
        lines += [f"{name},{column},{row}" for row, column in pixels]
    (folder / "clicks.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(f"drew {n_images} images with {len(lines) - 1} clicks and their true masks in {folder}")


def pointlabel(*arguments: str | Path) -> None:
    """Run the installed command, its words on this terminal; a failure ends the demo with the command's status."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ pointlabel {' '.join(words)}", flush=True)
    status = subprocess.run([sys.executable, "-m", "pointlabel", *words], check=False).returncode
    if status:
        sys.exit(status)


def run(folder: Path, n_images: int, seed: int) -> None:
    """Draw, annotate, evaluate, and say where to look."""
    write_folders(folder, n_images, seed)
    print(f"drew {n_images} images with their points and true masks in {folder}")
    labels = folder / "labels"
    pointlabel("annotate", folder, "-o", labels, "--overlay", "--overwrite")
    pointlabel("evaluate", labels / "masks", folder / "masks")
    print(f"\nmasks:    {labels / 'masks'}\npictures: {labels / 'overlay'}")


def _enlarged(array: NDArray, times: int) -> NDArray:
    return array.repeat(times, axis=0).repeat(times, axis=1)


def _outline(mask: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """The enlarged mask's pixels that touch its outside."""
    big = np.pad(_enlarged(mask, times), 1)
    inside = big[:-2, 1:-1] & big[2:, 1:-1] & big[1:-1, :-2] & big[1:-1, 2:]
    return big[1:-1, 1:-1] & ~inside


def _column(scene: Scene, half: int = 8, times: int = 8) -> NDArray[np.uint8]:
    """A scene above, below it four targets enlarged with the border of their masks; palette indices."""
    mask = annotate(scene.image, scene.points).mask()
    low, high = np.percentile(scene.image, [0.1, 99.99])
    top = (np.clip((scene.image - low) / (high - low), 0, 1) * 127).astype(np.uint8)
    windows = []
    for point in scene.points:
        row, column = (int(np.clip(v, half, side - half)) for v, side in zip(point, mask.shape, strict=True))
        cut = (slice(row - half, row + half), slice(column - half, column + half))
        window = _enlarged(top[cut], times)
        window[_outline(mask[cut], times)] = OUTLINE
        window[0], window[:, 0] = GAP, GAP
        windows.append(window)
    marks = np.zeros(mask.shape, bool)
    for row, column in np.rint(scene.points).astype(int):
        marks[max(row - half, 0) : row + half, max(column - half, 0) : column + half] = True
    dotted = _outline(marks, 1) & (np.indices(mask.shape).sum(axis=0) % 2 == 0)
    top[dotted] = OUTLINE
    return np.vstack([top, np.hstack(windows[:2]), np.hstack(windows[2:])])


def draw_picture(path: Path, seed: int) -> None:
    """The README's picture: one scene for each background."""
    columns = [
        _column(draw_scene(seed=seed + i, n_targets=4, background=name, shapes=("disc", "gaussian", "ellipse", "arm")))
        for i, name in enumerate(BACKGROUNDS)
    ]
    gap = np.full((columns[0].shape[0], 8), GAP, np.uint8)
    sheet = Image.fromarray(np.hstack([part for column in columns for part in (column, gap)][:-1]), mode="P")
    greys = [level for shade in range(128) for level in [shade * 2 + shade // 127] * 3]
    sheet.putpalette([*greys, 255, 96, 0, 255, 255, 255])
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
    print(f"written to {path}")


def main() -> None:
    """Read the options and do one of the two."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo-out"))
    parser.add_argument("-n", "--n-images", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--dataset", action="store_true", help="draw images/, masks/ and clicks.csv for the tutorial, and run nothing"
    )
    parser.add_argument("--picture", type=Path, help="draw the README's picture there and do nothing else")
    args = parser.parse_args()
    if args.picture:
        draw_picture(args.picture, args.seed)
    elif args.dataset:
        write_dataset(args.folder, args.n_images, args.seed)
    else:
        run(args.folder, args.n_images, args.seed)


if __name__ == "__main__":
    main()
