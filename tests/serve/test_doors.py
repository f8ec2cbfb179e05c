"""Servers for other tools: requests as the tools send them, and the masks of `annotate` back."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from pointlabel import annotate
from pointlabel.folder import RunSettings
from pointlabel.io.exchange import rings, rle_pack
from pointlabel.serve.doors.clicks import Clicker
from pointlabel.serve.doors.label_studio import Shelf, build_label_studio
from pointlabel.serve.doors.x_anylabeling import build_x_anylabeling
from pointlabel.synthetic import draw_scene
from pointlabel.types import TargetLabel

SCENE = draw_scene(seed=0, shape=(64, 80), n_targets=2, dtype=np.uint16)
PIXELS = SCENE.points.astype(int)
HOST = "127.0.0.1:8000"
INTERFACE = """<View>
  <Image name="image" value="$image"/>
  <BrushLabels name="brush" toName="image"><Label value="drone"/></BrushLabels>
  <KeyPointLabels name="point" toName="image" smart="true"><Label value="drone"/></KeyPointLabels>
</View>"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def tool(said: list[str]) -> TestClient:
    """What X-AnyLabeling talks to."""
    return TestClient(build_x_anylabeling(Clicker(RunSettings()), (HOST,), said.append), base_url=f"http://{HOST}")


@pytest.fixture
def studio(draw_dataset: Callable[..., Path], said: list[str]) -> TestClient:
    """What Label Studio talks to: three images in 8 bits, and SCENE in 16 bits as deep/scene.tif."""
    folder = draw_dataset() / "images"
    (folder / "deep").mkdir()
    tifffile.imwrite(folder / "deep" / "scene.tif", SCENE.image)
    (folder.parent / "secret.png").write_bytes((folder / "0.png").read_bytes())
    door = build_label_studio(Clicker(RunSettings()), Shelf(folder), (HOST,), said.append)
    return TestClient(door, base_url=f"http://{HOST}")


def uri(image: np.ndarray, kind: str = "png") -> str:
    """The bytes of a file as X-AnyLabeling sends them; it calls a TIFF a JPEG."""
    buffer = io.BytesIO()
    if kind == "tif":
        tifffile.imwrite(buffer, image)
    else:
        Image.fromarray(image).save(buffer, kind)
    return f"data:image/{'jpeg' if kind == 'tif' else kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def mark(row: float, column: float, label: int = 1) -> dict[str, Any]:
    return {"type": "point", "data": [column, row], "label": label}


def ask(image: str, marks: list[dict[str, Any]]) -> dict[str, Any]:
    params = {"conf_threshold": 0.0, "iou_threshold": 0.0, "epsilon_factor": 0.001, "marks": marks}
    return {"model": "pointlabel", "image": image, "params": params}


def keypoint(row: float, column: float, **more: Any) -> dict[str, Any]:
    """A click at a place from the corner of the first pixel, as Label Studio sends it."""
    value = {"x": 100 * column / 80, "y": 100 * row / 64, "width": 0.3, "keypointlabels": ["drone"]}
    common = {"original_width": 80, "original_height": 64, "image_rotation": 0, "is_positive": True}
    return {"type": "keypointlabels", "from_name": "point", "to_name": "image", "value": value, **common, **more}


