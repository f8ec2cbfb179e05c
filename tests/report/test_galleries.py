"""The pages of annotate, evaluate and predict: what they show, in which order, and that they need nothing else."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel.cli.main import main
from pointlabel.io.detections import COLUMNS, encode_detections
from pointlabel.report.gallery import draw_card
from pointlabel.report.predicted import draw_predicted

HOSTILE = """<b onclick='x()'>&"é"""


class Page(HTMLParser):
    """Reads a page: its cards as (data, text), the options of its filters; whatever is not closed, or loads a file."""

    VOID = ("meta", "input", "path", "br")

    def __init__(self, text):
        super().__init__()
        self.cards: list[tuple[dict, list[str]]] = []
        self.options: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []
        assert not re.search(r"url\((?!data:)|@import|https?://", text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert not values.keys() & {"src", "onclick", "data"}, values
        assert values.get("href", "#").startswith("#")
        if tag not in self.VOID:
            self._open.append(tag)
        if "data-figure" in values:
            assert values["style"].startswith("--picture:url(data:image/png;base64,")
            self.cards.append(({name[5:]: value for name, value in values.items() if name.startswith("data-")}, []))
            png = base64.b64decode(values["style"].partition("base64,")[2].rstrip(")"))
            assert min(Image.open(io.BytesIO(png)).size) >= 27
        if tag == "select":
            self.options[values["name"]] = []
        if tag == "option":
            self.options[next(reversed(self.options))].append(values["value"])

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, text):
        if self.cards:
            self.cards[-1][1].append(text)

    def text(self, index):
        return " ".join(self.cards[index][1])


def run(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels).save(path)


@pytest.fixture
def clicked(tmp_path, scene):
    """A folder with two images, one with a hostile name, and a table of their clicks."""
    lines = ["image,x,y,id"]
    for name in ("plain", HOSTILE):
        save(tmp_path / "images" / f"{name}.png", scene.image)
        quoted = name.replace('"', '""')
        lines += [f'"{quoted}",{column:g},{row:g},<i>{k}' for k, (row, column) in enumerate(scene.points)]
    (tmp_path / "clicks.csv").write_text("\n".join(lines), "utf-8")
    return tmp_path


def test_annotate_shows_the_least_trusted_first_with_the_line_of_their_click(clicked):
    arguments = (
        "annotate",
        clicked / "images",
        "-p",
        clicked / "clicks.csv",
        "-o",
        clicked / "out",
        "--method",
        "threshold",
    )
    run(*arguments, "--html", clicked / "out" / "page.html")
    text = (clicked / "out" / "page.html").read_text("utf-8")
    page = Page(text)
    records = [json.loads(line) for line in (clicked / "out" / "manifest.jsonl").read_text().splitlines()]
    targets = [(target, record["id"]) for record in records for target in record["targets"]]
    assert len(page.cards) == len(targets) == 6
    figures = [float(data["figure"]) for data, _ in page.cards]
    assert figures == sorted(figures)
    assert figures == pytest.approx(sorted(target["quality"] for target, _ in targets), abs=1e-4)
    assert {data["name"] for data, _ in page.cards} == {"plain", HOSTILE}
    lines = [re.search(r"clicks\.csv, line (\d), \(x, y\) = \(([\d., ]+)\), id <i>", page.text(k)) for k in range(6)]
    assert sorted(line[1] for line in lines if line) == list("234567")
    assert {flag for data, _ in page.cards for flag in data["flags"].split(",") if flag} <= set(page.options["flag"])
    assert {data["size"] for data, _ in page.cards} == set(page.options["size"]) - {""}

    (clicked / "out" / "manifest.jsonl").write_text(json.dumps(records[0]) + "\n")
    run(*arguments, "--resume", "--html", clicked / "again.html")
    assert (clicked / "again.html").read_text("utf-8") == text
    few = run(*arguments, "--resume", "--html", "-", "--html-limit", 2).stdout
    assert [data for data, _ in Page(few).cards] == [data for data, _ in page.cards[:2]]


