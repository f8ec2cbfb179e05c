"""Which images train, validate and test: given lists of ids, or parts drawn by a seed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from ..io.datasets import POINT_FOLDERS, SPLIT_FOLDER, Dataset, open_dataset, open_images, read_split, with_masks
from ..io.files import check_distinct
from ..io.images import normal_id
from ..io.layouts.lists import choose_list
from ..io.layouts.parts import Parts
from ..io.layouts.rules import find_layout, image_place
from ..io.points.checks import check_points, told_or_refused
from ..io.points.look import look_at_some
from ..io.text import read_text
from .config import PAPER_RATIO, TrainConfig
from .draw import PARTS, draw_split, parse_ratio, torn_folders
from .registry import get_strategy


@dataclass(frozen=True, slots=True)
class Split:
    """The ids of one data set by part, and notes about them."""

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One data set before it is read: its three parts and its split."""

    name: str
    train: Dataset
    val: Dataset
    test: Dataset | None
    split: Split


def plan_split(folder: str, ids: Sequence[str], config: TrainConfig) -> Split:
    """Decide on the parts of one data set.

    Lists of the data set go first. Without a validation list a seeded share of the training ids is held out. Without
    any list all images train but for that share, and under the protocol "paper" 6:2:2 is drawn.

    Raises
    ------
    InputError
        Where there are lists but none for training, or too few images for the parts.
    """
    parts = find_layout(folder)
    names = [each.name for each in parts.lists]
    given = {part: _read(parts, part, config.lists) for part in PARTS}
    notes = []
    if names and given["train"] is None:
        raise InputError(f"{folder}: {_shown(parts)}/ holds {', '.join(names)} but no list train.txt")
    if config.protocol == "paper" and given["train"] is None:
        drawn = draw_split(ids, parse_ratio(":".join(str(n) for n in PAPER_RATIO)), config.seed)
        notes.append(f"{folder}: no lists in {SPLIT_FOLDER}/, 6:2:2 is drawn by seed {config.seed}")
        return Split(drawn["train"], drawn["val"], drawn["test"], tuple(notes))
    if config.protocol == "paper":
        notes.append(f"{folder}: the protocol paper takes the lists of {_shown(parts)}/ in place of a draw of 6:2:2")
    train, val, test = given["train"], given["val"], given["test"]
    if train is None:
        train = tuple(ids)
        notes.append(
            f"{folder}: no lists in {SPLIT_FOLDER}/, so that all images train and none test; "
            "pointlabel split draws lists"
        )
    notes += _shared_ids(folder, train, val or (), test or ())
    if val is None:
        if len(train) < 2:
            raise InputError(f"{folder}: the training part must hold at least two images, got {len(train)}")
        drawn = draw_split(train, (1 - config.val_share, config.val_share), config.seed)
        train, val = drawn["train"], drawn["test"]
    torn = torn_folders({"train": train, "val": val, "test": test or ()})
    if torn:
        more = f" and {len(torn) - 1} more" if len(torn) > 1 else ""
        notes.append(
            f"{folder}: images of one folder are in several parts, which frames of a sequence should not be: "
            f"{torn[0]}{more}"
        )
    return Split(train, val, test or (), tuple(notes))


def open_sources(folders: Sequence[str], config: TrainConfig, *, train_masks: bool) -> list[Source]:
    """Open data sets with their parts; the names of their folders distinguish several.

    Points that are neither "centroid" nor "coarse" name a folder or a table, and the data set may then be any folder of
    images; true masks need ``images/`` and ``masks/`` in it all the same.

    Parameters
    ----------
    folders : the data sets.
    config : for the points, the protocol, the share held out and the seed.
    train_masks : whether the training and validation images need true masks.

    Raises
    ------
    InputError
        Where a data set is given twice, a file is missing, or a part is empty.
    """
    check_distinct(folders, "data set")
    names = [normal_id(os.path.basename(os.path.abspath(folder))) for folder in folders]
    if len(set(names)) < len(names):
        names = [f"{name}-{k}" for k, name in enumerate(names, start=1)]
    sources = [_open_source(folder, name, config, train_masks) for folder, name in zip(folders, names, strict=True)]
    return keep_to(sources, config.train_ids) if config.train_ids else sources


