"""What the losses cost beside a training step of a detector, and REEM's local SCR alone.

python -m benchmarks.speed.losses --detector dnanet --batch 16 --size 256

The step is forward, soft IoU, backward, on whatever device is asked for; losses run forward and backward on given
logits, one map each. Exits with status 1 where the SCR costs 5 % of the step or more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.common import finish, parser, timed
from pointlabel.detectors import build
from pointlabel.losses import LOSSES, build_loss, local_scr
from pointlabel.synthetic import draw_scene

MOST_SHARE = 0.05


def main() -> int:
    """Measure, print a table, say whether the SCR is cheap enough."""
    options = parser(__doc__)
    options.add_argument("--detector", default="dnanet")
    options.add_argument("--batch", type=int, default=4)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--device", default="cpu")
    args = options.parse_args()
    n, device = max(args.batch // 4, 1) if args.quick else args.batch, torch.device(args.device)
    scenes = [draw_scene(seed, shape=(args.size, args.size), n_targets=2, background="cloud") for seed in range(n)]
    image = torch.from_numpy(np.stack([scene.image for scene in scenes])[:, None]).float().to(device)
    target = torch.from_numpy(np.stack([scene.mask for scene in scenes])[:, None]).float().to(device)
    image = (image - image.mean()) / image.std()

    def run(function: Callable[[], object], repeat: int) -> float:
        def once() -> None:
            function()
            if device.type == "cuda":
                torch.cuda.synchronize()

        return timed(once, repeat)["median_ms"]

    net, loss = build(args.detector).to(device).train(), build_loss("soft-iou")
    step = run(lambda: loss(net(image), target).backward(), 2 if device.type == "cpu" else 20)
    result = {"detector": args.detector, "batch": n, "size": args.size, "device": str(device), "step_ms": step}
    print(f"a step of {args.detector}, {n} images of {args.size} x {args.size}: {step:.1f} ms on {device}")

    logits = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)).to(device).requires_grad_()
    pieces: dict[str, Callable[[], object]] = {"local SCR": lambda: local_scr(image, target)}
    for name in LOSSES:
        module = build_loss(name)
        pieces[name] = lambda module=module: module(logits, target, image=image).backward()  # type: ignore[misc]
    times = {name: run(function, 15) for name, function in pieces.items()}
    for name, time in times.items():
        print(f"{name:10} {time:8.2f} ms  {time / step:8.3%} of the step")
    share = times["local SCR"] / step
    finish({**result, "times_ms": times, "scr_share": share}, args.out)
    verdict = "less than" if share < MOST_SHARE else "not less than"
    print(f"the SCR costs {share:.3%} of a step, {verdict} {MOST_SHARE:.0%}")
    return int(share >= MOST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
