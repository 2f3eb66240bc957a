"""Accuracy and coverage of forecasts on real series, every model beside the naive baseline.

``python benchmarks/bench_forecast.py [NAME ...] [--compare] [--peers] [--save]``

Accuracy is 1 - WAPE, mean over series, from rolling origins. ``--compare`` also runs every
model of the catalog (the LSTMs, AutoTheta), ``--peers`` other libraries on the same windows.
``--save`` writes the results the README table is made from. ``--keep FOLDER`` keeps every
model's backtest there and takes it from there again, so that another interval layer is measured
in seconds; empty the folder when a model changes. ``--only-peers`` runs nothing
but the peers that are installed and puts their scores beside those saved: AutoGluon needs
other versions of common libraries, so it runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.annual_sets import run as run_annual
from benchmarks.forecast_sets import Case, cases
from benchmarks.peers import run_peers
from benchmarks.smallest_coverage import by_chance

from esgml.forecast.backtest import Checkpoint
from esgml.forecast.evaluate import evaluate

RESULTS = Path(__file__).parent / "results" / "forecast_accuracy.json"


def run_case(
    case: Case, *, compare: bool = False, peers: bool = False, keep: Path | None = None
) -> dict[str, Any]:
    """Return the scores of one backtest."""
    clock = time.perf_counter()
    found = evaluate(
        case.panel,
        case.horizon,
        case.windows,
        step=case.step,
        compare=compare,
        threads=os.cpu_count() or 1,
        checkpoint=keeper(keep / case.name) if keep else None,
    )
    scores = found.scores
    result = {
        key: scores[key]
        for key in ("accuracy", "mase", "smape", "coverage", "coverage_smallest", "width")
    }
    result |= {
        "chance": {level: by_chance(found, int(level)) for level in scores["coverage"]},
        "naive": scores["naive"]["accuracy"],
        "total": 1 - scores["wape_total"],
        "reconciliation": scores["reconciliation"],
        "models": {name: one["accuracy"] for name, one in scores["models"].items()},
        "weights": {name: one["weight"] for name, one in scores["models"].items()},
        "wanted": case.wanted,
        "wanted_total": case.wanted_total,
        "series": scores["series"],
        "horizon": case.horizon,
        "windows": case.windows,
        "step": case.step,
        "seconds": time.perf_counter() - clock,
    }
    if peers:
        result["peers"] = run_peers(case)
    return result


def keeper(folder: Path) -> Checkpoint:
    """Return a store of finished backtests in a folder."""
    folder.mkdir(parents=True, exist_ok=True)

    def kept(name: str, compute: Callable[[], bytes]) -> bytes:
        file = folder / name
        if not file.exists():
            file.write_bytes(compute())
        return file.read_bytes()

    return kept


def show(name: str, result: dict[str, Any]) -> None:
    """Print one backtest for people, on standard error."""
    lines = [
        f"\n{name}: horizon {result['horizon']}, {result['windows']} windows,"
        f" {result['series']} series, {result['seconds']:.0f} s",
        f"  {'combined':<20} {result['accuracy']:.4f}  (asked for {result['wanted']})"
        f"  MASE {result['mase']:.3f}  total {result['total']:.4f}",
    ]
    for model, accuracy in result["models"].items():
        lines.append(f"  {model:<20} {accuracy:.4f}  weight {result['weights'][model]:.2f}")
    for peer, scores in result.get("peers", {}).items():
        text = scores.get("reason") or f"{scores['accuracy']:.4f}  {scores['seconds']:.0f} s"
        lines.append(f"  {peer:<20} {text}")
    for level, chance in result["chance"].items():
        low, middle, high = chance["smallest"]
        windows = " ".join(f"{share:.2f}" for share in chance["windows"])
        lines += [
            f"  {level} % interval: covers {result['coverage'][level]:.3f},"
            f" smallest series {result['coverage_smallest'][level]:.3f},"
            f" relative width {result['width'][level]:.3f}",
            f"    by window {windows}; smallest if no series were worse than another"
            f" {middle:.3f} ({low:.3f} to {high:.3f}), near enough with chance {chance['met']:.3f}",
        ]
    print("\n".join(lines), file=sys.stderr, flush=True)


def run(
    names: tuple[str, ...] = (),
    *,
    compare: bool = False,
    peers: bool = False,
    keep: Path | None = None,
) -> dict[str, Any]:
    """Return the scores of every backtest, or of those named."""
    found = {}
    for case in cases(tuple(n for n in names if n != "annual")):
        if names and case.name not in names:
            continue
        found[case.name] = run_case(case, compare=compare, peers=peers, keep=keep)
        show(case.name, found[case.name])
    if not names or "annual" in names:
        found["annual"] = run_annual()
    return found


def run_only_peers(names: tuple[str, ...]) -> dict[str, Any]:
    """Return the scores of the installed peers in every backtest, or in those named."""
    found = {}
    for case in cases(tuple(n for n in names if n != "annual")):
        scores = run_peers(case)
        found[case.name] = {peer: one for peer, one in scores.items() if "accuracy" in one}
        print(f"{case.name}: {scores}", file=sys.stderr, flush=True)
    return found


def save(found: dict[str, Any]) -> None:
    """Put results beside those saved; peers and further models of earlier runs stay."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, result in found.items():
        before = kept.get(name, {})
        kept[name] = {**before, **result}
        for part in ("peers", "models"):
            earlier, now = before.get(part, {}), result.get(part, {})
            # a peer that is not installed here says why; what it scored elsewhere stays
            absent = {p for p, one in now.items() if isinstance(one, dict) and "reason" in one}
            if both := {**earlier, **{p: now[p] for p in now if p not in absent & set(earlier)}}:
                kept[name][part] = both
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only-peers", action="store_true")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where backtests are kept")
    options = parser.parse_args()
    names = tuple(options.names)
    if options.only_peers:
        found = {name: {"peers": peers} for name, peers in run_only_peers(names).items()}
    else:
        found = run(names, compare=options.compare, peers=options.peers, keep=options.keep)
    if options.keep:
        for result in found.values():
            result.pop("seconds", None)  # what was kept already cost its time in an earlier run
    if options.save:
        save(found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
