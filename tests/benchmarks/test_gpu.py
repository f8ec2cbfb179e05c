"""The list of what needs a GPU, on the CPU with tiny sizes: it stops, goes on, and stores what is done."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import common, gpu

pytestmark = pytest.mark.slow


def test_the_list_is_worked_off_in_pieces(draw_dataset, tmp_path, monkeypatch, capsys):
    folder = draw_dataset(gpu.DATASET, 10)
    (folder / "img_idx").mkdir()
    for name, ids in (("train", range(7)), ("test", range(7, 10))):
        (folder / f"img_idx/{name}.txt").write_text("".join(f"{k}\n" for k in ids))
    out, runs = tmp_path / "gpu.json", tmp_path / "runs"
    monkeypatch.setattr(common, "_module", lambda: "benchmarks.gpu")
    arms = {name: gpu.ARMS[name] for name in ("full-mined", "bilevel-d2d-preset", "lesps")}
    monkeypatch.setattr(gpu, "ARMS", arms)

    def call(minutes: float) -> str:
        sizes = ["--models", "tiny", "--epochs", "2", "--crop", "32", "--device", "cpu", "--workers", "0"]
        places = ["--data", str(folder.parent), "--runs", str(runs), "--out", str(out)]
        monkeypatch.setattr(sys, "argv", ["gpu.py", *places, *sizes, "--minutes", str(minutes)])
        gpu.main()
        return capsys.readouterr().out

    assert "gpu-tiny-622-2-full-mined-0: stopped" in (said := call(0))
    assert "7 left, next gpu-tiny-622-2-full-mined-0: give the command again" in said
    (runs / "gpu-backend.json").write_text(json.dumps({"result": {"diffusion": "as measured"}}))
    assert "nothing is left" in call(5)
    held = json.loads(out.read_text())["result"]
    assert held["card"] == "CPU"
    assert held["backend"] == {"diffusion": "as measured"}
    assert [(row["split"], row["name"]) for row in held["rows"]] == [(s, arm) for s in gpu.SPLITS for arm in arms]
    assert {row["split"]: row["protocol"]["name"] for row in held["rows"]} == gpu.SPLITS
    assert all(0 <= row["iou"] <= 1 for row in held["rows"])
    assert "nothing is left" in call(0)
