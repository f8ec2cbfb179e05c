"""The images of a session: which there are, what is known of each, and those that are open."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError, PointLabelError
from ..folder.settings import RunSettings
from ..io.images import ImageFile
from ..io.points.base import PointEntry
from .history import History
from .opened import OpenImage, Worst, open_image

#: Bytes of images that are kept open.
_OPEN_BYTES = 512 << 20
_NUMBER = re.compile(r"([0-9]+)")


@dataclass(slots=True)
class Item:
    """One image of the list.

    Attributes
    ----------
    index : its number in the list, from 0.
    file : where it is.
    history : what was done in it; None before anybody has looked at it.
    is_logged : whether the journal knows what it started from.
    worst : of its targets, as far as they were labelled.
    error : a sentence where it cannot be worked on.
    version : of its last change, counted over all images, so that a page sees what is new.
    """

    index: int
    file: ImageFile
    history: History | None = None
    is_logged: bool = False
    worst: Worst = field(default_factory=Worst)
    error: str | None = None
    version: int = 0

    @property
    def status(self) -> str:
        """One of "error", "done" (accepted), "doubtful" (a target is to be looked at) and "todo"."""
        if self.error is not None:
            return "error"
        if self.history is not None and self.history.state.is_accepted:
            return "done"
        return "doubtful" if self.worst.n_doubtful else "todo"

    @property
    def n_mended(self) -> int:
        """Masks that were mended by hand."""
        return 0 if self.history is None else sum(click.is_edited for click in self.history.state.clicks)


class Images:
    """The images of a session.

    Parameters
    ----------
    files : of the list, in any order.
    settings : what labels.
    given : the points that images start from, by id.

    Attributes
    ----------
    items : one per image, folder by folder, numbers in names in the order of their values: 2 before 10.
    lock : held while anything of an image is read or changed.
    settings : what labels.
    version : how many changes there were; see `Item.version`.
    """

    def __init__(self, files: Sequence[ImageFile], settings: RunSettings, given: Mapping[str, PointEntry]) -> None:
        self.items = [Item(index, file) for index, file in enumerate(sorted(files, key=_natural))]
        for item in self.items:
            if item.file.rivals:
                names = ", ".join((item.file.shown, *item.file.rivals))
                item.error = f"{names}: images with the same id; rename one"
        self.lock = threading.RLock()
        self.settings, self.given = settings, given
        self.version, self.last_asked = 0, 0.0
        self._by_id = {item.file.id: item for item in self.items}
        self._open: OrderedDict[int, OpenImage] = OrderedDict()

    def item(self, index: int) -> Item:
        """An image by its number; `InputError` where there is none."""
        if not 0 <= index < len(self.items):
            raise InputError(f"there is no image {index}; the list has {len(self.items)}")
        return self.items[index]

    def find(self, image_id: object) -> Item | None:
        """An image by its id."""
        return self._by_id.get(image_id) if isinstance(image_id, str) else None

    def mark(self, item: Item) -> None:
        """Count a change of an image."""
        with self.lock:
            self.version += 1
            item.version = self.version

    def is_open(self, index: int) -> bool:
        """Whether an image is read already."""
        return index in self._open

    def open(self, index: int) -> OpenImage:
        """Read an image, or take it from those that are open.

        Raises
        ------
        InputError
            Where it cannot be read; the list then says why.
        """
        item = self.item(index)
        self.last_asked = time.monotonic()
        with self.lock:
            opened = self._open.get(index)
            if opened is not None:
                self._open.move_to_end(index)
                return opened
        if item.file.rivals:
            raise InputError(item.error or "")
        try:  # without the lock, so that others go on meanwhile
            opened = open_image(item.file, self.settings, item.history, self.given.get(item.file.id))
        except PointLabelError as error:
            item.error = str(error)
            self.mark(item)
            raise
        with self.lock:
            if index in self._open:  # another thread was faster
                return self._open[index]
            item.history = opened.board.history
            if opened.board.labeller is not self.settings.labeller:
                opened.board.relabel(self.settings.labeller, self.settings.tightness)
            self._open[index] = opened
            while len(self._open) > 2 and sum(each.size for each in self._open.values()) > _OPEN_BYTES:
                self._open.popitem(last=False)
        return opened

    def close(self, index: int) -> None:
        """Let go of the pixels of an image."""
        with self.lock:
            self._open.pop(index, None)

    def use(self, settings: RunSettings) -> None:
        """Label by other settings from now on."""
        with self.lock:
            self.settings = settings
            for opened in self._open.values():
                opened.board.relabel(settings.labeller, settings.tightness)


def _natural(file: ImageFile) -> tuple[list[list[str | int]], list[str | int]]:
    """Order of an image in the list: by its folder, then by its name."""
    parts = [_NUMBER.split(part) for part in file.id.split("/")]
    *folders, name = ([int(piece) if k % 2 else piece for k, piece in enumerate(part)] for part in parts)
    return folders, name
