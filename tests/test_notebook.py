"""Labels that show and save themselves, and what `annotate` takes as image and as points."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pointlabel import InputError, annotate, read_image
from pointlabel.io.exchange.base import Images
from pointlabel.io.exchange.table import FORMATS, file_in


def test_boxes_and_polygons_enclose_the_masks(scene):
    labels = annotate(scene.image, scene.points)
    for (row0, column0, row1, column1), target, rings in zip(
        labels.boxes().tolist(), labels.targets, labels.polygons(), strict=True
    ):
        assert (row0, column0, row1, column1) == target.box
        corners = np.concatenate(rings)
        assert corners.min(axis=0).tolist() == [row0 - 0.5, column0 - 0.5]
        assert corners.max(axis=0).tolist() == [row1 - 0.5, column1 - 0.5]
    assert annotate(scene.image, []).boxes().shape == (0, 4)


def test_one_point_and_images_in_colour_are_as_the_command_has_them(scene, tmp_path):
    labels = annotate(scene.image, scene.points[0])
    assert labels.mask().tolist() == annotate(scene.image, scene.points[:1]).mask().tolist()
    colour = np.stack([scene.image, scene.image // 2, scene.image // 3], axis=2)
    Image.fromarray(colour).save(tmp_path / "a.png")
    expected = annotate(read_image(tmp_path / "a.png"), scene.points)
    for image in (colour, np.dstack([colour, np.full(scene.image.shape, 9, np.uint8)])):
        assert annotate(image, scene.points).mask().tolist() == expected.mask().tolist()
    held = annotate(colour, scene.points).image
    assert held is not None
    assert held.tolist() == read_image(tmp_path / "a.png").tolist()
    with pytest.raises(InputError, match=r"image must be a non-empty 2-D array \(height, width\), got shape"):
        annotate(np.zeros((4, 5, 6)), [])


def test_a_frame_is_read_by_its_name(tmp_path):
    frames = np.arange(480, dtype=np.uint16).reshape(3, 10, 16)
    np.save(tmp_path / "clip.npy", frames)
    assert read_image(f"{tmp_path}/clip.npy#000002").tolist() == frames[2].tolist()
    assert read_image(tmp_path / "clip.npy").tolist() == frames[0].tolist()
    with pytest.raises(InputError, match="it holds 3 frames, counted from 0, and no frame 7"):
        read_image(f"{tmp_path}/clip.npy#000007")


def test_they_show_themselves(scene):
    labels = annotate(scene.image, scene.points)
    assert repr(labels).startswith("<Labels of 128 x 96 px, 3 targets of ")
    assert repr(annotate(scene.image, [])) == "<Labels of 128 x 96 px, 0 targets>"
    with Image.open(io.BytesIO(labels._repr_png_())) as picture:
        assert picture.format == "PNG"


def test_plot_draws_every_target(scene):
    pytest.importorskip("matplotlib").use("agg")
    labels = annotate(scene.image, scene.points)
    axes = labels.plot()
    assert len(axes.lines) == 3 + sum(len(rings) for rings in labels.polygons())


def test_without_matplotlib_plot_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import numpy as np, pointlabel\n"
        "pointlabel.annotate(np.zeros((9, 9)), [4, 4]).plot()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError: plot needs matplotlib: pip install 'pointlabel[plot]'" in done.stderr


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("a.png", None),
        ("a.npz", None),
        ("a.json", None),
        ("a.xml", None),
        ("b.json", "labelme"),
        ("c.json", "label-studio"),
        ("n.png", "instances"),
        ("voc", "voc"),
        ("yolo", "yolo-seg"),
    ],
)
def test_saved_labels_are_read_again(file, form, scene, tmp_path):
    labels = annotate(scene.image, scene.points, method="threshold")
    (tmp_path / "images").mkdir()
    Image.fromarray(scene.image).save(tmp_path / "images/t1.png")
    name = form or {"png": "png", "npz": "npz", "json": "coco", "xml": "cvat"}[file[-3:].replace("son", "json")]
    for _ in range(2):  # a second time over the first
        labels.save(tmp_path / file, form, image_name="t1.png")
    read = FORMATS[name].read
    assert read is not None
    place = tmp_path if name == "npz" else file_in(str(tmp_path / file), FORMATS[name])
    (image,) = read(str(place), Images(tmp_path / "images"), 127)
    if name == "npz":
        assert image.soft is not None
        assert np.abs(image.soft - labels.soft()).max() < 1e-3
    else:
        assert image.mask().tolist() == labels.mask().tolist()


@pytest.mark.parametrize("name", ["a.png", "a.npz"])
def test_saved_labels_take_the_place_of_no_image(name, scene, tmp_path):
    if name == "a.png":
        Image.fromarray(scene.image).save(tmp_path / name)
    else:
        np.savez(tmp_path / name, frames=scene.image)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(InputError, match="not written by this program, or changed since"):
        annotate(scene.image, scene.points, method="threshold").save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == before


def test_one_grey_channel_is_an_image_and_masked_values_are_refused(scene):
    expected = annotate(scene.image, scene.points).mask().tolist()
    assert annotate(scene.image[..., None], scene.points).mask().tolist() == expected
    hidden = np.ma.masked_greater(scene.image, np.median(scene.image))
    for image, points in ((hidden, scene.points), (scene.image, np.ma.masked_greater(scene.points, 0))):
        with pytest.raises(InputError, match="has masked values; fill them, those of an image by NaN"):
            annotate(image, points)
    assert annotate(np.ma.array(scene.image), scene.points).mask().tolist() == expected


def test_a_suffix_of_no_format_is_told(scene, tmp_path):
    with pytest.raises(InputError, match=r"a\.jsn: no format has the suffix \.jsn; did you mean \.json\?"):
        annotate(scene.image, scene.points).save(tmp_path / "a.jsn")
    with pytest.raises(InputError, match="there is no format 'cocoo'; did you mean coco"):
        annotate(scene.image, scene.points).save(tmp_path / "a.json", "cocoo")
