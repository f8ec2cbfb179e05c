"""Gaussian and pinwheel convolutions in other people's box detectors: mAP50 on SIRST-v1 with and without them.

python -m benchmarks.training.boxes --out benchmarks/results/boxes.json

YOLOv8 is the `yolov8n` of ultralytics, trained as it trains itself; RetinaNet is torchvision's on a ResNet-18, 64
channels wide, with anchors from 4 pixels on. Both start without trained weights and see the official training part for
a fixed number of epochs; nothing is chosen on the test part. All 3 x 3 convolutions are replaced. A target's box is
that of its 8-connected true mask. Both are judged by the rule of COCO, at most 100 boxes per image.

It needs ultralytics and torchvision beside `[train]`, and a few minutes of one processor for each run. A short training
from scratch says whether the layers work in these networks and which way they push; it is no published score.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.common import finish, need_data, parser
from pointlabel.evaluation.boxes import AveragePrecision, component_boxes
from pointlabel.evaluation.components import find_components
from pointlabel.io.datasets import open_dataset
from pointlabel.io.samples import read_sample

DATASET = "SIRST-v1"
KINDS = ("plain", "gaussian", "pinwheel")
CROP_PX = {"yolov8": 128, "retinanet": 64}  # sides of the crops that are trained on; test images keep their size
N_CROPS = 4  # per image, written for YOLOv8, which reads files
MOST_BOXES = 100
EPOCHS = {"yolov8": 20, "retinanet": 50}


@dataclass(frozen=True, slots=True)
class Picture:
    """One image: `pixels` (H, W) uint8, `boxes` (N, 4) as x0, y0, x1, y1 in pixels from the image's corner."""

    id: str
    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float64]


def read_part(data: Path, split: str, every: int = 1) -> list[Picture]:
    """The images of a list with the boxes of their targets."""
    out = []
    for entry in open_dataset(data / DATASET, points=None, split=split).entries[::every]:
        sample = read_sample(entry)
        assert sample.mask is not None
        boxes = component_boxes(find_components(sample.mask))
        boxes[:, 2:] += boxes[:, :2]
        out.append(Picture(entry.id, sample.image.astype(np.uint8), boxes))
    return out


def map50(pictures: list[Picture], found: list[NDArray[np.float64]]) -> float:
    """Average precision at IoU .5 of boxes (N, 5) as x0, y0, x1, y1, score for each picture."""
    precision = AveragePrecision()
    for picture, told in zip(pictures, found, strict=True):
        boxes, true = (np.hstack([each[:, :2], each[:, 2:4] - each[:, :2]]) for each in (told, picture.boxes))
        precision.add(boxes, told[:, 4], true)
    return precision.value() or 0.0


def replace(net: Any, kind: str) -> Any:
    """The network with its 3 x 3 convolutions replaced."""
    from pointlabel.convolutions import replace_convolutions

    if kind != "plain" and not replace_convolutions(net, kind):
        sys.exit(f"{type(net).__name__}: no convolution was replaced")
    return net


