"""Masks to write and read again, and what their targets are."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pointlabel.io.exchange.base import ImageMasks, MaskTarget
from pointlabel.io.exchange.pictures import numbered_targets

#: Letters that some format could take for one of its own.
LABELS = ["target", "drone", "ship 2", "a,b;c", "<&>\"'", "Ünïcode", "#x", "yes", "- 1", "0"]


def masks_from(numbers: Any, name: str = "t1", labels: tuple[str, ...] = ()) -> ImageMasks:
    """The masks of an array whose value k is the k-th target."""
    array = np.asarray(numbers)
    found = [target for _, target in numbered_targets(array)]
    given = labels or ("target",) * len(found)
    targets = [MaskTarget(t.origin, t.mask, label, 0.5) for t, label in zip(found, given, strict=True)]
    return ImageMasks(name, (array.shape[0], array.shape[1]), tuple(targets), f"{name}.png")


def spread(values: str) -> np.ndarray:
    """Rows of digits, and dots for background."""
    return np.array([[0 if sign == "." else int(sign) for sign in row] for row in values.split()])


#: What the formats of others lose: one pixel, lines one pixel wide, holes, targets that touch, corners that touch,
#: the border of the image, an image that is all target, and one that has none.
CASES = {
    "pixel": spread("..... .1... ..... ....."),
    "square": spread("..... .11.. .11.. ....."),
    "row": spread("..... .1111 ....."),
    "column": spread(".1. .1. .1. .1."),
    "diagonal": spread("1.... .1... ..1.. ...1."),
    "hole": spread("1111. 1..1. 1.11. 1111."),
    "two holes": spread("1111111 1.1.1.1 1111111"),
    "touching": spread("1122. 1122. 3344. 5.6.7"),
    "around": spread("11111 12221 12321 12221 11111"),
    "border": spread("1..2 .... .... 3..4"),
    "parts": spread("1..1 .... ..1."),
    "full": spread("111 111"),
    "wrapped": spread("..1 ..1 1.. 1.."),
    "empty": spread("... ..."),
    "one pixel image": spread("1"),
}


@st.composite
def sets_of_masks(draw: st.DrawFn) -> list[ImageMasks]:
    """One to three images of small targets, as numbers in an array: they touch, surround each other and fall apart."""
    out = []
    for name in ("a", "night/b", "c d")[: draw(st.integers(1, 3))]:
        shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
        few = draw(st.sampled_from([[0, 0, 0, 1], [0, 1, 2, 3], [1], [0]]))
        numbers = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from(few)))
        found = numbered_targets(numbers)
        targets = [
            MaskTarget(target.origin, target.mask, draw(st.sampled_from(LABELS)), draw(st.sampled_from([0.25, 1.0])))
            for _, target in found
        ]
        out.append(ImageMasks(name, (shape[0], shape[1]), tuple(targets), f"{name}.png"))
    return out


def facts(images: Any, *, labels: bool = True, scores: bool = True) -> dict[str, Any]:
    """Id -> size and targets in plain values that can be compared."""
    return {
        image.id: (
            tuple(image.shape),
            [
                (
                    tuple(target.origin),
                    target.mask.tolist(),
                    target.label if labels else "",
                    target.score if scores else 0,
                )
                for target in image.targets
            ],
        )
        for image in images
    }
