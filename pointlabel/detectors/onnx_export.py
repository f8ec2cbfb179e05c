"""A detector as one ONNX file that takes any number of images of any height and width."""

from __future__ import annotations

import copy
import inspect
import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..errors import MissingExtraError, PointLabelError
from .base import Detector
from .onnx_detector import ABOUT, OnnxDetector

OPSET = 17
#: Largest difference between a detector and its file, over the largest logit or 1.
TOLERANCE = 1e-4


def detector_to_onnx(detector: Detector, *, notes: Mapping[str, Any] | None = None) -> bytes:
    """Return the bytes of an ONNX file that gives the logits of `detector` in evaluation mode, ready to be written.

    Input ``image``, (B, in_channels, H, W), to output ``logits``, (B, 1, H, W), both float32; B, H and W are free, and
    padding to what the net divides by is part of the graph. The file says which detector it is. `detector` itself
    stays as it is, on its device, in its dtype and its mode.

    torch's older exporter writes it, which follows one run through the net: it needs no more packages than onnx and
    takes seconds.

    Parameters
    ----------
    detector : made by `build`; its convolutions may have been replaced since.
    notes : what else to store in the file, as JSON takes it, such as how images were scaled; `OnnxDetector.notes`.

    Raises
    ------
    MissingExtraError
        Without the package onnx.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"the export needs {error.name}: pip install 'pointlabel[onnx]'") from None
    net = copy.deepcopy(detector).cpu().float().eval()
    # A size that has to be padded, so that the run passes through every step.
    side = net.multiple + 1
    example = torch.zeros(1, net.in_channels, side, side + net.multiple)
    free = {0: "images", 2: "height", 3: "width"}
    options: dict[str, Any] = {
        "input_names": ["image"],
        "output_names": ["logits"],
        "dynamic_axes": {"image": free, "logits": free},
        "opset_version": OPSET,
    }
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False  # since torch 2.5 this chooses the exporter; before, there was one
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Checks of shapes are no part of the graph, that the exporter is the older one is known, and onnxruntime folds
        # what this one does not.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="Constant folding")
        place = os.path.join(folder, "detector.onnx")
        torch.onnx.export(net, (example,), place, **options)
        model = onnx.load(place)
    about = {"name": detector.name, "in_channels": detector.in_channels, "notes": dict(notes or {})}
    onnx.helper.set_model_props(model, {ABOUT: json.dumps(about)})
    return model.SerializeToString()


def compare_with_onnx(detector: Detector, data: bytes) -> float:
    """Run `detector` and the bytes of its ONNX file on noise of two sizes; return the largest difference of logits.

    Raises
    ------
    PointLabelError
        Where the difference is above 1e-4 of the largest logit (of 1, where no logit reaches that), and above four
        times what the rounding of float32 does in torch itself, found by a run in float64: some weights multiply it.
    MissingExtraError
        Without the package onnxruntime.
    """
    session = OnnxDetector(data)
    net = copy.deepcopy(detector).cpu().float().eval()
    precise = copy.deepcopy(net).double()
    rng = np.random.default_rng(0)
    largest = 0.0
    for n_images, height, width in ((2, 45, 70), (1, net.multiple, 1)):
        image = rng.random((n_images, net.in_channels, height, width), dtype=np.float32)
        with torch.inference_mode():
            expected = net(torch.from_numpy(image)).numpy()
            rounding = np.abs(precise(torch.from_numpy(image).double()).numpy() - expected).max()
        difference = float(np.abs(session.predict(image) - expected).max())
        bound = max(TOLERANCE * max(1.0, float(np.abs(expected).max())), 4 * float(rounding))
        if not difference <= bound:
            raise PointLabelError(
                f"the ONNX file does not give what {detector.name} does: at {height} x {width} pixels logits differ by "
                f"{difference:.2g}, above {bound:.2g}"
            )
        largest = max(largest, difference)
    return largest
