"""What an epoch of `bilevel` costs beside one of `offline`, and what a label update costs.

python -m benchmarks.speed.bilevel --out benchmarks/results/bilevel.json

All strategies take the same steps in turn, so that a busy machine slows them alike, and the time that counts is the
process's own on one thread. Epochs are those after the outer updates have begun; the ones before cost what `offline`
costs. An epoch is its steps and one look at the validation images. Labels are updated every 5 % of the epochs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from time import process_time
from typing import Any

import numpy as np
import torch

from benchmarks.common import finish, need_data, parser
from pointlabel.training.config import TrainConfig
from pointlabel.training.data import read_data
from pointlabel.training.evaluate import score_labels
from pointlabel.training.labels import Labeller
from pointlabel.training.registry import get_strategy
from pointlabel.training.splits import open_sources
from pointlabel.training.strategies.base import build_options
from pointlabel.training.trainer import Trainer

STRATEGIES: dict[str, dict[str, Any]] = {
    "offline": {"strategy": "offline", "mine": "off"},
    "bilevel, proxy": {"strategy": "bilevel"},
    "bilevel, head": {"strategy": "bilevel", "options": {"hypergradient": "head"}},
    "bilevel, one-step": {"strategy": "bilevel", "options": {"hypergradient": "one-step"}},
    "offline, mined": {"strategy": "offline", "mine": "on"},
    "bilevel, errors, mined": {"strategy": "bilevel", "mine": "on", "options": {"weights": "errors"}},
}
#: What a row is compared with, where it is not plain `offline`.
BASES = {"bilevel, errors, mined": "offline, mined"}


def start(args: argparse.Namespace, settings: dict[str, Any]) -> Trainer:
    """A run with its labels made, at the first epoch with outer updates."""
    common = {"model": args.model, "crop": args.crop, "epochs": args.epochs, "label_method": args.label_method}
    config = TrainConfig(**common, device="cpu", **settings)
    data = read_data(open_sources([str(args.data / args.dataset)], config, train_masks=False), config)
    labeller = Labeller(config)
    kind = get_strategy(config.strategy).strategy_class
    strategy = kind(config, build_options(config.strategy, kind.options_class, config.options))
    trainer = Trainer(config, data, strategy, labeller, tempfile.gettempdir())
    strategy.prepare(data, labeller)
    trainer.net.train()
    trainer.epoch = config.outer_from()
    trainer.set_lr()
    return trainer


def steps(trainer: Trainer) -> Iterator[float]:
    """Seconds of each step of an epoch."""
    before = process_time()
    for number, batch in enumerate(trainer.batches(), start=1):
        step = trainer.strategy.objective(batch, trainer)
        trainer.descend(batch, step, number)
        trainer.strategy.after_step(batch, step, trainer)
        yield process_time() - before
        before = process_time()


def main() -> None:
    """Time, print, store."""
    options = parser(__doc__)
    options.add_argument("--dataset", default="SIRST-v1")
    options.add_argument("--model", default="tiny")
    options.add_argument("--crop", type=int, default=128)
    options.add_argument("--epochs", type=int, default=80, help="of the whole run, for the time between two updates")
    options.add_argument("--label-method", default="diffusion")
    options.add_argument("--repeat", type=int, default=4, help="epochs to time, after one that warms up")
    args = options.parse_args()
    args.data = need_data(args)
    torch.set_num_threads(1)
    repeat = 1 if args.quick else args.repeat
    trainers = {name: start(args, settings) for name, settings in STRATEGIES.items()}
    spent: dict[str, list[float]] = {name: [] for name in trainers}
    looks: list[float] = []
    for epoch in range(1 + repeat):
        running = {name: steps(trainer) for name, trainer in trainers.items()}
        seconds = dict.fromkeys(trainers, 0.0)
        for _ in range(trainers["offline"].n_steps):
            for name, generator in running.items():
                before = process_time()
                next(generator)
                seconds[name] += process_time() - before
        before = process_time()
        valid = trainers["offline"].data.valid
        score_labels(trainers["offline"].predict(valid), valid, 0.5)
        if epoch > 0:
            looks.append(process_time() - before)
            for name, value in seconds.items():
                spent[name].append(value)
    updates = []
    for _ in range(1 + repeat):
        before = process_time()
        trainers["bilevel, proxy"].strategy.on_epoch_end(trainers["bilevel, proxy"])
        updates.append(process_time() - before)
    look = float(np.median(looks))
    result: dict[str, Any] = {"look_s": look, "rows": []}
    for name, values in spent.items():
        base = BASES.get(name, "offline")
        whole, of_base = np.array(values) + look, np.array(spent[base]) + look
        row = {
            "name": name,
            "epoch_s": float(np.median(whole)),
            "base": base,
            "of_base": float(np.median(whole / of_base)),
            "steps_of_base": float(np.median(np.array(values) / np.array(spent[base]))),
        }
        result["rows"].append(row)
        print(f"{name:<24}{row['epoch_s']:8.2f} s an epoch, {row['of_base']:.2f} of {base}")
    between = max(1, round(0.05 * args.epochs)) * result["rows"][1]["epoch_s"]
    result["update_s"] = float(np.median(updates[1:]))
    result["update_share"] = result["update_s"] / between
    print(f"{'label update':<24}{result['update_s']:8.2f} s, {result['update_share']:.1%} of the time between two")
    names = ("dataset", "model", "crop", "epochs", "label_method")
    finish({**{name: getattr(args, name) for name in names}, **result}, args.out)


if __name__ == "__main__":
    main()