def request(image: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    params = {"login": None, "password": None, "context": {"result": results}}
    task = {"id": 1, "data": {"image": image}}
    return {"tasks": [task], "project": "1.2", "label_config": INTERFACE, "params": params}


def window(label: TargetLabel) -> np.ndarray:
    """The mask of a target in the whole image."""
    out = np.zeros((64, 80), bool)
    out[label.window] = label.mask
    return out


def unpacked(result: dict[str, Any]) -> np.ndarray:
    return rle_pack.unpack(result["value"]["rle"], (64, 80), "answer")


def filled(shape: dict[str, Any]) -> np.ndarray:
    out = np.zeros((64, 80), bool)
    found = rings.fill([[tuple(corner) for corner in shape["points"]]], (64, 80))
    assert found is not None
    (top, left), mask = found
    out[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return out


def test_x_anylabeling_shows_one_model_with_buttons_for_points(tool):
    answer = tool.get("/v1/models").json()
    ((name, about),) = answer["data"].items()
    assert (answer["success"], name, about["batch_processing_mode"]) == (True, "pointlabel", None)
    assert {"name": "button_add_point", "value": None} in about["widgets"]


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_x_anylabeling_gets_polygons_of_the_masks_of_annotate(tool, kind):
    answer = tool.post("/v1/predict", json=ask(uri(SCENE.image, kind), [mark(*p) for p in PIXELS.tolist()])).json()
    assert (answer["success"], answer["data"]["replace"]) == (True, False)
    expected = annotate(SCENE.image, PIXELS).targets
    for shape, label in zip(answer["data"]["shapes"], expected, strict=True):
        assert (shape["shape_type"], shape["label"]) == ("polygon", "AUTOLABEL_OBJECT")
        assert shape["score"] == pytest.approx(label.trust, abs=1e-6)
        assert np.array_equal(filled(shape), window(label))


def test_a_click_without_fraction_is_the_pixel_itself(tool):
    """X-AnyLabeling cuts the fraction off: 5.9 is sent as 5, which is the sixth pixel and not the edge between two."""
    (row, column), _ = PIXELS.tolist()
    shapes = [
        tool.post("/v1/predict", json=ask(uri(SCENE.image), [mark(y, x)])).json()["data"]["shapes"]
        for x, y in ((column, row), (column + 0.9, row + 0.9))
    ]
    assert shapes[0] == shapes[1]
    assert np.array_equal(filled(shapes[0][0]), window(annotate(SCENE.image, [row, column]).targets[0]))


def test_a_negative_point_takes_the_target_away_that_it_is_on(tool, studio):
    first, second = PIXELS.tolist()
    alone = window(annotate(SCENE.image, second).targets[0])
    marks = [mark(*first), mark(*second), mark(first[0], first[1], 0), mark(63, 0, 0)]
    (shape,) = tool.post("/v1/predict", json=ask(uri(SCENE.image), marks)).json()["data"]["shapes"]
    assert np.array_equal(filled(shape), alone)
    middles = [keypoint(row + 0.5, column + 0.5) for row, column in (first, second)]
    middles.append(keypoint(first[0] + 0.5, first[1] + 0.5, is_positive=False))
    (result,) = studio.post("/predict", json=request("deep/scene.tif", middles)).json()["results"][0]["result"]
    assert np.array_equal(unpacked(result), alone)


def test_no_marks_no_shapes(tool):
    assert tool.post("/v1/predict", json=ask(uri(SCENE.image), [])).json()["data"]["shapes"] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "yolo"}, "model must be pointlabel, got 'yolo'"),
        ({"image": None}, "image must be a data URI in base64"),
        ({"image": "http://evil.example/a,b"}, "image must be a data URI in base64"),
        ({"image": "file:///etc/passwd"}, "image must be a data URI in base64"),
        ({"image": "data:image/png;base64,%%%"}, "image must be a data URI in base64"),
        ({"image": "data:image/png;base64,"}, "the image of the request"),
        ({"image": "data:image/png;base64,AAAA"}, "not a PNG, TIFF, BMP or JPEG image"),
        ({"params": {"marks": 3}}, "marks must be a list"),
        ({"params": {"marks": [{"type": "rectangle", "data": [1, 2, 3, 4]}]}}, "a mark must be a point"),
        ({"params": {"marks": [{"type": "point", "data": [1]}]}}, "must be x and y"),
        ({"params": {"marks": [{"type": "point", "data": ["1", 2]}]}}, "x must be a number"),
        ({"params": {"marks": [{"type": "point", "data": [10**400, 2]}]}}, "x must be a finite number"),
        ({"params": {"marks": [{"type": "point", "data": [1e300, 2], "label": 0}]}}, "inside the 64 x 80 image"),
        ({"params": {"marks": [{"type": "point", "data": [80, 2]}]}}, "inside the 64 x 80 image"),
        ({"params": {"marks": [{"type": "point", "data": [8, 2], "label": 7}]}}, "label of a mark must lie in"),
    ],
)
def test_bad_requests_of_x_anylabeling_are_one_sentence(tool, said, changes, words):
    answer = tool.post("/v1/predict", json=ask(uri(SCENE.image), []) | changes)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert said == [answer.json()["error"]]


def test_label_studio_finds_the_backend_up(studio):
    assert studio.get("/health").json() == {"status": "UP", "model_class": "pointlabel"}
    assert studio.get("/").status_code == 200
    version = studio.post("/setup", json={"project": "1.2", "schema": INTERFACE}).json()["model_version"]
    assert version.startswith("pointlabel-")
    assert studio.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 201
    listed = studio.post("/predict", json=request("0.png", []) | {"params": {}}).json()
    assert listed == {"results": [{"result": [], "model_version": version, "score": 0.0}], "model_version": version}


def test_label_studio_gets_brush_labels_of_the_masks_of_annotate(studio):
    points = [keypoint(row + 0.5, column + 0.5) for row, column in PIXELS.tolist()]
    answer = studio.post("/predict", json=request("/data/local-files/?d=images/deep/scene.png", points)).json()
    expected = annotate(SCENE.image, PIXELS).targets
    (prediction,) = answer["results"]
    for result, label in zip(prediction["result"], expected, strict=True):
        assert (result["type"], result["from_name"], result["to_name"]) == ("brushlabels", "brush", "image")
        assert (result["original_width"], result["original_height"]) == (80, 64)
        assert (result["value"]["format"], result["value"]["brushlabels"]) == ("rle", ["drone"])
        assert result["score"] == pytest.approx(label.trust, abs=1e-6)
        assert np.array_equal(unpacked(result), window(label))
    assert len({result["id"] for result in prediction["result"]}) == 2
    assert prediction["score"] == min(result["score"] for result in prediction["result"])


