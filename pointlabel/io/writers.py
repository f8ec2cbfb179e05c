"""The tables of what can be written, per image and per run. A new kind of file is one line in one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..types import ImageLabels


class Maps(Protocol):
    """What masks and soft labels are written of: `ImageLabels`, or the prediction of a detector."""

    def mask(self) -> NDArray[np.bool_]: ...

    def soft(self) -> NDArray[np.float32]: ...


class ImageWriter(NamedTuple):
    """One kind of file that is written per image, into a folder of its own.

    Attributes
    ----------
    name : of the folder, and of the option that asks for it.
    summary : what is written, for the help.
    encode : image (H, W) and its labels (`Maps` are enough for masks and soft) -> bytes of the file.
    suffix : of the file.
    has_flag : whether it has an option of its own, beside its name for --format.
    """

    name: str
    summary: str
    encode: Callable[[NDArray, Any], bytes]
    suffix: str = ".png"
    has_flag: bool = True


def _encode_mask(image: NDArray, labels: Maps) -> bytes:
    """The union of the targets' masks."""
    from .masks import png  # here and below: the command line reads this table for its options

    return png.encode_mask(labels.mask())


def _encode_soft(image: NDArray, labels: Maps) -> bytes:
    """The largest soft label at each pixel."""
    from .masks import png

    return png.encode_soft(labels.soft())


def _encode_instances(image: NDArray, labels: ImageLabels) -> bytes:
    from .masks import png

    return png.encode_instances(labels.instances())


def _encode_overlay(image: NDArray, labels: ImageLabels) -> bytes:
    from .masks import png
    from .overlay import draw_overlay

    return png.encode_picture(draw_overlay(image, labels))


def _encode_npz(image: NDArray, labels: ImageLabels) -> bytes:
    from .masks.npz import encode_npz

    return encode_npz(labels.soft(), [target.point for target in labels.targets])


PARQUET = "parquet"
MASKS, SOFT, INSTANCES, OVERLAY, NPZ = "masks", "soft", "instances", "overlay", "npz"
#: Formats of other tools, each written into a folder of its name once a run is done; `io.exchange.table` says how.
EXPORTS = {
    "coco": "one JSON, masks as run lengths",
    "yolo": "boxes, a text file an image",
    "yolo-seg": "borders, a text file an image",
    "voc": "boxes as XML, palette pictures",
    "labelme": "a JSON an image",
    "label-studio": "one JSON of predictions",
    "cvat": "one XML",
    PARQUET: "tables of Parquet, a row a target, masks as run lengths",
}
#: The output that adds run lengths to the targets of the manifest; every export needs them.
RLE = "rle"
#: Masks are always written, the others where they are asked for.
WRITERS = {
    writer.name: writer
    for writer in (
        ImageWriter(MASKS, "binary masks", _encode_mask, has_flag=False),
        ImageWriter(SOFT, "16-bit soft labels", _encode_soft),
        ImageWriter(INSTANCES, "16-bit instance numbers", _encode_instances),
        ImageWriter(OVERLAY, "pictures to check the masks by", _encode_overlay),
        ImageWriter(NPZ, "soft labels and points as arrays of numpy", _encode_npz, ".npz", has_flag=False),
    )
}


def suffix_of(kind: str) -> str:
    """Suffix of the files of a kind."""
    return WRITERS[kind].suffix if kind in WRITERS else ".png"
