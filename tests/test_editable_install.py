"""An editable install of a checkout that is itself called pointlabel works in the folder that holds it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "pointlabel", "cli")


def run(code: str, folder: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(int(version("setuptools").split(".")[0]) < 77, reason="pyproject.toml asks for setuptools 77")
def test_the_package_is_found_in_the_folder_above_its_checkout(tmp_path):
    checkout, site = tmp_path / "pointlabel", tmp_path / "site"
    checkout.mkdir()
    site.mkdir()
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, checkout / name)
    run(f"from setuptools import build_meta; build_meta.build_editable({str(site)!r})", checkout)
    (wheel,) = site.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    others = [path for path in sys.path if "site-packages" in path]
    # without the installation that runs this test, whose finder has the same name
    start = f"import sys, site; sys.path[1:] += {others!r}; sys.path.insert(1, {str(site)!r}); "
    start += f"site.addsitedir({str(site)!r})\n"
    use = "import pointlabel, pointlabel.cli.main as main; pointlabel.annotate; print(main.__file__)"
    assert Path(run(start + use, tmp_path, "-S").strip()) == checkout / "cli/main.py"
    start += "import runpy; sys.argv[1:] = ['--version']; "
    assert run(start + "runpy.run_module('pointlabel', run_name='__main__')", tmp_path, "-S").startswith("pointlabel,")
