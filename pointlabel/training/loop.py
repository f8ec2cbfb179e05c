"""The loop: epochs of batches, what is written after each, and the evaluation at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch

from .._values import as_number, as_path
from ..detectors.weights import weights_to_bytes
from ..errors import InputError, PointLabelError, TrainingError, shown
from ..evaluation.environment import circumstances
from ..io.files import write_whole
from ..io.lock import hold_folder
from ..io.masks.png import encode_grey
from ..losses import build_loss
from . import run as files
from .checkpoint import read_checkpoint, write_checkpoint
from .config import TrainConfig
from .data import read_data
from .evaluate import draw_picture, score_labels, score_masks, scored_test_set
from .events import EpochDone, Note, Report, StepDone, TrainingStarted, Working
from .initialise import last_line
from .labels import Labeller
from .processes import Processes, together
from .registry import get_strategy
from .splits import open_sources, split_hash
from .strategies.base import Strategy, build_options
from .tensorboard import check_curves, open_curves
from .trainer import Trainer, is_out_of_memory, pick_device

#: Images in a picture of predictions.
N_PICTURED = 4

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
    out : folder of the run. It gets ``run.json`` (config, versions, split), ``metrics.jsonl`` (a line an epoch), the
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
        Where a setting or a file breaks a rule.
    TrainingError
        Where the loss is not finite or memory runs out; the checkpoints stay. With several processes one raises what
        went wrong, and the others `ToldElsewhere`.
    """
    if not isinstance(config, TrainConfig):
        raise InputError(f"config must be a TrainConfig, got {shown(config)}")
    if isinstance(datasets, str | bytes | os.PathLike) or not isinstance(datasets, Sequence):
        raise InputError(f"datasets must be a list of folders, got {shown(datasets)}")
    folders = [as_path(each, "datasets") for each in datasets]
    place = as_path(out, "out")
    with together() as processes:
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
    with torch.random.fork_rng(devices), _memory_in_one_sentence(config):
        strategy: Strategy = entry.strategy_class(config, options)
        trainer = Trainer(config, data, strategy, labeller, folder, processes)
        progress = _Progress()
        if not resumed:
            try:
                strategy.prepare(data, labeller)
            except PointLabelError:
                files.remove_run(folder)  # nothing is trained yet, and the settings have to change
                raise
            _write_last(trainer, progress)
        processes.wait()
        if resumed:
            progress = _go_on(trainer, folder)
        try:
            _run_epochs(trainer, progress, say)
        except PointLabelError as error:
            kept = f"; the checkpoint of epoch {progress.saved_epoch} stays in {folder}" if progress.saved_epoch else ""
            raise type(error)(f"{error}{kept}") from error
        if processes.is_first:
            strategy.finish(trainer)
        processes.wait()  # for the best checkpoint
        test = _final_scores(trainer, progress, say)
    return TrainResult(folder, progress.best_epoch, progress.best_score, test)


@dataclass(slots=True)
class _Progress:
    """What the loop itself remembers; part of the checkpoint."""

    best_epoch: int = 0
    best_score: float = -1.0
    seconds: float = 0.0
    saved_epoch: int = 0


def _run_epochs(trainer: Trainer, progress: _Progress, say: Report) -> None:
    config, strategy, folder = trainer.config, trainer.strategy, trainer.folder
    is_first = trainer.shared.processes.is_first
    n_test = len(trainer.data.test) if trainer.data.test else 0
    say(
        TrainingStarted(
            trainer.epoch, config.epochs, trainer.n_steps, len(trainer.data.train), len(trainer.data.valid), n_test
        )
    )
    test = scored_test_set(trainer.data, config.protocol) if config.protocol == "paper" else None
    curves = open_curves(os.path.join(folder, files.CURVES), trainer.epoch) if config.tensorboard and is_first else None
    trainer.net.train()
    while trainer.epoch < config.epochs:
        start = perf_counter()
        trainer.begin_epoch()
        strategy.on_epoch_start(trainer)
        total = torch.zeros((), dtype=torch.float64)
        n_seen = 0
        for number, batch in enumerate(trainer.batches(), start=1):
            step = strategy.objective(batch, trainer)
            trainer.descend(batch, step, number)
            strategy.after_step(batch, step, trainer)
            total += step.losses.sum().double().cpu()
            n_seen += len(batch)
            say(StepDone(trainer.epoch, number, float(total) / n_seen))
        metrics: dict[str, Any] = {
            "epoch": trainer.epoch,
            "lr": config.lr_at(trainer.epoch),
            "loss": float(total) / n_seen,
            **strategy.on_epoch_end(trainer),
        }
        is_best = False
        if trainer.epoch % config.validate_every == 0 or trainer.epoch == config.epochs:
            metrics |= score_labels(trainer.predict(trainer.data.valid), trainer.data.valid, config.threshold)
            score = metrics["val_iou"]
            if test is not None:
                whole = score_masks(trainer.predict(test), test, trainer.data.names, config.threshold)["whole"]
                score = metrics["test_iou"] = whole["iou"] or 0.0
            is_best = score > progress.best_score
            if is_best:
                progress.best_epoch, progress.best_score = trainer.epoch, score
                if is_first:
                    _write_best(trainer, metrics)
        if config.picture_every and trainer.epoch % config.picture_every == 0:
            _write_picture(trainer)
        metrics["seconds"] = perf_counter() - start
        progress.seconds += metrics["seconds"]
        if is_first:
            files.append_metrics(folder, metrics)
        if curves is not None:
            curves.add(metrics)
        if trainer.epoch % config.checkpoint_every == 0 or trainer.epoch == config.epochs:
            if is_first:
                _write_last(trainer, progress)
            progress.saved_epoch = trainer.epoch
        left = progress.seconds / trainer.epoch * (config.epochs - trainer.epoch)
        say(EpochDone(trainer.epoch, metrics, is_best, left))
    if curves is not None:
        curves.close()


