"""The house stands as drawn: who imports whom, which packages are shipped, no path of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

COMMON = {"pointlabel.types", "pointlabel.errors", "pointlabel._values"}
ARRAYS = {"numpy", "scipy", "skimage"}
LABELLING = ARRAYS | COMMON | {"numba", "pointlabel._checks", "pointlabel.engine"}
TORCH = {"torch", "numpy"}

# Modules of each part, by the longest prefix that fits -> what they may import besides the standard library and
# themselves. What a part may only import inside a function is marked with "lazy:".
ALLOWED: dict[str, set[str]] = {
    "pointlabel": {"numpy", *COMMON, "pointlabel.labeling", "pointlabel.methods"},
    "pointlabel.__main__": {"pointlabel.cli"},
    "pointlabel._checks": {"numpy", *COMMON},
    "pointlabel.types": {"numpy", "pointlabel.errors"},
    "pointlabel.errors": set(),
    "pointlabel.synthetic": {"numpy", "scipy", "pointlabel._checks", *COMMON},
    "pointlabel.labeling": {"numpy", *COMMON, "pointlabel._checks", "pointlabel.methods", "pointlabel.engine"}
    | {"pointlabel.refinement", "lazy:pointlabel.backend"},
    "pointlabel.refinement": ARRAYS | COMMON | {"pointlabel._checks", "pointlabel.engine"},
    "pointlabel.methods": {"numpy", *COMMON, "pointlabel.engine", "pointlabel.baselines"},
    "pointlabel.engine": LABELLING,
    "pointlabel.baselines": LABELLING | {"lazy:torch", "lazy:transformers", "lazy:huggingface_hub"},
    "pointlabel.evaluation": ARRAYS
    | COMMON
    | {"numba", "pointlabel._checks", "pointlabel.engine"}
    | {"pointlabel.baselines", "pointlabel.methods", "pointlabel.labeling"},
    "pointlabel.report": {"numpy", *COMMON, "pointlabel.evaluation", "pointlabel.io"},
    "pointlabel.io": {"numpy", "PIL", "lazy:tifffile", "lazy:imagecodecs", "pointlabel._checks", *COMMON},
    "pointlabel.batch": {"numpy", "pointlabel._checks", *COMMON, "lazy:ray"}
    | {"pointlabel.io", "pointlabel.methods", "pointlabel.labeling", "pointlabel.evaluation"},
    "pointlabel.differentiable": TORCH | COMMON | {"pointlabel.engine"},
    "pointlabel.backend": TORCH
    | COMMON
    | {"numba", "pointlabel._checks", "pointlabel.engine", "pointlabel.differentiable"},
    "pointlabel.calibration": TORCH
    | COMMON
    | {"pointlabel._checks", "pointlabel.engine", "pointlabel.differentiable"}
    | {"pointlabel.evaluation", "pointlabel.io", "pointlabel.batch.point_checks"},
    "pointlabel.losses": TORCH | COMMON | {"pointlabel._checks", "pointlabel.engine.params"},
    "pointlabel.convolutions": TORCH | COMMON,
    "pointlabel.detectors": TORCH
    | COMMON
    | {"safetensors", "pointlabel.engine.params", "pointlabel.convolutions", "lazy:onnx", "lazy:onnxruntime"},
    "pointlabel.training": TORCH
    | COMMON
    | {"safetensors", "pointlabel.differentiable", "pointlabel.losses", "pointlabel.detectors"}
    | {"pointlabel._checks"}
    | {"pointlabel.convolutions"}
    | {"pointlabel.evaluation", "pointlabel.io", "pointlabel.labeling", "pointlabel.methods"}
    | {"pointlabel.batch.parent", "pointlabel.batch.settings", "pointlabel.batch.work"}
    | {"pointlabel.batch.point_checks", "pointlabel.baselines.edges"},
    "pointlabel.io.masks": {"numpy", "PIL", *COMMON, "pointlabel._checks", "pointlabel.io"}
    | {"lazy:tifffile", "lazy:imagecodecs", "lazy:scipy"},
    "pointlabel.cli": {"click", "rich", "numpy", "pointlabel", "lazy:torch", "lazy:matplotlib"},
}
KERNELS = {"numpy", "numba"}


def module_name(path: Path) -> str:
    """Dotted name under which a source file is installed."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "cli":
        parts.insert(0, "pointlabel")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every (imported name, whether inside a function), relative imports resolved, typing-only ones left out."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, lazy: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found.extend((f"{start}.{alias.name}", lazy) for alias in node.names)
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def _under(name: str, parts: set[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def forbidden(path: Path) -> list[str]:
    """Imports of a file that the table does not allow."""
    name = module_name(path)
    home = max((part for part in ALLOWED if _under(name, {part})), key=len)
    kernel = path.name.startswith("_") and path.name.endswith("_kernels.py")
    allowed = KERNELS if kernel else ALLOWED[home]
    out = []
    for imported, lazy in imports(path):
        if imported.split(".")[0] in sys.stdlib_module_names | {"__future__"}:
            continue
        private = home == "pointlabel.cli" and any(
            part.startswith("_") and not part.startswith("__") for part in imported.split(".")
        )
        if kernel:
            own = bool(re.search(r"\._\w+_kernels(\.|$)", imported)) or _under(imported, {"pointlabel.engine.compiled"})
        else:
            own = home != "pointlabel" and _under(imported, {home})
        at_home = own or imported in {"pointlabel", "pointlabel.__version__"}
        at_home |= imported == "lazy_loader" and path.name == "__init__.py"  # of a package's public names
        late = lazy and _under(imported, {part.removeprefix("lazy:") for part in allowed})
        if private or not (at_home or late or _under(imported, allowed)):
            out.append(imported)
    return out


SOURCES = sorted([*ROOT.glob("pointlabel/**/*.py"), *ROOT.glob("cli/**/*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_table(path):
    bad = forbidden(path)
    assert not bad, f"{path.relative_to(ROOT)} may not import {', '.join(bad)}"


@pytest.mark.parametrize(
    ("place", "line", "allowed"),
    [
        ("pointlabel/io/images.py", "from PIL import Image", True),
        ("pointlabel/io/images.py", "import torch", False),
        ("pointlabel/io/images.py", "from ..engine import params", False),
        ("pointlabel/engine/heat.py", "from PIL import Image", False),
        ("pointlabel/engine/heat.py", "from ..baselines import threshold", False),
        ("pointlabel/engine/heat.py", "from ._heat_kernels import step_kernel", True),
        ("pointlabel/engine/_heat_kernels.py", "from ..types import TargetLabel", False),
        ("pointlabel/engine/_heat_kernels.py", "from numba import njit", True),
        ("pointlabel/baselines/sam.py", "import torch", False),
        ("pointlabel/baselines/sam.py", "def load():\n    import torch", True),
        ("pointlabel/evaluation/runner.py", "def read():\n    from ..io import images", False),
        ("cli/annotate.py", "from pointlabel._checks import as_image", False),
        ("cli/annotate.py", "from .options import workers", True),
        ("pointlabel/types.py", "import click", False),
        ("pointlabel/losses/__init__.py", "import lazy_loader", True),
        ("pointlabel/losses/iou.py", "import lazy_loader", False),
    ],
)
def test_the_table_itself_tells_right_from_wrong(tmp_path, monkeypatch, place, line, allowed):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert (forbidden(path) == []) is allowed


def test_every_package_is_shipped():
    folders = {module_name(path) for path in SOURCES if path.name == "__init__.py"}
    holding_code = {module_name(path.parent / "__init__.py") for path in SOURCES}
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert holding_code == folders, "a folder with code lacks its __init__.py"
    assert sorted(listed) == sorted(folders)


def _tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


# Each pattern is written so that this file does not find itself.
FOREIGN = {
    "a path of one machine": re.compile("(?<![\\w.])/" + r"(work|home/\w|root|Users/\w|tmp/\w|opt/\w)"),
    "material beside the checkout": re.compile(r"\.\./shared[/]"),
    "the address of a package registry": re.compile(r"pypi[.]org|pythonhosted[.]org|index[-]url"),
}
EXEMPT = {("material beside the checkout", ".ci/run")}


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_of_one_machine(what):
    bad = []
    for path in _tracked():
        data, name = path.read_bytes(), str(path.relative_to(ROOT))
        if b"\0" in data[:8000] or (what, name) in EXEMPT:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
            if FOREIGN[what].search(line):
                bad.append(f"{name}:{number}")
    assert not bad, f"{what} stands in {', '.join(bad)}"


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", "open('" + "/home" + "/me/x')"),
        ("material beside the checkout", ".." + "/shared/data"),
        ("the address of a package registry", "--extra-index" + "-url x"),
    ],
)
def test_the_patterns_find_what_they_name(what, line):
    assert FOREIGN[what].search(line)


def test_tracked_files_are_small():
    large = [f"{path.relative_to(ROOT)}" for path in _tracked() if path.stat().st_size > 500_000]
    assert not large, f"files above 500 kB are not kept here: {', '.join(large)}"
