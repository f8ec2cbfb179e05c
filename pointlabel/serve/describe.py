"""Images and targets as the page gets them: JSON, pixels at full depth, and small pictures."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.masks.png import encode_grey
from ..io.records import target_record
from ..session.images import Item
from ..session.opened import OpenImage
from ..session.state import Click
from ..types import TargetLabel, is_doubtful

#: Longest side of a small picture.
THUMB_PX = 96
#: Shares of the pixels that are black and white in a small picture, in per cent.
_STRETCH = (0.5, 99.9)
#: Types that the page reads as they are; others become float32.
_AS_THEY_ARE = ("uint8", "uint16", "float32")


def describe_item(item: Item) -> dict[str, Any]:
    """A line of the list of images."""
    worst = item.worst
    return {
        "index": item.index,
        "name": item.file.shown.encode(errors="replace").decode(),  # whatever bytes a file system allows
        "status": item.status,
        "targets": worst.n_targets,
        "doubtful": worst.n_doubtful,
        "worst": None if worst.trust is None else round(worst.trust, 4),
        "revision": 0 if item.history is None else item.history.n_done,
        "error": None if item.error is None else item.error.replace(item.file.path, item.file.shown),
    }


def describe_image(item: Item, opened: OpenImage, only: Collection[int] | None = None) -> dict[str, Any]:
    """What is known of an open image; `only` names the targets to list, None for all."""
    board = opened.board
    pairs = list(zip(board.state.clicks, board.labels.targets, strict=True))
    return {
        "item": describe_item(item),
        "order": [click.number for click, _ in pairs],
        "targets": [
            describe_target(click, label, board.tightness)
            for click, label in pairs
            if only is None or click.number in only
        ],
        "accepted": board.state.is_accepted,
        "can_undo": board.history.can_undo,
        "can_redo": board.history.can_redo,
    }


def describe_pixels(opened: OpenImage) -> dict[str, Any]:
    """What the page needs to know before it reads the pixels."""
    height, width = opened.board.shape
    path, shown = opened.file.path, opened.file.shown
    notes = [{"kind": note.kind, "text": note.text.replace(path, shown)} for note in opened.notes]
    kind = str(opened.board.image.dtype)
    return {"height": height, "width": width, "dtype": page_dtype(opened.board.image), "depth": kind, "notes": notes}


def describe_target(click: Click, label: TargetLabel, tightness: float) -> dict[str, Any]:
    """A target: its record as the manifest has it, what was asked for, and its mask and soft label.

    ``mask`` holds the bits of the crop row by row, eight a byte, the first the highest; ``soft`` a byte for each pixel;
    both in base64. ``crop`` is left, top, width and height of the crop.
    """
    (top, left), (height, width) = label.origin, label.mask.shape
    return target_record(label, click.point_row()) | {
        "number": click.number,
        "tightness": tightness if click.tightness is None else click.tightness,
        "asked_polarity": click.polarity,
        "label": click.label,
        "source": click.source,
        "edited": click.is_edited,
        "trust": round(label.trust, 4),
        "doubtful": is_doubtful(label.quality, label.presence, label.flags),
        "crop": [left, top, width, height],
        "mask": mask_bits(label.mask),
        "soft": base64.b64encode(np.rint(label.soft * np.float32(255)).astype(np.uint8).tobytes()).decode(),
    }


def mask_bits(mask: NDArray[np.bool_]) -> str:
    """The bits of a mask row by row, eight a byte, the first the highest, in base64."""
    return base64.b64encode(np.packbits(mask).tobytes()).decode()


def page_dtype(image: NDArray) -> str:
    """The type in which the page gets an image."""
    return str(image.dtype) if str(image.dtype) in _AS_THEY_ARE else "float32"


def encode_pixels(image: NDArray) -> bytes:
    """Pixels row by row in `page_dtype`, the lowest byte first."""
    dtype = np.dtype(page_dtype(image)).newbyteorder("<")
    return np.ascontiguousarray(image, dtype).tobytes()


def encode_thumb(image: NDArray) -> bytes:
    """A small grey PNG: means of blocks, stretched to all but the lowest and highest pixels."""
    step = max(-(-max(image.shape) // THUMB_PX), 1)
    height, width = (max(side // step, 1) for side in image.shape)
    part = image[: height * step, : width * step].astype(np.float32)
    part = np.where(np.isfinite(part), part, np.float32(np.nanmin(part) if np.isfinite(part).any() else 0))
    step_y, step_x = part.shape[0] // height, part.shape[1] // width
    small = part.reshape(height, step_y, width, step_x).mean((1, 3))
    low, high = np.percentile(small, _STRETCH)
    grey = (small - low) / max(float(high - low), 1e-9)
    return encode_grey(np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8))