def _write_last(trainer: Trainer, progress: _Progress) -> None:
    """The state to resume from, one file; the JSON beside it is for people."""
    own = {name: getattr(progress, name) for name in ("best_epoch", "best_score", "seconds")}
    write_checkpoint(os.path.join(trainer.folder, files.LAST), {"trainer": trainer.state_dict(), "progress": own})
    files.write_json(os.path.join(trainer.folder, "last.json"), {"epoch": trainer.epoch, **own})


def _write_best(trainer: Trainer, metrics: dict[str, Any]) -> None:
    write_whole(os.path.join(trainer.folder, files.BEST), weights_to_bytes(trainer.net), durable=True)
    files.write_json(os.path.join(trainer.folder, "best.json"), dict(metrics))


def _go_on(trainer: Trainer, folder: str) -> _Progress:
    path = os.path.join(folder, files.LAST)
    state = read_checkpoint(path)
    try:
        trainer.load_state_dict(state["trainer"])
        own = state["progress"]
        progress = _Progress(
            best_epoch=as_number(own["best_epoch"], "best_epoch", 0, trainer.epoch, whole=True),
            best_score=as_number(own["best_score"], "best_score"),
            seconds=as_number(own["seconds"], "seconds", 0),
            saved_epoch=trainer.epoch,
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({last_line(error)})") from error
    if trainer.shared.processes.is_first:
        files.keep_metrics(folder, trainer.epoch)
    return progress


def _write_picture(trainer: Trainer) -> None:
    """The first validation images of each run, so that pictures of epochs and runs can be compared."""
    valid = trainer.data.valid
    wanted = range(min(N_PICTURED, len(valid)))
    few = type(valid)(*(_first(getattr(valid, name), len(wanted)) for name in valid.__slots__))
    maps = dict(trainer.predict(few))
    if not trainer.shared.processes.is_first:
        return
    picture = draw_picture(valid, maps)
    path = os.path.join(trainer.folder, files.PICTURES, f"epoch-{trainer.epoch:04d}.png")
    write_whole(path, encode_grey(picture))


def _first(values: Any, n: int) -> Any:
    return None if values is None else values[:n]


def _final_scores(trainer: Trainer, progress: _Progress, say: Report) -> dict[str, Any] | None:
    """Score the best checkpoint on the test part and write ``results.json``."""
    config, data = trainer.config, trainer.data
    test = scored_test_set(data, config.protocol)
    if os.path.exists(os.path.join(trainer.folder, files.BEST)):
        best = files.load_run(trainer.folder, "best").net
        trainer.net.load_state_dict(best.state_dict())
        trainer.net.warming_up = best.warming_up
    scores = None
    if test is not None:
        scores = score_masks(trainer.predict(test), test, data.names, config.threshold)
    chosen = "IoU of the test part" if config.protocol == "paper" else "IoU with the validation pseudo-labels"
    if config.protocol == "ours" and get_strategy(config.strategy).needs_masks:
        chosen = "IoU with the validation masks"
    if not trainer.shared.processes.is_first:
        return scores
    size = "256 x 256" if config.protocol == "paper" else "native size"
    files.write_json(
        os.path.join(trainer.folder, files.RESULTS),
        {
            "protocol": {"name": config.protocol, "scored_at": size, "epoch_chosen_by": chosen},
            "strategy": config.strategy,
            "model": config.model,
            "best_epoch": progress.best_epoch,
            "best_score": progress.best_score,
            "epochs": config.epochs,
            "seconds": progress.seconds,
            "test": scores,
        },
    )
    return scores


@contextmanager
def _memory_in_one_sentence(config: TrainConfig) -> Iterator[None]:
    """Say what to change where the memory of the machine or of the GPU runs out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"out of memory with batch_size {config.batch_size} and crop {config.crop}; take smaller ones, "
            "what was trained stays"
        ) from error
