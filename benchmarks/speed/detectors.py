"""Parameters, operations and milliseconds of every detector, for one grey image of 256 and of 512 pixels.

Operations are counted by `torch.utils.flop_counter`: a multiplication and an addition are two; what is no convolution
and no matrix product is not counted. Times are those of an inference with fresh weights on one thread, in turns: each
round runs every detector once, so that whatever else the machine does meets all of them. The clock counts the time that
the process had the processor, since others' work on the machine is no part of the figure; the wall's clock stands
beside it.
"""

from __future__ import annotations

import os
from time import perf_counter, process_time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import finish, parser, spread
from pointlabel.detectors import DETECTORS, build
from pointlabel.detectors.base import Detector

SIZES = (256, 512)
ROUNDS = {256: 5, 512: 3}


def count_operations(name: str, size: int) -> int:
    """Floating-point operations of one inference, counted from shapes alone."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        build(name).eval()(torch.zeros(1, 1, size, size))
    return counter.get_total_flops()


def time_in_turns(nets: dict[str, Detector], size: int, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of an inference for each net: the first run apart, then the spread of the rounds."""
    image = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    spent: dict[str, list[float]] = {name: [] for name in nets}
    waited: dict[str, list[float]] = {name: [] for name in nets}
    with torch.inference_mode():
        for _ in range(rounds + 1):
            for name, net in nets.items():
                start, start_of_wait = process_time(), perf_counter()
                net(image)
                spent[name].append((process_time() - start) * 1000)
                waited[name].append((perf_counter() - start_of_wait) * 1000)
    return {
        name: {
            "first_ms": times[0],
            **spread(times[1:]),
            "median_wall_ms": spread(waited[name][1:])["median_ms"],
        }
        for name, times in spent.items()
    }


def measure(rounds: dict[int, int]) -> dict[str, Any]:
    """One row for each detector."""
    load = os.getloadavg()[0]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    nets = {name: build(name).eval() for name in DETECTORS}
    times = {size: time_in_turns(nets, size, rounds[size]) for size in SIZES}
    rows = []
    for name, net in nets.items():
        row: dict[str, Any] = {"name": name, "parameters": sum(parameter.numel() for parameter in net.parameters())}
        for size in SIZES:
            row[str(size)] = {"flops": count_operations(name, size), **times[size][name]}
        rows.append(row)
    return {"rows": rows, "threads": torch.get_num_threads(), "load": max(load, os.getloadavg()[0])}


def main() -> None:
    """Measure and print."""
    args = parser(__doc__).parse_args()
    result = measure(dict.fromkeys(SIZES, 1) if args.quick else ROUNDS)
    print(f"{'':10}{'parameters':>12}" + "".join(f"{f'GFLOP {s}':>11}{f'ms {s}':>9}{'p90':>9}" for s in SIZES))
    for row in result["rows"]:
        cells = ""
        for size in SIZES:
            cell = row[str(size)]
            cells += f"{cell['flops'] / 1e9:11.2f}{cell['median_ms']:9.1f}{cell['p90_ms']:9.1f}"
        print(f"{row['name']:10}{row['parameters']:12,}{cells}")
    finish(result, args.out)


if __name__ == "__main__":
    main()
