"""The page's example of YOLOv8 trains the replaced layers, and saves them; where ultralytics is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pointlabel.synthetic import draw_scene

PAGE = Path(__file__).parents[2] / "docs/methods/convolutions.md"


@pytest.mark.slow
def test_the_example_of_the_page(tmp_path):
    pytest.importorskip("ultralytics")
    found = re.search(r"```python\n(from ultralytics import YOLO.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for seed in range(4):
        scene = draw_scene(seed, shape=(64, 64), n_targets=1)
        Image.fromarray(scene.image).convert("RGB").save(tmp_path / f"images/{seed}.png")
        row, column = scene.points[0] + 0.5
        (tmp_path / f"labels/{seed}.txt").write_text(f"0 {column / 64} {row / 64} 0.1 0.1\n")
    (tmp_path / "data.yaml").write_text(f"path: {tmp_path}\ntrain: images\nval: images\nnames: [target]\n")
    few = 'epochs=1, imgsz=64, batch=2, device="cpu", workers=0, plots=False, amp=False, project="runs", name="one"'
    assert 'train(data="data.yaml", trainer=Trainer)' in found[1]
    script = found[1].replace("trainer=Trainer)", f"trainer=Trainer, {few})")
    script += """
from pointlabel.convolutions import find_replaced
net = YOLO("runs/one/weights/last.pt")
replaced = find_replaced(net.model)
sigmas = [module.inverse_variance.item() for module in net.model.modules() if hasattr(module, "inverse_variance")]
boxes = net.predict("images/0.png", imgsz=64, device="cpu", verbose=False)[0].boxes  # after it has fused the layers
print("\\nreplaced", len(replaced), any(sigmas), boxes is not None)
"""
    script = script.replace('project="runs"', f'project="{tmp_path}/runs"')
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()[-1].split()
    assert words[0] == "replaced"
    assert int(words[1]) > 20
    assert words[2:] == ["True", "True"]
