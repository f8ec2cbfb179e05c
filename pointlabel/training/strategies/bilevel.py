"""The bi-level method of "Diffuse to Detect" (arXiv 2605.20766): learned sample weights, labels that follow theta."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import InputError
from ..batches import Batch
from ..bilevel.difficulty import prior_difficulty, standardised_difficulty
from ..bilevel.dynamics import residuals, training_dynamics
from ..bilevel.hypergradient import (
    functional_loss,
    head_derivatives,
    one_step_derivatives,
    proxy_objective,
    residual_agreement,
)
from ..bilevel.meta import MetaClassifier
from ..bilevel.options import BilevelOptions
from ..bilevel.published import PublishedDiffusedPrediction
from ..bilevel.theta import DiffusedPrediction, start_of, takes_theta, with_theta
from ..bilevel.weights import weights_by_rule
from ..config import TrainConfig
from ..data import Data
from ..labels import Labeller
from ..scaling import unit_levels
from ..selection import write_weights
from ..trainer import Trainer
from .base import Step, Strategy

#: Share of the old value in the running mean of a sample's loss and of its weight.
KEPT = 0.9


class Bilevel(Strategy):
    """Train on weighted samples, with weights and the diffusion's theta learned on the held-out images.

    Both parts are labelled from points alone. From the config's ``outer_start`` on, each `every`-th step takes a
    validation batch too: the meta-classifier makes one step with the present detector, then the detector descends the
    weighted loss plus beta times the validation loss. At the end of the epochs that ``outer_every`` names, theta
    makes one step and all images are labelled anew. See docs/methods/bilevel.md.
    """

    options_class = BilevelOptions
    options: BilevelOptions

    def __init__(self, config: TrainConfig, options: Any = None) -> None:
        super().__init__(config, options)
        if self.options.hypergradient == "one-step" and config.compile:
            raise InputError("hypergradient one-step needs second derivatives, which compile does not have; drop one")
        if self.options.weights != "learned" and self.options.joint:
            raise InputError(f"joint learns the weights, and weights is {self.options.weights}; leave one out")
        if self.options.weights == "quality" and config.labels:
            raise InputError("weights quality needs labels of a method, and `labels` names a folder of masks")
        self._difficulty: list[float] = []

    def prepare(self, data: Data, labeller: Labeller) -> None:
        """Label all images by the config's method, and measure how hard the training images are."""
        labeller.label_all(data)
        train = data.train
        self._difficulty = [
            prior_difficulty(unit_levels(image), label) for image, label in zip(train.images, train.labels, strict=True)
        ]

    def start(self, trainer: Trainer) -> None:
        """Make the meta-classifier, theta and their optimisers."""
        n = len(trainer.data.train)
        params = trainer.labeller.params()
        self._learns_theta = self.options.update_labels and not self.config.labels and takes_theta(params)
        self.meta = MetaClassifier().to(trainer.device)
        kind = PublishedDiffusedPrediction if self.options.diffused == "code" else DiffusedPrediction
        self.diffusion = kind(start_of(params)).to(trainer.device)
        self.meta_optimizer = torch.optim.Adam(self.meta.parameters(), lr=self.options.weight_lr)
        self.theta_optimizer = torch.optim.Adam(self.diffusion.parameters(), lr=self.options.theta_lr)
        self.n_steps = 0  # since the outer updates began
        self.running_loss = torch.zeros(n)
        self.n_seen = torch.zeros(n, dtype=torch.int64)
        self.mean_weight = torch.ones(n)
        self.n_weighted = torch.zeros(n, dtype=torch.int64)
        self._reference: Tensor | None = None
        self._weights: Tensor | None = None
        self._by_rule = torch.ones(n, dtype=torch.float64)  # weights that a rule gives

    def parameters(self) -> list[torch.nn.Parameter]:
        """With joint learning, those of the meta-classifier and theta; else they have optimisers of their own."""
        if not self.options.joint:
            return []
        own: list[torch.nn.Parameter] = list(self.meta.parameters()) if self.options.balance else []
        return own + (list(self.diffusion.parameters()) if self._learns_theta else [])

    def objective(self, batch: Batch, trainer: Trainer) -> Step:
        """Weighted loss of the training batch, plus beta times that of a validation batch in every few steps."""
        options = self.options
        logits = trainer.forward(batch.image)
        losses = trainer.sample_losses(logits, batch)
        detached = tuple(each.detach() for each in logits)
        self._weights = None
        if trainer.epoch < self.config.outer_from():
            return Step(losses.mean(), losses.detach(), detached)
        self.n_steps += 1
        aggregates = options.joint or self.n_steps % options.every == 0
        held = self._validation(trainer) if aggregates else None
        objective = self._weighted(batch, logits[0], losses, held, trainer)
        if held is not None and (options.beta > 0 or options.joint):
            objective = objective + (1.0 if options.joint else options.beta) * held.loss
        if held is not None and options.joint and self._learns_theta:
            objective = objective + self.diffusion.loss(held.probability, held.batch.label, options.theta_loss)
        return Step(objective, losses.detach(), detached)

    def after_step(self, batch: Batch, step: Step, trainer: Trainer) -> None:
        """Follow the loss and the weight of each sample of the batch."""
        index = batch.index.cpu()
        self.running_loss[index] = _followed(self.running_loss[index], step.losses.cpu(), self.n_seen[index])
        self.n_seen[index] += 1
        if self._weights is not None:
            self.mean_weight[index] = _followed(self.mean_weight[index], self._weights.cpu(), self.n_weighted[index])
            self.n_weighted[index] += 1

    def on_epoch_end(self, trainer: Trainer) -> dict[str, float]:
        """Update theta, labels and the weights that a rule gives where it is time; say how weights and labels moved."""
        weighted = self.n_weighted > 0
        out: dict[str, float] = {}
        if bool(weighted.any()):
            out["weight_deviation"] = float(self.mean_weight[weighted].std(correction=0))
        if self._learns_theta and self.config.is_outer(trainer.epoch):
            start = perf_counter()
            if not self.options.joint:
                self._update_theta(trainer)
            theta = self.diffusion.values()
            params = with_theta(trainer.labeller.params(), theta)
            parts = (trainer.data.train, trainer.data.valid)
            draw = trainer.epoch if self.options.redraw else 0
            changed = [trainer.labeller.label_anew(part, params, draw) for part in parts]
            out |= {f"theta_{name}": value for name, value in theta.items()}
            out["labels_changed"] = float(np.mean(np.concatenate(changed)))
            out["label_seconds"] = perf_counter() - start
        if self.options.weights != "learned" and self.config.is_outer(trainer.epoch):
            self._by_rule = torch.from_numpy(weights_by_rule(self.options.weights, trainer))
        return out

    def finish(self, trainer: Trainer) -> None:
        """Write the samples' weights beside what is known of their targets."""
        write_weights(trainer.folder, trainer.data.train, self.mean_weight.tolist(), self._difficulty)

    def state_dict(self) -> dict[str, Any]:
        """Meta-classifier, theta, their optimisers, and what is followed of each sample."""
        return {
            "meta": dict(self.meta.state_dict()),
            "meta_optimizer": self.meta_optimizer.state_dict(),
            "theta": dict(self.diffusion.state_dict()),
            "theta_optimizer": self.theta_optimizer.state_dict(),
            "n_steps": self.n_steps,
            "running_loss": self.running_loss,
            "n_seen": self.n_seen,
            "mean_weight": self.mean_weight,
            "n_weighted": self.n_weighted,
            "reference": self._reference,
            "by_rule": self._by_rule,
            "difficulty": list(self._difficulty),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        device = next(self.meta.parameters()).device
        self.meta.load_state_dict(state["meta"])
        self.meta_optimizer.load_state_dict(state["meta_optimizer"])
        self.diffusion.load_state_dict(state["theta"])
        self.theta_optimizer.load_state_dict(state["theta_optimizer"])
        self.n_steps = state["n_steps"]
        for name in ("running_loss", "n_seen", "mean_weight", "n_weighted"):
            setattr(self, name, state[name].clone())
        if state.get("by_rule") is not None:  # older checkpoints have none
            self._by_rule = state["by_rule"].clone()
        reference = state["reference"]
        self._reference = None if reference is None else reference.to(device)
        self._difficulty = list(state["difficulty"])

    def _validation(self, trainer: Trainer) -> _Held | None:
        """The next validation batch with its loss, which has a graph where it is descended; None where not needed."""
        options = self.options
        descended = options.joint or options.beta > 0
        if not (descended or (options.balance and options.weights == "learned")):
            return None
        batch = trainer.validation_batch(whole=options.whole)
        with torch.set_grad_enabled(descended):
            logits = trainer.forward(batch.image)
            loss = self._validation_loss(logits, batch, trainer)
        reference = residuals(logits[0], batch.label).mean(0, keepdim=True)
        side = self.config.crop  # whole images may be of another size than crops
        same = reference.shape[-1] == side
        self._reference = reference if same else F.interpolate(reference, (side, side), mode="bilinear", antialias=True)
        return _Held(batch, loss, logits[0].detach().sigmoid())

    def _validation_loss(self, logits: list[Tensor], batch: Batch, trainer: Trainer) -> Tensor:
        loss = trainer.sample_losses(logits, batch).mean()
        if self.options.label_bce > 0:
            loss = loss + self.options.label_bce * F.binary_cross_entropy_with_logits(logits[0], batch.label)
        return loss

    def _weighted(self, batch: Batch, logits: Tensor, losses: Tensor, held: _Held | None, trainer: Trainer) -> Tensor:
        """Mean of the weighted losses; with a validation batch the meta-classifier makes a step first."""
        if not self.options.balance:
            return losses.mean()
        if self.options.weights != "learned":
            weights = self._by_rule[batch.index.cpu()].to(losses)
            self._weights = weights / weights.mean()
            return (self._weights * losses).mean()
        features = self._features(batch, logits)
        if self.options.joint:
            weights = self.meta(features)
            self._weights = weights.detach()
            return (weights * losses).mean()
        if held is not None:
            self._update_weights(batch, features, logits, losses, held, trainer)
        with torch.no_grad():
            self._weights = self.meta(features)
        return (self._weights * losses).mean()

    def _features(self, batch: Batch, logits: Tensor) -> Tensor:
        with torch.no_grad():
            diffused = self.diffusion.diffuse(logits.detach().sigmoid())
        index = batch.index.cpu()
        return training_dynamics(
            logits,
            batch.label,
            reference=self._reference,
            diffused=diffused,
            running_loss=self.running_loss[index],
            difficulty=standardised_difficulty(self._difficulty)[index],
        )

    def _update_weights(
        self, batch: Batch, features: Tensor, logits: Tensor, losses: Tensor, held: _Held, trainer: Trainer
    ) -> None:
        """One step of the meta-classifier down the validation loss, as the hypergradient has it."""
        weights, lr = self.meta(features), self.config.lr_at(trainer.epoch)
        if self.options.hypergradient == "proxy":
            assert self._reference is not None
            agreement = residual_agreement(residuals(logits, batch.label), self._reference)
            outer = proxy_objective(weights, agreement)
        elif self.options.hypergradient == "head":
            layer = trainer.net.logit_layers[0]
            assert layer.bias is not None
            head = (layer.weight, layer.bias)
            derivatives = head_derivatives(losses, weights, held.loss, head, lr, shared=trainer.shared)
            outer = (weights * derivatives).sum()
        else:
            derivatives = one_step_derivatives(
                losses,
                weights,
                dict(trainer.net.named_parameters()),
                functional_loss(
                    trainer.net,
                    held.batch.image.to(memory_format=torch.channels_last),
                    lambda maps: self._validation_loss(maps, held.batch, trainer),
                    shared=trainer.shared,
                ),
                lr,
                shared=trainer.shared,
            )
            outer = (weights * derivatives).sum()
        _step(self.meta_optimizer, outer, list(self.meta.parameters()), trainer)

    def _update_theta(self, trainer: Trainer) -> None:
        """One step of theta on what the present detector answers on a validation batch."""
        batch = trainer.validation_batch(whole=self.options.whole)
        trainer.net.eval()
        with torch.no_grad():
            prediction = trainer.forward(batch.image)[0].sigmoid()
        trainer.net.train()
        outer = self.diffusion.loss(prediction, batch.label, self.options.theta_loss)
        _step(self.theta_optimizer, outer, list(self.diffusion.parameters()), trainer)


@dataclass(frozen=True, slots=True)
class _Held:
    """A validation batch, its loss, and what the detector answers, detached."""

    batch: Batch
    loss: Tensor
    probability: Tensor


def _step(
    optimizer: torch.optim.Optimizer, objective: Tensor, parameters: list[torch.nn.Parameter], trainer: Trainer
) -> None:
    """One step of an optimiser; none where a gradient is not finite, so that one odd batch does no lasting harm."""
    gradients = trainer.gradients(objective, parameters)
    if not all(bool(each.isfinite().all()) for each in gradients if each is not None):
        return
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimizer.step()


def _followed(old: Tensor, new: Tensor, n_seen: Tensor) -> Tensor:
    """Running mean, which starts at the first value."""
    return torch.where(n_seen > 0, KEPT * old + (1 - KEPT) * new.to(old), new.to(old))
