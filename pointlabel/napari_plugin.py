"""napari: a Points layer on an Image layer becomes a Labels layer. ``napari.yaml`` says it to napari.

Nothing here needs napari: it calls `label_layers` with its layers, from which it reads data and places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .labeling import open_labeller

if TYPE_CHECKING:
    import napari.layers
    import napari.types

#: What places a layer in the world, and is passed on from the image.
_PLACE = ("scale", "translate", "rotate", "shear", "affine")


def label_layers(
    image: napari.layers.Image,
    points: napari.layers.Points,
    tightness: float = 0.5,
    polarity: Literal["bright", "dark", "auto"] = "bright",
) -> napari.types.LayerDataTuple:
    """Label the points of a layer on the image of another.

    Parameters
    ----------
    image : in grey or colour; further axes in front, such as time, count frames.
    points : with as many axes as the image. The layers may have different scales and places.
    tightness, polarity : as for `pointlabel.annotate`.

    Returns
    -------
    The data, settings and type of a Labels layer in the place of the image, as napari takes them: k for the k-th point,
    with its score, quality times presence, as a feature.

    Raises
    ------
    InputError
        Where a layer is missing, the layers do not fit, or a point is beside the image.
    """
    if image is None or points is None:
        raise InputError("an Image layer and a Points layer are needed; add them")
    if points.ndim != image.ndim:
        raise InputError(f"the points have {points.ndim} axes and the image has {image.ndim}; make them equal")
    data = image.data[0] if image.multiscale else image.data
    places = [image.world_to_data(points.data_to_world(place)) for place in points.data]
    labels, scores = label_frames(data, places, tightness=tightness, polarity=polarity, rgb=image.rgb)
    features = {"index": list(range(len(scores) + 1)), "score": [0.0, *scores]}  # the first is the background
    settings = {"name": f"{image.name} masks", "features": features}
    return labels, settings | {name: getattr(image, name) for name in _PLACE}, "labels"


def label_frames(
    data: Any, places: ArrayLike, *, tightness: float = 0.5, polarity: str = "bright", rgb: bool = False
) -> tuple[NDArray[np.int32], list[float]]:
    """Label points in the frames of an array.

    Parameters
    ----------
    data : (..., H, W), or (..., H, W, 3 or 4) where `rgb`; only frames with points are read of it.
    places : (N, D) indices into all axes but that of the colours, centres of pixels at whole numbers.
    tightness, polarity : as for `pointlabel.annotate`.
    rgb : whether the last axis are colours.

    Returns
    -------
    labels : (..., H, W), k for the k-th point, 0 elsewhere.
    scores : of each point, quality times presence.

    Raises
    ------
    InputError
        Where a point is beside the image, or a value is out of range.
    """
    shape = tuple(data.shape[:-1] if rgb else data.shape)
    spots = np.asarray(places, np.float64).reshape(-1, len(shape))
    labels, scores = np.zeros(shape, np.int32), [0.0] * len(spots)
    frames = np.rint(spots[:, :-2])
    if not ((frames >= 0) & (frames < shape[:-2])).all():
        raise InputError(f"a point lies in a frame beside the {' x '.join(map(str, shape))} image")
    labeller = open_labeller(polarity=polarity)
    for frame in np.unique(frames, axis=0):
        index = tuple(frame.astype(int).tolist())
        numbers = np.flatnonzero((frames == frame).all(axis=1))
        found = labeller.label(np.asarray(data[index]), spots[numbers, -2:], tightness=tightness)
        for number, target in zip(numbers.tolist(), found.targets, strict=True):
            labels[index][target.window][target.mask] = number + 1
            scores[number] = round(target.trust, 6)
    return labels, scores
