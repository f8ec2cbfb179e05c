"""What can be wrong with a data set, and what is only to be known."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of finding: what it is, in words that follow a number, and whether it is wrong or only to be known."""

    what: str
    is_wrong: bool = True


KINDS = {
    "unreadable": Kind("files that cannot be read"),
    "same_id": Kind("files with the id of another one"),
    "no_mask": Kind("images without a mask"),
    "no_image": Kind("masks without an image"),
    "points_no_image": Kind("names of points without an image"),
    "mask_size": Kind("masks of another size than their image"),
    "point_size": Kind("files of points made on another size than their image"),
    "mask_faint": Kind("masks without a value above the threshold, which count as empty"),
    "mask_image": Kind("masks that look like images, or cover more than half of them"),
    "point_dropped": Kind("points outside of their image, or twice in one pixel"),
    "point_off": Kind("points outside of every target"),
    "point_shared": Kind("targets with several points"),
    "no_point": Kind("targets without a point"),
    "flat_image": Kind("images with the same value everywhere"),
    "identical": Kind("images whose file is that of another image"),
    "list_unreadable": Kind("lists that cannot be read, or hold no id"),
    "list_unknown": Kind("ids of lists without an image"),
    "list_twice": Kind("ids that a list names twice"),
    "list_shared": Kind("ids that are in a list for training and in one for validation or test"),
    "twins_torn": Kind("pairs of near twins, one for training and one for validation or test"),
    "list_form": Kind("lists with other than one bare id a line", False),
    "mask_levels": Kind("masks with other values than 0 and their largest", False),
    "no_target": Kind("images without a target", False),
    "colour": Kind("images in colour whose channels differ, read as their luma", False),
    "image_note": Kind("images of which something else is to be known", False),
    "twins": Kind("pairs of near twins", False),
    "mixed_depth": Kind("images of another depth than most", False),
    "fixed_elsewhere": Kind("masks that xdFai/EDGSP ships others for, in its folder fixed/", False),
}

#: Ids for which the repository xdFai/EDGSP ships masks of its own (``fixed/masks/``), by data set. Which of the two is
#: right, nobody says there.
FIXED_ELSEWHERE = {
    "IRSTD-1k": ("XDU0", "XDU325", "XDU337", "XDU919", "XDU925", "XDU943"),
    "NUDT-SIRST": ("000928",),
}
FIXED_ELSEWHERE["SIRST3"] = FIXED_ELSEWHERE["IRSTD-1k"] + FIXED_ELSEWHERE["NUDT-SIRST"]


class Finding(NamedTuple):
    """One finding: a kind out of `KINDS`, the id or the file that it is of, and more of it in words, maybe empty."""

    kind: str
    name: str
    text: str = ""
