"""Millions of small things in little memory: as bytes, where Python's own objects take hundreds of bytes each.

Bytes lie in one block each, which goes back to the system at once when it is dropped; of small objects a part stays.
"""

from __future__ import annotations

import pickle
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from itertools import islice
from typing import Any, TypeVar, overload

T = TypeVar("T")

_PROTOCOL = 3  # later ones spend bytes on frames
#: Items of a `PackedRuns` that are packed together.
_RUN = 64


class _Blobs:
    """Pieces of bytes, one after the other in one block."""

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self.data, self.ends = bytearray(), array("Q", [0])
        for piece in pieces:
            self.add(piece)

    def add(self, piece: bytes) -> None:
        self.data += piece
        self.ends.append(len(self.data))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, k: int) -> bytearray:
        return self.data[self.ends[k] : self.ends[k + 1]]


class _Made(Sequence[T]):
    """A sequence that makes the item at place k, from 0, by `_item`."""

    def _item(self, k: int) -> T:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        places = range(len(self))[index]
        return self._item(places) if isinstance(places, int) else [self._item(k) for k in places]


class Packed(_Made[T]):
    """A sequence whose items are made anew each time they are asked for.

    Parameters
    ----------
    items : what can be pickled; anything small of Python's own types takes a few tens of bytes.
    make : makes an item of what was put in; None where that is the item.
    """

    def __init__(self, items: Iterable[Any] = (), make: Callable[[Any], T] | None = None) -> None:
        self._blobs, self._make = _Blobs(), make
        for item in items:
            self.append(item)

    def append(self, item: Any) -> None:
        """Put one at the end."""
        self._blobs.add(pickle.dumps(item, _PROTOCOL))

    def __len__(self) -> int:
        return len(self._blobs)

    def _item(self, k: int) -> T:
        item = pickle.loads(self._blobs[k])
        return item if self._make is None else self._make(item)


class PackedRuns(_Made[T]):
    """As `Packed`, for items that are asked for in their order: some are packed together, and take a tenth.

    Parameters
    ----------
    items : as for `Packed`.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._blobs, self._n = _Blobs(), 0
        self._last: tuple[int, list[T]] = -1, []
        rest = iter(items)
        while run := list(islice(rest, _RUN)):
            self._blobs.add(zlib.compress(pickle.dumps(run, _PROTOCOL), 1))
            self._n += len(run)

    def __len__(self) -> int:
        return self._n

    def _item(self, k: int) -> T:
        number, place = divmod(k, _RUN)
        if self._last[0] != number:
            self._last = number, pickle.loads(zlib.decompress(self._blobs[number]))
        return self._last[1][place]


class SortedNames(Set[str]):
    """A set of names in their order.

    Parameters
    ----------
    names : in their order, each once.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._blobs = _Blobs(map(_bytes_of, names))

    @classmethod
    def of(cls, names: Collection[str]) -> SortedNames:
        """These names; themselves where they are packed."""
        return names if isinstance(names, cls) else cls(sorted(names))

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> SortedNames:  # type: ignore[override]
        return cls(sorted(it))

    def __len__(self) -> int:
        return len(self._blobs)

    def __getitem__(self, position: int) -> str:
        return self._blobs[range(len(self))[position]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.position(name) is not None

    def position(self, name: str) -> int | None:
        """Place of a name in the order, from 0; None where it is not in the set."""
        # Bytes of UTF-8 have the order of the characters, so no name is decoded to be compared.
        key, data, ends = _bytes_of(name), self._blobs.data, self._blobs.ends
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if data[ends[middle] : ends[middle + 1]] < key:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and data[ends[low] : ends[low + 1]] == key else None


def _bytes_of(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")  # bytes of a file's name that are no UTF-8 come as lone surrogates
