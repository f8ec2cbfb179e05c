"""Segment Anything (SAM, SAM 2) with the point as its prompt, over the implementations of `transformers`."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ...engine.conductance import SCALE, rescale_window
from ...methods.targets import Bounds, make_target, open_sides
from ...params import Params, param
from ...types import LabelRequest, TargetLabel
from .._outline_kernels import touches_kernel
from .models import SAM, SAM2, Family, check_checkpoint, load_predictor

#: Probabilities below this are left out of the soft label.
FLOOR = np.float32(0.01)


@dataclass(frozen=True, slots=True)
class SamParams(Params):
    """Parameters of `label_sam` and `label_sam2`."""

    checkpoint: str = param(
        "", "folder with config.json and *.safetensors; there is no default, and nothing is downloaded"
    )
    context: str = param(
        "image", "what the model sees: the whole image, or a window around each point", choices=("image", "window")
    )
    window_px: int = param(64, "side of the window", low=8, high=4096)
    device: str = param("cpu", "where the model runs", choices=("cpu", "cuda"))


def label_sam(request: LabelRequest, params: SamParams) -> list[TargetLabel]:
    """Label targets by SAM (Kirillov et al., ICCV 2023).

    The image, or the window around the point, is stretched to 0 .. 1 by its own range, copied to three channels and
    embedded; an image is embedded once for all its points. The point is the only prompt. Of the three candidate masks
    the one that the model scores highest is taken as it is: all its components, whether or not they hold the point, as
    comparisons in the literature do. A mask without a pixel becomes the point's own, flagged "empty".

    The soft label is the model's probability, the quality its own score (the IoU it expects).

    Raises
    ------
    MissingExtraError, InputError
        Where torch, transformers or the model are missing; each says how to mend it.
    """
    return _label(SAM, request, params)


def label_sam2(request: LabelRequest, params: SamParams) -> list[TargetLabel]:
    """Label targets by SAM 2 (Ravi et al., ICLR 2025), images only; else as `label_sam`.

    Images are stretched to the model's square; `label_sam` pads them instead, each as its authors do.
    """
    return _label(SAM2, request, params)


def check_sam(params: SamParams) -> None:
    """Raise where `label_sam` cannot run with `params` on this machine."""
    check_checkpoint(SAM, params.checkpoint)


def check_sam2(params: SamParams) -> None:
    """Raise where `label_sam2` cannot run with `params` on this machine."""
    check_checkpoint(SAM2, params.checkpoint)


def _label(family: Family, request: LabelRequest, params: SamParams) -> list[TargetLabel]:
    if not len(request.points):
        return []
    predictor = load_predictor(family, params.checkpoint, params.device)
    shape: tuple[int, int] = (request.image.shape[0], request.image.shape[1])
    embedding, light, finite = None, None, None
    shared_s = 0.0
    if params.context == "image":
        start = perf_counter()
        light, finite = _stretch(request.image)
        embedding = predictor.embed(light)
        shared_s = (perf_counter() - start) / len(request.points)
    out = []
    for point, pixel in zip(request.points.tolist(), request.pixels, strict=True):
        start = perf_counter() - shared_s
        bounds: Bounds = (0, shape[0], 0, shape[1])
        seen, known = embedding, finite
        if params.context == "window":
            bounds = _window(pixel, params.window_px, shape)
            light, known = _stretch(request.image[bounds[0] : bounds[1], bounds[2] : bounds[3]])
            seen = predictor.embed(light)
        assert known is not None
        at = (point[0] - bounds[0], point[1] - bounds[2])
        odds, score = predictor.segment(seen, (known.shape[0], known.shape[1]), at)
        soft = np.where(known, 1 / (1 + np.exp(-np.clip(odds, -50, 50))), 0).astype(np.float32)
        soft[soft < FLOOR] = 0
        mask = (odds > 0) & known
        flags = {"nan": not known.all(), "empty": not mask.any()}
        if flags["empty"]:
            mask[pixel[0] - bounds[0], pixel[1] - bounds[2]] = True
        flags["touches_window"] = touches_kernel(mask, open_sides(bounds, shape))
        origin = bounds[0], bounds[2]
        out.append(make_target(point, origin, soft, mask, shape, start=start, quality=score, crop=True, **flags))
    return out


def _stretch(window: NDArray) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Window in [0, 1] by its own range, and which of its pixels are finite."""
    units, finite = rescale_window(window)
    return units.astype(np.float32) / np.float32(SCALE), finite


def _window(pixel: tuple[int, int], side: int, shape: tuple[int, int]) -> Bounds:
    """The window of `side` px around a pixel, cut off at the border of the image."""
    top, left = (at - side // 2 for at in pixel)
    return max(top, 0), min(top + side, shape[0]), max(left, 0), min(left + side, shape[1])
