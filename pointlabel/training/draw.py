"""Parts of a data set drawn by a seed: single images, or whole folders of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .._values import as_choice
from ..errors import InputError, shown

#: Parts in the order of a ratio, and the name of the list of each.
PARTS = ("train", "val", "test")
#: What a split may keep together.
GROUPS = ("none", "folder", "top", "twins")


def parse_ratio(text: str) -> tuple[float, ...]:
    """``6:2:2`` (training, validation, test) or ``1:1`` (training, test) -> shares that add up to 1.

    Raises
    ------
    InputError
        Where it is neither, or a number is not positive.
    """
    try:
        numbers = [float(word) for word in text.split(":")]
    except (ValueError, TypeError, AttributeError):
        numbers = []
    if len(numbers) not in (2, 3) or not all(0 < number < float("inf") for number in numbers):
        raise InputError(f"ratio must be two or three positive numbers such as 6:2:2, got {shown(text)}")
    return tuple(number / sum(numbers) for number in numbers)


def draw_split(
    ids: Sequence[str],
    shares: Sequence[float],
    seed: int,
    group: str = "none",
    twins: Mapping[str, str] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Draw parts of the given shares; each keeps the order of the ids. No part is empty.

    Parameters
    ----------
    ids : to share out.
    shares : of the parts, two or three that add up to 1.
    seed : of the draw.
    group : out of `GROUPS`: what of the ids stays together.
    twins : what each id stays together with, for the group "twins".

    Raises
    ------
    InputError
        Where there are fewer ids, or groups of them, than parts.
    """
    names = PARTS if len(shares) == 3 else ("train", "test")
    as_choice(group, "group", GROUPS)
    if group != "none":
        homes = {each: group_of(each, group) for each in ids} if twins is None else twins
        return _draw_groups(ids, dict(zip(names, shares, strict=True)), seed, group, homes)
    if len(ids) < len(names):
        raise InputError(f"a split into {len(names)} parts needs as many images, got {len(ids)}")
    order = np.random.default_rng(seed).permutation(len(ids))
    edges = np.rint(np.cumsum([0.0, *shares]) * len(ids)).astype(int)
    for k in range(1, len(names)):  # at least one image in each part
        edges[k] = min(max(edges[k], edges[k - 1] + 1), len(ids) - (len(names) - k))
    ranges = zip(names, edges[:-1], edges[1:], strict=True)
    return {name: tuple(ids[k] for k in sorted(order[low:high])) for name, low, high in ranges}


def _draw_groups(
    ids: Sequence[str], shares: dict[str, float], seed: int, group: str, homes: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Parts of whole groups: the largest first, each to the part that lacks most; equal ones in an order drawn."""
    members: dict[str, list[int]] = {}
    for index, each in enumerate(ids):
        members.setdefault(homes[each], []).append(index)
    if len(members) < len(shares):
        raise InputError(
            f"a split into {len(shares)} parts needs as many groups ({group}) of images, got {len(members)}"
        )
    keys = list(members)
    drawn = [keys[k] for k in np.random.default_rng(seed).permutation(len(keys))]
    parts: dict[str, list[int]] = {name: [] for name in shares}
    for n_left, key in zip(range(len(drawn), 0, -1), sorted(drawn, key=lambda key: -len(members[key])), strict=True):
        bare = [name for name in parts if not parts[name]]
        choices = bare if n_left <= len(bare) else list(parts)
        lacking = {name: shares[name] * len(ids) - len(parts[name]) for name in choices}
        parts[max(choices, key=lambda name: lacking[name])] += members[key]
    return {name: tuple(ids[k] for k in sorted(chosen)) for name, chosen in parts.items()}


def group_of(image_id: str, group: str) -> str:
    """What an id stays together with: its folder, or the first folder of its path; alone where it lies in none."""
    folder = image_id.rpartition("/")[0]
    return (folder if group == "folder" else folder.partition("/")[0]) or f"/{image_id}"


def torn_folders(parts: Mapping[str, Sequence[str]]) -> list[str]:
    """Folders, below that of the images, whose images are in more than one part; sorted."""
    homes: dict[str, set[str]] = {}
    for name, ids in parts.items():
        for each in ids:
            homes.setdefault(each.rpartition("/")[0], set()).add(name)
    return sorted(folder for folder, names in homes.items() if folder and len(names) > 1)
