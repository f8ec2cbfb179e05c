"""Time of the backend torch on one CPU thread and on a GPU: diffusion alone, the whole default, a GPU's work."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.common import DATASETS, finish, load, parser, run_on_one_thread
from pointlabel.engine.default.label import label_default
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.torch import border, diffuse
from pointlabel.engine.torch import label as labels
from pointlabel.engine.torch.label import PLANS, grow_candidates, label_requests
from pointlabel.engine.torch.window import gather_parts
from pointlabel.synthetic import draw_scene
from pointlabel.types import LabelRequest, TargetLabel

WINDOW_PX, N_STEPS = 33, 100
NUMBERS_A_STEP = 19  # read and written for each pixel by a step of `diffuse` without gradients
MOST_RATIO = 6.0  # of torch's time on one CPU thread to Numba's
ASKED = {"diffusion": 200_000, "default": 20_000}  # targets a second on a GPU


def synchronised(device: torch.device) -> float:
    """Seconds on the clock once the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()


def best_of(function: Callable[[], Any], device: torch.device, repeat: int) -> tuple[float, float]:
    """Median and fastest of `repeat` runs in seconds, after one that is not counted."""
    function()
    spent = []
    for _ in range(repeat):
        start = synchronised(device)
        function()
        spent.append(synchronised(device) - start)
    return float(np.median(spent)), min(spent)