def keep_to(sources: Sequence[Source], path: str) -> list[Source]:
    """Keep the training parts to the ids of a list; validation and test stay as they are.

    Parameters
    ----------
    sources : data sets with their parts.
    path : text file, one ``DATASET/ID`` a line, or ``ID`` alone where one data set has it.

    Raises
    ------
    InputError
        Where the file is no such list, names what is no training image, or leaves a data set without one.
    """
    lines = read_text(path, "a list of ids", "surrogateescape").splitlines()
    words = [normal_id(line.strip()) for line in lines]
    homes: dict[str, list[int]] = {}
    for place, source in enumerate(sources):
        for each in source.split.train:
            homes.setdefault(f"{source.name}/{each}", []).append(place)
            homes.setdefault(each, []).append(place)
    kept: list[set[str]] = [set() for _ in sources]
    for number, word in enumerate(words, start=1):
        if not word:
            continue
        places = homes.get(word, [])
        if len(places) != 1:
            what = "is in several data sets, write DATASET/ID" if places else "is not among the training images"
            raise InputError(f"{path}, line {number}: {word} {what}")
        source = sources[places[0]]
        kept[places[0]].add(word.removeprefix(f"{source.name}/") if word not in source.split.train else word)
    out = []
    for source, chosen in zip(sources, kept, strict=True):
        ids = tuple(each for each in source.split.train if each in chosen)
        if not ids:
            raise InputError(f"{path}: names no training image of {source.name}")
        part = _part(source.train, ids, source.train.folder, "train")
        out.append(replace(source, train=part, split=replace(source.split, train=ids)))
    return out


def split_hash(sources: Sequence[Source]) -> str:
    """Hexadecimal hash of which image of which data set is in which part."""
    digest = hashlib.sha256()
    for source in sources:
        for part in PARTS:
            for image_id in sorted(getattr(source.split, part)):
                digest.update(f"{part}\t{source.name}\t{image_id}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _open_source(folder: str, name: str, config: TrainConfig, train_masks: bool) -> Source:
    whole = _open_points(folder, config)
    split = plan_split(folder, [entry.id for entry in whole.entries], config)
    train, val = _part(whole, split.train, folder, "train"), _part(whole, split.val, folder, "val")
    notes = [*split.notes]
    for part in (train, val):
        bare = [entry.id for entry in part.entries if entry.points is None]
        if bare:
            what = "training" if part is train else "validation"
            notes.append(f"{folder}: {len(bare)} {what} images without points count as empty; the first: {bare[0]}")
    notes += _check_points(train, folder, config)
    if train_masks:
        train, val = (with_masks(part, what="training on true masks") for part in (train, val))
    test = None
    if split.test:
        test = _part(whole, split.test, folder, "test")
        test = with_masks(test, what="the test part is scored with true masks and")
    return Source(name, train, val, test, replace(split, notes=tuple(notes)))


def _check_points(train: Dataset, folder: str, config: TrainConfig) -> list[str]:
    """What looks wrong with the points of the training images as a whole; where it is sure, it is refused."""
    name = os.path.join(folder, POINT_FOLDERS[config.points]) if config.points in POINT_FOLDERS else config.points
    looked = look_at_some([(entry.image, entry.points) for entry in train.entries if entry.points is not None])
    # Where no method makes labels of the points, it does not matter whether targets are bright.
    polarity = "auto" if get_strategy(config.strategy).has_own_labels else config.polarity
    return [note.text for note in told_or_refused(check_points(looked, name, polarity))]


def _open_points(folder: str, config: TrainConfig) -> Dataset:
    """The images with their points, without masks."""
    points = config.points
    if points in POINT_FOLDERS:
        return open_dataset(folder, points=points, masks=False)
    images = os.path.join(folder, "images")
    found = open_images(
        images if os.path.isdir(images) else image_place(folder),
        points,
        origin=config.origin,
        points_format=None if config.points_format == "auto" else config.points_format,
        allow_pickle=config.allow_pickle,
    )
    return replace(found, name=os.path.basename(os.path.abspath(folder)), folder=folder)


def _part(whole: Dataset, ids: tuple[str, ...], folder: str, part: str) -> Dataset:
    by_id = {entry.id: entry for entry in whole.entries}
    missing = [name for name in ids if name not in by_id]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{folder}: the list {part} names images that images/ does not hold: {missing[0]}{more}")
    if not ids:
        raise InputError(f"{folder}: the part {part} of the split is empty")
    return Dataset(whole.name, whole.folder, tuple(by_id[name] for name in ids))


def _read(parts: Parts, part: str, which: str) -> tuple[str, ...] | None:
    chosen = choose_list(parts, part, which, ", or its end by `lists`")
    return None if chosen is None else tuple(read_split(parts.root, chosen.name))


def _shown(parts: Parts) -> str:
    return os.path.relpath(parts.list_folder, parts.root)


def _shared_ids(folder: str, train: Sequence[str], val: Sequence[str], test: Sequence[str]) -> list[str]:
    """A sentence for each two lists that share ids."""
    out = []
    lists = (("train", train), ("val", val), ("test", test))
    for k, (first, ours) in enumerate(lists):
        for second, theirs in lists[k + 1 :]:
            both = sorted(set(ours) & set(theirs))
            if both:
                more = f" and {len(both) - 1} more" if len(both) > 1 else ""
                out.append(f"{folder}: the lists {first} and {second} share images: {both[0]}{more}")
    return out
