"""Pages hold what the benchmarks kept and nothing else."""

import importlib
import inspect
import json
import re

import pytest
from benchmarks import kept, pages


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: path.name)
def test_page_is_what_the_benchmarks_kept(path):
    text = path.read_text(encoding="utf-8")
    assert pages.filled(text) == text, "behind the results: python -m benchmarks.pages --write"
    # nothing that was meant for a marker is overlooked
    assert text.count("<!-- table ") - text.count("`<!-- table ") == text.count("\n<!-- end of")


def test_every_table_stands_on_a_page():
    text = "".join(path.read_text(encoding="utf-8") for path in pages.PAGES)
    for path in (pages.ROOT / "benchmarks" / "page_tables").glob("*.py"):
        module = importlib.import_module(f"benchmarks.page_tables.{path.stem}")
        for name, made in inspect.getmembers(module, inspect.isfunction):
            tables = made.__module__ == module.__name__ and not inspect.signature(made).parameters
            if tables and not name.startswith("_"):
                assert f"<!-- table {path.stem}.{name} -->\n" in text, f"{path.stem}.{name}"


def test_every_file_of_results_is_on_a_page():
    kept.document.cache_clear()
    for path in pages.PAGES:
        pages.filled(path.read_text(encoding="utf-8"))
    assert kept.document.cache_info().currsize == len(list(kept.RESULTS.glob("*.json")))


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: path.name)
def test_no_table_of_decimals_is_typed(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"<!-- table .*?<!-- end of table -->", "", text, flags=re.DOTALL)
    for line in re.findall(r"^\|.*$", text, flags=re.MULTILINE):
        numbers = re.findall(r"\| [-(]?\d*\.\d[-\d.,%/() to]*(?= \|)", line)
        assert len(numbers) < 2, f"{line}: written from results, not typed"


@pytest.fixture
def results(tmp_path, monkeypatch):
    found = {"share, all": 0.98765, "none": None, "runs": [{"k": 3175.87}], "small": 4.6e-16}
    (tmp_path / "try.json").write_text(json.dumps(found))
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    kept.document.cache_clear()
    yield
    kept.document.cache_clear()


@pytest.mark.parametrize(
    ("before", "marker", "after"),
    [
        ("0", "try/share, all as .1%", "98.8 %"),
        ("12.0 %", "try/share,\nall as .3f", "0.988"),
        (".5", "try/runs/0/k as ,.2f", "3,175.87"),
        ("1e-3", "try/small as .1e", "4.6e-16"),
        ("-", "try/none as .1f", "-"),
    ],
)
def test_a_number_is_written_in_its_sentence(results, before, marker, after):
    page = f"In 2020 it was ({before}<!-- {marker} -->) of 7 <!-- a comment -->."
    once = pages.filled(page)
    assert once == page.replace(f"({before}<", f"({after}<")
    assert pages.filled(once) == once


def test_what_is_not_there_is_named(results):
    with pytest.raises(LookupError, match="no 'shares' among"):
        pages.filled("0<!-- try/shares as .1% -->")
    with pytest.raises(LookupError, match="run the benchmark"):
        pages.filled("0<!-- other/share as .1% -->")


def test_rows_come_from_the_results():
    found = {"own": {"at": {"least": 0.5}, "n": 1200}, "peer": {"n": 3}, "absent": {"why": "?"}}
    table = kept.rows_of(
        found, {"least": ("at/least", ".0%"), "n": ("n", ",")}, "who", {"own": "**own**"}
    )
    assert table.splitlines() == [
        "| who | least | n |",
        "| --- | ---: | ---: |",
        "| **own** | 50 % | 1,200 |",
        "| peer | - | 3 |",
    ]
