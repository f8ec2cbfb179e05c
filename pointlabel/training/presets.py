"""Named settings of whole runs. Loads no torch."""

from __future__ import annotations

from typing import Any

from .._values import as_entry

#: Name -> settings of `TrainConfig`, those that differ from its defaults or that the preset is about.
PRESETS: dict[str, dict[str, Any]] = {
    # The bi-level method with the values of its published code where they differ from its paper.
    "d2d-code": {
        "strategy": "bilevel",
        "label_method": "d2d-code",
        "epochs": 400,
        "batch_size": 16,
        "crop": 256,
        "long_side_low": 128,
        "long_side_high": 512,
        "optimizer": "adamw",
        "lr": 5e-4,
        "weight_decay": 1e-2,
        "schedule": "constant",
        "start_probability": 0.5,
        "outer_start": 0.2,
        "outer_every": 0.05,
        "options": {
            "beta": 1 / 1.2,
            "every": 4,
            "hypergradient": "proxy",
            "weight_lr": 1e-3,
            "theta_lr": 1e-2,
            "theta_loss": "bce",
            "diffused": "code",
            "label_bce": 0.1,
            "redraw": True,
            "whole": True,
        },
    },
}


def get_preset(name: str) -> dict[str, Any]:
    """Settings of the preset called `name`, a copy; raise `InputError` naming the nearest one."""
    preset = as_entry(name, "preset", PRESETS)
    return {**preset, "options": dict(preset["options"])}
