"""Writes points in every format that is read, from the formats' descriptions: a writer per format.

Each takes a folder and, by the name of each image, its size (height, width) and its points (row, column) with the
centres of pixels at whole numbers; it returns the path that a reader takes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from pointlabel.io.points.images import point_image
from tests.point_samples import npy

Images = Mapping[str, tuple[tuple[int, int], Sequence[tuple[float, float]]]]


def _corner(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """(x, y) from the corner of the first pixel."""
    return ((column + 0.5, row + 0.5) for row, column in points)


def _shares(shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """(x, y) in shares of the image's size."""
    return ((x / shape[1], y / shape[0]) for x, y in _corner(points))


def _each(folder: Path, images: Images, suffix: str, text: Callable[..., str | bytes]) -> str:
    """A file for each image."""
    for name, (shape, points) in images.items():
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text(name, shape, points)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(folder)


def _whole(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def write_csv(folder: Path, images: Images, *, corner: bool = False) -> str:
    path, shift = folder / "points.csv", 0.5 if corner else 0.0
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "x", "y"])
        for name, (_, points) in images.items():
            writer.writerows((f"{name}.png", repr(c + shift), repr(r + shift)) for r, c in points)
            if not points:
                writer.writerow((f"{name}.png", "", ""))
    return str(path)


def write_boxes(folder: Path, images: Images) -> str:
    path = folder / "boxes.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "x", "y", "w", "h"])
        for name, (_, points) in images.items():
            # Three pixels wide and five high: the box begins one and two pixels before the centre.
            writer.writerows((f"{name}.png", repr(c - 1), repr(r - 2), 3, 5) for r, c in points)
    return str(path)


