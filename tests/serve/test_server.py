"""The server: it answers the page of this session with what the session knows, and nobody else with anything."""

from __future__ import annotations

import base64
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from pointlabel import annotate
from pointlabel.io.exchange.convert import convert
from pointlabel.serve.app import build_app
from pointlabel.serve.helpers import Helpers
from pointlabel.serve.run import listen
from pointlabel.session import Session, open_session
from pointlabel.synthetic import draw_scene

HOST, TOKEN = "127.0.0.1:8765", "the-token"


@pytest.fixture
def session(draw_dataset: Callable[..., Path], tmp_path: Path) -> Iterator[Session]:
    folder = draw_dataset() / "images"
    levels = draw_scene(seed=9, shape=(64, 80), dtype=np.float32).image
    levels[3, 4] = np.nan
    tifffile.imwrite(folder / "9.tif", levels)
    (folder / "broken.png").write_bytes(b"no image")
    with open_session(folder, tmp_path / "out") as opened:
        yield opened


@pytest.fixture
def client(session: Session, tmp_path: Path) -> TestClient:
    app = build_app(session, TOKEN, (HOST, "localhost:8765"), Helpers(session, str(tmp_path / "out")))
    return TestClient(app, base_url=f"http://{HOST}", headers={"X-Pointlabel-Token": TOKEN})


def test_the_page_loads_nothing_from_outside_and_needs_no_token(client):
    answer = client.get("/", headers={"X-Pointlabel-Token": ""})
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    names = [part.partition('"')[0] for part in answer.text.split("static/")[1:]]
    assert {"app.js", "page.css"} <= set(names)
    for name in [*names, "view.js", "list.js"]:
        found = client.get(f"/static/{name}")
        assert found.status_code == 200
        assert "://" not in found.text.replace("http://www.w3.org/2000/svg", "")
        assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/api/session", "/api/images/0", "/api/images/0/pixels", "/api/changes", "/api/other"]
)
@pytest.mark.parametrize("token", ["", "the-tokem", "THE-TOKEN", "the-token "[:-1] + "x"])
def test_without_the_token_nothing_is_said(client, path, token):
    answer = client.get(path, headers={"X-Pointlabel-Token": token})
    assert answer.status_code == 403
    assert "token" in answer.json()["error"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:80", "evil.example:8765", ""])
def test_other_hosts_are_refused(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 403
    assert client.get("/api/session", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1:8765", "http://127.0.0.1:80", "null"])
def test_other_origins_are_refused(client, origin):
    body = {"do": "add", "x": 3, "y": 3}
    assert client.post("/api/images/0/do", json=body, headers={"Origin": origin}).status_code == 403
    assert client.post("/api/images/0/do", json=body, headers={"Origin": f"http://{HOST}"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/images/../x",
        "/api/images/..%2f..%2fetc%2fpasswd",
        "/api/images/0/pixels/../../../etc/passwd",
        "/api/images/-1",
        "/api/images/x",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/guard.py",
        "/static/",
        "/etc/passwd",
        "//etc/passwd",
    ],
)
def test_no_path_of_a_request_is_opened(client, path):
    assert client.get(path).status_code == 404


def test_numbers_that_are_no_image_are_one_sentence(client):
    for index in ("5", "99999999999999999999"):
        answer = client.get(f"/api/images/{index}")
        assert answer.status_code == 400
        assert "there is no image" in answer.json()["error"]
    assert "no image" in client.get("/api/images/4").json()["error"] or client.get("/api/images/4").status_code == 400


def test_a_click_is_answered_by_the_masks_of_annotate(client, session):
    with Image.open(session.items[0].file.path) as file:
        image = np.asarray(file)
    about = client.get("/api/images/0").json()
    assert (about["height"], about["width"], about["dtype"]) == (64, 80, "uint8")
    points = draw_scene(seed=0, shape=(64, 80), n_targets=2).points.astype(int)
    for row, column in points.tolist():
        answer = client.post("/api/images/0/do", json={"do": "add", "x": column, "y": row}).json()
    expected = annotate(image, points)
    found = {target["number"]: target for target in client.get("/api/images/0").json()["targets"]}
    for number, label in enumerate(expected.targets, start=1):
        target = found[number]
        left, top, width, height = target["crop"]
        bits = np.unpackbits(np.frombuffer(base64.b64decode(target["mask"]), np.uint8))[: width * height]
        assert np.array_equal(bits.reshape(height, width), label.mask)
        assert (top, left) == label.origin
        soft = np.frombuffer(base64.b64decode(target["soft"]), np.uint8).reshape(height, width)
        assert np.abs(soft / 255 - label.soft).max() <= 0.5 / 255 + 1e-6
    assert answer["item"]["targets"] == 2
    named = client.post("/api/images/0/do", json={"do": "restyle", "target": 1, "label": "drone"}).json()
    assert [(target["number"], target["label"]) for target in named["targets"]] == [(1, "drone")]
    client.post("/api/images/0/do", json={"do": "undo"})
    undone = client.post("/api/images/0/do", json={"do": "undo"}).json()
    assert (undone["order"], undone["can_redo"]) == ([1], True)


def test_pixels_come_at_full_depth_once(client, session):
    for index, kind in ((0, np.uint8), (3, np.dtype("<f4"))):
        answer = client.get(f"/api/images/{index}/pixels")
        pixels = np.frombuffer(answer.content, kind).reshape(64, 80)
        assert np.array_equal(pixels, session.open(index).board.image, equal_nan=index == 3)
        again = client.get(f"/api/images/{index}/pixels", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/images/3/thumb").content.startswith(b"\x89PNG")


def test_what_changed_is_told(client):
    before = client.get("/api/session").json()["version"]
    client.post("/api/images/1/do", json={"do": "add", "x": 3, "y": 3})
    changed = client.get(f"/api/changes?since={before}").json()
    assert [item["index"] for item in changed["images"]] == [1]
    assert client.get("/api/changes?since=x").status_code == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "one JSON object"),
        (b"\xff", "one JSON object"),
        (b"[" * 100_000, "one JSON object"),
        (b'{"do":"add","x":1e999,"y":3}', "x must be a finite number"),
        (b'{"do":"add","x":NaN,"y":3}', "x must be a finite number"),
        (b'{"do":"add"}', "x must be a number"),
    ],
)
def test_bodies_that_are_no_action_are_one_sentence(client, body, words):
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/images/0/do", content=body, headers=headers)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_forms_and_large_bodies_are_refused(client):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/api/images/0/do", content=b'{"do":"undo"}', headers=form).status_code == 400
    large = client.post("/api/images/0/do", content=b" " * (5 << 20), headers={"Content-Type": "application/json"})
    assert large.status_code == 413
    assert client.get("/api/images/0/do").status_code == 405