def copy_rate(device: torch.device, repeat: int) -> float:
    """Bytes a second that a copy within the device's memory reads and writes."""
    n = 1 << (28 if device.type == "cuda" else 24)
    source = torch.zeros(n, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    seconds, _ = best_of(lambda: target.copy_(source), device, repeat)
    return 2 * source.nbytes / seconds


def bench_diffusion(device: torch.device, n: int, repeat: int) -> dict[str, Any]:
    """Diffusion alone, from maps in the host's memory to heat in the host's memory."""
    rng = np.random.default_rng(0)
    on_gpu = device.type == "cuda"
    host = [torch.from_numpy(rng.random((n, 1, WINDOW_PX, WINDOW_PX), np.float32)) for _ in range(3)]
    host[1][..., -1] = 0
    host[2][..., -1, :] = 0
    out = torch.empty_like(host[0])
    if on_gpu:
        host, out = [maps.pin_memory() for maps in host], out.pin_memory()
    chunk = max(PLANS[device.type].pixels // WINDOW_PX**2, 1) * (4 if on_gpu else 1)

    def work() -> None:
        with torch.inference_mode():
            for first in range(0, n, chunk):
                part = slice(first, first + chunk)
                maps = [each[part].to(device, non_blocking=True) for each in host]
                out[part].copy_(diffuse(maps[0], maps[1], maps[2], n_steps=N_STEPS), non_blocking=True)

    seconds, fastest = best_of(work, device, repeat)
    moved = NUMBERS_A_STEP * 4 * (WINDOW_PX + 1) ** 2 * N_STEPS * n / seconds
    rate = copy_rate(device, repeat)
    return {
        "targets_per_second": n / seconds,
        "fastest": n / fastest,
        "n_targets": n,
        "moved_gb_per_s": moved / 1e9,
        "copy_gb_per_s": rate / 1e9,
        "share_of_bandwidth": moved / rate,
    }


def requests_of(args: argparse.Namespace, n_images: int) -> tuple[str, list[LabelRequest]]:
    """Real images of all data sets with their centroid points, or drawn ones where there is no data."""

    def images() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if args.data is None:
            for seed in range(n_images):
                scene = draw_scene(seed, n_targets=2)
                yield scene.image, scene.points
            return
        for name in DATASETS:
            for sample, _ in zip(load(args.data, name, every=5), range(n_images // 3), strict=False):
                yield sample.image, sample.points

    rng = np.random.default_rng(0)
    found = [LabelRequest(i, p, np.full(len(p), 0.5), None, rng) for i, p in images() if len(p)]
    return "drawn scenes" if args.data is None else "every fifth image of the data sets", found


def overlap(ours: list[TargetLabel], theirs: list[TargetLabel], shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """(intersection, union) of each target's two masks."""
    for one, other in zip(ours, theirs, strict=True):
        masks = np.zeros((2, *shape), bool)
        masks[0][one.window], masks[1][other.window] = one.mask, other.mask
        yield int((masks[0] & masks[1]).sum()), int((masks[0] | masks[1]).sum())


def bench_default(requests: list[LabelRequest], device: torch.device, repeat: int) -> dict[str, Any]:
    """The whole default beside Numba's on one thread, in pairs one after the other: other programs hit both."""
    params = DefaultParams()
    many = requests * (20 if device.type == "cuda" else 1)
    n, n_many = (sum(len(request.points) for request in part) for part in (requests, many))
    theirs = [label_default(request, params) for request in requests]
    ours = label_requests(requests, params, device)
    pairs = []
    for _ in range(repeat):
        start = perf_counter()
        for request in requests:
            label_default(request, params)
        middle = synchronised(device)
        label_requests(many, params, device)
        pairs.append(((middle - start) / n, (synchronised(device) - middle) / n_many))
    numba, own = np.median(pairs, axis=0)
    ious = np.array(
        [pair for r, a, b in zip(requests, ours, theirs, strict=True) for pair in overlap(a, b, r.image.shape)]
    )
    return {
        "n_targets": n,
        "numba_ms": float(numba * 1000),
        "torch_ms": float(own * 1000),
        "ratio": float(np.median([b / a for a, b in pairs])),
        "targets_per_second": float(1 / own),
        "pooled_iou": float(ious[:, 0].sum() / ious[:, 1].sum()),
        "least_iou": float((ious[:, 0] / ious[:, 1]).min()),
    }


#: Operations that start no kernel.
VIEWS = {
    "view", "slice", "select", "unsqueeze", "squeeze", "expand", "transpose", "permute", "detach", "as_strided", "t",
    "unbind", "split", "alias", "unfold", "narrow", "_unsafe_view", "empty", "empty_strided", "new_empty", "empty_like",
    "_reshape_alias", "lift_fresh", "is_same_size",
}  # fmt: skip


class Traffic(TorchDispatchMode):
    """Counts operations that start a kernel, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.n_kernels, self.n_bytes = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ not in VIEWS:
            self.n_kernels += 1
            for tensor in self._tensors([*args, *(kwargs or {}).values(), out]):
                self.n_bytes += min(tensor.nbytes, tensor.untyped_storage().nbytes())
        return out

    def _tensors(self, values: Any) -> Iterator[Tensor]:
        for value in values:
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, list | tuple):
                yield from self._tensors(value)


def estimate_gpu(requests: list[LabelRequest], args: argparse.Namespace) -> dict[str, Any]:
    """What a GPU would have to start and to move for the whole default: counted on the CPU, not measured on a GPU."""
    params, cpu = DefaultParams(), torch.device("cpu")
    n = sum(len(request.points) for request in requests)
    with patch.dict(PLANS, cpu=PLANS["cuda"]), Traffic() as traffic:
        label_requests(requests, params, cpu, compiled=False)
    n_kernels = traffic.n_kernels / max(n / PLANS["cuda"].windows, 1)
    moved = traffic.n_bytes / n / (args.assume_share * args.assume_gb * 1e9)
    started = n_kernels * args.assume_launch_us / 1e6 / PLANS["cuda"].windows
    return {
        "n_targets": n,
        "kernels_a_batch": n_kernels,
        "megabytes_a_target": traffic.n_bytes / n / 1e6,
        "assumed_gb_per_s": args.assume_gb,
        "assumed_share": args.assume_share,
        "assumed_launch_us": args.assume_launch_us,
        "device_us_a_target": (moved + started) * 1e6,
        "host_over_numba": host_share(requests),
    }


def host_share(requests: list[LabelRequest]) -> float:
    """What the host needs beside the device, over Numba's whole time: peaks, parts of images, masks and labels."""
    spent = [0.0]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            start = perf_counter()
            out = function(*given, **named)
            out = list(out) if isinstance(out, Iterator) else out
            spent[0] += perf_counter() - start
            return out

        return call

    def grow(spots: Any, stride: int, *given: Any, **named: Any) -> Any:
        timed(gather_parts)(spots, stride, cpu)
        return grow_candidates(spots, stride, *given, **named)

    cpu, params, shares = torch.device("cpu"), DefaultParams(), []
    places = ((labels, "_targets_of"), (labels, "_qualities"), (labels, "_in_image"), (border, "cut_masks_kernel"))
    with ExitStack() as stack:
        stack.enter_context(patch.dict(PLANS, cpu=PLANS["cuda"]))
        stack.enter_context(patch.object(labels, "grow_candidates", grow))
        for module, name in places:
            stack.enter_context(patch.object(module, name, timed(getattr(module, name))))
        for _ in range(3):
            spent[0] = 0.0
            label_requests(requests, params, cpu)
            start = perf_counter()
            for request in requests:
                label_default(request, params)
            shares.append(spent[0] / (perf_counter() - start))
    return float(np.median(shares))


def bench_candidates(requests: list[LabelRequest], repeat: int) -> dict[str, float]:
    """Candidates of 32 windows on the CPU by the kernels and by torch, milliseconds a window."""
    spots = [(r.image, (int(row), int(column))) for r in requests for row, column in r.points][:32]
    cpu, n_scales = torch.device("cpu"), DefaultParams().n_scales
    out = {}
    for name in ("numba", "torch"):
        grow = partial(grow_candidates, spots, 1, n_scales, cpu, compiled=name == "numba")
        out[f"{name}_ms"] = best_of(grow, cpu, repeat)[0] * 1000 / len(spots)
    return out


def measure(device: torch.device, requests: list[LabelRequest], args: argparse.Namespace) -> dict[str, Any]:
    """Both measurements on one device, printed."""
    repeat = 3 if args.quick else 9
    n = (200_000 if device.type == "cuda" else 256) // (10 if args.quick else 1)
    diffusion, default = bench_diffusion(device, n, repeat), bench_default(requests, device, repeat)
    asked = (lambda name: f", asked {ASKED[name]:,}") if device.type == "cuda" else (lambda name: "")
    print(
        f"{device}: diffusion alone, {N_STEPS} steps, {WINDOW_PX} px, float32, copies included: "
        f"{diffusion['targets_per_second']:,.0f} targets/s{asked('diffusion')}; "
        f"{diffusion['moved_gb_per_s']:.1f} GB/s, {diffusion['share_of_bandwidth']:.2f} of a copy's "
        f"{diffusion['copy_gb_per_s']:.1f} GB/s"
    )
    limit = f", asked <= {MOST_RATIO:g}" if device.type == "cpu" else ""
    print(
        f"{device}: whole default: {default['torch_ms']:.3f} ms a target, Numba {default['numba_ms']:.3f} ms on one "
        f"thread, ratio {default['ratio']:.2f}{limit}; {default['targets_per_second']:,.0f} targets/s"
        f"{asked('default')}; pooled IoU of both {default['pooled_iou']:.6f}, least {default['least_iou']:.3f}"
    )
    return {"diffusion": diffusion, "default": default}


def main() -> None:
    """Measure what this machine has, print it, write the result."""
    options = parser(__doc__)
    options.add_argument("--assume-gb", type=float, default=3000, help="GB/s of the GPU that the estimate is for")
    options.add_argument("--assume-share", type=float, default=0.5, help="share of it that is assumed to be reached")
    options.add_argument("--assume-launch-us", type=float, default=5, help="assumed time to start a kernel")
    args = options.parse_args()
    torch.set_num_threads(1)
    source, requests = requests_of(args, 30 if args.quick else 150)
    print(f"{source}: {len(requests)} images, {sum(len(r.points) for r in requests)} targets")
    result: dict[str, Any] = {"images": source, "cpu": measure(torch.device("cpu"), requests, args)}
    result["candidates_on_cpu"] = bench_candidates(requests, 3)
    print("cpu: candidates by the kernels {numba_ms:.2f} ms a window, by torch {torch_ms:.2f}".format_map(
        result["candidates_on_cpu"]
    ))  # fmt: skip
    if torch.cuda.is_available():
        result["cuda"] = {"name": torch.cuda.get_device_name(), **measure(torch.device("cuda"), requests, args)}
    else:
        result["cuda"] = "no CUDA device: not run"
        print("no CUDA device: not run")
    estimate = result["gpu_estimate"] = estimate_gpu(requests, args)
    print(
        f"estimate for a GPU, not measured: {estimate['kernels_a_batch']:,.0f} kernels a batch of "
        f"{PLANS['cuda'].windows}, {estimate['megabytes_a_target']:.1f} MB a target; at {args.assume_share:g} of "
        f"{args.assume_gb:g} GB/s and {args.assume_launch_us:g} us a kernel "
        f"{estimate['device_us_a_target']:.0f} us a target on the device; "
        f"the host's share, measured here, is {estimate['host_over_numba']:.3f} of Numba's whole time"
    )
    finish(result, args.out)


if __name__ == "__main__":
    run_on_one_thread()
    main()
