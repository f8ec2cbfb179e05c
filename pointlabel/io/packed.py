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


class Packed(Sequence[T]):
    """A sequence whose items are made anew each time they are asked for.

    Parameters
    ----------
    items : what can be pickled; anything small of Python's own types takes a few tens of bytes.
    make : makes an item of what was put in; None where that is the item.
    """

    def __init__(self, items: Iterable[Any] = (), make: Callable[[Any], T] | None = None) -> None:
        self._data, self._ends, self._make = bytearray(), array("Q", [0]), make
        for item in items:
            self.append(item)

    def append(self, item: Any) -> None:
        """Put one at the end."""
        self._data += pickle.dumps(item, _PROTOCOL)
        self._ends.append(len(self._data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        k = range(len(self))[index]
        item = pickle.loads(memoryview(self._data)[self._ends[k] : self._ends[k + 1]])
        return item if self._make is None else self._make(item)


class PackedRuns(Sequence[T]):
    """As `Packed`, for items that are asked for in their order: some are packed together, and take a tenth.

    Parameters
    ----------
    items : as for `Packed`.
    """

    def __init__(self, items: Iterable[T]) -> None:
        rest = iter(items)
        runs = iter(lambda: list(islice(rest, _RUN)), [])
        self._runs: Packed[list[T]] = Packed(
            (zlib.compress(pickle.dumps(run, _PROTOCOL), 1) for run in runs), _unpacked
        )
        self._n = max(0, len(self._runs) - 1) * _RUN + (len(self._runs[-1]) if len(self._runs) else 0)
        self._last: tuple[int, list[T]] = -1, []

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(self._n))]
        run, at = divmod(range(self._n)[index], _RUN)
        if self._last[0] != run:
            self._last = run, self._runs[run]
        return self._last[1][at]


def _unpacked(run: bytes) -> Any:
    return pickle.loads(zlib.decompress(run))


class SortedNames(Set[str]):
    """A set of names in their order.

    Parameters
    ----------
    names : in their order, each once.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._data, self._ends = bytearray(), array("Q", [0])
        for name in names:
            self._data += name.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._data))

    @classmethod
    def of(cls, names: Collection[str]) -> SortedNames:
        """These names; themselves where they are packed."""
        return names if isinstance(names, cls) else cls(sorted(names))

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> SortedNames:  # type: ignore[override]
        return cls(sorted(it))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, position: int) -> str:
        return self._data[self._ends[position] : self._ends[position + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.position(name) is not None

    def position(self, name: str) -> int | None:
        """Place of a name in the order, from 0; None where it is not in the set."""
        # Bytes of UTF-8 have the order of the characters, so no name is decoded to be compared.
        key, data, ends = name.encode("utf-8", "surrogatepass"), self._data, self._ends
        low, high = 0, len(ends) - 1
        while low < high:
            middle = (low + high) // 2
            if data[ends[middle] : ends[middle + 1]] < key:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and data[ends[low] : ends[low + 1]] == key else None
