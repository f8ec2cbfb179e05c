"""What the page offers beside clicks: proposals, carried targets, a learned style, a data set."""

from __future__ import annotations

import base64
import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._values import as_choice, as_number
from ..calibration import changes, verdict
from ..errors import InputError
from ..evaluation.metrics import count_overlap
from ..io.exchange.convert import convert
from ..io.exchange.table import FORMATS
from ..methods.targets import window_around
from ..session import Session
from ..session.carry import Carried, carry
from ..session.dataset import write_dataset
from ..session.learn import FEWEST, Example, Learned, learn_style
from ..session.proposals import Finder, Proposal, propose
from ..types import ImageLabels
from .describe import describe_item, mask_bits

#: Proposals that are shown of an image.
_MOST = 24
#: Formats of other tools that masks can be exported to.
EXPORTS = [name for name, form in FORMATS.items() if form.write is not None]
#: Pixels around a carried target in its small picture.
_AROUND_PX = 13


class Helpers:
    """Answers beside those of `Page`.

    Parameters
    ----------
    session : what does the work.
    out : its output folder.
    finder : a trained detector that proposes targets, None for the classical one.
    """

    def __init__(self, session: Session, out: str, finder: Finder | None = None) -> None:
        self.session, self.out, self.finder = session, out, finder
        self._learned: Learned | None = None
        self._busy = threading.Lock()

    def about(self) -> dict[str, Any]:
        """What the page shows of it from the start."""
        about = {"out": self.out, "detector": self.finder is not None, "formats": EXPORTS}
        return about | {"mended": self.session.n_mended, "fewest": FEWEST}

    def after(self, index: int) -> dict[str, Any]:
        """What an action may have changed."""
        return {"mended": self.session.n_mended}

    def proposals(self, index: int) -> list[dict[str, Any]]:
        """Candidates of an image, the likeliest first."""
        opened = self.session.open(index)
        return [_describe_proposal(each) for each in propose(opened.board, opened.full, self.finder)[:_MOST]]

    def carry(self, index: int, target: Any) -> dict[str, Any]:
        """Carry a target to the images after this one."""
        found = carry(self.session, index, as_number(target, "target", 1, whole=True))
        return {
            "carried": [self._describe_carried(each) for each in found],
            "images": [describe_item(self.session.item(each.index)) for each in found],
        }

    def _describe_carried(self, each: Carried) -> dict[str, Any]:
        """A carried target with a small picture of it: grey levels in base64, over the range of the picture."""
        board = self.session.open(each.index).board
        top, bottom, left, right = window_around((each.row, each.column), _AROUND_PX, board.shape)
        with self.session.lock:
            label = board.label_of(each.number)
        assert label is not None
        mask = ImageLabels(board.shape, (label,)).mask()[top:bottom, left:right]
        levels = np.nan_to_num(board.image[top:bottom, left:right].astype(np.float64))
        grey = np.rint((levels - levels.min()) / max(float(np.ptp(levels)), 1e-9) * 255).astype(np.uint8)
        return {
            "index": each.index,
            "number": each.number,
            "trust": each.trust,
            "crop": [left, top, right - left, bottom - top],
            "grey": base64.b64encode(grey.tobytes()).decode(),
            "mask": mask_bits(mask),
        }

    def learn(self) -> dict[str, Any]:
        """Learn the style of the masks that were mended; nothing is applied."""
        with self._busy:
            self._learned = learned = learn_style(self.session)
        found = learned.found
        return {
            "worth": found.worth_using,
            "verdict": verdict(found),
            "changes": changes(found),
            "examples": [_describe_example(example) for example in learned.examples],
        }

    def use_style(self) -> dict[str, Any]:
        """Label all images by the style that was learned last."""
        if self._learned is None:
            raise InputError("no style was learned yet")
        self.session.use(self._learned.settings)
        self._learned = None
        return {"version": self.session.version}

    def dataset(self) -> dict[str, Any]:
        """Write a data set, and say how to train on it."""
        folder, command, n_images = write_dataset(self.session, self.out)
        return {"folder": folder, "command": command, "images": n_images}

    def export(self, form: Any) -> dict[str, Any]:
        """Write the masks to ``out/export/FORMAT``; what an earlier export wrote there is replaced."""
        as_choice(form, "format", EXPORTS)
        if not any(item.worst.n_targets for item in self.session.items):
            raise InputError("no image has a target yet; click on some first")
        folder = os.path.join(self.out, "export", form)
        with self._busy:
            self.session.flush()
            done = convert(self.out, folder, form, form="run", overwrite=True)
        return {"folder": folder, "images": done.n_images, "targets": done.n_targets}


def _describe_proposal(proposal: Proposal) -> dict[str, Any]:
    label = proposal.label
    (top, left), (height, width) = label.origin, label.mask.shape
    return {
        "x": proposal.column,
        "y": proposal.row,
        "score": round(proposal.score, 4),
        "weight": round(proposal.weight, 4),
        "presence": None if label.presence is None else round(label.presence, 4),
        "polarity": label.polarity,
        "crop": [left, top, width, height],
        "mask": mask_bits(label.mask),
    }


def _describe_example(example: Example) -> dict[str, Any]:
    height, width = example.mended.shape
    return {
        "index": example.index,
        "number": example.number,
        "crop": [example.origin[1], example.origin[0], width, height],
        "mended": mask_bits(example.mended),
        "before": mask_bits(example.before),
        "after": mask_bits(example.after),
        "iou_before": _iou(example.before, example.mended),
        "iou_after": _iou(example.after, example.mended),
    }


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    both, either = count_overlap(one, other)
    return round(both / max(either, 1), 4)
