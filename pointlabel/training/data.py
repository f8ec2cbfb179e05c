"""The images of a run in memory: grey levels, points, and labels that strategies may replace."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InputError
from ..io.datasets import Dataset
from ..io.masks.survey import survey_masks
from ..io.points.base import own_polarities
from ..io.samples import read_sample
from .config import TrainConfig
from .events import Note
from .scaling import Scaling, fit_range, moments, unit_levels
from .splits import Source


@dataclass(slots=True)
class SampleSet:
    """Images of one part of the split, in a fixed order; a sample is known by its index.

    Attributes
    ----------
    ids : ``DATASET/ID``.
    parts : place of each sample's data set.
    images : (H, W) grey levels in the depth of the files; what methods of labelling work on.
    inputs : (H, W) float32, scaled; what detectors see.
    points : (N, 2) float64, (row, column).
    masks : (H, W) bool, the true masks, None where the run may not know them.
    labels : (H, W) float16 in [0, 1], what is trained on; replaced through `set_label`.
    polarities : of each point, where a file of points gives some of the image their own; None for those of the config.
    """

    ids: list[str]
    parts: list[int]
    images: list[NDArray]
    inputs: list[NDArray[np.float32]]
    points: list[NDArray[np.float64]]
    masks: list[NDArray[np.bool_]] | None
    labels: list[NDArray[np.float16]]
    polarities: list[list[str] | None]

    def __len__(self) -> int:
        return len(self.ids)

    def head(self, n: int) -> SampleSet:
        """The first `n` images."""
        lists: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        few: dict[str, Any] = {name: None if each is None else each[:n] for name, each in lists.items()}
        return replace(self, **few)

    @property
    def n_points(self) -> int:
        """Points of all images."""
        return sum(len(points) for points in self.points)

    def set_label(self, index: int, label: NDArray) -> None:
        """Replace the label of one sample by a mask or a soft label (H, W) in [0, 1]."""
        if label.shape != self.images[index].shape:
            raise InputError(
                f"the label of {self.ids[index]} must be of the image's size {self.images[index].shape}, "
                f"got {label.shape}"
            )
        label = label.astype(np.float16)
        image = self.images[index]
        if image.dtype.kind == "f":  # pixels without a level are background, whatever a mask says
            label[~np.isfinite(image)] = 0
        self.labels[index] = label

    def labels_state(self) -> dict[str, torch.Tensor]:
        """The labels as `pack_maps` gives them."""
        return pack_maps(self.labels)

    def load_labels(self, state: dict[str, torch.Tensor]) -> None:
        """Take labels back from `labels_state`."""
        self.labels = unpack_maps(state, [image.shape for image in self.images])


def pack_maps(maps: Sequence[NDArray]) -> dict[str, torch.Tensor]:
    """Maps (H, W) of labels as tensors for a checkpoint: half precision, and only the pixels that are not 0.

    Targets are a share of a percent of all pixels.
    """
    pixels = [np.flatnonzero(label) for label in maps]
    values = [label.ravel()[where].astype(np.float16) for label, where in zip(maps, pixels, strict=True)]
    return {
        "count": torch.tensor([len(where) for where in pixels], dtype=torch.int64),
        "pixel": torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *pixels])),
        "value": torch.from_numpy(np.concatenate([np.zeros(0, np.float16), *values])),
    }


def unpack_maps(state: dict[str, torch.Tensor], shapes: Sequence[tuple[int, ...]]) -> list[NDArray[np.float16]]:
    """Maps of the given shapes out of `pack_maps`; raises `ValueError` where there are others."""
    stops = np.cumsum(state["count"].numpy())
    pixel, value = state["pixel"].numpy(), state["value"].numpy()
    maps = []
    for shape, stop, count in zip(shapes, stops, state["count"].tolist(), strict=True):
        label = np.zeros(shape, np.float16)
        label.ravel()[pixel[stop - count : stop]] = value[stop - count : stop]
        maps.append(label)
    return maps


@dataclass(slots=True)
class Data:
    """All that a run reads.

    Attributes
    ----------
    names : of the data sets.
    train, valid : what is trained on and what is held out; both know points, true masks only where they are asked for.
    test : the test part with true masks, None where there is none. Strategies leave it alone.
    scaling : from grey levels to inputs.
    notes : what to tell about files and split.
    """

    names: list[str]
    train: SampleSet
    valid: SampleSet
    test: SampleSet | None
    scaling: Scaling
    notes: list[Note]


def read_data(
    sources: Sequence[Source], config: TrainConfig, *, on_image: Callable[[int, int], None] | None = None
) -> Data:
    """Read the images of all parts.

    Parameters
    ----------
    sources : from `splits.open_sources`.
    config : for the scaling and the threshold of masks.
    on_image : called with the images read so far and their number.

    Raises
    ------
    InputError
        Where a file cannot be read, the training part has no target at all, or the true masks of a part are none at the
        config's threshold (`survey_masks`).
    """
    total = sum(len(part) for source in sources for part in (source.train, source.val, source.test) if part)
    done = 0
    notes = [Note("split", text) for source in sources for text in source.split.notes]

    def read(parts: Sequence[Dataset | None], need_targets: bool = True) -> SampleSet:
        nonlocal done
        out = SampleSet([], [], [], [], [], [], [], [])
        for place, part in enumerate(parts):
            notes.extend(_look_at_masks(part, config.mask_threshold, need_targets))
            for entry in part.entries if part is not None else ():
                sample = read_sample(entry, mask_threshold=config.mask_threshold)
                out.ids.append(f"{sources[place].name}/{entry.id}")
                out.parts.append(place)
                out.images.append(fit_range(sample.image, sample.full))
                out.points.append(sample.points)
                out.polarities.append(own_polarities(sample.rows, config.polarity))
                if sample.mask is not None and out.masks is not None:
                    out.masks.append(sample.mask)
                out.labels.append(np.zeros(sample.image.shape, np.float16))
                notes.extend(Note(note.kind, note.text) for note in sample.notes)
                done += 1
                if on_image is not None:
                    on_image(done, total)
        if not out.masks:
            out.masks = None
        return out

    train, valid = read([source.train for source in sources]), read([source.val for source in sources])
    test = read([source.test for source in sources], False) if any(source.test for source in sources) else None
    for name, samples in (("training", train), ("validation", valid)):
        if samples.n_points == 0:
            raise InputError(f"{', '.join(source.train.folder for source in sources)}: the {name} part has no target")
    notes += _same_images(train, valid, test)
    mean, deviation = moments([unit_levels(image) for image in train.images])
    scaling = Scaling(mean, deviation) if config.normalise == "dataset" else Scaling(None, None)
    for part in (train, valid, *([test] if test else [])):
        part.inputs = [scaling.apply(image) for image in part.images]
    return Data([source.name for source in sources], train, valid, test, scaling, notes)


def _look_at_masks(part: Dataset | None, threshold: float, need_targets: bool) -> list[Note]:
    """What is to be known of the true masks of a part as a whole; refused where they are none."""
    paths = [entry.mask for entry in part.entries if entry.mask is not None] if part is not None else []
    if part is None or not paths:
        return []
    found = survey_masks(paths, os.path.join(part.folder, "masks"), threshold, need_targets=need_targets)
    return [Note(note.kind, note.text) for note in found]


def _same_images(train: SampleSet, valid: SampleSet, test: SampleSet | None) -> list[Note]:
    """A note where an image of one part is, pixel for pixel, one of another part, whatever their ids."""

    def digests(samples: SampleSet) -> dict[bytes, str]:
        return {
            hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=16).digest(): name
            for name, image in zip(samples.ids, samples.images, strict=True)
        }

    seen, notes = {"training": digests(train), "validation": digests(valid)}, []
    for ours, theirs in (("validation", "training"), ("test", "training"), ("test", "validation")):
        if ours == "test" and test is None:
            continue
        mine = digests(test) if ours == "test" and test is not None else seen[ours]
        both = [(mine[key], seen[theirs][key]) for key in mine if key in seen[theirs]]
        if both:
            more = f" and {len(both) - 1} more" if len(both) > 1 else ""
            first, second = both[0]
            notes.append(Note("same_image", f"{first} of the {ours} part is the {theirs} image {second}{more}"))
    return notes