def train_yolo(kind: str, seed: int, epochs: int, train: list[Picture], test: list[Picture]) -> list[NDArray]:
    """Train YOLOv8, and find boxes on the test images by the weights that it saved."""
    os.environ["YOLO_VERBOSE"] = "False"
    from ultralytics import YOLO
    from ultralytics.models.yolo.detect import DetectionTrainer

    class Trainer(DetectionTrainer):
        """Builds its network itself, so the layers are replaced there."""

        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
            """The network that is trained."""
            return replace(super().get_model(cfg, weights, verbose=False), kind)

    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        for part in ("images", "labels"):
            os.makedirs(f"{folder}/{part}")
        for k, picture in enumerate(train * N_CROPS):
            pixels, boxes = crop(picture, rng, CROP_PX["yolov8"])
            Image.fromarray(pixels).convert("RGB").save(f"{folder}/images/{k}.png")
            low, high = boxes[:, :2] / pixels.shape[::-1], boxes[:, 2:] / pixels.shape[::-1]
            lines = [
                f"0 {' '.join(f'{value:.6f}' for value in row)}" for row in np.hstack([(low + high) / 2, high - low])
            ]
            Path(f"{folder}/labels/{k}.txt").write_text("\n".join(lines))
        Path(f"{folder}/data.yaml").write_text(f"path: {folder}\ntrain: images\nval: images\nnames: [target]\n")
        settings = {
            "model": "yolov8n.yaml",
            "data": f"{folder}/data.yaml",
            "epochs": epochs,
            "imgsz": CROP_PX["yolov8"],
        }
        quiet = {"val": False, "plots": False, "verbose": False, "workers": 0, "amp": False, "device": "cpu"}
        trainer = Trainer(overrides={**settings, **quiet, "seed": seed, "batch": 16, "project": folder, "name": "run"})
        trainer.train()
        net = YOLO(str(trainer.last))
        out = []
        for picture in test:
            told = net.predict(
                np.repeat(picture.pixels[..., None], 3, axis=2),
                imgsz=-(-max(picture.pixels.shape) // 32) * 32,
                conf=0.001,
                max_det=MOST_BOXES,
                device="cpu",
                verbose=False,
            )[0].boxes
            out.append(np.hstack([told.xyxy.numpy(), told.conf.numpy()[:, None]]).astype(float))
    return out


def train_retinanet(kind: str, seed: int, epochs: int, train: list[Picture], test: list[Picture]) -> list[NDArray]:
    """Train RetinaNet, and find boxes on the test images."""
    import torch
    import torchvision
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    body = torchvision.models.resnet18(weights=None)
    layers = {"layer1": "0", "layer2": "1", "layer3": "2"}
    backbone = BackboneWithFPN(body, layers, [64, 128, 256], 64, extra_blocks=LastLevelMaxPool())
    sizes = tuple((side, int(side * 1.26), int(side * 1.59)) for side in (4, 8, 16, 32))
    anchors = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    most: dict[str, Any] = {"detections_per_img": MOST_BOXES, "score_thresh": 0.01, "_skip_resize": True}
    net = replace(RetinaNet(backbone, 2, anchor_generator=anchors, **most), kind)
    batch = 8
    optimizer = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * (len(train) // batch))

    def tensor(pixels: NDArray[np.uint8]) -> Any:
        return torch.from_numpy(np.repeat(pixels[None].astype(np.float32) / 255, 3, axis=0))

    net.train()
    for _ in range(epochs):
        for chosen in rng.permutation(len(train))[: len(train) // batch * batch].reshape(-1, batch):
            images, targets = [], []
            for picture in (train[k] for k in chosen):
                pixels, boxes = crop(picture, rng, CROP_PX["retinanet"])
                images.append(tensor(pixels))
                targets.append(
                    {"boxes": torch.from_numpy(boxes).float(), "labels": torch.ones(len(boxes), dtype=torch.int64)}
                )
            loss = sum(net(images, targets).values())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        told = [net([tensor(picture.pixels)])[0] for picture in test]
    return [np.hstack([each["boxes"].numpy(), each["scores"].numpy()[:, None]]).astype(float) for each in told]


def crop(picture: Picture, rng: np.random.Generator, side: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A square with a random target in it, mirrored in one of two cases, and the boxes whose centres it holds."""
    x0, y0, x1, y1 = rng.permutation(picture.boxes)[0] if len(picture.boxes) else np.zeros(4)
    height, width = picture.pixels.shape
    left, top = (
        int(np.clip((low + high) / 2 - rng.uniform(0.1, 0.9) * side, 0, max(0, whole - side)))
        for low, high, whole in ((x0, x1, width), (y0, y1, height))
    )
    pixels = picture.pixels[top : top + side, left : left + side]
    boxes = picture.boxes - [left, top, left, top]
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    boxes = np.clip(
        boxes[((center > 0) & (center < pixels.shape[::-1])).all(axis=1)], 0, np.tile(pixels.shape[::-1], 2)
    )
    if rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        boxes = np.column_stack(
            [pixels.shape[1] - boxes[:, 2], boxes[:, 1], pixels.shape[1] - boxes[:, 0], boxes[:, 3]]
        )
    return pixels, boxes


NETS: dict[str, Callable[..., list[NDArray]]] = {"yolov8": train_yolo, "retinanet": train_retinanet}


def train_one(job: tuple[str, str, int, int, Path, int]) -> dict[str, Any]:
    """One run; its mAP50 on the test part and its processor seconds."""
    import torch

    net, kind, seed, epochs, data, every = job
    torch.set_num_threads(1)
    train, test = read_part(data, "train", every), read_part(data, "test", every)
    start = process_time()
    score = map50(test, NETS[net](kind, seed, epochs, train, test))
    return {"net": net, "kind": kind, "seed": seed, "epochs": epochs, "map50": score, "cpu_s": process_time() - start}


def main() -> None:
    """Train, print, write the result."""
    options = parser(__doc__)
    options.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS), metavar="NET")
    options.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, metavar="KIND")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N")
    options.add_argument("--jobs", type=int, default=2, help="runs at a time, each with one processor; default 2")
    args: argparse.Namespace = options.parse_args()
    data = need_data(args)
    missing = [name for name in ("ultralytics", "torchvision") if find_spec(name) is None]
    if missing:
        print(f"skipped: it needs {' and '.join(missing)}; pip install {' '.join(missing)}")
        return
    jobs = [
        (net, kind, seed, 1 if args.quick else EPOCHS[net], data, 8 if args.quick else 1)
        for seed in args.seeds
        for net in args.nets
        for kind in args.kinds
    ]
    rows = []
    with get_context("spawn").Pool(args.jobs, maxtasksperchild=1) as pool:
        for row in pool.imap_unordered(train_one, jobs):
            rows.append(row)
            print(
                f"{row['net']:<10} {row['kind']:<9} seed {row['seed']}: mAP50 {row['map50']:.3f}, {row['cpu_s']:.0f} s",
                flush=True,
            )
    finish({"dataset": DATASET, "crop_px": CROP_PX, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
