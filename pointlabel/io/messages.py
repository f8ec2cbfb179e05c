"""Messages of a reader about a file that it could still use."""

from __future__ import annotations

from typing import NamedTuple

#: Kinds of notes. The command line says the first of each kind and counts the rest where there are many.
NOTE_KINDS = {
    "channels": "the image is in colour and its channels differ",
    "pages": "the image file holds several pages",
    "orientation": "the image file has an orientation tag, which is left alone",
    "turned": "white is zero in the image file",
    "missing": "parts of the image file are left out",
    "nodata": "pixels of the image hold the file's nodata value",
    "scaled": "the points were made on an image of another size",
    "dropped": "a point is not finite or lies outside the image",
    "duplicate": "two points lie in the same pixel",
    "touching": "most points of an image touch each other",
    "no_points": "an image has no point file and no row",
    "unused_points": "a point file has no image",
    "unknown_images": "a table names images that are not there",
    "columns": "columns of a table were left unused",
    "boxes": "the points are the centres of a table's boxes",
    "shapes": "marks that are no points were left unused",
    "polarity": "most points lie on spots of the other polarity",
    "swapped": "x and y look swapped",
    "outside": "most points lie outside their images",
    "off_peak": "most points lie on no spot",
    "two_levels": "the images hold two grey levels only",
    "shifted": "most points lie beside their spots, on the same side",
    "mostly_empty": "at many points no target was found",
    "no_targets": "no image has a point",
    "tightness": "tightness values were left unused",
    "empty_mask": "a true mask holds values, but none above the threshold",
    "mask_levels": "a mask holds several values, cut at the threshold",
    "mask_cover": "a true mask covers more than half of its image",
    "mask_alpha": "the alpha channel of a mask is read in place of its colours, or shows another mask",
    "mask_image": "a mask file looks like an image",
    "mask_points": "every target of a set of masks is one pixel",
    "true_area": "no true mask lies near a point",
    "window": "no grey level of an image lies in the window of its overlay",
    "manifest": "lines of the manifest could not be read",
    "gone": "images of the earlier run are not among the images now",
}


class Note(NamedTuple):
    """One thing to know about a file: a kind out of `NOTE_KINDS` and a sentence."""

    kind: str
    text: str
