"""The README's table of answers holds what the benchmarks kept and nothing else."""

import json
from pathlib import Path

from benchmarks import answers_table as table
from benchmarks.accuracy_table import put

ROOT = Path(__file__).resolve().parents[2]


def test_readme_shows_the_kept_results():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert put(page, table.table(), table.MARK) == page, (
        "the README is behind the results: python -m benchmarks.answers_table --write"
    )


def test_every_row_has_its_numbers():
    for row in table.ROWS:
        stored = table.RESULTS / f"{row.file}.json"
        assert row.says(json.loads(stored.read_text(encoding="utf-8")))
        assert (ROOT / "benchmarks" / row.command).exists()


def test_a_row_without_results_says_so(tmp_path):
    assert table.table(tmp_path).count("not measured yet") == len(table.ROWS)
