"""The table of detectors: name -> where its class lives, imported on use, and `build`, which makes one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from .._values import as_entry

if TYPE_CHECKING:
    from .base import Detector


@dataclass(frozen=True, slots=True)
class DetectorEntry:
    """One detector.

    Attributes
    ----------
    name : what users type.
    title : the name its paper gives it.
    summary : one line for listings.
    path : ``module:class`` under ``pointlabel.detectors``, a subclass of `Detector`.
    """

    name: str
    title: str
    summary: str
    path: str

    @property
    def detector_class(self) -> type[Detector]:
        """The class; loads torch."""
        module, _, attribute = self.path.partition(":")
        return getattr(import_module(f"pointlabel.detectors.{module}"), attribute)


DETECTORS: dict[str, DetectorEntry] = {
    entry.name: entry
    for entry in (
        DetectorEntry("tiny", "tiny", "a U-Net of about 0.1 M parameters that trains on a laptop", "tiny:TinyUNet"),
        DetectorEntry("mlclnet", "MLCLNet", "local contrast learned at several scales", "mlclnet:MLCLNet"),
        DetectorEntry("alclnet", "ALCLNet", "local contrast at five levels, joined by gates", "alclnet:ALCLNet"),
        DetectorEntry("dnanet", "DNANet", "densely nested levels with attention", "dnanet:DNANet"),
        DetectorEntry("mshnet", "MSHNet", "a U-Net with attention and a head at each scale", "mshnet:MSHNet"),
        DetectorEntry("isnet", "ISNet", "a residual U-Net led by a branch that finds edges", "isnet:ISNet"),
        DetectorEntry("uiunet", "UIUNet", "a U-Net whose blocks are U-Nets, by far the largest", "uiunet:UIUNet"),
        DetectorEntry("gglnet", "GGLNet", "five levels guided by the gradient of the image", "gglnet:GGLNet"),
        DetectorEntry("msdanet", "MSDANet", "many receptive fields and wavelet attention", "msdanet:MSDANet"),
        DetectorEntry("unet-ca", "U-Net-CA", "a U-Net with channel attention, to compare parts in", "unet_ca:UNetCA"),
    )
}


def get_detector(name: str) -> DetectorEntry:
    """Return the entry called `name`; raise `InputError` naming the nearest one."""
    return as_entry(name, "detector", DETECTORS)


def build(name: str, *, in_channels: int = 1, deep_supervision: bool | None = None) -> Detector:
    """Make a detector with new random weights.

    Parameters
    ----------
    name : one of `DETECTORS`.
    in_channels : 1 for grey images, or 3, what most published weights were trained on.
    deep_supervision : bool, optional
        Whether the training step sees side outputs too. ``None`` does as the paper. Nets without side
        outputs refuse ``True``.

    Returns
    -------
    Detector
        In evaluation it returns logits (B, 1, H, W) for an image (B, in_channels, H, W) of any H and W. In training it
        returns the same, or with deep supervision a list of such maps, the one used in evaluation first.

    Raises
    ------
    InputError
        For an unknown name, another number of channels, or side outputs that the net does not have.
    """
    detector = get_detector(name).detector_class(in_channels=in_channels, deep_supervision=deep_supervision)
    detector.name = name
    return detector
