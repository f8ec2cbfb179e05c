"""What the documentation says exists: commands, options, methods, pages, and the Python runs."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from docs.tables import write as script
from pointlabel import METHODS
from pointlabel.cli.main import main
from pointlabel.synthetic import draw_scene

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md", *ROOT.glob("docs/**/*.md")]
)
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, languages: set[str]) -> list[str]:
    """Fenced blocks of a page in one of `languages`."""
    text = page.read_text(encoding="utf-8")
    return [body for _, language, body in FENCE.findall(text) if language in languages]


def commands(text: str) -> list[str]:
    """Lines that call pointlabel, continued lines joined, prompts and comments dropped."""
    lines = text.replace("\\\n", " ").splitlines()
    bare = [re.sub(r"^\s*(\$ )?", "", line) for line in lines]
    return [line.partition(" # ")[0] for line in bare if line.startswith("pointlabel ")]


def check(line: str) -> None:
    """Parse a command as click does, but for whether the files it names exist."""
    words = shlex.split(re.sub(r"\s[|>&].*", "", line))[1:]
    group = list(itertools.takewhile(lambda word: word.startswith("-"), words))
    context = click.Context(main, info_name="pointlabel")
    main.make_parser(context).parse_args(group)  # raises where there is no such option
    if len(group) == len(words):
        return
    name, *rest = words[len(group) :]
    command = main.get_command(context, name)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        command = command.get_command(context, name)
    if command is None:
        raise click.UsageError(f"No such command {name}")
    if any("[" in word for word in rest):  # a synopsis: every option in it has to exist
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        unknown = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(rest))) - known
        if unknown:
            raise click.UsageError(f"No such option {unknown}")
        return
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                patch.setattr(parameter.type, "exists", False)
            if parameter.name == "config":
                patch.setattr(parameter, "callback", None)  # it reads the file
        with contextlib.suppress(click.exceptions.Exit):  # --help
            command.make_context(name, rest, parent=context)


LINES = [
    pytest.param(line, id=f"{page.relative_to(ROOT)}: {line[:60]}")
    for page in PAGES
    if page.exists()
    for body in blocks(page, {"bash", "console", "sh", "shell", ""})
    for line in commands(body)
]


@pytest.mark.parametrize("line", LINES)
def test_documented_commands_parse(line):
    check(line)


def test_the_pages_hold_commands():
    assert len(LINES) >= 5
    assert any("annotate" in str(line.values[0]) for line in LINES)
    assert any("evaluate" in str(line.values[0]) for line in LINES)


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_python_examples_run(page, tmp_path, monkeypatch):
    """The blocks of a page run one after another; `image` and `points` stand ready, as a reader has them."""
    monkeypatch.chdir(tmp_path)
    examples = blocks(ROOT / page, {"python"})
    assert examples, f"{page} shows no Python"
    scene = draw_scene(seed=1)
    names: dict[str, object] = {"image": scene.image, "points": scene.points}
    for body in examples:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(body, page, "exec"), names)
    labels = names["labels"]
    assert np.asarray(labels.mask()).shape == scene.image.shape  # type: ignore[attr-defined]


def test_the_table_of_methods_is_true():
    text = (ROOT / "docs/methods/index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[?`([\w-]+)`.*\| (yes|no) \|$", text, re.MULTILINE)
    assert rows == [(name, "yes" if method.has_tightness else "no") for name, method in METHODS.items()]


def test_tables_are_what_the_results_say():
    marked = [page for page in PAGES if script.MARKER.search(page.read_text(encoding="utf-8"))]
    assert set(marked) == set(script.PAGES)
    for page in script.PAGES:
        text = page.read_text(encoding="utf-8")
        names = [match[2] for match in script.MARKER.finditer(text)]
        assert text.count("<!-- table: ") == text.count("<!-- end of table -->") == len(names)
        assert script.render(text) == text, f"{page.name} is stale; run python -m docs.tables.write"


def test_tables_of_parameters_are_what_is_declared():
    pytest.importorskip("torch")
    from docs.tables import parameters as script

    n_tables = 0
    for page in script.DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        n_tables += text.count("<!-- parameters: ")
        assert text.count("<!-- parameters: ") == len(script.MARKER.findall(text)), page.name
        assert script.render(text) == text, f"{page.name} is stale; run python docs/tables/parameters.py"
    assert n_tables == 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pictures_and_scripts_of_a_page_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (page.parent / name).is_file(), f"{page.name} shows {name}"
    for name in re.findall(r"python ([\w/]+\.py)", text):
        assert (ROOT / name).is_file(), f"{page.name} names {name}"
    for name in re.findall(r"python -m ((?:benchmarks|tools|docs)\.[\w.]+)", text):
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), f"{page.name} names {name}"


def test_every_benchmark_is_listed():
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
    for folder in ("speed", "accuracy", "training"):
        assert {path.stem for path in (ROOT / "benchmarks" / folder).glob("*.py")} - {"runs"} <= listed


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = set(re.findall(r"([\w/-]+\.md)", nav))
    assert listed == {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")}


def test_make_targets_in_the_documentation_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {
        (page.name, word)
        for page in PAGES
        if page.exists()
        for word in re.findall(r"`make ([a-z]+)`|^make ([a-z]+)$", page.read_text(), re.MULTILINE)
        for word in word
        if word
    }
    assert {word for _, word in asked} >= {"demo", "test"}
    assert not {pair for pair in asked if pair[1] not in targets}


def test_the_demo_runs_and_runs_again(tmp_path):
    folder = tmp_path / "demo"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, ROOT / "benchmarks/demo.py", folder, "-n", "3"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert re.search(r"\biou\b", done.stdout, re.IGNORECASE)
    drawn = {path.name for path in (folder / "images").iterdir()}
    assert len(drawn) == 3
    assert {path.name for path in (folder / "labels/masks").iterdir()} == drawn
    assert drawn < {path.name for path in (folder / "labels/overlay").iterdir()}


@pytest.mark.parametrize("name", ["promises.md", "security.md"])
def test_every_promise_names_tests_that_are_there(name):
    page = (ROOT / "docs" / name).read_text()
    named = re.findall(r"`([a-z_/]+\.py)`((?:, `test_\w+`)*)", page)
    assert named
    for file, tests in named:
        path = ROOT / (file if file.startswith("tools/") else f"tests/{file}")
        missing = [name for name in re.findall(r"test_\w+", tests) if f"def {name}(" not in path.read_text()]
        assert not missing, path
