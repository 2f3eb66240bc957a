"""Alarms on labelled and on faultless meters, and anomalies in tables of rows."""

from __future__ import annotations

from benchmarks.kept import document, kept, rows_of

from esgml.anomaly.context import PROFILES, SCORED
from esgml.anomaly.wording import wording
from esgml.core.frequency import Frequency

SCORES = {
    "false positives": ("fpr", ".4f"),
    "recall of points": ("recall", ".2f"),
    "of events": ("event_recall", ".2f"),
    "average precision": ("ap", ".3f"),
}
CLASSES = {
    "esgml AnomalyDetector": "`AnomalyDetector` (forest and autoencoder)",
    "esgml ensemble": "**`ensemble`**",
}


def meters() -> str:
    """Return the scores on five labelled meters, their mean, and the peers' means."""
    found = document("anomaly")
    rows = found["meters"] | {"**mean**": found["mean"]} | found["peers"]
    return rows_of(rows, SCORES, "meter", {name: f"{name}, mean" for name in found["peers"]})


def others() -> str:
    """Return the scores on other labelled series."""
    named = {
        "boiler_gas": "gas pressure of a boiler, second half",
        "machine_temperature": "NAB machine temperature, last three quarters",
        "ambient_temperature": "NAB ambient temperature, last three quarters",
    }
    return rows_of(kept("anomaly/others"), SCORES, "series", named)


def ablations() -> str:
    """Return the mean scores with one part left out each."""
    columns = {**SCORES, "false positives, worst meter": ("fpr_worst", ".4f")}
    found = {name.removeprefix("without "): row for name, row in kept("anomaly/ablations").items()}
    says = wording(Frequency("h")).baseline
    baselines = {PROFILES[i].name: says(PROFILES[i].name) for i in SCORED}
    return rows_of(found, columns, "without", {"all": "nothing", **baselines})


def false_alarms() -> str:
    """Return the realized share of false alarms at a nominal one of 1 %."""
    columns = {
        "detector": ("detector", ".4f"),
        "its worst meter": ("detector_worst", ".4f"),
        "rolling quantile alone": ("rolling only", ".4f"),
        "static threshold": ("static", ".4f"),
    }
    found = {name: by_rate["0.01"] for name, by_rate in kept("false_alarms/cases").items()}
    return rows_of(found, columns, "condition")


def tables() -> str:
    """Return the models for tables of rows, by their mean over the tables, best first."""
    columns = {
        "ROC-AUC": ("all rows/mean/roc_auc", ".3f"),
        "average precision": ("all rows/mean/average_precision", ".3f"),
        "held-out rows: ROC-AUC": ("split/mean/roc_auc", ".3f"),
        "average precision ": ("split/mean/average_precision", ".3f"),
    }
    found = {name: row for name, row in kept("tabular/methods").items() if "all rows" in row}
    chosen = "PyOD, for each table the one best on the others"
    found[chosen] = {
        way: {
            "mean": {m: pair["PyOD chosen on the other tables"]["mean"] for m, pair in by.items()}
        }
        for way, by in kept("tabular/verdict").items()
    }
    best = sorted(found, key=lambda name: -found[name]["all rows"]["mean"]["roc_auc"])
    named = {name: f"`{name.removeprefix('esgml ')}`" for name in best if name.startswith("esgml")}
    return rows_of({name: found[name] for name in best}, columns, "", {**named, **CLASSES})
