"""What a run leaves behind, for comparison with another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pointlabel.training.checkpoint import read_checkpoint
from pointlabel.training.run import read_metrics


def results(folder: Path) -> dict[str, Any]:
    """Everything a run leaves but for times: bytes of weights, lines of metrics, scores."""
    last = read_checkpoint(str(folder / "last.safetensors"))["trainer"]
    moments = last["optimizer"]["state"]
    return {
        "best": (folder / "best.safetensors").read_bytes(),
        "net": {name: tensor.tolist() for name, tensor in last["net"].items()},
        "optimizer": {key: {name: value.tolist() for name, value in moments[key].items()} for key in moments},
        "metrics": [{**line, "seconds": 0} for line in read_metrics(str(folder))],
        "results": {**json.loads((folder / "results.json").read_text()), "seconds": 0},
    }
