"""What the page offers beside clicks: proposals, carried targets, a learned style, a training, masks for others."""

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
from ..session.dataset import EPOCHS, write_dataset
from ..session.learn import FEWEST, Example, Learned, learn_style
from ..session.proposals import Finder, Proposal, propose
from ..session.training import Progress, Training, missing_for_training
from ..types import ImageLabels
from .describe import describe_item, mask_bits

#: Proposals that are shown of an image.
_MOST = 24
#: Formats of other tools that masks can be exported to.
EXPORTS = [name for name, form in FORMATS.items() if form.write is not None]
#: Pixels around a carried target in its small picture.
_AROUND_PX = 13
#: Most epochs of a training.
_MOST_EPOCHS = 10_000


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
        self._training = Training(session, out)
        self._learned: Learned | None = None
        self._busy = threading.Lock()

    def about(self) -> dict[str, Any]:
        """What the page shows of it from the start."""
        about = {"out": self.out, "formats": EXPORTS, "mended": self.session.n_mended, "fewest": FEWEST}
        return about | {"epochs": EPOCHS, "train_needs": missing_for_training(), **self.news()}

    def close(self) -> None:
        """End what runs beside the session."""
        self._training.close()

    def news(self) -> dict[str, Any]:
        """What may have changed without an action."""
        return {"detector": self.finder is not None, "training": _brief(self._training.progress())}

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
        data = write_dataset(self.session, self.out)
        return {"folder": data.folder, "command": data.command, "images": data.n_images}

    def training(self) -> dict[str, Any]:
        """How far the training is, with its curves."""
        now = self._training.progress()
        if now.data is None:
            return _brief(now)
        best = max(now.iou, key=lambda pair: pair[1], default=None)
        return {
            **_brief(now),
            "images": now.data.n_images,
            "loss": now.loss,
            "iou": now.iou,
            "best": best,
            "said": now.said,
            "run": now.data.run,
            "command": now.command,
        }

    def train(self, body: dict[str, Any]) -> dict[str, Any]:
        """Start to train, or go on: ``{"epochs": N}`` or ``{"resume": true}``."""
        if body.get("resume") is True:
            self._training.resume()
        else:
            self._training.start(as_number(body.get("epochs", EPOCHS), "epochs", 1, _MOST_EPOCHS, whole=True))
        return self.training()

    def stop_training(self) -> dict[str, Any]:
        """Stop to train."""
        self._training.stop()
        return self.training()

    def use_training(self) -> dict[str, Any]:
        """Let the detector that was trained propose from now on, as it was in its best epoch."""
        data = self._training.progress().data
        if data is None:
            raise InputError("nothing was trained yet")
        from ..session.trained import open_detector  # loads torch

        with self._busy:
            self.finder = open_detector(data.run)
        return self.news()

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


def _brief(now: Progress) -> dict[str, Any]:
    """How far a training is, in three words."""
    return {"status": now.status, "epoch": len(now.loss), "epochs": 0 if now.data is None else now.data.epochs}
