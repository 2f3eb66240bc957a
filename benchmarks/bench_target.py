"""Probabilities of hitting reduction targets, asked in the past of real inventories.

``python benchmarks/bench_target.py``

At each origin the method sees what was known then, and the question is asked of every series
whose answer is known by now. Facilities up to the origin 2010 served to choose how heavy the
tails are; later origins, the other state and the companies did not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import polars as pl
from benchmarks.annual_sets import companies, facilities, panel_of
from benchmarks.forecast_sets import folder

from esgml.forecast.annual import AnnualHistory, annual_histories
from esgml.forecast.target_calibration import Shape, record

#: Years since the base, years ahead, share of the base that is allowed.
QUESTIONS = (Shape(0, 1, 0.9), Shape(2, 1, 0.9), Shape(2, 3, 0.75), Shape(3, 5, 0.8))
OF_COMPANIES = (Shape(0, 1, 0.9), Shape(1, 1, 0.9), Shape(1, 1, 0.8))


def _sets(data: Path) -> dict[str, tuple[list[AnnualHistory], Sequence[Shape], range]]:
    every = facilities(data)
    canadian = pl.col("entity").str.starts_with("CA:")
    canada = annual_histories(panel_of(every.filter(canadian)))
    washington = annual_histories(panel_of(every.filter(~canadian)))
    found: dict[str, tuple[list[AnnualHistory], Sequence[Shape], range]] = {
        "Canada, origins to 2010 (chosen on)": (canada, QUESTIONS, range(2005, 2011)),
        "Canada, later": (canada, QUESTIONS, range(2011, 2016)),
        "Washington": (washington, QUESTIONS, range(2013, 2020)),
    }
    for scope in (1, 2, 3):
        histories = annual_histories(panel_of(companies(data, f"scope{scope}_t")))
        found[f"companies, Scope {scope}"] = (histories, OF_COMPANIES, range(2018, 2022))
    return found


def show(name: str, shape: Shape, scores: dict[str, Any]) -> None:
    """Print one record for people, on standard error."""
    lines = [
        f"\n{name}: {100 * (1 - shape.kept):.0f} % below {shape.elapsed} years ago"
        f" in {shape.ahead} years: {scores['cases']:,} cases, Brier {scores['brier']:.3f}"
        f" (always {scores['base_rate']:.2f}: {scores['base_rate_brier']:.3f})"
    ]
    lines += [
        f"  said {100 * row['from']:3.0f} to {100 * row['to']:3.0f} %: {row['cases']:5,} cases,"
        f" mean said {100 * row['mean_probability']:3.0f} %,"
        f" happened {100 * row['share_that_happened']:3.0f} %"
        f" ({100 * row['interval'][0]:.0f} to {100 * row['interval'][1]:.0f})"
        for row in scores["reliability"]
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)


def run() -> dict[str, Any]:
    """Return the record of every question on every set."""
    root = folder()
    if root is None:
        return {"skipped": "no real data: set ESGML_DATA"}
    result: dict[str, Any] = {}
    for name, (histories, shapes, origins) in _sets(root / "emissions").items():
        for shape in shapes:
            scores = record(histories, shape, origins)
            if scores is None:
                continue
            show(name, shape, scores)
            question = f"{shape.elapsed} years since base, {shape.ahead} ahead, {shape.kept:g} kept"
            result.setdefault(name, {})[question] = scores
    return result


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
