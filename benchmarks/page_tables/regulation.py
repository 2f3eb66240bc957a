"""How well regulation is read, searched and foreseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.kept import document, markdown, written


def shortfall() -> str:
    """Return the chance of a shortfall of allowances a year ahead, beside two baselines."""
    rows = []
    for year, found in document("ets_shortfall").items():
        for name in ("allocation known", "allocation unknown", "logistic", "persistence"):
            one = found[name]
            label = "saying as this year" if name == "persistence" else name
            cells = [_with_interval(one, key, "interval") for key in ("accuracy", "auc", "brier")]
            error = written(one["ece"], ".3f")
            rows.append([year, written(found["installations"], ","), label, *cells, error])
    head = ["year", "installations", "", "accuracy", "AUC", "Brier score", "calibration error"]
    return markdown(head, rows)


def search() -> str:
    """Return search by words, and by words and meaning."""
    found = document("regulation_search")
    named = {
        "words": "words",
        "words and meaning": "words and meaning",
        "gained_by_meaning": "gained by meaning",
    }
    rows = []
    for key, name in named.items():
        one = found[key]
        low, high = one["interval"]
        rank = f"{one['mrr_at_10']:.3f} ({low:.3f} to {high:.3f})"
        first, ten, spent = (one.get(k) for k in ("first", "within_10", "milliseconds_a_query"))
        rest = [written(first, ".0%"), written(ten, ".0%"), written(spent, ".1f")]
        rows.append([name, rank, *rest])
    return markdown(["", "mean reciprocal rank", "first", "among ten", "ms a search"], rows)


def _with_interval(found: Mapping[str, Any], key: str, intervals: str) -> str:
    low, high = found[intervals][key]
    return f"{found[key]:.3f} ({low:.3f} to {high:.3f})"
