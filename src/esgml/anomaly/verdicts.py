"""Verdicts of people on earlier events, as the workspace keeps them: one JSON line each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from esgml.anomaly.alarm import Verdict
from esgml.anomaly.detect import Judged
from esgml.anomaly.verdict_lines import latest_lines
from esgml.core.panel import SeriesKey


def read_verdicts(path: Path) -> dict[SeriesKey, list[Judged]]:
    """Return the verdict that counts on each event, by meter; none where there is no file.

    The last line on an event counts; lines that are torn or are no verdict are passed over,
    as the page of alarms does.
    """
    found: dict[SeriesKey, list[Judged]] = {}
    for said in latest_lines(path).values():
        try:
            verdict = Verdict(said["verdict"])
            key = SeriesKey(str(said["entity"]), str(said["target"]))
            start = np.datetime64(str(said["start"])[:26], "us")
            end = np.datetime64(str(said["end"])[:26], "us")
        except (KeyError, ValueError):
            continue
        found.setdefault(key, []).append(Judged(start, end, verdict))
    return found
