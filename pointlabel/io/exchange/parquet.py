"""Tables of Apache Parquet, for millions of masks: a row per target with its mask as run lengths.

``targets-00000.parquet`` and so on, each of `ROWS` rows, hold the targets, ``images-00000.parquet`` and so on the
images, those without targets among them; both are in the order of the images. Specification: the columns below, which
are this program's own; ``rle`` is the compressed form of COCO (`rle`), of the whole image.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import groupby
from typing import Any

from ...errors import InputError, MissingExtraError
from ..files import check_regular
from ..outdir import name_error
from . import coco, rle
from .base import TARGET, ImageMasks, Images, MaskTarget, Out, check_shape, make_target, plain_file, score_of

TARGETS, IMAGES = "targets", "images"
SUFFIX = ".parquet"
#: Rows of a file; some ten megabytes of targets.
ROWS = 1 << 17
_BATCH = 4096  # rows that are made Python objects together
#: Column -> its type, of the two tables. `row` and `col` are the point, centres of pixels at whole numbers.
COLUMNS = {
    TARGETS: {
        "image_id": "string",
        "number": "int32",
        "label": "string",
        "row": "double",
        "col": "double",
        "area": "int64",
        "score": "double",
        "quality": "double",
        "presence": "double",
        "flags": "list<string>",
        "height": "int32",
        "width": "int32",
        "rle": "string",
    },
    IMAGES: {"image_id": "string", "file": "string", "height": "int32", "width": "int32", "n_targets": "int32"},
}


def check_installed() -> None:
    """Raise `MissingExtraError` where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise MissingExtraError("the format parquet needs pyarrow: pip install 'pointlabel[parquet]'")


def write_parquet(images: Iterable[ImageMasks], out: Out) -> None:
    """Write images and their targets, each table in files of `ROWS` rows; memory holds one file of each."""
    check_installed()
    tables = {name: _Table(name, out) for name in COLUMNS}
    for image in images:
        height, width = image.shape
        size = {"height": height, "width": width}
        tables[IMAGES].add({"image_id": image.id, "file": image.file, "n_targets": len(image.targets), **size})
        for number, target in enumerate(image.targets, start=1):
            row, column = target.point or (None, None)
            about: dict[str, Any] = {"image_id": image.id, "number": number, "label": target.label, **size}
            about |= {"row": row, "col": column, "area": target.area, "score": target.score}
            about |= {"quality": target.quality, "presence": target.presence, "flags": list(target.flags)}
            tables[TARGETS].add({**about, "rle": rle.encode(target.mask, target.origin, image.shape)})
    for table in tables.values():
        table.end()


