"""A small drawn data set with a split, and a config that trains on it in less than a second an epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pointlabel.training import TrainConfig

#: What runs in moments; the other files of this folder train, and are left to ``make slow``.
QUICK = {"test_augment.py", "test_config.py", "test_splits.py", "test_dynamics.py", "test_weights.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that train as slow."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.name not in QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Bits of sums depend on the number of threads, and so small tensors are faster."""
    torch.set_num_threads(1)


@pytest.fixture
def split_dataset(draw_dataset: Callable[..., Path]) -> Callable[..., Path]:
    """A function (name, n_train, n_test) that draws a data set with lists of ids."""

    def draw(name: str = "drawn", n_train: int = 8, n_test: int = 2) -> Path:
        folder = draw_dataset(name, n_train + n_test)
        (folder / "img_idx").mkdir()
        ids = [str(k) for k in range(n_train + n_test)]
        (folder / "img_idx/train.txt").write_text("\n".join(ids[:n_train]) + "\n")
        (folder / "img_idx/test.txt").write_text("\n".join(ids[n_train:]) + "\n")
        return folder

    return draw


@pytest.fixture
def small_config() -> Callable[..., TrainConfig]:
    """A function that builds a config for a run of seconds."""

    def build(**changes: Any) -> TrainConfig:
        values = {"crop": 32, "epochs": 2, "batch_size": 4, "lr": 0.01, "device": "cpu"}
        return TrainConfig(**{**values, **changes})

    return build
