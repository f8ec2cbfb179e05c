"""What a calibration is said to have found, and the file that is written of it."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from pointlabel import get_method
from pointlabel.calibration import Calibration, Style, changes, heading, verdict, write_style
from pointlabel.engine.default.style import named_style
from pointlabel.folder import build_params

TAKEN = Calibration(
    style=Style(border_px=1.0),
    option="border moved by +1 px",
    best="border moved by +1 px",
    least_gain=0.02,
    error=0.0,
    worth_using=True,
    judged=True,
    targets=12,
    images=8,
    before=(0.5, 0.6),
    after=(0.7, 0.8),
    gain=0.2,
    interval=(0.1, 0.3),
    size_before=0.5,
    size_after=1.1,
    tried={"the default style": (0.5, 0.6), "border moved by +1 px": (0.7, 0.8)},
)
KEPT = replace(
    TAKEN, style=Style(), option="the default style", worth_using=False, after=(0.5, 0.6), gain=0.0, interval=(0.0, 0.0)
)
LONE = replace(TAKEN, style=Style((0.1,) * 7), judged=False, targets=1, images=1)


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (TAKEN, "worth using: border moved by +1 px gains +0.200 on held-out masks (95 % interval +0.100 to +0.300)"),
        (replace(TAKEN, images=3), "gains +0.200 on held-out masks (too few images for an interval: 3)"),
        (replace(KEPT, least_gain=0.3), "gains +0.200 on held-out masks, where 0.3 is asked for; the default style"),
        (replace(KEPT, least_gain=0.05, error=0.18), "+0.200 on held-out masks (+0.020 without what may be chance)"),
        (LONE, "a single mask leaves none to judge by"),
    ],
)
def test_the_verdict_says_why(found, part):
    assert part in verdict(found)
    start = "worth using" if found.worth_using else "not worth using: of 1 ways tried"
    assert verdict(found).startswith(start if found.judged else "not judged")


@pytest.mark.parametrize(
    ("style", "part"),
    [
        (Style(border_px=1.0), "masks grown by 1 px"),
        (Style(border_px=-1.5), "masks shrunk by 1.5 px"),
        (Style(named_style("gaussian")), "from the default, nearest to 'gaussian' (0 away)"),
    ],
)
def test_changes_are_named(style, part):
    lines = changes(replace(TAKEN, style=style))
    assert part in lines[0]
    assert lines[1] == "area of the masks over the true area (geometric mean): 0.50 before, 1.10 after"
    assert changes(KEPT) == ["nothing"]
    assert len(changes(LONE)) == 1


@pytest.mark.parametrize("style", [Style(), Style(border_px=-2.3), Style(named_style("exact"), 0.5)])
def test_a_style_survives_its_file(tmp_path, style):
    write_style(tmp_path / "style.toml", style, heading(TAKEN))
    text = (tmp_path / "style.toml").read_text()
    stored = tomllib.loads(text)
    assert stored["annotate"] == {"method": "default"}
    assert build_params("default", stored["params"]) == style.params(get_method("default").params())
    assert "# Found by pointlabel calibrate from 12 targets in 8 images.\n" in text
    assert "# Found by pointlabel calibrate from 1 target in 1 image." in "# " + heading(LONE)


def test_the_file_names_a_polarity_other_than_bright(tmp_path):
    write_style(tmp_path / "style.toml", Style(), "", "dark")
    assert tomllib.loads((tmp_path / "style.toml").read_text())["annotate"]["polarity"] == "dark"
