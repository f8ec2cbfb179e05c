"""What a calibration is said to have found, and the file that is written of it."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, replace

import pytest

from pointlabel import get_method
from pointlabel.calibration import Calibration, Style, changes, heading, verdict, write_style
from pointlabel.engine.default.params import N_BORDER_STYLE, N_SCORE_STYLE
from pointlabel.folder import build_params

TAKEN = Calibration(
    style=Style(border_px=1.0),
    option="border moved by +1 px",
    best="border moved by +1 px",
    least_gain=0.02,
    worth_using=True,
    targets=12,
    images=8,
    before=(0.5, 0.6),
    after=(0.7, 0.8),
    gain=0.2,
    interval=(0.1, 0.3),
    confidence=1.0,
    unhurt=1.0,
    median_gain=0.2,
    size_before=0.5,
    size_after=1.1,
    tried={"the defaults": (0.5, 0.6), "border moved by +1 px": (0.7, 0.8)},
)
KEPT = replace(
    TAKEN, style=Style(), option="the defaults", worth_using=False, after=(0.5, 0.6), gain=0.0, interval=(0.0, 0.0)
)


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (TAKEN, "worth using: border moved by +1 px gains +0.200 on held-out masks (95 % interval +0.100 to +0.300)"),
        (replace(KEPT, confidence=0.8), "gains +0.200 on held-out masks, but in 80% of the resamples only"),
        (
            replace(KEPT, unhurt=0.75, median_gain=0.05),
            "gains +0.200 on held-out masks, but labels 25% of the targets worse, where 20%",
        ),
        (replace(KEPT, unhurt=0.75), "gains +0.200 on held-out masks, but not in both IoU; the defaults stay"),
        (KEPT, "gains +0.200 on held-out masks, but not in both IoU; the defaults stay"),
        (replace(KEPT, least_gain=0.3), "gains +0.200 on held-out masks, less than the 0.3 that it takes"),
    ],
)
def test_the_verdict_says_why(found, part):
    assert part in verdict(found)
    assert verdict(found).startswith("worth" if found.worth_using else "not worth using: of 1 styles tried the best")


@pytest.mark.parametrize(
    ("style", "part"),
    [
        (Style(border_px=1.0), "masks grown by 1 px"),
        (Style(border_px=-1.5), "masks shrunk by 1.5 px"),
        (Style(tightness=0.65), "tightness 0.65 instead of 0.5"),
        (Style(tightness=0.0, loosest=0.03), "border at 3% of the local contrast"),
        (Style(score_style=(0.0,) * 9 + (-0.5,) + (0.0,) * 16), "most of all log_area -0.5"),
        (Style(border_style=(0.25,) * 24 + (-1.5,)), "pixels up to 0.25 in size, bias -1.5 (tighter)"),
    ],
)
def test_changes_are_named(style, part):
    lines = changes(replace(TAKEN, style=style))
    assert part in lines[0]
    assert lines[1] == "area of the masks over the true area (geometric mean): 0.50 before, 1.10 after"
    assert changes(KEPT) == ["nothing"]


@pytest.mark.parametrize(
    "style",
    [
        Style(),
        Style(tightness=0.0, loosest=0.03, border_px=-2.3),
        Style(
            score_style=tuple(round(0.1 * k - 1 / 3, 6) for k in range(N_SCORE_STYLE)),
            border_style=tuple(float(f"{1e-5 * k**3:.6g}") for k in range(N_BORDER_STYLE)),
        ),
    ],
    ids=["defaults", "numbers", "learned"],
)
def test_a_style_survives_its_file(tmp_path, style):
    write_style(tmp_path / "style.toml", style, heading(TAKEN))
    text = (tmp_path / "style.toml").read_text()
    stored = tomllib.loads(text)
    assert stored["annotate"] == {"method": "default", "tightness": style.tightness}
    assert build_params("default", stored["params"]) == style.params(get_method("default").params())
    assert {**stored["params"], "tightness": stored["annotate"]["tightness"]}.keys() == asdict(style).keys()
    assert "# Learned by pointlabel calibrate from 12 targets in 8 images.\n" in text


def test_the_file_names_a_polarity_other_than_bright(tmp_path):
    write_style(tmp_path / "style.toml", Style(), "", "dark")
    assert tomllib.loads((tmp_path / "style.toml").read_text())["annotate"]["polarity"] == "dark"
