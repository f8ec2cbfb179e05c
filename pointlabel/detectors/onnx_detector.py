"""A detector out of its ONNX file, run by onnxruntime: no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, MissingExtraError, shown

#: Under this key the file says which detector it is.
ABOUT = "pointlabel_detector"


class OnnxDetector:
    """Session of onnxruntime on a file that ``pointlabel export`` wrote.

    Parameters
    ----------
    source : path of the file, or its bytes.
    n_threads : int, optional
        Threads for one image; ``None`` leaves it to onnxruntime, which takes all cores.
    providers : names of what onnxruntime may run on, the preferred one first.

    Attributes
    ----------
    name : name of the detector.
    in_channels : 1 or 3.
    notes : what else was written into the file; for a trained run ``scaling``, the mean and the deviation that grey
        levels were scaled by ((level - mean) / deviation, levels in [0, 1]; null for each image's own), and
        ``threshold``, the probability above which a pixel belongs to a target.

    Raises
    ------
    MissingExtraError
        Without the package onnxruntime.
    InputError
        Where the file cannot be read, or was not written by this package.
    """

    def __init__(
        self,
        source: str | Path | bytes,
        *,
        n_threads: int | None = None,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"ONNX files need {error.name}: pip install 'pointlabel[onnx]'") from None
        place = "the ONNX file" if isinstance(source, bytes) else str(source)
        options = onnxruntime.SessionOptions()
        if n_threads is not None:
            options.intra_op_num_threads = n_threads
        if not isinstance(source, bytes | str | Path):
            raise InputError(f"source must be a path or the bytes of a file, got {shown(source)}")
        given = source if isinstance(source, bytes) else str(source)
        if isinstance(given, str) and not Path(given).is_file():
            raise InputError(f"{place}: no such ONNX file")
        try:
            self._session = onnxruntime.InferenceSession(given, options, providers=list(providers))
        except Exception as error:  # onnxruntime has a class for each failure, all without a common one
            raise InputError(f"{place}: cannot be read as ONNX ({error})") from None
        held = self._session.get_modelmeta().custom_metadata_map.get(ABOUT)
        if held is None:
            raise InputError(f"{place}: the file does not say which detector it is; was it written by pointlabel?")
        about = _about(held)
        if about is None or [each.name for each in self._session.get_inputs()] != ["image"]:
            raise InputError(f"{place}: what the file says of its detector is damaged: {shown(held)}")
        self.name: str = about["name"]
        self.in_channels: int = about["in_channels"]
        self.notes: dict[str, Any] = about["notes"]

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Return logits (B, 1, H, W), float32, for images (B, in_channels, H, W) of any H and W.

        Raises
        ------
        InputError
            Where the image has another shape.
        """
        image = np.asarray(image, dtype=np.float32)
        if image.ndim != 4 or image.shape[1] != self.in_channels or 0 in image.shape:
            raise InputError(f"image must have shape (B, {self.in_channels}, H, W), got {image.shape}")
        return self._session.run(["logits"], {"image": image})[0]


def _about(held: str) -> dict[str, Any] | None:
    """What a file says about its detector; None where that is damaged."""
    try:
        about = json.loads(held)
        sound = (
            isinstance(about["name"], str)
            and type(about["in_channels"]) is int
            and about["in_channels"] in (1, 3)
            and isinstance(about["notes"], dict)
        )
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return about if sound else None
