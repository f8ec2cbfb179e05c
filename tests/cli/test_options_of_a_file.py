"""Options of a configuration file beside those of the command line, and outputs that would hide the data."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pointlabel.cli.main import main
from tests.folder.conftest import read_files


@pytest.mark.parametrize("named", ["loose", "tight"])
def test_a_named_style_goes_before_the_style_of_a_file(named, draw_dataset, tmp_path):
    data = draw_dataset("data", 2)
    (tmp_path / "style.toml").write_text("[params]\nstyle = [0.5, 0, 0, 0, 0, 0]\nborder_px = -2.0\n")
    masks = []
    for out, more in (("alone", []), ("both", ["--config", str(tmp_path / "style.toml")])):
        words = ["annotate", str(data), "-o", str(tmp_path / out), "--style", named, *more]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
        masks.append(read_files(tmp_path / out / "masks"))
    assert masks[0].keys() == masks[1].keys()
    assert all(masks[0][name] == masks[1][name] for name in masks[0])


def test_the_output_must_not_be_the_data_set(draw_dataset, tmp_path):
    data = draw_dataset("data", 2)
    done = CliRunner().invoke(main, ["annotate", str(data), "-o", str(data)])
    assert done.exit_code == 2
    assert "the output folder must not be the data set" in done.output


def test_a_path_that_is_not_there(tmp_path):
    done = CliRunner().invoke(main, ["annotate", "nothere", "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "nothere: no such file or folder" in done.output


def test_a_file_may_name_options_as_the_command_line_does(draw_dataset, tmp_path):
    image = draw_dataset("data", 1) / "images/0.png"
    page = tmp_path / "page.html"
    (tmp_path / "options.toml").write_text(f'html = "{page}"\nat = ["30,20"]\nmask-threshold = 100.0\n')
    words = ["annotate", str(image), "-o", str(tmp_path / "out"), "--config", str(tmp_path / "options.toml")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert page.read_text().startswith("<!")
    assert (tmp_path / "out/masks/0.png").is_file()
