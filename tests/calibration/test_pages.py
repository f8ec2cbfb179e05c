"""The Python of the pages on calibration and on the engine in torch runs."""

from __future__ import annotations

import contextlib
import io
import tomllib

from pointlabel.folder import build_params
from tests.test_docs import ROOT, blocks


def run(page: str) -> tuple[dict[str, object], str]:
    """Names and output after the blocks of a page have run one after another."""
    examples = blocks(ROOT / page, {"python"})
    assert examples, f"{page} shows no Python"
    names: dict[str, object] = {}
    said = io.StringIO()
    for body in examples:
        with contextlib.redirect_stdout(said):
            exec(compile(body, page, "exec"), names)
    return names, said.getvalue()


def test_the_page_on_calibration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, said = run("docs/calibrate.md")
    assert said.startswith("worth using: ")
    params = tomllib.loads((tmp_path / "style.toml").read_text())["params"]
    assert names["params"] == build_params("default", params)


def test_the_page_on_the_engine_in_torch():
    names, said = run("docs/differentiable.md")
    losses = names["losses"]
    assert isinstance(losses, list)
    assert losses[-1] < losses[0]
    assert said.startswith("torch.Size([2, 1, 33, 33]) ")
