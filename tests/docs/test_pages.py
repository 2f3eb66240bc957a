"""Every page is true: its code runs and prints what it says, its links lead somewhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


outputs = load(ROOT / "docs" / "outputs.py")


def name(path):
    return str(path.relative_to(ROOT))


def test_there_are_pages():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= {name(page) for page in PAGES}
    assert len(PAGES) >= 10


@pytest.mark.parametrize("page", [p for p in PAGES if outputs.parse(p).steps], ids=name)
def test_code_prints_what_the_page_says(page):
    pytest.importorskip("lightgbm", reason="the extra 'train' is not installed")
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    pytest.importorskip("mlflow", reason="the extra 'registry' is not installed")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "outputs.py"), str(page)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (
        f"{done.stdout}{done.stderr}\nIf the page is out of date:"
        f" python docs/outputs.py --write {name(page)}, then read the difference."
    )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for first, last in [(a, b) for _, a, b in outputs.fences(text.split("\n"))]:
        assert last > first
    for target in _LINK.findall(text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), f"{name(page)}: {target} is not there"
        assert ROOT in to.parents, f"{name(page)}: {target} is outside the project"
        if anchor:
            assert anchor in anchors(to), f"{name(page)}: no heading for {target}"


def anchors(page):
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_name_commands_and_options_that_exist(page):
    from esgml.cli.app import COMMANDS

    text = page.read_text(encoding="utf-8")
    for command in re.findall(r"(?:^\$ |`)esgml ([a-z]+)", text, flags=re.MULTILINE):
        assert command in COMMANDS, f"{name(page)}: there is no command esgml {command}"
    makefile = (ROOT / "Makefile").read_text()
    for goal in re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, flags=re.MULTILINE):
        assert re.search(rf"^{goal}:", makefile, flags=re.MULTILINE), f"no make {goal}"


def test_every_page_is_reached_from_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    reached = {(ROOT / link.partition("#")[0]).resolve() for link in _LINK.findall(text)}
    assert {name(p) for p in PAGES if p.name != "README.md"} <= {
        name(p) for p in reached if ROOT in p.parents
    }


def test_changelog_knows_this_version():
    import esgml

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, flags=re.MULTILINE)
    assert versions and versions[0] == esgml.__version__
    assert "## [Unreleased]" in text


def test_every_forecaster_has_a_section():
    from esgml.core import catalog

    text = (ROOT / "docs" / "forecasting.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### (\w+)$", text, flags=re.MULTILINE)
    assert sorted(sections) == sorted(catalog.names("forecast"))


def test_the_pool_is_as_described():
    from esgml.forecast import candidates, combine

    text = (ROOT / "docs" / "forecasting.md").read_text(encoding="utf-8")
    told = re.search(
        r"The pool is (.*?) where a season\s+repeats,\s+and\s+(.*?) where none", text, re.S
    )
    seasonal, annual = (tuple(re.findall(r"`(\w+)`", part)) for part in told.groups())
    mixed = [
        tuple(name for name in pool if name != combine.BASELINE)
        for pool in (candidates.SEASONAL, candidates.ANNUAL)
    ]
    assert [seasonal, annual] == mixed
    assert "`ets` takes the place of `theta`" in " ".join(text.split())
    assert set(candidates.YEARLY) ^ set(candidates.SEASONAL) == {"ets", "theta", "month_levels"}
    assert f"more than {combine.CUTOFF:g} times the error" in text


def test_every_command_is_in_the_readme_or_a_page():
    from esgml.cli.app import COMMANDS

    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in COMMANDS if f"esgml {name}" not in text and name != "demo"] == []


def test_example_walks_the_road(tmp_path):
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    pytest.importorskip("mlflow", reason="the extra 'registry' is not installed")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "road.py"), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "identical: True" in done.stdout
    assert "released: True" in done.stdout


# The runner itself ------------------------------------------------------------------------


def test_expected_output_may_leave_parts_open():
    assert outputs.matches(["a", "...", "z"], ["a", "b", "c", "z"])
    assert outputs.matches(["took ... s"], ["took 12 s  "])
    assert outputs.matches(["x 0.197"], ["x 0.198"])
    assert outputs.matches(["1,234.5 and ..."], ["1,234.6 and more"])
    assert outputs.matches(["| 1969.908 | a |"], ["| 1999.123 | a |"])
    assert not outputs.matches(["x 0.197"], ["x 0.221"])
    assert not outputs.matches(["x 0.197"], ["y 0.197"])
    assert not outputs.matches(["x 0.197"], ["x 0.1970"])
    assert not outputs.matches(["a"], ["a", "b"])
    assert not outputs.matches([], ["a"])
    assert not outputs.matches(["a"], [])


def test_a_page_that_is_wrong_is_found_and_mended(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n```python\nx = 2\nprint(x + 1)\n```\n\n```text\n4\n```\n\n"
        "```console\n$ echo hello \\\n  you\nhello me\n$ true\n```\n\n"
        "<!-- not run: needs a key -->\n```console\n$ false\n```\n\n"
        "```python\nprint(x)\n```\n"
    )
    assert outputs.parse(page).left_out == 1
    faults = outputs.check(page)
    assert [fault.splitlines()[1:] for fault in faults] == [
        ["  - 4", "  + 3"],
        ["  - hello me", "  + hello you"],
        ["", "  + 2"],
    ]
    outputs.check(page, write=True)
    assert outputs.check(page) == []


def test_mending_keeps_open_what_was_open():
    merge = outputs.merge
    assert merge(["id ...", "x 0.1"], ["id 77", "x 0.9"]) == ["id ...", "x 0.9"]
    assert merge(["at 0.5 | ... |"], ["at 0.7 | noon |"]) == ["at 0.7 | ... |"]
    assert merge(["a", "...", "z 1.0"], ["b", "c", "d", "z 2.0"]) == ["b", "...", "z 2.0"]
    assert merge(["was ..."], ["is 3"]) == ["is 3"]
    assert merge(["one"], ["one", "two"]) == ["one", "two"]
    assert merge([], ["new"]) == ["new"]


def test_a_failure_in_a_page_is_shown(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\n1 / 0\n```\n\n```console\n$ echo no >&2; exit 3\n```\n")
    first, second = outputs.check(page)
    assert "ZeroDivisionError" in first
    assert "+ no" in second
