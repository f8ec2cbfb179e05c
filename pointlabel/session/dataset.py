"""A data set of what a session has labelled, for `pointlabel train`."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass

from ..errors import InputError, OutputError
from ..io.files import make_folder, write_whole
from ..io.frames import file_of
from ..io.stacks import split_frame
from ..io.writers import MASKS, WRITERS, suffix_of
from .folder import Session
from .output import CLICKS_NAME, write_clicks

#: What `train` is told beside the data: what did best of points alone, on a detector that a CPU trains in minutes.
SETTINGS = ("--strategy", "offline", "--model", "tiny", "--crop", "128", "--mine")
EPOCHS = 80


@dataclass(frozen=True, slots=True)
class TrainingData:
    """A data set that was written.

    Attributes
    ----------
    folder : where it lies.
    run : folder of the run that trains on it.
    n_images : how many it holds.
    epochs : of that run.
    """

    folder: str
    run: str
    n_images: int
    epochs: int = EPOCHS

    @property
    def words(self) -> tuple[str, ...]:
        """What trains on it, after the word pointlabel."""
        labels = os.path.join(self.folder, "masks")
        return ("train", self.folder, "--labels", labels, *SETTINGS, "--epochs", str(self.epochs), "-o", self.run)

    @property
    def command(self) -> str:
        """What trains on it, for a shell."""
        return shlex.join(("pointlabel", *self.words))


def write_dataset(session: Session, out: str, epochs: int = EPOCHS) -> TrainingData:
    """Write ``out/dataset-N`` with images (links where there can be), masks and clicks.

    It holds the images that were accepted; where none was, all that have targets. N is one that no run has either.

    Raises
    ------
    InputError
        Where no image has a target.
    OutputError
        Where it cannot be written.
    """
    session.flush()
    worked = [item for item in session.items if item.history is not None and item.error is None]
    chosen = [item for item in worked if item.status == "done"]
    chosen = chosen or [item for item in worked if item.history is not None and item.history.state.clicks]
    if not any(item.history is not None and item.history.state.clicks for item in chosen):
        raise InputError("no image has a target yet; click on some first")
    places = ((os.path.join(out, f"dataset-{n}"), os.path.join(out, f"run-{n}")) for n in range(1, 100_000))
    folder, run = next(pair for pair in places if not any(map(os.path.lexists, pair)))
    for item in chosen:
        opened = session.open(item.index)
        source, shown = item.file.path, item.file.shown
        if split_frame(source) is not None:  # its file is linked as a whole, and the clicks name its frames
            source, shown = file_of(source), file_of(shown)
        place = os.path.join(folder, "images", *shown.split("/"))
        make_folder(os.path.dirname(place))
        try:
            if not os.path.lexists(place):
                _link(os.path.abspath(source), place)
        except OSError as error:
            raise OutputError(f"cannot write {place} ({error.strerror or error})") from error
        with session.lock:
            data = WRITERS[MASKS].encode(opened.board.image, opened.board.labels)
        write_whole(os.path.join(folder, "masks", *f"{item.file.id}{suffix_of(MASKS)}".split("/")), data)
    rows = [(item.file.shown, item.history.state) for item in chosen if item.history is not None]
    write_clicks(os.path.join(folder, CLICKS_NAME), rows)
    return TrainingData(folder, run, len(chosen), epochs)


def _link(source: str, place: str) -> None:
    try:
        os.symlink(source, place)
    except (OSError, NotImplementedError):  # no links on this system
        shutil.copyfile(source, place)
