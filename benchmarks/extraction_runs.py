"""The first runs of the extractor on each sample, one by one and together."""

from __future__ import annotations

from typing import Any

from benchmarks.kept import kept


def first_runs() -> dict[str, Any]:
    """Return the first runs by sample."""
    return dict(kept("extraction_first_runs/samples"))


def pooled(kind: str) -> dict[str, Any]:
    """Return recall and precision of the first runs on all samples together."""
    runs = [one[kind] for one in first_runs().values() if kind in one]
    wanted = sum(one["items"] for one in runs)
    hits = [round(one["recall"] * one["items"]) for one in runs]
    got = sum(round(h / one["precision"]) for h, one in zip(hits, runs, strict=True))
    return {
        "items": wanted,
        "recall": sum(hits) / max(wanted, 1),
        "precision": sum(hits) / max(got, 1),
    }
