"""A session on a folder: its images, a journal of all that is done, and the files that `annotate` writes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import InputError
from ..folder.plan import find_images
from ..folder.settings import RunSettings
from ..io.lock import hold_folder
from ..io.points.base import PointEntry
from ..io.points.match import match_points
from ..types import TargetLabel
from .background import Background
from .history import History
from .images import Images, Item
from .journal import Journal
from .opened import OpenImage, Worst, points_hash
from .output import OutputFiles, open_files, worst_of
from .state import Action, Click, start_state

#: Where an action is played again whose image is not open, any place will do: it was checked when it was done.
_ANY_SHAPE = (1 << 31, 1 << 31)


@dataclass(frozen=True, slots=True)
class Change:
    """What an action changed.

    Attributes
    ----------
    changed : whether anything.
    touched : numbers of the targets of which anything is another than before, new ones among them.
    """

    changed: bool
    touched: tuple[int, ...] = ()


class Session:
    """Images, their targets and the output; made by `open_session`. Safe to use from several threads.

    Attributes
    ----------
    notes : what to say about the folders as a whole.
    """

    def __init__(self, images: Images, output: OutputFiles, journal: Journal) -> None:
        self.notes = list(output.notes)
        self._images, self._journal = images, journal
        self._play()
        self._background = Background(images, output)
        self._take_up(output)
        self._mended = {item.index: item.n_mended for item in images.items}
        self._background.start()

    @property
    def items(self) -> list[Item]:
        """One per image, in the order in which they are shown; see `Images`."""
        return self._images.items

    @property
    def settings(self) -> RunSettings:
        """What labels."""
        return self._images.settings

    @property
    def lock(self) -> threading.RLock:
        """Held while anything of an image is read or changed."""
        return self._images.lock

    @property
    def version(self) -> int:
        """How many changes there were; see `Item.version`."""
        return self._images.version

    @property
    def n_mended(self) -> int:
        """Masks that were mended by hand."""
        return sum(self._mended.values())

    @property
    def n_pending(self) -> int:
        """Images with points that wait to be labelled for the first time."""
        return self._background.n_pending

    @property
    def fault(self) -> str | None:
        """Why files could not be written the last time; None where they could. What was done is in the journal."""
        return self._background.fault

    def item(self, index: int) -> Item:
        """An image by its number; `InputError` where there is none."""
        return self._images.item(index)

    def is_open(self, index: int) -> bool:
        """Whether an image is read already."""
        return self._images.is_open(index)

    def open(self, index: int) -> OpenImage:
        """Read an image, or take it from those that are open; `InputError` where it cannot be read."""
        return self._images.open(index)

    def do(self, index: int, action: Action) -> Change:
        """Do an action in an image; it is in the journal before this returns.

        Raises
        ------
        InputError
            Where the action breaks a rule (`state.apply_action`), or the image cannot be worked on.
        OutputError
            Where the journal could not be written; the action is taken back.
        """
        opened, item = self.open(index), self.item(index)
        with self.lock:
            board = opened.board
            if item.error is not None:
                raise InputError(item.error)
            before = {click.number: (click, label) for click, label in _pairs(opened)}
            copy = board.history.copy()
            if not board.do(action):
                return Change(False)
            try:
                after = _pairs(opened)
                self._log(item, board.history, action)
            except BaseException:
                board.history.restore(copy)
                raise
            item.worst = Worst.of(board.labels)
            self._mended[index] = item.n_mended
            self._images.mark(item)
            self._background.write_soon(item)
        return Change(True, tuple(click.number for click, label in after if not _is_same(before, click, label)))

    def use(self, settings: RunSettings) -> None:
        """Label all images by other settings from now on; masks that are there are made again, one after the other."""
        with self.lock:
            self._journal.append({"settings": settings.stamp()})
            self._images.use(settings)
            for item in self.items:
                if item.history is not None and item.error is None:
                    self._background.write_soon(item, after=0)

    def flush(self) -> None:
        """Write all that was done and not written yet."""
        self._background.flush()

    def close(self) -> None:
        """Write what is left, and end."""
        try:
            self._background.close()
        finally:
            self._journal.close()

    def _play(self) -> None:
        """Do again what the journal says."""
        for number, entry in enumerate(self._journal.entries, start=2):
            item = self._images.find(entry.get("image"))
            if item is None:  # settings, or an image that is gone; its line stays
                continue
            try:
                if "start" in entry:
                    item.history = History(start_state(entry["start"]))
                else:
                    item.history = item.history or History()
                    item.history.do({key: entry[key] for key in entry if key != "image"}, _ANY_SHAPE)
            except (InputError, AttributeError, TypeError) as error:
                raise InputError(f"{self._journal.path}, line {number}: cannot be done again ({error})") from error
            item.is_logged = True
        self._journal.entries.clear()

    def _take_up(self, output: OutputFiles) -> None:
        """Look at what the manifest has: images whose files are not of what was done last are written again."""
        stamp = self.settings.stamp()
        for item in self.items:
            record = output.records.get(item.file.id)
            if record is not None:
                item.worst = worst_of(record)
                if item.history is None:
                    item.history = History(start_state(output.points_of(record)))
            if item.history is not None:
                wanted = {**stamp, "points_sha256": points_hash(item.history.state)}
                is_old = record is None or any(record.get(key) != value for key, value in wanted.items())
                if item.is_logged and (is_old or item.n_mended):
                    self._background.write_soon(item, after=0)
            elif item.file.id in self._images.given and item.error is None:
                self._background.label_some_time(item)
        if any(item.is_logged for item in self.items):  # a kill may have come between the masks and the table
            self._background.write_clicks_soon()

    def _log(self, item: Item, history: History, action: Action) -> None:
        if not item.is_logged:
            first = [click.start() for click in history.first.clicks]
            if first:
                self._journal.append({"image": item.file.id, "start": first})
            item.is_logged = True
        self._journal.append({"image": item.file.id, **action})


def _is_same(before: dict[int, tuple[Click, TargetLabel]], click: Click, label: TargetLabel) -> bool:
    """Whether a target is what it was, in what was asked for and in its mask."""
    pair = before.get(click.number)
    return pair is not None and pair[0] is click and pair[1] is label


def _pairs(opened: OpenImage) -> list[tuple[Click, TargetLabel]]:
    return list(zip(opened.board.state.clicks, opened.board.labels.targets, strict=True))


@contextmanager
def open_session(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    settings: RunSettings | None = None,
    *,
    points: str | os.PathLike[str] | None = None,
    origin: str = "center",
    points_format: str | None = None,
    allow_pickle: bool = False,
) -> Iterator[Session]:
    """Work on a folder of images; what an earlier session or `annotate` did in `out` goes on.

    Parameters
    ----------
    images : a folder with its sub-folders, one file, or a glob.
    out : gets ``masks/ID.png`` and ``manifest.jsonl`` as `annotate` writes them, ``clicks.csv``, ``journal.jsonl``.
    settings : of the default method; None for those of the earlier session or run in `out`, else the defaults.
    points : where images that nobody has clicked in yet start from, as for `annotate`; None for no points.
    origin, points_format, allow_pickle : as for `pointlabel.io.points.readers.open_points`.

    Raises
    ------
    InputError
        Where nothing is found, another run holds `out`, or `out` holds what would be lost.
    OutputError
        Where `out` cannot be written.
    """
    place, pattern = os.fspath(out), os.fspath(images)
    found = find_images([pattern], place if points is None else os.fspath(points), place)
    given: Mapping[str, PointEntry] = {}
    if points is not None:  # which may name frames of what was found
        found, _, bound = match_points(found, points, origin, points_format=points_format, allow_pickle=allow_pickle)
        given = bound.entries
    with hold_folder(place, "serve", f"on {pattern}"):
        output, journal = open_files(place, settings, found)
        try:
            session = Session(Images(found.files, output.settings, given), output, journal)
        except BaseException:
            journal.close()
            raise
        try:
            yield session
        finally:
            session.close()
