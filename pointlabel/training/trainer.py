"""A run in memory: detector, optimiser, data, streams of random numbers. Strategies work through it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from .._values import as_number
from ..errors import InputError, TrainingError
from ..losses import build_loss
from .batches import Batch, BatchStream
from .config import TrainConfig
from .data import Data, SampleSet
from .devices import pick_device
from .distributed import SharedBatch, synchronise
from .evaluate import predict_maps
from .initialise import build_detector, last_line, lower_start, warms_up
from .labels import Labeller
from .mining import Clutter, find_clutter, with_empty_crops
from .processes import Processes


@dataclass(frozen=True, slots=True)
class Step:
    """What a strategy makes of a batch of the detector's maps.

    Attributes
    ----------
    objective : (), what the loop differentiates and descends.
    losses : (B,), detached, the loss of each sample before any weight.
    logits : maps (B, 1, H, W), detached, the one used in evaluation first.
    """

    objective: torch.Tensor
    losses: torch.Tensor
    logits: tuple[torch.Tensor, ...]


class Learner(Protocol):
    """What a trainer asks of its strategy, see `strategies.base.Strategy`."""

    def start(self, trainer: Any) -> None: ...

    def parameters(self) -> list[torch.nn.Parameter]: ...

    def pool(self) -> Collection[int] | None: ...

    def objective(self, batch: Batch, trainer: Any) -> Step: ...

    def after_step(self, batch: Batch, step: Step, trainer: Any) -> None: ...

    def on_epoch_end(self, trainer: Any) -> dict[str, float]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


# Streams of random numbers start from the seed and these, so that one does not shift another.
_TRAIN, _VALID, _STRATEGY = 1, 2, 3


class Trainer:
    """What a strategy sees of a run.

    Attributes
    ----------
    config : of the run.
    data : with `data.train` and `data.valid`, whose labels strategies may replace.
    net : the detector. `parameters` are what its optimiser descends, those of the strategy among them.
    optimizer : of `parameters`.
    epoch : counted from 1; 0 before the first.
    device : where tensors live.
    labeller : makes labels from points, for updates.
    folder : of the run, for files of the strategy.
    generator : on the CPU, for random numbers of the strategy; part of the checkpoint.
    shared : the processes of the run. `forward` and `gradients` share a batch out and join what comes out of it; all
        else is the same in each of them.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        strategy: Learner,
        labeller: Labeller,
        folder: str,
        processes: Processes | None = None,
    ) -> None:
        self.config, self.data, self.strategy, self.labeller, self.folder = config, data, strategy, labeller, folder
        self.shared = SharedBatch(processes or Processes())
        self.device = pick_device(config.device, self.shared.processes)
        torch.manual_seed(config.seed)
        self.net = build_detector(config)
        if config.start_probability < 0.5:
            lower_start(self.net, config.start_probability)
        synchronise(self.net, self.shared)
        # Channels last is the faster order on the CPU too: two thirds of the time of a step of `tiny`.
        self.net = self.net.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._callable = torch.compile(self.net) if config.compile else self.net
        self.loss = build_loss(config.loss, reduction="none", **config.loss_params)
        self.epoch = 0
        self._train = BatchStream(data.train, config, _stream_seed(config.seed, _TRAIN))
        self._valid = BatchStream(data.valid, config, _stream_seed(config.seed, _VALID))
        self.generator = torch.Generator().manual_seed(_stream_seed(config.seed, _STRATEGY))
        strategy.start(self)
        self.parameters = [*self.net.parameters(), *strategy.parameters()]
        self.optimizer = _make_optimizer(config, self.parameters)

    @property
    def n_steps(self) -> int:
        """Batches of an epoch."""
        return self._train.n_batches

    def batches(self) -> Iterator[Batch]:
        """Training batches of one epoch, of the strategy's pool."""
        for batch in self._train.epoch(self.strategy.pool()):
            yield batch.to(self.device)

    def validation_batch(self, *, whole: bool = False) -> Batch:
        """Next batch of an endless stream of augmented crops of the validation images, or of the whole images."""
        return self._valid.next(whole=whole).to(self.device)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Logits (B, 1, H, W) in float32, the map used in evaluation first, then side outputs in training."""
        return self.shared.run(self._forward, image)

    def _forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        image = image.to(memory_format=torch.channels_last)
        with self.autocast():
            out = self._callable(image)
        return [each.float() for each in (out if isinstance(out, list) else [out])]

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """bfloat16 where the config asks for it and the device is a GPU; it has the range of float32."""
        if self.config.amp and self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def sample_losses(self, logits: Sequence[torch.Tensor], batch: Batch) -> torch.Tensor:
        """The config's loss of each sample of a batch against its label, (B,); once mined, see `with_empty_crops`."""
        losses = self.loss(logits, batch.label, image=batch.image, epoch=self.epoch)
        return losses if self._train.clutter is None else with_empty_crops(losses, logits[0], batch.label)

    def mine(self) -> dict[str, float]:
        """Look for clutter in the training images, for the crops to come; how many places there are."""
        self._train.clutter = find_clutter(self.predict(self.data.train), self.data.train)
        return {"clutter": len(self._train.clutter)}

    def gradients(
        self,
        objective: torch.Tensor,
        parameters: Sequence[torch.Tensor],
        *,
        create_graph: bool = False,
        retain_graph: bool | None = None,
    ) -> list[torch.Tensor | None]:
        """Gradient of `objective` with respect to each parameter, None where it does not depend on it.

        The one place where gradients come from, for the detector and for what strategies learn: they are summed
        over the processes.
        """
        return self.shared.gradients(objective, parameters, create_graph=create_graph, retain_graph=retain_graph)

    def descend(self, batch: Batch, step: Step, number: int) -> None:
        """One step of the optimiser down the step's objective.

        Raises
        ------
        TrainingError
            Where the objective or a gradient is not finite; the detector is as before then.
        """
        gradients = self.gradients(step.objective, self.parameters)
        sums = [gradient.sum() for gradient in gradients if gradient is not None]
        if not bool(torch.stack([step.objective.detach(), *sums]).isfinite().all()):
            names = [self.data.train.ids[k] for k in batch.index.tolist()]
            bad = [name for name, loss in zip(names, step.losses.tolist(), strict=True) if not np.isfinite(loss)]
            what = f"the loss of {', '.join(bad[:3])}" if bad else "the loss or its gradient"
            raise TrainingError(
                f"{what} is not finite in epoch {self.epoch}, step {number}; try a lower lr (now {self.config.lr:g})"
            )
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()

    def begin_epoch(self) -> None:
        """Go on to the next epoch: its learning rate, and a detector that warms up does so in the first ones."""
        self.epoch += 1
        self.set_lr()
        self.net.warming_up = warms_up(self.config, self.epoch)

    def set_lr(self) -> None:
        """Set the learning rate of the present epoch."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr_at(self.epoch)

    def predict(self, samples: SampleSet) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (index, probabilities (H, W)) of whole images at their own size, not in order.

        The detector is in evaluation mode while the generator runs, and in training mode after it.
        """
        self.net.eval()
        # `forward` shares each of these batches out.
        batch_px = self.config.batch_size * self.config.crop**2 * self.shared.processes.n
        try:
            yield from predict_maps(
                lambda image: self.forward(image)[0], samples.inputs, device=self.device, batch_px=batch_px
            )
        finally:
            self.net.train()

    def state_dict(self) -> dict[str, Any]:
        """All that changes in a run."""
        cuda = torch.cuda.get_rng_state_all() if self.device.type == "cuda" else []
        return {
            "epoch": self.epoch,
            "net": dict(self.net.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "labels": {"train": self.data.train.labels_state(), "valid": self.data.valid.labels_state()},
            "streams": {"train": self._train.state_dict(), "valid": self._valid.state_dict()},
            "clutter": None if self._train.clutter is None else self._train.clutter.state_dict(),
            "generator": self.generator.get_state(),
            "torch": {"cpu": torch.get_rng_state(), "cuda": cuda},
            "strategy": self.strategy.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`.

        Raises
        ------
        InputError
            Where the state belongs to another detector or other data.
        """
        try:
            epoch = as_number(state["epoch"], "epoch", 0, self.config.epochs, whole=True)
            self.net.load_state_dict(state["net"])
            self._load_optimizer(state["optimizer"])
            self.data.train.load_labels(state["labels"]["train"])
            self.data.valid.load_labels(state["labels"]["valid"])
            self.strategy.load_state_dict(state["strategy"])
            self._train.load_state_dict(state["streams"]["train"])
            self._valid.load_state_dict(state["streams"]["valid"])
            clutter = state.get("clutter")
            self._train.clutter = None if clutter is None else Clutter.from_state(clutter, self.data.train)
            self.generator.set_state(state["generator"])
            torch.set_rng_state(state["torch"]["cpu"])
            if self.device.type == "cuda" and len(state["torch"]["cuda"]) == torch.cuda.device_count():
                torch.cuda.set_rng_state_all(state["torch"]["cuda"])
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise InputError(f"the checkpoint does not fit this run ({last_line(error)})") from None
        self.epoch = epoch

    def _load_optimizer(self, state: dict[str, Any]) -> None:
        """Take over what the optimiser remembers of each parameter; its settings stay those of the config."""
        settings = [{key: each for key, each in group.items() if key != "params"} for group in self._groups()]
        self.optimizer.load_state_dict(state)
        for group, own in zip(self._groups(), settings, strict=True):
            group.update(own)
        for parameter, held in self.optimizer.state.items():
            for name, value in held.items():
                if isinstance(value, torch.Tensor) and value.shape not in (parameter.shape, torch.Size([])):
                    raise InputError(f"{name} of the optimiser has the shape {tuple(value.shape)}")

    def _groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups


def _stream_seed(seed: int, stream: int) -> int:
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> 1)


def _make_optimizer(config: TrainConfig, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.lr, momentum=0.9, weight_decay=config.weight_decay)
    kind = {"adamw": torch.optim.AdamW, "adagrad": torch.optim.Adagrad}[config.optimizer]
    return kind(parameters, lr=config.lr, weight_decay=config.weight_decay)
