"""Segment Anything (SAM, SAM 2) with the point as its prompt, over the implementations of `transformers`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..._checks import pixel_of
from ...engine._conductance_kernels import SCALE
from ...engine.conductance import rescale_window
from ...params import Params, param
from ...types import LabelRequest, TargetLabel
from .models import SAM, SAM2, Family, check_checkpoint, load_predictor

#: Probabilities below this are left out of the soft label.
FLOOR = np.float32(0.01)

Part = tuple[slice, slice]


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
    shared_ms = 0.0
    if params.context == "image":
        start = perf_counter()
        light, finite = _stretch(request.image)
        embedding = predictor.embed(light)
        shared_ms = (perf_counter() - start) * 1000 / len(request.points)
    out = []
    for point, pixel in zip(request.points.tolist(), pixel_of(request.points, shape).tolist(), strict=True):
        start = perf_counter()
        part: Part = (slice(0, shape[0]), slice(0, shape[1]))
        seen, known = embedding, finite
        if params.context == "window":
            part = _window(pixel, params.window_px, shape)
            light, known = _stretch(request.image[part])
            seen = predictor.embed(light)
        assert known is not None
        at = (point[0] - part[0].start, point[1] - part[1].start)
        odds, score = predictor.segment(seen, (known.shape[0], known.shape[1]), at)
        label = _describe(odds, score, known, (point[0], point[1]), (pixel[0], pixel[1]), part, shape)
        out.append(replace(label, time_ms=shared_ms + (perf_counter() - start) * 1000))
    return out


def _stretch(window: NDArray) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Window in [0, 1] by its own range, and which of its pixels are finite."""
    units, finite = rescale_window(window)
    return units.astype(np.float32) / np.float32(SCALE), finite


def _window(pixel: list[int], side: int, shape: tuple[int, int]) -> Part:
    """Slices of the window around a pixel, cut off at the border of the image."""
    starts = [at - side // 2 for at in pixel]
    rows, columns = (slice(max(a, 0), min(a + side, size)) for a, size in zip(starts, shape, strict=True))
    return rows, columns


def _describe(
    odds: NDArray[np.float32],
    score: float,
    finite: NDArray[np.bool_],
    point: tuple[float, float],
    pixel: tuple[int, int],
    part: Part,
    shape: tuple[int, int],
) -> TargetLabel:
    """Wrap the model's answer for the pixels of `part`: never empty, cut to the box that holds it."""
    flags = []
    origin = (part[0].start, part[1].start)
    soft = np.where(finite, 1 / (1 + np.exp(-np.clip(odds, -50, 50))), 0).astype(np.float32)
    mask = (odds > 0) & finite
    if not finite.all():
        flags.append("nan")
    if not mask.any():
        flags.append("empty")
        mask[pixel[0] - origin[0], pixel[1] - origin[1]] = True
    soft[soft < FLOOR] = 0
    edges = [mask[0].any(), mask[-1].any(), mask[:, 0].any(), mask[:, -1].any()]
    at_image = [part[0].start == 0, part[0].stop == shape[0], part[1].start == 0, part[1].stop == shape[1]]
    if any(touched and border for touched, border in zip(edges, at_image, strict=True)):
        flags.append("clipped")
    if any(touched and not border for touched, border in zip(edges, at_image, strict=True)):
        flags.append("touches_window")
    needed = mask | (soft > 0)
    rows, columns = np.flatnonzero(needed.any(axis=1)), np.flatnonzero(needed.any(axis=0))
    crop = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return TargetLabel(
        point=point,
        origin=(origin[0] + int(rows[0]), origin[1] + int(columns[0])),
        soft=soft[crop].copy(),
        mask=mask[crop].copy(),
        quality=min(max(score, 0.0), 1.0),
        flags=tuple(sorted(flags)),
    )