def test_images_that_failed_are_named(clicked):
    (clicked / "images" / "plain.png").write_bytes(b"no image")
    arguments = [
        "annotate",
        clicked / "images",
        "-p",
        clicked / "clicks.csv",
        "-o",
        clicked / "out",
        "--method",
        "threshold",
    ]
    result = CliRunner().invoke(main, [*map(str, arguments), "--html", str(clicked / "page.html")])
    assert result.exit_code == 3
    text = (clicked / "page.html").read_text("utf-8")
    assert len(Page(text).cards) == 3
    assert "1 images failed" in text
    assert "<td>plain</td>" in text


@pytest.fixture
def pairs(tmp_path):
    """An image of a missed target, a false alarm, a target that is drawn too wide, and two in one blob."""
    true, predicted = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    true[5:8, 5:8] = True
    predicted[30:34, 5:9] = True
    true[40:43, 40:43], predicted[39:44, 39:44] = True, True
    true[20:22, 40:42], true[20:22, 43:45], predicted[20:22, 40:45] = True, True, True
    save(tmp_path / "gt" / "a.png", true)
    save(tmp_path / "pred" / "a.png", predicted)
    save(tmp_path / "gt" / "b.png", true)
    save(tmp_path / "pred" / "b.png", true)
    save(tmp_path / "images" / "a.png", (true * 90).astype(np.uint8))
    save(tmp_path / "images" / "b.png", (true * 90).astype(np.uint8))
    return tmp_path


def test_evaluate_shows_misses_and_false_alarms_first(pairs):
    arguments = ("evaluate", pairs / "pred", pairs / "gt", "--images", pairs / "images")
    run(*arguments, "--html", pairs / "page.html")
    page = Page((pairs / "page.html").read_text("utf-8"))
    shown = [(data["name"], data["flags"], float(data["figure"])) for data, _ in page.cards]
    perfect = [("b", "found", 1)] * 2
    assert shown == [
        ("a", "false alarm", 0),
        ("a", "missed", 0),
        ("a", "found", 0.36),
        ("a", "found,merged", 0.6667),
        *perfect,
        ("a", "missed,merged", 1),
        *perfect,
    ]
    assert "IoU 0.36" in page.text(2)
    assert len(Page(run(*arguments, "--html", "-", "--html-limit", 3).stdout).cards) == 3
    without = run("evaluate", pairs / "pred", pairs / "gt", "--html", "-").stdout
    assert "No images were named" in without
    assert len(Page(without).cards) == 9


def test_predict_shows_the_least_sure_first(tmp_path):
    save(tmp_path / "images" / "night" / "a.png", np.arange(60 * 60).reshape(60, 60).astype(np.uint16))
    save(tmp_path / "out" / "masks" / "night" / "a.png", np.zeros((60, 60), bool))
    rows = [
        dict.fromkeys(COLUMNS, 2) | {"image": name, "peak": peak, "mean_score": 0.5, "left": left}
        for name, peak, left in (("night/a", 0.9, 3), ("night/a", 0.6, 0), ("gone", 0.7, 3))
    ]
    (tmp_path / "out" / "detections.csv").write_bytes(encode_detections(rows))
    text = draw_predicted(str(tmp_path / "images"), str(tmp_path / "out"))
    page = Page(text)
    assert [(data["figure"], data["flags"]) for data, _ in page.cards] == [("0.6000", "clipped"), ("0.9000", "")]
    assert "2 of 3 detections" in text
    assert "gone: the image is gone" in text
    (tmp_path / "out" / "detections.csv").write_bytes(encode_detections([]))
    assert "There is no target" in draw_predicted(str(tmp_path / "images"), str(tmp_path / "out"))


def test_a_window_at_the_corner_keeps_mask_and_point_in_their_place():
    mask = np.zeros((20, 20), bool)
    mask[0, 0] = True
    card = draw_card("a", mask * 1.0, (0, 0, 1, 1), figure=0, area=1, flags=[], facts=[], mask=mask, point=(0.0, 0.0))
    assert "M13 13h1" in card.html
    assert "M12.5 13.5h2M13.5 12.5v2" in card.html
