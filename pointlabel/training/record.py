"""What is recorded of a run beside its loop: scores, checkpoints, metrics, curves, pictures, and the results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from .._values import as_number
from ..detectors.weights import weights_to_bytes
from ..errors import InputError
from ..io.files import write_whole
from ..io.json_files import write_json
from ..io.masks.png import encode_grey
from . import run as files
from .checkpoint import read_checkpoint, write_checkpoint
from .data import SampleSet
from .evaluate import draw_picture, score_labels, score_masks, scored_test_set
from .initialise import last_line
from .load import load_run
from .registry import get_strategy
from .tensorboard import Curves
from .trainer import Trainer

#: Images in a picture of predictions.
N_PICTURED = 4


class RunRecord:
    """What a run remembers of itself; part of its checkpoints.

    Attributes
    ----------
    is_first : whether this process writes; of several the first one does.
    best_epoch, best_score : the epoch that is kept, counted from 1, and the IoU that chose it.
    seconds : spent on epochs.
    saved_epoch : of the last checkpoint.
    """

    def __init__(self, is_first: bool) -> None:
        self.is_first = is_first
        self.best_epoch = 0
        self.best_score = -1.0
        self.seconds = 0.0
        self.saved_epoch = 0
        self._curves: Curves | None = None
        self._test: SampleSet | None = None  # what the protocol paper scores after epochs

    @contextmanager
    def curves(self, trainer: Trainer) -> Iterator[None]:
        """Keep the curves for TensorBoard open, where the config asks for them."""
        if self.is_first and trainer.config.tensorboard:
            self._curves = Curves(os.path.join(trainer.folder, files.CURVES), trainer.epoch)
        yield
        if self._curves is not None:
            self._curves.close()

    def validate(self, trainer: Trainer, metrics: dict[str, Any]) -> bool:
        """Score the epoch where it is one to be scored, and keep the best; whether this one is."""
        config, data = trainer.config, trainer.data
        if trainer.epoch % config.validate_every and trainer.epoch != config.epochs:
            return False
        metrics |= score_labels(trainer.predict(data.valid), data.valid, config.threshold)
        score = metrics["val_iou"]
        if config.protocol == "paper":
            self._test = self._test or scored_test_set(data, config.protocol)
        if self._test is not None:
            whole = score_masks(trainer.predict(self._test), self._test, data.names, config.threshold)["whole"]
            score = metrics["test_iou"] = whole["iou"] or 0.0
        if score <= self.best_score:
            return False
        self.best_epoch, self.best_score = trainer.epoch, score
        if self.is_first:
            write_whole(os.path.join(trainer.folder, files.BEST), weights_to_bytes(trainer.net), durable=True)
            write_json(os.path.join(trainer.folder, "best.json"), dict(metrics))
        return True

    def end_epoch(self, trainer: Trainer, metrics: dict[str, Any], start: float) -> float:
        """Write what is due after an epoch that began at `start` (`perf_counter`); return the seconds that are left."""
        config, epoch = trainer.config, trainer.epoch
        if config.picture_every and epoch % config.picture_every == 0:
            self._write_picture(trainer)
        metrics["seconds"] = perf_counter() - start
        self.seconds += metrics["seconds"]
        if self.is_first:
            files.append_metrics(trainer.folder, metrics)
        if self._curves is not None:
            self._curves.add(metrics)
        if epoch % config.checkpoint_every == 0 or epoch == config.epochs:
            if self.is_first:
                self.write_last(trainer)
            self.saved_epoch = epoch
        return self.seconds / epoch * (config.epochs - epoch)

    def write_last(self, trainer: Trainer) -> None:
        """Write the state to resume from, one file; the JSON beside it is for people."""
        own = {name: getattr(self, name) for name in ("best_epoch", "best_score", "seconds")}
        write_checkpoint(os.path.join(trainer.folder, files.LAST), {"trainer": trainer.state_dict(), "progress": own})
        write_json(os.path.join(trainer.folder, "last.json"), {"epoch": trainer.epoch, **own})

    def resume(self, trainer: Trainer) -> None:
        """Go on from the checkpoint ``last``.

        Raises
        ------
        InputError
            Where it is damaged, or belongs to another run.
        """
        path = os.path.join(trainer.folder, files.LAST)
        state = read_checkpoint(path)
        try:
            trainer.load_state_dict(state["trainer"])
            own = state["progress"]
            self.best_epoch = as_number(own["best_epoch"], "best_epoch", 0, trainer.epoch, whole=True)
            self.best_score = as_number(own["best_score"], "best_score")
            self.seconds = as_number(own["seconds"], "seconds", 0)
            self.saved_epoch = trainer.epoch
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: damaged ({last_line(error)})") from error
        if self.is_first:
            files.keep_metrics(trainer.folder, trainer.epoch)

    def score(self, trainer: Trainer) -> dict[str, Any] | None:
        """Score the best checkpoint on the test part and write ``results.json``; None where there is no test part."""
        config, data = trainer.config, trainer.data
        test = scored_test_set(data, config.protocol)
        if os.path.exists(os.path.join(trainer.folder, files.BEST)):
            best = load_run(trainer.folder, "best").net
            trainer.net.load_state_dict(best.state_dict())
            trainer.net.warming_up = best.warming_up
        scores = None
        if test is not None:
            scores = score_masks(trainer.predict(test), test, data.names, config.threshold)
        chosen = "IoU of the test part" if config.protocol == "paper" else "IoU with the validation pseudo-labels"
        if config.protocol == "ours" and get_strategy(config.strategy).needs_masks:
            chosen = "IoU with the validation masks"
        if not self.is_first:
            return scores
        size = "256 x 256" if config.protocol == "paper" else "native size"
        results = {
            "protocol": {"name": config.protocol, "scored_at": size, "epoch_chosen_by": chosen},
            "strategy": config.strategy,
            "model": config.model,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "epochs": config.epochs,
            "seconds": self.seconds,
            "test": scores,
        }
        write_json(os.path.join(trainer.folder, files.RESULTS), results)
        return scores

    def _write_picture(self, trainer: Trainer) -> None:
        """The first validation images, so that pictures of epochs and of runs can be compared."""
        few = trainer.data.valid.head(N_PICTURED)
        maps = dict(trainer.predict(few))
        if self.is_first:
            path = os.path.join(trainer.folder, files.PICTURES, f"epoch-{trainer.epoch:04d}.png")
            write_whole(path, encode_grey(draw_picture(few, maps)))