def write_labelme(folder: Path, images: Images) -> str:
    def text(name: str, shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> str:
        shapes: list[dict[str, Any]] = [
            {"label": "t", "points": [[x, y]], "group_id": None, "shape_type": "point", "flags": {}}
            for x, y in _corner(points)
        ]
        about = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{Path(name).name}.png"}
        return json.dumps(about | {"imageData": None, "imageHeight": shape[0], "imageWidth": shape[1]})

    return _each(folder, images, ".json", text)


def write_cvat(folder: Path, images: Images) -> str:
    parts = ["<annotations><version>1.1</version><meta/>"]
    for k, (name, (shape, points)) in enumerate(images.items()):
        parts.append(f'<image id="{k}" name={quoteattr(name + ".png")} width="{shape[1]}" height="{shape[0]}">')
        if points:
            places = ";".join(f"{x!r},{y!r}" for x, y in _corner(points))
            parts.append(f'<points label="t" source="manual" occluded="0" points="{places}" z_order="0"></points>')
        parts.append("</image>\n")
    return _whole(folder, "annotations.xml", "".join([*parts, "</annotations>\n"]))


def write_label_studio(folder: Path, images: Images) -> str:
    tasks = []
    for name, (shape, points) in images.items():
        results = [
            {
                "id": f"r{k}",
                "type": "keypointlabels",
                "original_width": shape[1],
                "original_height": shape[0],
                "image_rotation": 0,
                "value": {"x": 100 * x, "y": 100 * y, "width": 0.5, "keypointlabels": ["t"]},
            }
            for k, (x, y) in enumerate(_shares(shape, points))
        ]
        annotation = {"id": 1, "was_cancelled": False, "result": results}
        tasks.append({"id": 1, "data": {"image": f"/data/local-files/?d={name}.png"}, "annotations": [annotation]})
    return _whole(folder, "tasks.json", json.dumps(tasks))


def write_coco(folder: Path, images: Images) -> str:
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for k, (name, (shape, points)) in enumerate(images.items()):
        listed.append({"id": k, "file_name": f"{name}.png", "width": shape[1], "height": shape[0]})
        annotations += [
            {"id": len(annotations) + n, "image_id": k, "category_id": 1, "keypoints": [x, y, 2], "num_keypoints": 1}
            for n, (x, y) in enumerate(_corner(points))
        ]
    categories = [{"id": 1, "name": "t", "keypoints": ["center"], "skeleton": []}]
    whole = {"images": listed, "categories": categories, "annotations": annotations}
    return _whole(folder, "coco.json", json.dumps(whole))


def write_coco_boxes(folder: Path, images: Images) -> str:
    path = write_coco(folder, images)
    data = json.loads(Path(path).read_text())
    for item in data["annotations"]:
        x, y, _ = item.pop("keypoints")
        item["bbox"] = [x - 1.5, y - 2.5, 3, 5]
    return _whole(folder, "coco.json", json.dumps(data))


def write_datumaro(folder: Path, images: Images) -> str:
    items = []
    for name, (shape, points) in images.items():
        flat = [value for place in _corner(points) for value in place]
        marks = {"id": 0, "type": "points", "label_id": 0, "points": flat, "visibility": [2] * len(points)}
        image = {"path": f"{name}.png", "size": list(shape)}
        items.append({"id": name, "annotations": [marks] if points else [], "image": image})
    labels = {"label": {"labels": [{"name": "t", "parent": "", "attributes": []}], "attributes": []}}
    return _whole(folder, "default.json", json.dumps({"info": {}, "categories": labels, "items": items}))


def write_labelu(folder: Path, images: Images) -> str:
    samples = []
    for name, (shape, points) in images.items():
        marks = [{"x": x, "y": y, "visible": True, "label": "t", "order": 1} for x, y in _corner(points)]
        tools = [{"toolName": "pointTool", "result": marks}]
        result = {"width": shape[1], "height": shape[0], "rotate": 0, "annotations": tools}
        samples.append({"id": 1, "result": json.dumps(result), "fileName": f"{name}.png"})
    return _whole(folder, "labelu.json", json.dumps(samples))


def write_yolo(folder: Path, images: Images) -> str:
    def text(name: str, shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> str:
        return "".join(f"0 {x!r} {y!r} 0.1 0.1\n" for x, y in _shares(shape, points))

    (folder / "data.yaml").write_text("names: [t]\n")
    _each(folder / "labels", images, ".txt", text)
    return str(folder)


def write_yolo_pose(folder: Path, images: Images) -> str:
    def text(name: str, shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> str:
        return "".join(f"0 0.5 0.5 1 1 {x!r} {y!r} 2 0 0 0\n" for x, y in _shares(shape, points))

    (folder / "data.yaml").write_text("kpt_shape: [2, 3]\nnames:\n  0: t\n")
    return _each(folder, images, ".txt", text)


def write_bestie(folder: Path, images: Images) -> str:
    def text(name: str, shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> str:
        return "".join(f"{column!r} {row!r} 0 0.9\n" for row, column in points)

    return _each(folder, images, ".txt", text)


def write_sirst_xml(folder: Path, images: Images) -> str:
    def text(name: str, shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> str:
        centroids = "".join(
            f"<object><name>Target</name><centroid><yc>{row + 1!r}</yc><xc>{column + 1!r}</xc></centroid></object>"
            for row, column in points
        )
        size = f"<size><width>{shape[1]}</width><height>{shape[0]}</height><depth>1</depth></size>"
        return f"<annotation><filename>x</filename>{size}{centroids or '<!-- <centroid> -->'}</annotation>"

    return _each(folder, images, ".xml", text)


def write_mclc(folder: Path, images: Images) -> str:
    def data(name: str, shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> bytes:
        if not points:
            return npy({"name": name, "centroid_label_y": 0, "centroid_label_x": 0, "target_type": "non_target"})
        rows, columns = ([point[k] for point in points] for k in (0, 1))
        return npy({"name": name, "centroid_label_y": rows, "centroid_label_x": columns, "target_type": ["Spot"]})

    return _each(folder, images, ".npy", data)


def write_napari(folder: Path, images: Images) -> str:
    def text(name: str, shape: tuple[int, int], points: Sequence[tuple[float, float]]) -> str:
        rows = "".join(f"{k}.0,{row!r},{column!r}\n" for k, (row, column) in enumerate(points))
        return f"index,axis-0,axis-1\n{rows}"

    return _each(folder, images, ".csv", text)


def write_manifest(folder: Path, images: Images) -> str:
    lines = []
    for name, (shape, points) in images.items():
        targets = [{"x": column, "y": row, "flags": [], "polarity": "bright"} for row, column in points]
        about = {"id": name, "status": "ok", "height": shape[0], "width": shape[1], "image": f"{name}.png"}
        lines.append(json.dumps(about | {"targets": targets}) + "\n")
    return _whole(folder, "manifest.jsonl", "".join(lines))


def write_one_pixel(folder: Path, images: Images) -> str:
    for name, (shape, points) in images.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        point_image(list(points), shape).save(path)
    return str(folder)


#: The format of each writer, and the writer.
WRITERS: dict[str, tuple[str, Callable[[Path, Images], str]]] = {
    "csv": ("csv", write_csv),
    "csv boxes": ("csv", write_boxes),
    "labelme": ("labelme", write_labelme),
    "cvat": ("cvat", write_cvat),
    "label-studio": ("label-studio", write_label_studio),
    "coco": ("coco", write_coco),
    "coco boxes": ("coco", write_coco_boxes),
    "datumaro": ("datumaro", write_datumaro),
    "labelu": ("labelu", write_labelu),
    "yolo": ("yolo", write_yolo),
    "yolo pose": ("yolo", write_yolo_pose),
    "bestie": ("bestie", write_bestie),
    "sirst-xml": ("sirst-xml", write_sirst_xml),
    "mclc": ("mclc", write_mclc),
    "napari": ("napari", write_napari),
    "manifest": ("manifest", write_manifest),
    "one-pixel": ("one-pixel", write_one_pixel),
}
