"""What every point reader returns. In the program, points are (row, column) with pixel centres at whole numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from ...errors import InputError
from ..messages import Note


class NotPointsError(InputError):
    """A file holds more or other marks than clicks could be: a mask, or an image."""


class PointRow(NamedTuple):
    """One point as its file gives it.

    Attributes
    ----------
    row, column : in pixels of the image the file was made on, centres at whole numbers; may be NaN or infinite.
    place : its position in the file, for messages ("line 7"; empty where the file has no places).
    given : the values as written in the file, for messages; empty where `value` says as much.
    tightness : the point's own tightness in [0, 1], None where the file gives none.
    label, id : the file's names of the point, empty where it gives none.
    polarity : the point's own polarity, out of `methods.polarity.POLARITIES`, None where the file gives none.
    """

    row: float
    column: float
    place: str = ""
    given: str = ""
    tightness: float | None = None
    label: str = ""
    id: str = ""
    polarity: str | None = None

    @property
    def value(self) -> str:
        """What the file says of the place, for messages."""
        return self.given or f"(x, y) = ({self.column:g}, {self.row:g})"


def own_polarities(rows: Sequence[PointRow], default: str) -> list[str] | None:
    """Polarity of each point: its own where it has one, else the default; None where none has its own."""
    if all(row.polarity is None for row in rows):
        return None
    return [row.polarity or default for row in rows]


class PointSet(NamedTuple):
    """The points of one image as a file gives them, before they are fitted to the image.

    Attributes
    ----------
    file : the file's name, for messages.
    rows : the points in the order of the file.
    shape : (height, width) of the image the points were made on, None where the file does not say.
    sha256 : hexadecimal hash of what the points depend on.
    in_shares : whether the points are shares of the image's size: pixels of an image of 1 x 1, with its centre at 0 and
        its edges at -0.5 and 0.5.
    """

    file: str
    rows: tuple[PointRow, ...]
    shape: tuple[int, int] | None
    sha256: str
    in_shares: bool = False


class PointEntry(Protocol):
    """The points of one image, to be read by the process that works on it; can be pickled."""

    def load(self) -> PointSet:
        """Read the points; raise `InputError` where that fails."""


class Bound(NamedTuple):
    """The points of a file or folder, matched with images.

    Attributes
    ----------
    entries : image id -> its points; images without points are missing.
    unknown : (id, sentence) for points that belong to no image.
    frames : ids that frames would have where the sequences that rows name are files of frames: ``clip#000123``.
    """

    entries: Mapping[str, PointEntry]
    unknown: list[tuple[str, str]]
    frames: Collection[str] = ()


class PointSource(Protocol):
    """A file or folder that holds the points of many images.

    Attributes
    ----------
    has_tightness : whether points may carry their own tightness.
    names_images : True where points without an image are an error of the run (a table that names images),
        False where it is enough to say so (a folder that may cover more images).
    what : what its entries are called, for messages ("point images", "names").
    notes : messages about the file as a whole.
    """

    has_tightness: bool
    names_images: bool
    what: str
    notes: tuple[Note, ...]

    def bind(self, ids: Collection[str], root: str | None = None) -> Bound:
        """Match the points with the image ids of a run, whose images lie below `root`."""
