"""Methods of installed packages: found by entry points, imported on use, and harmless where they are broken."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel import METHODS, InputError, annotate, get_method
from pointlabel.cli.main import main
from pointlabel.errors import UnknownMethodError
from pointlabel.io.points.images import point_image
from pointlabel.methods import Method, MethodWarning
from pointlabel.methods import table as methods
from pointlabel.synthetic import draw_scene

EXTENDING = Path(__file__).parent.parent.parent / "docs/extending.md"
PACKAGE = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "acme-labels"
version = "2.1"
[project.entry-points."pointlabel.methods"]
acme-disc = "acme_labels.disc:METHOD"
acme-broken = "acme_labels.broken:METHOD"
threshold = "acme_labels.disc:METHOD"
[tool.setuptools]
packages = ["acme_labels"]
""",
    "acme_labels/__init__.py": "",
    "acme_labels/broken.py": "import a_package_that_is_not_there",
    # The example of the documentation, as it stands there.
    "acme_labels/disc.py": re.findall(r"^```python\n(.*?)^```", EXTENDING.read_text(), re.MULTILINE | re.DOTALL)[0],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed a package with three entry points."""
    source, target = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("site")
    for name, text in PACKAGE.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--target", target, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One scene with its points."""
    scene = draw_scene(seed=1, shape=(64, 80), n_targets=2)
    for name in ("images", "points"):
        (tmp_path / name).mkdir()
    Image.fromarray(scene.image).save(tmp_path / "images/a.png")
    point_image([(row, column) for row, column in np.round(scene.points)], (64, 80)).save(tmp_path / "points/a.png")
    return tmp_path


def run(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which sees the installed package."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pointlabel", "annotate", "images", "-p", "points", "-o", "out", *words]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_an_installed_package_adds_a_method(site, folder):
    done = run(site, folder, "--method", "acme-disc", "--set", "radius_px=3", "--refine", "crf", "-j", "2")
    assert done.returncode == 0, done.stderr
    line = json.loads((folder / "out/manifest.jsonl").read_text())
    assert (line["method"], line["params"], line["method_package"]) == (
        "acme-disc",
        {"radius_px": 3},
        "acme-labels 2.1",
    )
    again = run(site, folder, "--method", "acme-disc", "--overwrite")
    assert again.returncode == 0, again.stderr
    assert [target["area"] for target in json.loads((folder / "out/manifest.jsonl").read_text())["targets"]] == [13, 13]
    assert "a method threshold, which is a method of pointlabel itself; it is left out" in again.stderr
    assert again.stderr.count("warning: acme-labels 2.1 offers") == 1


def test_a_broken_method_says_so_and_others_work(site, folder):
    done = run(site, folder, "--method", "acme-broken")
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "method acme-broken of acme-labels 2.1 cannot be loaded (ModuleNotFoundError: No module named" in said
    assert "Traceback" not in said
    assert not (folder / "out").exists()
    near = run(site, folder, "--method", "acme-dics")
    assert "unknown method 'acme-dics'; did you mean acme-disc?" in near.stderr
    own = run(site, folder, "--method", "threshold")
    assert own.returncode == 0, own.stderr
    line = json.loads((folder / "out/manifest.jsonl").read_text())
    assert "level" in line["params"]  # pointlabel's own
    assert "method_package" not in line


def test_listing_the_names_imports_no_package(site):
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from pointlabel import METHODS\n"
        "assert {'default', 'acme-disc', 'acme-broken'} < set(METHODS), METHODS\n"
        "assert 'acme-disc' in METHODS and len(METHODS) == len(list(METHODS))\n"
        "assert not any(name.startswith('acme') for name in sys.modules)\n"
        "assert METHODS['acme-disc'].package == 'acme-labels 2.1'\n"
        "assert 'acme_labels.broken' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Without installing: entry points that name objects of this file.

DISC = Method("disc", "a block", "pointlabel.baselines.point:PointParams", "pointlabel.baselines.point:label_point")
OTHER_NAME = Method("square", "a block", DISC.params_path, DISC.function_path)
NO_FUNCTION = Method("disc", "nothing", DISC.params_path, "pointlabel.baselines.point:no_such_function")
NO_DATACLASS = Method("disc", "nothing", "pointlabel.baselines.point:label_point", DISC.function_path)
SHORT = Method("disc", "too few", DISC.params_path, f"{__name__}:label_none")
NUMBER = 7


def make_disc() -> Method:
    """What an entry point may name instead of a `Method`."""
    return DISC


def raise_something() -> Method:
    """A function of a package that is broken."""
    raise OSError("no licence")


def label_none(request: object, params: object) -> list:
    """A method that answers for no point."""
    return []


@pytest.fixture
def offer(monkeypatch):
    """Let installed packages offer what is given as name -> object of this file."""
    installed = importlib.metadata.entry_points
    caches = (methods._outside, methods._outside_method)

    def offered(*pairs: tuple[str, str]) -> None:
        points = EntryPoints(EntryPoint(name, f"{__name__}:{thing}", methods.GROUP) for name, thing in pairs)
        monkeypatch.setattr(
            "importlib.metadata.entry_points",
            lambda **only: points if only.get("group") == methods.GROUP else installed(**only),
        )
        for cache in caches:
            cache.cache_clear()

    yield offered
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("thing", ["DISC", "make_disc"])
def test_a_method_or_a_function_that_returns_one(offer, scene, thing):
    offer(("disc", thing))
    assert list(METHODS)[-1] == "disc"
    labels = annotate(scene.image, scene.points, method="disc")
    np.testing.assert_array_equal(labels.mask(), annotate(scene.image, scene.points, method="point").mask())
    with pytest.raises(UnknownMethodError, match=r"did you mean disc\?"):
        get_method("dics")


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        ("NUMBER", r":NUMBER must be a Method or a function that returns one, got 7"),
        ("OTHER_NAME", "its Method is called square; the entry point must have the same name"),
        ("raise_something", r"cannot be loaded \(OSError: no licence\)"),
        ("absent", r"method disc of .* cannot be loaded \(AttributeError: "),
        ("NO_FUNCTION", r"point:no_such_function cannot be loaded \(AttributeError"),
        ("NO_DATACLASS", "point:label_point: the parameters of a method must be a dataclass"),
        ("SHORT", "method disc returned 0 labels for 3 points"),
    ],
)
def test_what_a_package_may_get_wrong(offer, scene, thing, sentence):
    offer(("disc", thing))
    with pytest.raises(InputError, match=sentence):
        annotate(scene.image, scene.points, method="disc")
    annotate(scene.image, scene.points, method="threshold")


def test_two_packages_with_one_name(offer):
    offer(("disc", "DISC"), ("disc", "make_disc"))
    with pytest.raises(InputError, match=r"several packages offer a method disc: .*DISC, .*make_disc; uninstall"):
        get_method("disc")


def test_a_name_of_our_own_is_refused(offer):
    offer(("default", "DISC"), ("disc", "DISC"))
    with pytest.warns(MethodWarning, match=r"DISC offers a method default, which is a method of pointlabel itself"):
        names = list(METHODS)
    assert names.count("default") == 1
    assert get_method("default").package == ""
    assert get_method("disc").package


def test_quiet_leaves_the_warning_out(offer, folder, monkeypatch):
    offer(("default", "DISC"))
    monkeypatch.chdir(folder)
    words = ["annotate", "images", "-p", "points", "-o", "out", "--method", "threshold"]
    assert CliRunner().invoke(main, ["-q", *words]).stderr == ""