def test_masks_are_exported_as_convert_writes_them(client, session, tmp_path):
    assert "no image has a target yet" in client.post("/api/export", json={"format": "coco"}).json()["error"]
    for index in (0, 1):  # each click is exported, and replaces what was written before
        for row, column in draw_scene(seed=index, shape=(64, 80), n_targets=2).points.astype(int).tolist():
            client.post(f"/api/images/{index}/do", json={"do": "add", "x": column, "y": row})
            client.post("/api/export", json={"format": "instances"})
    assert "coco" in client.get("/api/session").json()["formats"]
    answer = client.post("/api/export", json={"format": "coco"}).json()
    folder = tmp_path / "out" / "export" / "coco"
    assert answer == {"folder": str(folder), "images": 2, "targets": 4}
    session.close()
    convert(tmp_path / "out", tmp_path / "expected", "coco")
    assert (folder / "instances.json").read_bytes() == (tmp_path / "expected" / "instances.json").read_bytes()


@pytest.mark.parametrize("name", ["../../x", "run", "", None, ["coco"]])
def test_masks_are_exported_to_formats_alone(client, name):
    client.post("/api/images/0/do", json={"do": "add", "x": 9, "y": 9})
    answer = client.post("/api/export", json={"format": name})
    assert answer.status_code == 400
    assert "format must be one of" in answer.json()["error"]


def test_what_a_training_lacks_is_said(client, session, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    client.post("/api/images/0/do", json={"do": "add", "x": 9, "y": 9})
    sentence = "training needs torch: pip install 'pointlabel[train]'"
    assert client.get("/api/session").json()["train_needs"] == sentence
    answer = client.post("/api/training/start", json={})
    assert (answer.status_code, answer.json()["error"]) == (400, sentence)
    assert client.get("/api/training").json()["status"] == "none"
    made = client.post("/api/dataset", json={}).json()
    assert (made["folder"], made["images"]) == (str(tmp_path / "out" / "dataset-1"), 1)
    assert "nothing was trained yet" in client.post("/api/training/use", json={}).json()["error"]


@pytest.mark.parametrize("epochs", [0, 1.5, "3", True, 10**9])
def test_epochs_are_a_whole_number(client, epochs):
    client.post("/api/images/0/do", json={"do": "add", "x": 9, "y": 9})
    answer = client.post("/api/training/start", json={"epochs": epochs})
    assert answer.status_code == 400
    assert "epochs must" in answer.json()["error"]


@pytest.mark.slow
def test_a_training_is_started_shown_and_proposes(client, session):
    pytest.importorskip("torch")
    for index in (0, 1, 2):
        for row, column in draw_scene(seed=index, shape=(64, 80), n_targets=2).points.astype(int).tolist():
            client.post(f"/api/images/{index}/do", json={"do": "add", "x": column, "y": row})
    assert client.post("/api/training/start", json={"epochs": 2}).json()["status"] == "running"
    assert "runs already" in client.post("/api/training/start", json={}).json()["error"]
    end = time.monotonic() + 120
    while (now := client.get("/api/training").json())["status"] == "running":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert (now["status"], now["epoch"], now["epochs"], now["images"]) == ("done", 2, 2, 3)
    assert len(now["loss"]) == len(now["iou"]) == 2
    news = client.get("/api/changes?since=0").json()
    assert (news["training"], news["detector"]) == ({"status": "done", "epoch": 2, "epochs": 2}, False)
    assert client.post("/api/training/use", json={}).json()["detector"] is True
    assert isinstance(client.get("/api/images/0/proposals").json(), list)


def test_small_answers_are_not_held_back():
    """`asyncio` sends at once on sockets that are named as TCP; those that are accepted are named as the listener."""
    with listen(0) as (listener, address), socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP
