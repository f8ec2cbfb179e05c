"""Small data sets laid out as published repositories describe theirs; each image has two drawn targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pointlabel.synthetic import draw_scene

#: Layout -> name of the data set's folder.
BUILT = {
    "D2D": "SIRST",
    "MCLC": "NUAA-SIRST",
    "BasicIRSTD": "IRSTD-1K",
    "DNANet": "NUST-SIRST",
    "SIRST v1": "sirst",
    "SIRST v2": "open-sirst-v2",
    "IRSTD-1k": "IRSTD-1k",
    "MSHNet": "NUDT-SIRST",
    "PAL": "SIRST_1_1_point_new",
    "SIRST-Aug": "sirst_aug",
    "MDvsFA": "MDvsFA_cGAN",
    "NUDT-MIRSDT": "NUDT-MIRSDT",
    "export": "task_1",
    "flat": "pictures",
}
#: Layouts without points of their own that this test can write.
WITHOUT_POINTS = ("SIRST v2", "MDvsFA", "export", "flat")
WITHOUT_MASKS = ("export", "flat")


def scene(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The image, the mask and the points of number `k`, all uint8."""
    drawn = draw_scene(seed=k, shape=(64, 80), n_targets=2)
    points = np.zeros(drawn.mask.shape, np.uint8)
    points[tuple(np.floor(drawn.points).astype(int).T)] = 255
    return drawn.image, drawn.mask.astype(np.uint8) * 255, points


def put(path: Path, pixels: np.ndarray) -> None:
    """Write one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def text(path: Path, lines: Sequence[str], end: str = "\n") -> None:
    """Write a list of ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())


def usual(root: Path, ids: Sequence[str], *, masks: str = "masks/{}.png") -> None:
    """``images/`` with masks and points beside it."""
    for k, name in enumerate(ids):
        image, mask, marks = scene(k)
        put(root / f"images/{name}.png", image)
        put(root / masks.format(name), mask)
        put(root / f"masks_centroid/{name}.png", marks)


def build(layout: str, parent: Path) -> Path:
    """Write the data set of a layout below `parent`, six images each (SIRST v2 and PAL alike)."""
    root = parent / BUILT[layout]
    ids = [f"Misc_{k}" for k in range(1, 7)]
    if layout == "D2D":
        usual(root, ids, masks="full-supervised/{}.png")
        (root / "labels").mkdir()
        for part, chosen in (("train", ids[:3]), ("val", ids[3:4]), ("test", ids[4:]), ("prior_difficulty", ids)):
            text(root / f"mode_bilevel/{part}.txt", chosen)
    elif layout == "MCLC":
        usual(root, ids)
        for part, chosen in (("train", ids[:4]), ("test", ids[4:]), ("full", ids), ("spot_target_train", ids[:2])):
            text(root / f"mode/{part}.txt", chosen)
    elif layout == "BasicIRSTD":
        usual(root, [f"XDU{k}" for k in range(6)])
        text(root / "img_idx/train_IRSTD-1K.txt", [f"XDU{k}" for k in range(4)], "\r\n")
        text(root / "img_idx/test_IRSTD-1K.txt", [f"/XDU{k}.png" for k in range(4, 6)] + ["", ""])
    elif layout == "DNANet":
        usual(root, ids)
        text(root / "50_50/train.txt", ids[:4])
        text(root / "50_50/test.txt", ids[4:])
    elif layout == "SIRST v1":
        usual(root, ids, masks="masks/{}_pixels0.png")
        for part, chosen in (("trainval", ids[:4]), ("train", ids[:3]), ("val", ids[3:4]), ("test", ids[4:])):
            text(root / f"idx_427/{part}.txt", chosen)
    elif layout == "SIRST v2":
        for k, name in enumerate(ids):
            image, mask, _ = scene(k)
            put(root / f"images/{'targets' if k < 3 else 'backgrounds'}/{name}.png", image)
            put(root / f"annotations/masks/{name}_pixels0.png", mask)
        for part, chosen in (("train", ids[:4]), ("test", ids[4:])):
            text(root / f"splits/{part}_full.txt", chosen)
            text(root / f"splits/{part}_v1fullv2target.txt", chosen[:1])
        text(root / "splits/val_full.txt", ids[3:4])
    elif layout == "IRSTD-1k":
        for k, name in enumerate(ids):
            for folder, pixels in zip(("IRSTD1k_Img", "IRSTD1k_Label", "masks_centroid"), scene(k), strict=True):
                put(root / f"{folder}/{name}.png", pixels)
        text(root / "trainval.txt", ids[:4])
        text(root / "test.txt", ids[4:])
    elif layout == "MSHNet":
        usual(root, ids)
        text(root / "trainval.txt", ids[:4])
        text(root / "test.txt", ids[4:])
    elif layout == "PAL":
        for k, name in enumerate(ids):
            image, mask, marks = scene(k)
            part = "origin" if k < 4 else "val"
            put(root / f"{part}/img/{name}.png", image)
            put(root / f"{part}/mask/{name}.png", mask)
            if k < 4:
                put(root / f"origin/masks_centroid/{name}.png", marks)
    elif layout == "SIRST-Aug":
        for k in range(6):
            image, mask, marks = scene(k)
            part = "trainval" if k < 4 else "test"
            put(root / f"{part}/images/{k:06d}.png", image)
            put(root / f"{part}/masks/{k:06d}.png", mask)
            put(root / f"masks_centroid/{part}/{k:06d}.png", marks)
    elif layout == "MDvsFA":
        for k in range(6):
            image, mask, _ = scene(k)
            put(root / (f"training/{k:06d}_1.png" if k < 4 else f"test_org/{k:05d}.png"), image)
            put(root / (f"training/{k:06d}_2.png" if k < 4 else f"test_gt/{k:05d}.png"), mask)
    elif layout == "NUDT-MIRSDT":
        from scipy.io import savemat

        for k in range(6):
            image, mask, marks = scene(k)
            home = root / f"Sequence{1 + k // 3}"
            (home / "Mix").mkdir(parents=True, exist_ok=True)
            savemat(home / f"Mix/{k % 3 + 1:05d}.mat", {"Mix": image.astype(np.float64)})
            put(home / f"masks/{k % 3 + 1:05d}.png", mask)
            put(home / f"masks_centroid/{k % 3 + 1:05d}.png", marks)
        text(root / "train.txt", [f"Sequence1/Mix/{k:05d}.mat" for k in (1, 2, 3)])
        text(root / "test.txt", [f"Sequence2/Mix/{k:05d}.mat" for k in (1, 2, 3)])
    elif layout == "export":
        for k, name in enumerate(ids):
            put(root / f"images/{name}.png", scene(k)[0])
        (root / "annotations.xml").write_text("<annotations><version>1.1</version></annotations>\n")
    else:
        for k, name in enumerate(ids):
            put(root / f"{name}.png", scene(k)[0])
    return root
