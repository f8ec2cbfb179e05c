"""Tables of the benchmarks of training: what is averaged, and what stands in a page."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import pytest

from benchmarks import common
from benchmarks.training import ablation, losses, runs, strategies
from docs.tables import store, training


def row(strategy: str, loss: str, iou: float, dim: float, bright: float) -> dict[str, Any]:
    """A row as training_losses.py stores it, with two groups of targets and an empty one."""
    groups = {
        "<1": {"targets": 0},
        "1-2": {"targets": 3, "iou": dim, "pd": 0.5},
        ">8": {"targets": 9, "iou": bright, "pd": 1.0},
    }
    return {
        "name": f"{strategy} {loss}",
        "strategy": strategy,
        "loss": loss,
        "by_scr": groups,
        "iou": iou,
        "iou_std": 0.01,
        "niou": 0.6,
        "pd": 0.9,
        "fa": 12e-6,
        "protocol": {"name": "ours", "scored_at": "native size"},
    }


def test_losses_stand_beside_wins(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    rows = [
        row("full", "sls", 0.7, 0.4, 0.8),
        row("full", "reem", 0.72, 0.5, 0.79),
        row("offline", "sls", 0.65, 0.3, 0.7),
        row("offline", "reem", 0.6, 0.3, 0.75),
    ]
    held = {"dataset": "SIRST-v1", "model": "tiny", "epochs": 80, "seeds": [0, 1], "rows": rows}
    (tmp_path / "training_losses.json").write_text(json.dumps({"result": held}))
    text = training.training_losses()
    assert "SIRST-v1, `tiny`, 80 epochs, 2 seeds. Protocol ours: scored at native size." in text
    assert "| `reem` | offline | 0.600 ± 0.010 | 0.600 | 0.900 | 12.0 |" in text
    assert "| mean IoU / Pd | strategy | SCR 1-2 (3 targets) | SCR >8 (9 targets) |" in text
    assert "| `reem` | full | 0.500 / 0.500 | 0.790 / 1.000 |" in text
    assert (
        "- `reem` less `sls`: IoU +0.020 (full), -0.050 (offline). Of 4 groups by SCR it is ahead in 2 and behind in "
        "1; from -0.010 (full, SCR >8) to +0.100 (full, SCR 1-2).\n"
    ) in text


def test_a_loss_changes_nothing_but_itself(tmp_path):
    args = Namespace(model="tiny", points="centroid", crop=128, epochs=80, lr=0.005, target_share=0.5, device="cpu")
    args.runs, args.data = tmp_path / "runs", tmp_path
    folders = set()
    for strategy, usual in losses.STRATEGIES.items():
        twin = strategies.job(args, usual, seed=1)
        for loss in ("soft-iou", "reem"):
            job = losses.job(args, strategy, loss, seed=1)
            folders.add(job.folder)
            assert job.row == f"{strategy} {loss}"
            assert job.config.loss == loss
            assert {**job.config.as_dict(), "loss": "soft-iou"} == twin.config.as_dict()
            assert (job.folder == twin.folder) == (loss == "soft-iou")
    assert len(folders) == 4


def test_ablation_takes_the_runs_of_the_strategies(tmp_path):
    args = Namespace(model="tiny", points="centroid", crop=128, epochs=80, lr=0.005, target_share=0.5, device="cpu")
    args.runs, args.data, args.datasets, args.hypergradient = tmp_path / "runs", tmp_path, ["SIRST-v1"], "proxy"
    for row, name in (("A4 heat and superpixel", "offline-diffusion"), ("full method", "bilevel")):
        job, twin = ablation.job(args, row, seed=0), strategies.job(args, name, seed=0)
        assert (job.folder, job.config) == (twin.folder, twin.config)
    assert len({ablation.job(args, row, seed=0).folder for row in ablation.ROWS}) == len(ablation.ROWS)
    args.hypergradient = "one-step"
    assert ablation.job(args, "full method", seed=0).folder != strategies.job(args, "bilevel", seed=0).folder


def test_groups_are_averaged_over_runs():
    mean = runs._mean_groups
    empty: dict[str, Any] = {"targets": 0, "iou": None, "pd": None}
    one = {"<1": empty, "1-2": {"targets": 4, "iou": 0.2, "pd": 1.0}}
    two = {"<1": empty, "1-2": {"targets": 4, "iou": 0.4, "pd": 0.5}}
    assert mean([one, two]) == {"<1": {"targets": 0}, "1-2": {"targets": 4, "iou": pytest.approx(0.3), "pd": 0.75}}
    assert mean([None, None]) is None


def test_a_row_takes_the_place_of_its_name_and_leaves_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "_module", lambda: "benchmarks.training.strategies")
    out, about = tmp_path / "rows.json", {"epochs": 80, "seeds": [0, 1]}
    common.write_result({**about, "rows": [{"name": "full", "iou": 0.6}, {"name": "lesps", "iou": 0.1}]}, out)
    before = json.loads(out.read_text())
    common.replace_rows([{"name": "lesps", "iou": 0.4}, {"name": "new", "iou": 0.2}], about, out)
    after = json.loads(out.read_text())
    full, lesps, new = after["result"].pop("rows")
    assert full == before["result"].pop("rows")[0]
    assert (lesps["iou"], new["name"], set(lesps["ran_on"])) == (0.4, "new", set(before) - {"result"})
    assert after == before
    with pytest.raises(SystemExit, match="holds rows with epochs 80, not 40"):
        common.replace_rows([], {**about, "epochs": 40}, out)
