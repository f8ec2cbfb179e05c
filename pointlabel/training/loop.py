"""The loop: epochs of batches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from .._values import as_path
from ..errors import InputError, PointLabelError, shown
from ..evaluation.environment import circumstances
from ..io.lock import hold_folder
from ..losses import build_loss
from . import run as files
from .config import TrainConfig
from .data import read_data
from .devices import out_of_memory_as, pick_device
from .events import EpochDone, Note, Report, StepDone, TrainingStarted, Working
from .labels import Labeller
from .processes import Processes, join_processes
from .record import RunRecord
from .registry import get_strategy
from .splits import open_sources, split_hash
from .strategies.base import Strategy, build_options
from .tensorboard import check_curves
from .trainer import Trainer

Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a run ended.

    Attributes
    ----------
    folder : of the run.
    best_epoch, best_score : the epoch that was kept, counted from 1, and the IoU that chose it.
    test : scores on the test part, as in ``results.json``; None where there is none.
    """

    folder: str
    best_epoch: int
    best_score: float
    test: dict[str, Any] | None


def train(
    config: TrainConfig,
    datasets: Sequence[Path],
    out: Path,
    *,
    mode: str = "new",
    report: Report | None = None,
) -> TrainResult:
    """Train a detector.

    Parameters
    ----------
    config : every number of the run.
    datasets : folders; several are joined.
    out : folder of the run. It gets ``run.json`` (config, versions, split), ``metrics.jsonl`` (a line per epoch), the
        checkpoints ``best`` and ``last`` (safetensors and JSON), ``labels/``, and at the end ``results.json``.
    mode : "new", "resume" or "overwrite", for a folder that holds a run. A run that is resumed ends with the same
        numbers as one that was never stopped, bit for bit on the CPU with the same number of threads.
    report : called with each event as it happens.

    Started by torchrun, all processes call this alike. The first one writes and calls `report`; all return the result.

    Returns
    -------
    TrainResult

    Raises
    ------
    InputError
        Where a setting is out of range, or a file is missing, damaged or another than expected.
    TrainingError
        Where the loss is not finite or memory runs out; the checkpoints stay. With several processes one raises what
        went wrong, and the others `ReportedByOtherRank`.
    """
    if not isinstance(config, TrainConfig):
        raise InputError(f"config must be a TrainConfig, got {shown(config)}")
    if isinstance(datasets, str | bytes | os.PathLike) or not isinstance(datasets, Sequence):
        raise InputError(f"datasets must be a list of folders, got {shown(datasets)}")
    folders = [as_path(each, "datasets") for each in datasets]
    place = as_path(out, "out")
    with join_processes() as processes:
        say = report if report is not None and processes.is_first else lambda event: None
        with hold_folder(place, "train", f"by {config.strategy}") if processes.is_first else nullcontext():
            return _train(config, folders, place, mode, say, processes)


def _train(
    config: TrainConfig, datasets: Sequence[str], folder: str, mode: str, say: Report, processes: Processes
) -> TrainResult:
    entry = get_strategy(config.strategy)
    options = build_options(config.strategy, entry.strategy_class.options_class, config.options)
    pick_device(config.device, processes)  # what cannot work fails here, before anything is read or written
    build_loss(config.loss, **config.loss_params)
    if processes.n > 1 and config.compile:
        raise InputError(f"compile works in one process, and there are {processes.n}; drop it")
    if config.tensorboard:
        check_curves()
    labeller = Labeller(
        config,
        folder if processes.is_first else None,
        lambda what, done, total: say(Working(what, done, total)),
        lambda note: say(Note(note.kind, note.text)),
    )
    if not datasets:
        raise InputError("datasets must name at least one folder, got none")
    sources = open_sources(datasets, config, train_masks=entry.needs_masks)
    if config.protocol == "paper" and not any(source.test for source in sources):
        raise InputError("the protocol paper chooses the epoch on a test part, and the data sets have none")
    data = read_data(sources, config, on_image=lambda done, total: say(Working("reading", done, total)))
    for note in data.notes:
        say(note)
    stamp = {
        "config": config.as_dict(),
        "datasets": [os.path.abspath(source.train.folder) for source in sources],
        "names": data.names,
        "split_sha256": split_hash(sources),
        "split": {source.name: {part: list(getattr(source.split, part)) for part in ("train", "val", "test")}
                  for source in sources},
        "scaling": {"mean": data.scaling.mean, "deviation": data.scaling.deviation},
        **circumstances(),
    }  # fmt: skip
    # The first process starts or resumes the run; the others go on from its checkpoint, so that all are alike.
    resumed = files.open_run(folder, mode, stamp, config) if processes.is_first else True
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    sizes = f"batch_size {config.batch_size} and crop {config.crop}"
    with (
        torch.random.fork_rng(devices),
        out_of_memory_as(f"with {sizes}; take smaller ones, what was trained stays"),
    ):
        strategy: Strategy = entry.strategy_class(config, options)
        trainer = Trainer(config, data, strategy, labeller, folder, processes)
        record = RunRecord(processes.is_first)
        if not resumed:
            try:
                strategy.prepare(data, labeller)
            except PointLabelError:
                files.remove_run(folder)  # nothing is trained yet, and the settings have to change
                raise
            record.write_last(trainer)
        processes.wait()
        if resumed:
            record.resume(trainer)
        try:
            _run_epochs(trainer, strategy, record, say)
        except PointLabelError as error:
            kept = f"; the checkpoint of epoch {record.saved_epoch} stays in {folder}" if record.saved_epoch else ""
            raise type(error)(f"{error}{kept}") from error
        if processes.is_first:
            strategy.finish(trainer)
        processes.wait()  # for the best checkpoint
        test = record.score(trainer)
    return TrainResult(folder, record.best_epoch, record.best_score, test)


def _run_epochs(trainer: Trainer, strategy: Strategy, record: RunRecord, say: Report) -> None:
    config, data = trainer.config, trainer.data
    n_test = len(data.test) if data.test else 0
    say(TrainingStarted(trainer.epoch, config.epochs, trainer.n_steps, len(data.train), len(data.valid), n_test))
    trainer.net.train()
    with record.curves(trainer):
        while trainer.epoch < config.epochs:
            start = perf_counter()
            trainer.begin_epoch()
            strategy.on_epoch_start(trainer)
            loss = _epoch(trainer, strategy, say)
            metrics = {"epoch": trainer.epoch, "lr": config.lr_at(trainer.epoch), "loss": loss}
            metrics |= strategy.on_epoch_end(trainer)
            if config.mine == "on" and config.is_outer(trainer.epoch):
                metrics |= trainer.mine()
            is_best = record.validate(trainer, metrics)
            left = record.end_epoch(trainer, metrics, start)
            say(EpochDone(trainer.epoch, metrics, is_best, left))


def _epoch(trainer: Trainer, strategy: Strategy, say: Report) -> float:
    """Descend every batch once; return the mean loss of the samples."""
    total = torch.zeros((), dtype=torch.float64)
    n_seen = 0
    for number, batch in enumerate(trainer.batches(), start=1):
        step = strategy.objective(batch, trainer)
        trainer.descend(batch, step, number)
        strategy.after_step(batch, step, trainer)
        total += step.losses.sum().double().cpu()
        n_seen += len(batch)
        say(StepDone(trainer.epoch, number, float(total) / n_seen))
    return float(total) / n_seen
