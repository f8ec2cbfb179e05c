"""What an editable install needs besides pyproject.toml, where everything else stands."""

from pathlib import Path

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel


class EditableWheel(editable_wheel):
    """Puts the checkout on Python's path, beside the finder of setuptools, which is asked after the path.

    In the folder that holds a checkout called pointlabel, Python would take the checkout itself for the package: a
    folder without code is a package, too, unless one with code stands anywhere on the path.
    """

    def _install_namespaces(self, installation_dir: str, pth_prefix: str) -> None:
        super()._install_namespaces(installation_dir, pth_prefix)
        checkout = Path(__file__).resolve().parent
        Path(installation_dir, "pointlabel-checkout.pth").write_text(f"{checkout}\n", encoding="utf-8")


setup(cmdclass={"editable_wheel": EditableWheel})
