"""Which columns of a table hold what: names of a header, in any case and with the aliases that tools use."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import InputError

#: Names of each column, the likeliest first.
ALIASES = {
    "image": (
        "image", "filename", "file_name", "file", "image_path", "imagepath", "image_name", "imagename", "img",
        "img_path", "path",
    ),
    "sequence": ("sequence", "video", "seq"),
    "frame": ("frame", "frame_id", "frame_number", "frame_index"),
    "label": ("label", "class", "class_name", "category"),
    "id": ("id", "target_id", "track_id", "object_id"),
    "tightness": ("tightness",),
    "polarity": ("polarity",),
}  # fmt: skip
#: Names of the columns of a point beside x and y, which go first.
POINTS = (
    ("cx", "cy"),
    ("center_x", "center_y"),
    ("centre_x", "centre_y"),
    ("x_center", "y_center"),
    ("xc", "yc"),
    ("centroid_x", "centroid_y"),
    ("col", "row"),
    ("column", "row"),
)
#: Names of a box: left, top, right and bottom.
EDGES = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("left", "top", "right", "bottom"),
)
#: Names of a box: left, top, width and height.
SIZES = (
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
    ("xmin", "ymin", "w", "h"),
    ("xmin", "ymin", "width", "height"),
)


class Columns(NamedTuple):
    """Where a table has what.

    Attributes
    ----------
    at : place of each column of `ALIASES` that the table has.
    kind : "point", "edges" or "size", what `places` are.
    places : of x and y, or of the four columns of a box.
    names : of these, as the header has them.
    """

    at: dict[str, int]
    kind: str
    places: tuple[int, ...]
    names: tuple[str, ...]


def normal_header(cells: list[str]) -> list[str]:
    """Names of a header in lower case; spaces and hyphens become ``_``."""
    return ["_".join(cell.replace("-", " ").split()).lower() for cell in cells]


def find_columns(path: str, cells: list[str]) -> Columns:
    """Find the columns by the header of a table.

    Raises
    ------
    InputError
        Where the image or the point cannot be found, or a column is there twice.
    """
    names = normal_header(cells)
    found = _point_columns(names)
    at = {}
    for column, aliases in ALIASES.items():
        name = next((alias for alias in aliases if alias in names), None)
        if name is not None:
            at[column] = names.index(name)
    if "frame" not in at:
        at.pop("sequence", None)
    if found is None or not ("image" in at or "frame" in at):
        if found is None:
            others = "; ".join(", ".join(each) for each in (POINTS[0], POINTS[-2], EDGES[0]))
            missing = f"image, x, y (or such as {others})"
        else:
            missing = f"image (or such as {', '.join((*ALIASES['image'][1:4], ALIASES['frame'][0]))})"
        given = ", ".join(" ".join(cell.split()) for cell in cells)[:200]
        raise InputError(f"{path}: the header must name {missing}, got {given}")
    for name in (*found[1], *(names[place] for place in at.values())):
        if names.count(name) > 1:
            raise InputError(f"{path}: the header names the column {name} twice")
    return Columns(at, found[0], tuple(names.index(name) for name in found[1]), found[1])


def has_points(cells: list[str]) -> bool:
    """Whether a first line may be the header of a table of points."""
    names = normal_header(cells)
    images = (*ALIASES["image"], *ALIASES["frame"])
    return _point_columns(names) is not None and any(name in names for name in images)


def _point_columns(names: list[str]) -> tuple[str, tuple[str, ...]] | None:
    """The kind and the names of the columns that hold the point."""
    there = set(names)
    edges = next((each for each in EDGES if there.issuperset(each)), None)
    size = next((each for each in SIZES if there.issuperset(each)), None)
    is_point = there.issuperset(("x", "y"))
    # x and y are a point, also beside a box with names of its own; with w and h alone they are the corner of a box.
    if is_point and (edges is not None or size is None or size[0] != "x" or "left" in there):
        return "point", ("x", "y")
    for pair in POINTS:
        if there.issuperset(pair):
            return "point", pair
    if edges is not None:
        return "edges", edges
    if size is not None:
        return "size", size
    return None
