"""What test_distributed.py has torchrun start in two processes: ``two_processes.py OUT``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pointlabel.detectors.uiunet import BatchNormOfMeans
from pointlabel.training import TrainConfig, train
from pointlabel.training.bilevel.hypergradient import functional_loss, head_derivatives, one_step_derivatives
from pointlabel.training.distributed import SharedBatch, synchronise
from pointlabel.training.processes import Processes, join_processes
from pointlabel.training.trainer import Trainer


def make_net() -> nn.Module:
    """Two convolutions, each normalised, and channel means that are."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh())
            self.means = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 3, 1), BatchNormOfMeans(3), nn.Sigmoid())
            self.head = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1))

        def forward(self, image: Tensor) -> Tensor:
            maps = self.body(image)
            return self.head(maps * self.means(maps))

    torch.manual_seed(3)
    return Net().double()


def derive(n_samples: int, shared: SharedBatch, *, sync: bool = True) -> dict[str, Tensor]:
    """Maps, gradients, second gradients, hypergradients and statistics of a batch of `n_samples`."""
    net = make_net()
    if sync:
        synchronise(net, shared)
    parameters = dict(net.named_parameters())
    leaves = list(parameters.values())
    generator = torch.Generator().manual_seed(7)
    image, held = (torch.randn(n_samples, 1, 6, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    aim = torch.randn(image.shape, generator=generator, dtype=torch.float64)
    weights = torch.rand(n_samples, generator=generator, dtype=torch.float64)

    def losses(maps: list[Tensor]) -> Tensor:
        return (maps[0] - aim).square().flatten(1).mean(1)

    def held_loss(maps: list[Tensor]) -> Tensor:
        return losses(maps).mean()

    maps = shared.run(net, image)
    out = {"maps": maps[0].detach()}
    first = shared.gradients((weights * losses(maps)).mean(), leaves, create_graph=True)
    wiggles = sum((each.sin().sum() for each in first if each is not None), torch.zeros((), dtype=torch.float64))
    second = shared.gradients(wiggles, leaves)
    for name, gradients in (("first", first), ("second", second)):
        out[name] = torch.cat([each.detach().flatten() for each in gradients if each is not None])
    out["statistics"] = torch.cat([each.double().flatten() for each in net.state_dict().values()])
    at = functional_loss(net, held, held_loss, shared=shared)
    found = losses(shared.run(net, image))
    out["one-step"] = one_step_derivatives(found, weights, parameters, at, 0.1, shared=shared)
    found, validation = losses(shared.run(net, image)), held_loss(shared.run(net, held))
    head = [parameters["head.0.weight"], parameters["head.1.weight"]]
    out["head"] = head_derivatives(found, weights, validation, head, 0.1, shared=shared)
    net.eval()
    out["evaluation"] = shared.run(net, image)[0].detach()
    return out


def measure_sums(processes: Processes) -> dict[str, dict[str, float]]:
    """How far two processes are from one, for each size of a batch: the largest difference in float64."""
    far: dict[str, dict[str, float]] = {}
    for n_samples in (6, 5, 1):  # 3 and 3, 2 and 3, none and 1
        alone = derive(n_samples, SharedBatch(Processes()))
        both = derive(n_samples, SharedBatch(processes))
        far[str(n_samples)] = {name: float((both[name] - alone[name]).abs().max()) for name in alone}
    alone = derive(6, SharedBatch(Processes()))
    plain = derive(6, SharedBatch(processes), sync=False)
    far["plain"] = {name: float((plain[name] - alone[name]).abs().max()) for name in alone}
    return far


def train_all(file: Path) -> None:
    """Train the runs of a JSON file: lists of config, data set, folder, and the epoch whose loss shall be NaN."""
    sample_losses: Callable[..., Tensor] = Trainer.sample_losses
    for values, dataset, folder, bad_epoch in json.loads(file.read_text()):

        def spoilt(self: Trainer, *args: Any, bad: int = bad_epoch) -> Tensor:
            losses = sample_losses(self, *args)
            return losses * float("nan") if self.epoch == bad else losses

        Trainer.sample_losses = spoilt  # type: ignore[assignment,method-assign]
        train(TrainConfig(**values), [dataset], folder, mode="resume")


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    with join_processes() as both:
        (out / f"rank{both.rank}.json").write_text(json.dumps(measure_sums(both)))
        train_all(out / "runs.json")
