"""The numbers of the pages, written from what the benchmarks kept.

``python -m benchmarks.pages [--write]`` names the pages that are behind, or puts them right.
Two kinds of comments in a page say what stands there:

``<!-- table optimization.for_cost -->``
    begins a table and ``<!-- end of table -->`` ends it; between them stands what the function
    ``for_cost`` of ``benchmarks/page_tables/optimization.py`` returns.
``38.8 %<!-- dispatch/cost/attainable as .1% -->``
    follows a number in a sentence, and names its path in ``benchmarks/results`` and its form.
"""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

from benchmarks.kept import kept, written

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
_TABLE = re.compile(r"(<!-- table (\w+)\.(\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_NUMBER = re.compile(r"(?:-?[\d.][\d.,]*(?:e[+-]?\d+)?(?: %)?|-)?(<!-- ([^<>]+?) as (\S+) -->)")


def filled(page: str) -> str:
    """Return a page with its tables and numbers written anew."""
    page = _TABLE.sub(lambda found: f"{found[1]}{_table(found[2], found[3])}\n{found[4]}", page)
    return _NUMBER.sub(lambda found: _number(" ".join(found[2].split()), found[3]) + found[1], page)


def _table(module: str, name: str) -> str:
    text = getattr(importlib.import_module(f"benchmarks.page_tables.{module}"), name)()
    assert isinstance(text, str)
    return text


def _number(path: str, form: str) -> str:
    return written(kept(path), form)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the pages right")
    write = parser.parse_args().write
    behind = False
    for path in PAGES:
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            behind = True
            print(path.relative_to(ROOT), "written" if write else "is behind the results")
            if write:
                path.write_text(after, encoding="utf-8")
    return int(behind and not write)


if __name__ == "__main__":
    raise SystemExit(main())
