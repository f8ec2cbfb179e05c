"""The report of a comparison: which windows it shows, and comparisons that are not whole."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pointlabel.bench.comparison import Comparison
from pointlabel.bench.methods import BenchJob, JobDone, survey_dataset
from pointlabel.bench.runner import BenchImage, plan_setup, run_method
from pointlabel.folder.job import image_generator
from pointlabel.io.datasets import open_dataset
from pointlabel.io.samples import read_sample
from pointlabel.report.bench import draw_report, most_different
from pointlabel.report.charts import Axis, density, histogram, log_axis
from pointlabel.report.windows import LARGEST_PX, SMALLEST_PX, cut, outline, stretch, surface, window_around


@pytest.fixture
def compare(draw_dataset):
    """A function ({name: methods}) that runs methods on drawn data sets in this process."""

    def run(plan):
        surveys = [survey_dataset(open_dataset(draw_dataset(name, 4))) for name in plan]
        comparison = Comparison(surveys, points="centroid")
        for place, methods in enumerate(plan.values()):
            samples = [read_sample(entry) for entry in surveys[place].dataset.entries]
            cases = [BenchImage(sample.id, sample.image, sample.points, sample.mask) for sample in samples]
            for method in methods:
                setup = plan_setup(method)
                result = run_method(cases, setup, image_generator, keep_crops=True)
                comparison.add(JobDone(BenchJob(setup, place, surveys[place]), result))
        return comparison

    return run


def test_the_windows_that_differ_most(compare):
    methods = ("default", "point")
    comparison = compare({"a": methods, "b": methods})
    chosen = most_different(comparison, methods, 4)
    assert [place for place, _ in chosen] == [0, 0, 1, 1]
    for place in (0, 1):
        runs = [comparison.runs[place, name] for name in methods]
        gaps = np.abs(runs[0].ious[0] - runs[1].ious[0])
        best_of_image = [gaps[runs[0].image_of == image].max() for image in range(4)]
        shown = [gaps[index] for where, index in chosen if where == place]
        assert shown == pytest.approx(sorted(best_of_image, reverse=True)[:2])
    assert len(most_different(comparison, methods, 100)) == 8  # one an image


def test_names_are_escaped_and_the_better_method_comes_first(compare):
    page = draw_report(compare({"<i>": ("point", "default")}), n_windows=1)
    assert "<i>" not in page
    assert "&lt;i&gt;" in page
    assert page.index("<td>default</td>") < page.index("<td>point</td>")


def test_one_method_alone_shows_its_worst(compare):
    comparison = compare({"a": ("threshold",)})
    ((_, index),) = most_different(comparison, ("threshold",), 1)
    assert comparison.runs[0, "threshold"].ious[0, index] == comparison.runs[0, "threshold"].ious.min()
    assert draw_report(comparison).count('<div class="window"') >= 1


@pytest.mark.parametrize("plan", [{"a": ("point",), "b": ()}, {"a": ("point", "threshold"), "b": ("point",)}])
def test_what_was_interrupted_is_drawn_as_far_as_it_goes(compare, plan):
    page = draw_report(compare(plan))
    assert "<h3>a: 4 images, 8 targets</h3>" in page
    assert ('<section id="windows">' in page) is bool(plan["b"])


def test_windows_hold_their_mask():
    mask = np.zeros((200, 300), bool)
    mask[5:8, 2:6] = True
    top, left, side = window_around(mask)
    assert side == SMALLEST_PX
    assert top <= 5 < 8 <= top + side
    assert left <= 2 < 6 <= left + side
    mask[:, :] = True
    assert window_around(mask)[2] == LARGEST_PX
    image = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(cut(image, -1, 2, 3), [[2, 3, 3], [2, 3, 3], [6, 7, 7]])
    assert stretch(np.full((4, 4), 7.0)).tolist() == np.full((4, 4), 0.5).tolist()


def test_an_outline_runs_along_the_edges_of_pixels():
    mask = np.zeros((4, 5), bool)
    mask[0, 1:3] = True
    found = re.search(r'd="(.*)"', outline(mask, "mask"))
    assert found is not None
    parts = sorted(found[1].replace("M", " M").split(" M"))[1:]
    assert parts == sorted(["1 0h1", "2 0h1", "1 1h1", "2 1h1", "1 0v1", "3 0v1"])


def test_a_surface_rises_where_the_window_is_bright():
    window = np.zeros((27, 27))
    window[13, 13] = 1
    peak = min(int(y) for y in re.findall(r"[ML]100 (\d+)", surface(window)))
    assert peak < 84 + 52 - 60
    assert surface(window).count("<path") == 26 * 26


def test_charts_count_what_they_are_given():
    axis = Axis("x", 0, 10, (0, 5, 10))
    bars = re.findall(r'<rect [^>]*height="([\d.]+)"', histogram(np.array([1.0, 1.0, 9.0]), axis, "t", mark=5.0))
    heights = [float(height) for height in bars]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2)
    chart = density(np.array([1.0, 1.0, 1.0, 9.0]), np.array([0.1, 0.5, 0.9, 1.0]), axis, "t")
    assert chart.count("<rect") == 4
    assert len(re.findall(r"[\d.]+,[\d.]+", re.search(r'points="(.*?)"', chart)[1])) == 1  # type: ignore[index]
    assert log_axis("x", [3.0, 80.0]).ticks == (5, 10, 20, 50)
    assert log_axis("x", [0.002, 300]).ticks == pytest.approx((0.01, 0.1, 1, 10, 100))
    assert log_axis("x", [4.0, 4.0]).high == 8
