"""The masks of a set checked as a whole: what is counted, and which sets are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..messages import Note
from .read import JUDGED_PX, MASK_THRESHOLD, check_threshold, read_true_mask

#: Masks that are looked at before a run, spread evenly over the set.
LOOKED_AT = 16

_SAID = {
    "empty_mask": "without a value above the threshold",
    "mask_levels": "with other values than 0 and their largest, cut at the threshold",
    "mask_cover": "that cover more than half of their image",
    "mask_alpha": "whose alpha channel shows another mask than their colours",
    "mask_image": "that look like images",
}


class MaskTally:
    """Counts what is to be known of the masks of a set, file by file."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self.n_files = self.n_filled = self.n_judged = self.n_dotted = 0

    def add(self, mask: NDArray[np.bool_], notes: Collection[Note]) -> None:
        """Count one mask, (H, W) bool, with the notes of `read_true_mask`."""
        is_filled = bool(mask.any())
        self.n_files += 1
        self.n_filled += is_filled
        self.n_judged += mask.size >= JUDGED_PX and (is_filled or any(note.kind == "mask_image" for note in notes))
        for note in notes:
            if note.kind in _SAID:
                self.counts[note.kind] += 1
                self.first.setdefault(note.kind, note.text)

    def sentences(self, noun: str) -> list[str]:
        """One sentence for each kind of note: how many `noun`, and the first file."""
        return [
            f"{noun} {text}: {self.counts[kind]}; the first: {self.first[kind]}"
            for kind, text in _SAID.items()
            if self.counts[kind]
        ]


def survey_masks(
    paths: Sequence[str],
    where: str,
    threshold: float = MASK_THRESHOLD,
    *,
    noun: str = "true mask",
    need_targets: bool = False,
) -> tuple[Note, ...]:
    """Check some masks before a run, more while none has a target, and refuse a set that holds no true masks.

    Files that cannot be read are skipped: the next step that reads them reports them.

    Parameters
    ----------
    paths : the mask files, at least one.
    where : their folder, for messages.
    threshold : as for `read_mask`.
    noun : what a file is called.
    need_targets : whether masks that hold nothing but 0 are refused too, where there are no others.

    Returns
    -------
    What is to be known of the set as a whole.

    Raises
    ------
    InputError
        Where `threshold` is outside of [0, 255), no mask has a target at it, or most masks look like images or cover
        more than half of theirs.
    """
    check_threshold(threshold)
    tally, n_read = MaskTally(), 0
    n = len(paths)
    chosen = [k * n // LOOKED_AT for k in range(LOOKED_AT)] if n > LOOKED_AT else list(range(n))
    for index in (*chosen, *(k for k in range(n) if k not in set(chosen))):
        if n_read >= len(chosen) and tally.n_filled:
            break
        n_read += 1
        try:
            mask, notes = read_true_mask(paths[index], threshold)
        except InputError:
            continue
        tally.add(mask, notes)
        tally.n_dotted += _is_dotted(mask)
    return _judged(tally, where, threshold, noun, need_targets)


def _judged(tally: MaskTally, where: str, threshold: float, noun: str, need_targets: bool) -> tuple[Note, ...]:
    n_images, n_covering = tally.counts["mask_image"], tally.counts["mask_cover"]
    if n_images > tally.n_judged / 2:
        raise InputError(
            f"{where}: {n_images} of {tally.n_judged} files looked at are images, not {noun}s; "
            f"the first: {tally.first['mask_image']}"
        )
    if tally.n_files and not tally.n_filled and (need_targets or tally.counts["empty_mask"]):
        why = tally.first.get("empty_mask", "they hold nothing but 0")
        raise InputError(f"{where}: every {noun} is empty at `mask_threshold={threshold:g}`; {why}")
    if n_covering > tally.n_judged / 2:
        raise InputError(
            f"{where}: {n_covering} of {tally.n_judged} {noun}s cover more than half of their image; targets are "
            f"above `mask_threshold`, white on black; the first: {tally.first['mask_cover']}"
        )
    if tally.n_filled and tally.n_dotted == tally.n_filled:
        text = f"{where}: every target of the {noun}s looked at is one pixel; are they points?"
        return (Note("mask_points", text),)
    return ()


def _is_dotted(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask holds targets, all of one pixel."""
    if not mask.any():
        return False
    beside = (
        mask[1:] & mask[:-1],
        mask[:, 1:] & mask[:, :-1],
        mask[1:, 1:] & mask[:-1, :-1],
        mask[1:, :-1] & mask[:-1, 1:],
    )
    return not any(pair.any() for pair in beside)
