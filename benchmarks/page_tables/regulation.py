"""How well regulation is read, searched and foreseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.extraction_runs import first_runs, pooled
from benchmarks.kept import document, kept, markdown, rows_of, written

#: What was known when a sample was drawn.
SAMPLES = {
    "3": "3, after the faults of 1 were mended",
    "4": "4, after those of 3, rich in quantities",
    "5": "5, by kind of quantity",
    "6": "6, after the faults of 5 were mended",
    "7": "7, after those of 6",
    "8": "8, after those of 7, and what a date is for",
}
SCORES = {
    "f1_micro": "F1, micro",
    "f1_macro": "F1, macro",
    "f1_both_sides": "F1 of both sides",
    "auc_significant": "AUC, significant",
    "ap_significant": "average precision, significant",
    "auc_econ_significant": "AUC, by economic effect",
    "ap_econ_significant": "average precision, by economic effect",
}


def timeline() -> str:
    """Return how dates are found, sample by sample, on first runs."""
    return _samples("timeline", "what it is for, right", "what_right")


def thresholds() -> str:
    """Return how limits are found, sample by sample, on first runs."""
    return _samples("thresholds", "comparison right", "comparator_right")


def duties() -> str:
    """Return how duties are found, sample by sample, on first runs."""
    return _samples("duties", "whoever they bind: recall, precision", "whoever_it_binds")


def _samples(kind: str, head: str, key: str) -> str:
    rows = []
    for name, run in [*first_runs().items(), ("all", {kind: pooled(kind)})]:
        if kind in run:
            one = run[kind]
            cells = [
                _with_interval(one, score, one.get(f"{score}_95"))
                for score in ("recall", "precision")
            ]
            places, baseline = one.get(key), one.get("baseline")
            right = _pair(places) if isinstance(places, Mapping) else written(places, ".0%")
            passages = written(run.get("passages"))
            rows.append(
                [
                    SAMPLES.get(name, name),
                    passages,
                    str(one["items"]),
                    *cells,
                    right,
                    _pair(baseline),
                ]
            )
    columns = ["passages", kind, "recall", "precision", head, "baseline: recall, precision"]
    return markdown(["sample", *columns], rows)


def _pair(found: Mapping[str, float] | None) -> str:
    return f"{found['recall']:.3f}, {found['precision']:.3f}" if found else "-"


def heads() -> str:
    """Return the learned heads on texts held out, beside words with logistic regression."""
    rows = []
    for one in sorted(document("regulatory")["results"], key=lambda one: str(one["head"])):
        if one["share"] == 1:
            name = f"{one['head']}, `{one['model']}`"
            error = one["scores"]["calibration_error"]
            chance = written(one.get("calibration_error_by_chance"), ".3f")
            for key, says in SCORES.items():
                if key in one["scores"]:
                    value = _with_interval(one["scores"], key, one["intervals"][key])
                    asked = written(one["wanted"].get(key), ".3f")
                    cells = [value, written(one["baseline"][key], ".3f"), asked]
                    rows.append([name, says, *cells, written(error, ".3f"), chance])
    columns = ["value", "baseline", "asked for", "calibration error", "by chance"]
    return markdown(["head", "score", *columns], rows)


def curve() -> str:
    """Return the held-out F1 of heads that learned from a part of the texts."""
    found: dict[str, dict[str, str]] = {}
    for one in document("regulatory")["results"]:
        values = [f"{v:.3f}" for k, v in one["scores"].items() if k in SCORES]
        found.setdefault(f"{one['head']}, `{one['model']}`", {})[f"{one['share']:.0%}"] = (
            " / ".join(values)
        )
    whole = {name: by for name, by in found.items() if len(by) > 1}
    shares = list(next(iter(whole.values())))
    rows = [[name, *(by[share] for share in shares)] for name, by in whole.items()]
    return markdown(["learned from", *(s.replace("%", " %") for s in shares)], rows)


def agreement() -> str:
    """Return how far texts that say nearly the same carry the same labels."""
    columns = {
        "pairs": ("pairs", ".0f"),
        "F1, micro": ("f1_micro", ".3f"),
        "F1, macro": ("f1_macro", ".3f"),
        "random pairs: F1, micro": ("f1_at_random_micro", ".3f"),
        "F1, macro ": ("f1_at_random_macro", ".3f"),
        "the same set": ("same_labels", ".0%"),
    }
    return rows_of(document("label_agreement"), columns, "texts that say nearly the same")


def precisions() -> str:
    """Return what eight bits cost a head in held-out F1."""
    columns = {
        f"{precision}: {says}": (f"{precision}/{key}", ".3f")
        for precision in ("fp32", "int8")
        for key, says in (("f1_micro", "micro"), ("f1_macro", "macro"))
    }
    columns["loss: micro"] = ("loss/f1_micro", ".3f")
    columns["macro"] = ("loss/f1_macro", ".3f")
    return rows_of({one["family"]: one for one in kept("encoder/f1")}, columns, "held-out F1")


def encoder_speed() -> str:
    """Return sentences a processor second of the encoder, beside torch."""
    found = {
        name: {"rate": rate} for name, rate in kept("encoder/sentences_per_cpu_second").items()
    }
    return rows_of(found, {"sentences a CPU second": ("rate", ".0f")}, "one thread")


def shortfall() -> str:
    """Return the chance of a shortfall of allowances a year ahead, beside two baselines."""
    rows = []
    for year, found in document("ets_shortfall").items():
        for name in ("allocation known", "allocation unknown", "logistic", "persistence"):
            one = found[name]
            label = "saying as this year" if name == "persistence" else name
            cells = [
                _with_interval(one, key, one["interval"][key])
                for key in ("accuracy", "auc", "brier")
            ]
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
        rank = _with_interval(one, "mrr_at_10", one["interval"])
        first, ten, spent = (one.get(k) for k in ("first", "within_10", "milliseconds_a_query"))
        rest = [written(first, ".0%"), written(ten, ".0%"), written(spent, ".1f")]
        rows.append([name, rank, *rest])
    return markdown(["", "mean reciprocal rank", "first", "among ten", "ms a search"], rows)


def _with_interval(found: Mapping[str, Any], key: str, interval: Sequence[float] | None) -> str:
    value = f"{found[key]:.3f}"
    return f"{value} ({interval[0]:.3f} to {interval[1]:.3f})" if interval else value