@pytest.mark.parametrize(
    "address",
    [
        "0.png",
        "/data/local-files/?d=0.png",
        "/data/local-files/?d=some/folder/images/0.png",
        "/data/upload/3/1a2b3c4d-0.png",
        "http://localhost:8080/data/local-files/?d=images%2F0.png",
        "s3://bucket/images/0.png",
    ],
)
def test_an_image_is_found_by_the_end_of_its_address(studio, address):
    assert studio.post("/predict", json=request(address, [keypoint(9, 9)])).status_code == 200


def test_half_a_letter_in_a_label_is_no_fault(studio):
    value = {"x": 20, "y": 20, "keypointlabels": ["\ud800"]}
    body = json.dumps(request("0.png", [keypoint(9, 9, value=value)]))
    answer = studio.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["results"][0]["result"][0]["value"]["brushlabels"] == ["?"]


def test_an_image_that_came_later_is_found(studio, tmp_path):
    Image.fromarray(np.zeros((64, 80), np.uint8)).save(tmp_path / "drawn" / "images" / "later.png")
    assert studio.post("/predict", json=request("later.png", [keypoint(9, 9)])).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/etc/passwd",
        "../secret.png",
        "/data/local-files/?d=../secret.png",
        "/data/local-files/?d=../images/0.png",
        "/data/local-files/?d=deep/../../images/0.png",
        "%2e%2e/0.png",
        "http://127.0.0.1:1/%2e%2e/0.png",
        "file:///etc/passwd",
        "0.png\0",
        "\ud800.png",
        "[::1",
        "",
    ],
)
def test_no_address_leads_out_of_the_folder(studio, address, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr("pointlabel.serve.doors.label_studio.read_image", refuse)
    body = json.dumps(request(address, [keypoint(9, 9)]))
    answer = studio.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "no image of the folder is called" in answer.json()["error"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tasks": 3}, "tasks must be a list"),
        ({"tasks": []}, "key points must come with one task, got 0"),
        ({"tasks": [{"data": {"img": "0.png"}}]}, "the task names no image under image"),
        ({"label_config": None}, "label_config must be the XML"),
        ({"label_config": "<View>"}, "label_config: not XML"),
        ({"label_config": '<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>'}, "document type or entities is not read"),
        ({"label_config": '<View><Image name="image" value="$image"/></View>'}, "has no BrushLabels"),
        ({"params": {"context": {"result": [keypoint(9, 9, original_width=81)]}}}, "both must be the same image"),
        ({"params": {"context": {"result": [keypoint(9, 9, original_width=None)]}}}, "cannot be read"),
        ({"params": {"context": {"result": [keypoint(9, 9, image_rotation=90)]}}}, "turned by 90 degrees"),
        ({"params": {"context": {"result": [keypoint(9, 9, value=None)]}}}, "value of a key point"),
        ({"params": {"context": {"result": [keypoint(9, 99)]}}}, "x of a key point must lie in"),
    ],
)
def test_bad_requests_of_label_studio_are_one_sentence(studio, said, changes, words):
    answer = studio.post("/predict", json=request("0.png", [keypoint(9, 9)]) | changes)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert said == [answer.json()["error"]]


def test_doors_answer_no_other_page_and_no_other_name(tool, studio):
    for client, path in ((tool, "/v1/predict"), (studio, "/predict")):
        assert client.post(path, json={}, headers={"Origin": "http://evil.example"}).status_code == 403
        assert client.post(path, json={}, headers={"Host": "evil.example"}).status_code == 403
        assert client.post(path, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 400
        assert client.get("/other").status_code == 404
        assert client.get(path).status_code == 405


def test_a_body_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("pointlabel.serve.doors.x_anylabeling.MOST_BYTES", 1000)
    door = build_x_anylabeling(Clicker(RunSettings()), (HOST,), print)
    client = TestClient(door, base_url=f"http://{HOST}")
    assert client.post("/v1/predict", json=ask(uri(SCENE.image), [])).status_code == 413


def test_the_recipe_for_cvat_gives_the_masks_of_annotate():
    text = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
    section = text.partition("## Click in CVAT")[2].partition("\n## ")[0]
    names: dict[str, Any] = {}
    exec(section.partition("```python\n")[2].partition("```")[0], names)
    image = np.rint(SCENE.image / 257).astype(np.uint8)
    body = {"image": uri(image).rpartition(",")[2], "pos_points": (PIXELS[:, ::-1] + 0.5).tolist(), "neg_points": []}
    context = SimpleNamespace(Response=SimpleNamespace)
    answer = names["handler"](context, SimpleNamespace(body=body | {"obj_bbox": None}))
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    labels = annotate(image, PIXELS)
    assert np.array_equal(json.loads(answer.body)["mask"], labels.mask())
    assert np.array_equal(filled(json.loads(answer.body)), window(labels.targets[0]))
    config = yaml.safe_load(section.partition("```yaml\n")[2].partition("```")[0])
    assert config["metadata"]["annotations"] == {
        "name": "pointlabel",
        "type": "interactor",
        "version": 2,
        "spec": None,
        "min_pos_points": 1,
        "min_neg_points": 0,
    }
