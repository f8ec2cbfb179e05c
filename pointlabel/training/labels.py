"""Labels for the images of a run: by a method from points, from a folder of masks, or the true masks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..folder.job import image_generator
from ..folder.settings import build_params
from ..io.files import write_whole
from ..io.masks.pairs import list_masks
from ..io.masks.png import encode_mask, encode_soft
from ..io.masks.read import read_grey_mask
from ..io.masks.survey import survey_masks
from ..io.messages import Note as FileNote
from ..labeling import open_labeller
from ..methods.table import get_method
from ..types import ImageLabels
from .config import TrainConfig
from .data import Data, SampleSet
from .run import LABELS


class Labeller:
    """Makes labels as the config says; strategies call it before training and for updates.

    Parameters
    ----------
    config : of the run.
    folder : of the run, where the masks of `label_all` are written; None writes none.
    on_image : called with what is done, the images done so far and their number.
    on_note : called with what is to be known of the masks in the config's folder.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: str | None = None,
        on_image: Callable[[str, int, int], None] | None = None,
        on_note: Callable[[FileNote], None] | None = None,
    ) -> None:
        self.config, self.folder = config, folder
        self._on_image = on_image or (lambda what, done, total: None)
        self._on_note = on_note or (lambda note: None)
        self._params = {config.label_method: build_params(config.label_method, config.label_params)}

    def annotate(
        self,
        samples: SampleSet,
        index: int,
        *,
        method: str | None = None,
        params: Any = None,
        draw: int = 0,
    ) -> ImageLabels:
        """Label one sample from its points.

        Parameters
        ----------
        samples, index : which one.
        method : in place of the config's, with its default parameters.
        params : of the method, in place of the config's or the defaults.
        draw : which of the image's streams of random numbers; equal ones give equal labels.
        """
        rng = image_generator(self.config.seed, samples.ids[index].partition("/")[2])
        name = method or self.config.label_method
        chosen = get_method(name)
        labeller = open_labeller(name, self.params(name) if params is None else params, polarity=self.config.polarity)
        return labeller.label(
            samples.images[index],
            samples.points[index],
            tightness=self.config.tightness if chosen.has_tightness else 0.5,
            polarity=samples.polarities[index],
            rng=rng.spawn(draw)[-1] if draw else rng,
        )

    def params(self, method: str | None = None) -> Any:
        """Parameters of the config's label method, or the defaults of another."""
        name = method or self.config.label_method
        return self._params.setdefault(name, get_method(name).params())

    def label_all(self, data: Data, *, method: str | None = None) -> None:
        """Label the training and validation images by a method, or from the config's folder of masks.

        The folder is used unless a `method` is named. The labels are written to ``labels/`` of the run.
        """
        stored = self._stored_masks(data.train.ids + data.valid.ids) if self.config.labels and method is None else None
        total = len(data.train) + len(data.valid)
        self._label(data.train, lambda index: self._made(data.train, index, stored, method), 0, total)
        self._label(data.valid, lambda index: self._made(data.valid, index, stored, method), len(data.train), total)

    def label_part(self, samples: SampleSet, label_of: Callable[[int], NDArray[Any]] | None = None) -> None:
        """Label one part as `label_all` does, or with what `label_of` makes of each index: a mask or a soft label."""
        stored = self._stored_masks(samples.ids) if self.config.labels and label_of is None else None
        self._label(samples, label_of or (lambda index: self._made(samples, index, stored, None)), 0, len(samples))

    def label_anew(self, samples: SampleSet, params: Any, draw: int) -> list[float]:
        """Replace the labels of a part, see `annotate`; |new - old| over their union, for each."""
        changed = []
        for index in range(len(samples)):
            label = self._in_kind(self.annotate(samples, index, params=params, draw=draw))
            old = samples.labels[index].astype(np.float32)
            union = float(np.maximum(old, label).sum())
            changed.append(float(np.abs(old - label).sum()) / union if union else 0.0)
            samples.set_label(index, label)
        return changed

    def _label(self, samples: SampleSet, label_of: Callable[[int], NDArray[Any]], done: int, total: int) -> None:
        for index in range(len(samples)):
            label = label_of(index)
            samples.set_label(index, label)
            self._write(samples.ids[index], label)
            self._on_image("labelling", done + index + 1, total)

    def _made(self, samples: SampleSet, index: int, stored: dict[str, str] | None, method: str | None) -> NDArray[Any]:
        if stored is not None:
            return self._read_label(stored[samples.ids[index]], self.config.label_kind == "soft")
        return self._in_kind(self.annotate(samples, index, method=method))

    def _in_kind(self, found: ImageLabels) -> NDArray[Any]:
        return found.soft() if self.config.label_kind == "soft" else found.mask()

    def use_true_masks(self, data: Data) -> None:
        """Take the true masks of the training and validation images as labels."""
        for samples in (data.train, data.valid):
            if samples.masks is None:
                raise InputError("the true masks of the training images are needed and were not read")
            for index, mask in enumerate(samples.masks):
                samples.set_label(index, mask)

    def _stored_masks(self, ids: list[str]) -> dict[str, str]:
        """Path of the stored mask of each sample: ``DATASET/ID`` below the folder, or ``ID``."""
        folder = self.config.labels
        if not os.path.isdir(folder):
            raise InputError(f"{folder}: no such folder; labels names the folder of the masks to train on")
        paths = list_masks(folder)
        out = {name: paths.get(name) or paths.get(name.partition("/")[2]) for name in ids}
        missing = [name for name, path in out.items() if path is None]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InputError(f"{folder}: there is no mask for {missing[0]}{more}")
        chosen = {name: path for name, path in out.items() if path is not None}
        if self.config.label_kind == "mask":
            threshold = self.config.mask_threshold
            for note in survey_masks(list(chosen.values()), folder, threshold, noun="mask", need_targets=True):
                self._on_note(note)
        return chosen

    def _read_label(self, path: str, soft: bool) -> NDArray[Any]:
        grey = read_grey_mask(path)
        if soft:
            return grey.soft().astype(np.float32)
        complaint = grey.complaint(self.config.mask_threshold)
        if complaint:
            raise InputError(f"{complaint} (`mask_threshold`)")
        for note in grey.notes(self.config.mask_threshold):
            self._on_note(note)
        return grey.mask(self.config.mask_threshold)

    def _write(self, name: str, label: NDArray[Any]) -> None:
        if self.folder is None:
            return
        data = encode_mask(label) if label.dtype == bool else encode_soft(label)
        write_whole(os.path.join(self.folder, LABELS, f"{name}.png"), data)
