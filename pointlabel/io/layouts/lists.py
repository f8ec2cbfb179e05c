"""Lists of ids by name: which of a data set's lists `--split test` means, and what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...errors import InputError, name_hint
from ..images import FilePattern, normal_id, strip_suffix
from ..text import read_text
from .parts import IdList, Parts

#: Names of one data set, in small letters and digits alone.
_ALIASES = (
    ("sirst", "sirstv1", "nuaasirst"),
    ("sirstv2", "opensirstv2"),
    ("irstd1k", "irstd1000"),
    ("nustsirst", "mdvsfa", "mdfa"),
)
#: What a part is called where there is no list of its own name.
_OTHER_NAMES = {"train": ("trainval",), "val": ("valid", "validation")}


def same_dataset(one: str, other: str) -> bool:
    """Whether two names are those of one data set: SIRST, SIRST-v1 and NUAA-SIRST are, for example."""
    names = ["".join(letter for letter in name.lower() if letter.isalnum()) for name in (one, other)]
    return names[0] == names[1] or any(names[0] in group and names[1] in group for group in _ALIASES)


def choose_list(parts: Parts, name: str, which: str = "", hint: str = "") -> IdList | None:
    """The list that `name` means; None where there is none.

    It is the list of that name, else the only one whose name goes on with ``_``, else of these the one that goes on
    with the data set's name: ``test_SIRST3`` in the folder SIRST3. ``train`` may be ``trainval``.

    Parameters
    ----------
    parts : of the data set.
    name : of a list, or of a part.
    which : ``NAME_WHICH`` and ``WHICH/NAME`` go first, where they are there.
    hint : the end of the sentence where several are possible.

    Raises
    ------
    InputError
        Where several lists are possible.
    """
    wanted = name.removesuffix(".txt")
    chosen = [each for each in parts.lists if which and each.name in (f"{wanted}_{which}", f"{which}/{wanted}")]
    if chosen:
        return chosen[0]
    for word in (wanted, *_OTHER_NAMES.get(wanted, ())):
        exact = [each for each in parts.lists if each.name == word]
        if exact:
            return exact[0]
        found = [each for each in parts.lists if _base(each) == word]
        found = found or [each for each in parts.lists if _base(each).startswith(f"{word}_")]
        if len(found) > 1:
            own = os.path.basename(os.path.abspath(parts.root))
            ours = [each for each in found if same_dataset(_base(each).removeprefix(f"{word}_"), own)]
            found = ours if len(ours) == 1 else found
        if len(found) > 1:
            names = " or ".join(each.name for each in found)
            raise InputError(f"{parts.root}: the list {name} may be {names}; give the whole name{hint}")
        if found:
            return found[0]
    return None


def read_list(parts: Parts, chosen: IdList, ids: Iterable[str]) -> list[str]:
    """Ids of a list in the order of the file, each once.

    Blank lines are left out; ids may carry the suffix of an image and a leading ``/``.

    Parameters
    ----------
    parts : of the data set.
    chosen : one of its lists.
    ids : of the images, for lists that are folders.

    Raises
    ------
    InputError
        Where it holds no id.
    """
    if chosen.path is None:
        found = [each for each in ids if each.startswith(f"{chosen.folder}/")]
    else:
        lines = read_text(chosen.path, "a list of ids", "surrogateescape").splitlines()
        found = [listed_id(parts, line) for line in lines if line.strip()]
    if not found:
        raise InputError(f"{chosen.path or os.path.join(parts.root, chosen.folder)}: the list holds no id")
    return list(dict.fromkeys(found))


def listed_id(parts: Parts, line: str) -> str:
    """The id that a line of a list names."""
    name = normal_id(strip_suffix(line.strip().replace("\\", "/").lstrip("/")))
    if isinstance(parts.images, FilePattern):
        return parts.images.id_of(name) or name
    return name


def no_such_list(parts: Parts, name: str) -> InputError:
    """The error where a data set has no list of a name."""
    names = [each.name for each in parts.lists]
    where = parts.list_folder or os.path.join(parts.root, "img_idx")
    return InputError(f"{where}: there is no list {name.removesuffix('.txt')}.txt; {name_hint(name, names)}")


def _base(each: IdList) -> str:
    return each.name.rpartition("/")[2]
