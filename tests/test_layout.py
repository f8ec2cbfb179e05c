"""Who imports whom, which packages are shipped, and nothing of one machine in any file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("pointlabel/**/*.py"), *ROOT.glob("cli/**/*.py")])
#: The parts of the library from the ground up: each may import itself and what stands in a line above it.
FLOORS = """errors
_values types
_checks _scenery kernel_cache parent params
compiled synthetic methods convolutions losses
engine io
engine.default evaluation
engine.torch baselines.crf baselines.outline baselines.published_windows detectors io.exchange
baselines.com baselines.d2d baselines.point baselines.threshold baselines.sam calibration notebook inspection
baselines.mclc
labeling
folder napari_plugin
bench distributed training
report session shards
serve
cli
__main__"""
#: Who may import what is heavy, or prints; the standard library, numpy, scipy and scikit-image are free to all.
LIBRARIES = {
    "torch": "engine.torch convolutions losses detectors training baselines.sam cli",
    "numba": "compiled kernel_cache engine engine.default baselines.com baselines.crf baselines.d2d baselines.mclc",
    "PIL tifffile imagecodecs": "io io.exchange",
    "defusedxml yaml": "io io.exchange",
    "av fsspec": "io",
    "pyarrow": "io.exchange",
    "click rich": "cli",
    "matplotlib": "cli notebook",
    "safetensors onnx onnxruntime": "detectors training",
    "transformers huggingface_hub": "baselines.sam",
    "threadpoolctl": "calibration",
    "ray": "distributed",
    "starlette uvicorn": "serve",
    "napari": "napari_plugin",
}
FREE = {"numpy", "scipy", "skimage", "lazy_loader", "__future__", *sys.stdlib_module_names}
LEVEL = {part: level for level, line in enumerate(FLOORS.splitlines()) for part in line.split()}
MAY = {library: parts.split() for names, parts in LIBRARIES.items() for library in names.split()}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["pointlabel", *(part for part in parts if part not in ("pointlabel", "__init__"))])


def part_of(name: str) -> str:
    """The longest part of `FLOORS` that a module of this package lies in; "" for the package itself."""
    inside = name.removeprefix("pointlabel.") + "."
    return max((part for part in LEVEL if inside.startswith(f"{part}.")), key=len, default="")


def imports_of(path: Path) -> list[str]:
    package = name_of(path).split(".") if path.name == "__init__.py" else name_of(path).split(".")[:-1]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found += [".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names]
    return found


def is_allowed(path: Path, name: str) -> bool:
    """Whether a file may import a name."""
    part, root = part_of(name_of(path)), name.split(".")[0]
    if path.name.endswith("_kernels.py"):
        return root in FREE | {"numba"} or "_kernels." in name or name.startswith("pointlabel.compiled.")
    if root != "pointlabel":
        return root in FREE or part in MAY.get(root, ())
    if not part and path.name != "__init__.py":
        raise AssertionError(f"{name_of(path)} is in no line of FLOORS")
    private = part == "cli" and re.search(r"\._[^_]", name)
    return not private and (part_of(name) in ("", part) or LEVEL[part_of(name)] < LEVEL[part])


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_lead_down(path):
    bad = [name for name in imports_of(path) if not is_allowed(path, name)]
    assert not bad, f"{path.relative_to(ROOT)} may not import {', '.join(bad)}"


def test_every_package_is_shipped():
    packages = {name_of(path) for path in SOURCES if path.name == "__init__.py"}
    assert {name_of(path.parent / "__init__.py") for path in SOURCES} == packages, "a folder lacks its __init__.py"
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(packages)


# Each pattern is written so that this file does not find itself.
FOREIGN = {
    "a path of one machine": "(?<![\\w.])/" + r"(work|home/\w|root|Users/\w|tmp/\w|opt/\w)",
    "material beside the checkout": r"\.\./shared[/]",
    "the address of a package registry": r"pypi[.]org|pythonhosted[.]org|index[-]url",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_of_one_machine(what):
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in tracked.splitlines():
        if (ROOT / name).is_file() and (what, name) != ("material beside the checkout", ".ci/run"):
            data = (ROOT / name).read_bytes()
            assert len(data) <= 500_000, f"{name} is too large to be kept here"
            found = b"\0" not in data[:8000] and re.search(FOREIGN[what], data.decode("utf-8", "replace"))
            assert not found, f"{what} stands in {name}"