class _Table:
    """Rows of one table, which become files; what waits is in columns, which take little memory."""

    def __init__(self, name: str, out: Out) -> None:
        import pyarrow

        self._name, self._out = name, out
        plain = {kind: pyarrow.type_for_alias(kind) for kind in ("string", "double", "int32", "int64")}
        types = {**plain, "list<string>": pyarrow.list_(pyarrow.string())}
        self._schema = pyarrow.schema([(column, types[kind]) for column, kind in COLUMNS[name].items()])
        self._rows: list[dict[str, Any]] = []
        self._batches: list[Any] = []
        self._n_files = 0

    def add(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self._rows.append(row)
        if len(self._rows) == _BATCH:
            self._gather()
        if len(self._batches) * _BATCH >= ROWS:
            self._write()

    def end(self) -> None:
        """Write what is left; a table without rows has one file too."""
        self._gather()
        if self._batches or not self._n_files:
            self._write()

    def _gather(self) -> None:
        import pyarrow

        if self._rows:
            self._batches.append(pyarrow.RecordBatch.from_pylist(self._rows, self._schema))
            self._rows = []

    def _write(self) -> None:
        import pyarrow
        import pyarrow.parquet

        buffer = io.BytesIO()
        table = pyarrow.Table.from_batches(self._batches, self._schema)
        pyarrow.parquet.write_table(table, buffer, compression="zstd")
        self._out.write(file_name(self._name, self._n_files), buffer.getvalue())
        self._n_files += 1
        self._batches = []


def file_name(table: str, number: int) -> str:
    """Name of a file of a table, counted from 0."""
    return f"{table}-{number:05d}{SUFFIX}"


def read_parquet(path: str, images: Images, threshold: float) -> Iterator[ImageMasks]:
    """Read the images of a folder of such tables, or of one file of targets, in their order.

    Rows of targets may have been removed or changed by other programs, as long as those of an image stay together and
    the images in order. Images without targets come from the table of images.

    Raises
    ------
    InputError
        Where a file is damaged, a column is missing, a value is not of its kind, or the order is another.
    """
    check_installed()
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    files = {
        table: [os.path.join(path, name) for name in names if name.startswith(f"{table}-") and name.endswith(SUFFIX)]
        for table in COLUMNS
    }
    if not files[TARGETS]:
        files = {TARGETS: [path], IMAGES: []}
    targets = groupby(_rows(files[TARGETS], TARGETS), key=lambda found: (found[1]["image_id"], *_size(found)))
    group = next(targets, None)
    for where, row in _rows(files[IMAGES], IMAGES):
        key = (row["image_id"], *_size((where, row)))
        found: list[MaskTarget] = []
        if group is not None and group[0] == key:
            found = [target for each in group[1] for target in _target(*each)]
            group = next(targets, None)
        yield ImageMasks(_id(row, where), key[1:], tuple(found), plain_file(row["file"] or ""))
    seen: set[str] = set()
    while group is not None:
        first = list(group[1])
        where, name = first[0][0], _id(first[0][1], first[0][0])
        if files[IMAGES] or name in seen:
            raise InputError(f"{where}: targets of {name} are not where the order of the images has them")
        seen.add(name)
        shown = images.file(name)
        yield ImageMasks(name, group[0][1:], tuple(t for each in first for t in _target(*each)), shown)
        group = next(targets, None)


def _rows(paths: Iterable[str], table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row of the files of a table, with its place for messages."""
    import pyarrow
    import pyarrow.parquet

    columns = COLUMNS[table]
    for path in paths:
        check_regular(path)
        number = 0
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                missing = [name for name in columns if name not in file.schema_arrow.names]
                if missing:
                    raise InputError(f"{path}: no table of {table}: it has no column {missing[0]}")
                for batch in file.iter_batches(_BATCH, columns=list(columns)):
                    for row in batch.to_pylist():
                        number += 1
                        yield f"{path}, row {number}", row
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: no table of Parquet, or a damaged file ({reason})") from None


def _id(row: dict[str, Any], where: str) -> str:
    name = row["image_id"]
    wrong = name_error(name)
    if wrong:
        raise InputError(f"{where}: image_id {name!r} {wrong}")
    return name


def _size(found: tuple[str, dict[str, Any]]) -> tuple[int, int]:
    where, row = found
    return check_shape(row["height"], row["width"], where)


def _target(where: str, row: dict[str, Any]) -> list[MaskTarget]:
    """The target of a row; an empty list where its mask is empty."""
    shape = _size((where, row))
    window = coco.window_of({"size": list(shape), "counts": row["rle"]}, shape, where)
    if window is None:
        return []
    point = row["row"], row["col"]
    if not all(value is None or (isinstance(value, float) and abs(value) < 1e9) for value in point):
        raise InputError(f"{where}: row and col must be finite numbers, got {point[0]} and {point[1]}")
    label, flags = row["label"] or TARGET, row["flags"] or []
    if not (isinstance(flags, list) and all(isinstance(text, str) for text in (label, *flags))):
        raise InputError(f"{where}: label and flags must be texts")
    return make_target(
        window[1],
        window[0],
        label,
        score_of(row["score"]),
        None if None in point else point,
        quality=score_of(row["quality"]),
        presence=score_of(row["presence"]),
        flags=tuple(flags),
    )
