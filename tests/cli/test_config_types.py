"""Files of --config and words of --set of any type: one sentence, exit code 2, nothing written."""

from __future__ import annotations

import os

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointlabel.cli.annotate import annotate
from pointlabel.cli.main import main
from pointlabel.cli.train import train

#: Values of TOML, each of another type.
VALUES = (
    "1", "0.5", "inf", "nan", "-1", "true", '"a"', "[0.5]", '["m"]', "[[1], [2]]", "{a = 1}", "1979-05-27",
    "07:32:00", "1" + "0" * 400, "0x" + "f" * 6000, '"\\u0000"', "[" * 400 + "]" * 400,
)  # fmt: skip
OPTIONS = [
    (command.name, option.name)
    for command in (annotate, train)
    for option in command.params
    if option.name not in ("config", "assignments", "help", "images", "points", "out", "datasets")
]


def run(command, folder, text, *more):
    """Run a command on a data set that is not there with a configuration file of this text."""
    file = folder / "c.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    paths = ["no-images", "-p", "no-points", "-o", str(folder / "out")] if command == "annotate" else ["no-data"]
    result = CliRunner().invoke(main, [command, *paths, "--config", str(file), *more])
    assert not (folder / "out").exists()
    return result


def is_one_sentence(result):
    """Whether a command refused its arguments, by one line after what click says of the usage."""
    last = result.stderr.rstrip().splitlines()[-1]
    return result.exit_code == 2 and last.startswith("Error: ") and "fault of pointlabel" not in last


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.sampled_from(OPTIONS), st.sampled_from(VALUES))
def test_every_option_takes_every_value_or_says_one_sentence(tmp_path, option, value):
    command, name = option
    result = run(command, tmp_path, f"{name} = {value}")
    assert is_one_sentence(result), result.output  # at the latest, there is no such data set


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soft = 1", "soft: must be true or false, got 1"),
        ("tightness = [0.5]", r"tightness: must be a number, got [0.5]"),
        ("tightness = nan", "nan"),
        ('masks = ["m"]', "masks: must be a word, got ['m']"),
        ("seed = inf", "seed: must be a whole number, got inf"),
        ("jobs = 1979-05-27", "jobs: must be a whole number, got datetime.date(1979, 5, 27)"),
        ("method = {a = 1}", "method: must be a word, got {'a': 1}"),
        ("params = 3", "params must be a table, got 3"),
        ("[params]\nrh = 1", ", [params]: method default has no parameter rh; did you mean rho?"),
        ("[params]\nrho = 'a'", ", [params]: parameter rho of method default must be a number, got 'a'"),
        ("[params.rho]\na = 1", "parameter rho of method default must be a number, got {'a': 1}"),
        ("[anotate]\nsoft = true", "annotate reads no table [anotate]; did you mean [annotate]?"),
        ("sofft = true", "there is no option 'sofft'; did you mean soft?"),
        (b"\xff\xfe\x00a", "not a TOML file"),
        ("a" * 2_000_000, "it has more than 1000000 bytes"),
        ("x = " + "[" * 100_000, "not a TOML file"),
    ],
)
def test_the_sentence_names_the_option_the_rule_and_the_value(tmp_path, text, message):
    result = run("annotate", tmp_path, text)
    assert is_one_sentence(result)
    assert message in " ".join(result.stderr.split())


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    assert "there is no option 'sofft'" in run("annotate", tmp_path, b"\xef\xbb\xbfsofft = 1").stderr


def test_a_folder_and_a_missing_file(tmp_path):
    for place in (tmp_path, tmp_path / "none.toml", os.devnull):
        result = CliRunner().invoke(main, ["annotate", "a", "-p", "b", "-o", "c", "--config", str(place)])
        assert result.exit_code == 2
        assert "Traceback" not in result.output


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1" + "0" * 5000, "[" * 5000, "nan", "'a'", "[1]", "", "true"])
@pytest.mark.parametrize(("command", "option", "name"), [
    ("annotate", "--set", "rho"), ("train", "--label-set", "rho"), ("train", "--loss-set", "smooth"),
    ("train", "--set", "beta"),
])  # fmt: skip
def test_words_of_set(tmp_path, command, option, name, value):
    more = ["--strategy", "bilevel"] if option == "--set" and command == "train" else []
    result = run(command, tmp_path, "", *more, option, f"{name}={value}")
    assert is_one_sentence(result), result.output
    assert name in result.stderr


@pytest.mark.parametrize(("command", "option"), [("predict", "--threshold"), ("select", "--top"), ("train", "--beta")])
def test_nan_lies_in_no_range(command, option):
    result = CliRunner().invoke(main, [command, "run", *(["x"] if command == "predict" else []), option, "nan"])
    assert result.exit_code == 2
    assert "nan is not a finite number" in result.stderr


def test_no_option_is_a_range_that_takes_nan():
    loose = [
        f"{command.name} {option.name}"
        for command in (train, main.commands["predict"], main.commands["select"])
        for option in command.params
        if type(option.type) is click.FloatRange
    ]
    assert not loose
