"""Average precision of boxes against pycocotools, and by hand."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointlabel.errors import InputError
from pointlabel.evaluation.boxes import AveragePrecision, component_boxes, component_scores
from pointlabel.evaluation.components import find_components
from pointlabel.evaluation.report import Evaluation
from pointlabel.io.detections import COLUMNS, encode_detections, read_detections


def draw(seed):
    """Images as (detected boxes, scores with ties, true boxes); any of them may be empty."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(rng.integers(1, 5)):
        true = np.concatenate([rng.integers(0, 12, (rng.integers(0, 5), 2)), np.ones((0, 2), int)])
        true = np.concatenate([true, rng.integers(1, 5, (len(true), 2))], axis=1).astype(float)
        moved = true[rng.random(len(true)) < 0.8] + rng.integers(0, 2, 4)
        other = rng.integers(1, 6, (rng.integers(0, 4), 4)).astype(float)
        boxes = np.concatenate([moved, other])
        images.append((boxes, rng.integers(1, 6, len(boxes)) / 8, true))
    return images


def coco_ap(images):
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    truth, found = coco.COCO(), coco.COCO()
    names = [{"id": k} for k in range(len(images))]
    marks = [(k, box) for k, (_, _, true) in enumerate(images) for box in true]
    rows = [
        (k, box, score) for k, (boxes, scores, _) in enumerate(images) for box, score in zip(boxes, scores, strict=True)
    ]
    about = [
        {"image_id": k, "category_id": 1, "bbox": box.tolist(), "area": float(box[2] * box[3])} for k, box, *_ in marks
    ]
    truth.dataset = {
        "images": names,
        "categories": [{"id": 1}],
        "annotations": [{**each, "id": number, "iscrowd": 0} for number, each in enumerate(about, 1)],
    }
    found.dataset = {
        "images": names,
        "categories": [{"id": 1}],
        "annotations": [
            {
                "id": number,
                "image_id": k,
                "category_id": 1,
                "bbox": box.tolist(),
                "area": float(box[2] * box[3]),
                "score": score,
            }
            for number, (k, box, score) in enumerate(rows, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        run = evaluation.COCOeval(truth, found, "bbox")
        run.params.iouThrs = np.array([0.5])
        run.evaluate()
        run.accumulate()
    value = float(run.eval["precision"][0, :, 0, 0, -1].mean())
    return None if value < 0 else value


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_the_rule_is_that_of_coco(seed):
    images = draw(seed)
    ours = AveragePrecision()
    for image in images:
        ours.add(*image)
    expected = coco_ap(images)
    assert ours.value() == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_boxes_and_scores_of_components():
    mask = np.zeros((8, 9), bool)
    mask[1, 2], mask[2, 3], mask[6, 4:7] = True, True, True
    soft = mask * np.linspace(0.5, 0.9, 72).reshape(8, 9)
    found = find_components(mask)
    assert component_boxes(found).tolist() == [[2, 1, 2, 2], [4, 6, 3, 1]]
    assert component_scores(found, soft, "peak").tolist() == [soft[2, 3], soft[6, 6]]
    assert component_scores(found, soft, "mean") == pytest.approx([soft[[1, 2], [2, 3]].mean(), soft[6, 4:7].mean()])


def test_a_false_box_costs_where_it_is_the_surer_one():
    true = np.zeros((20, 20), bool)
    true[3:5, 3:5] = True
    for false_score, expected in ((0.95, 0.5), (0.6, 1.0)):
        soft = true * 0.8
        soft[12:14, 12:14] = false_score
        evaluation = Evaluation(with_sweep=True)
        evaluation.add(soft > 0.5, true, soft=soft)
        assert evaluation.report()["ap50"] == expected
    blurred = np.pad(np.full((4, 4), 0.6), 8)
    blurred[9, 9] = 0.99
    found = {}
    for score in ("peak", "mean"):
        evaluation = Evaluation(with_sweep=True, box_score=score)
        evaluation.add(blurred + soft > 0.5, true, soft=np.maximum(blurred, true * 0.8))
        found[score] = evaluation.report()["ap50"]
    assert found == {"peak": 0.5, "mean": 1.0}


def row(**changes):
    return dict.fromkeys(COLUMNS, 1) | {"image": "=a/b", "peak": 0.9, "mean_score": 0.5} | changes


def test_a_table_comes_back(tmp_path):
    (tmp_path / "d.csv").write_bytes(encode_detections([row(left=3.5), row(image="c")]))
    found = read_detections(tmp_path / "d.csv")
    assert list(found) == ["=a/b", "c"]
    assert found["=a/b"][0]._asdict() == {name: row(left=3.5)[name] for name in COLUMNS[1:]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": "nan"}, r"d\.csv, line 2: left must be a finite number, got 'nan'"),
        ({"peak": 1.5}, r"line 2: peak and mean_score must lie in \[0, 1\], got 1.5 and 0.5"),
        ({"width": 0}, r"line 2: width and height must be positive, got 0 and 1"),
    ],
)
def test_bad_rows_are_named(tmp_path, change, message):
    (tmp_path / "d.csv").write_bytes(encode_detections([row(**change)]))
    with pytest.raises(InputError, match=message):
        read_detections(tmp_path / "d.csv")


def test_another_table_is_refused(tmp_path):
    (tmp_path / "d.csv").write_text("image,x,y\na,1,2\n")
    with pytest.raises(InputError, match=r"d\.csv: the first line must name the columns .*; left is missing"):
        read_detections(tmp_path / "d.csv")
