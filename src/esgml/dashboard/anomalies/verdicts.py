"""What people say of alarms: one line a verdict, appended, never changed; the last one counts."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from esgml.anomaly.verdict_lines import latest_lines
from esgml.core.errors import UsageError
from esgml.core.settings import Settings
from esgml.core.storage import explained

#: What can be said: it was wrong or wasteful, it was ordinary, or it had a known reason.
VERDICTS = ("true", "false", "explained")


def verdicts_path(settings: Settings) -> Path:
    """Return where the verdicts of a workspace are kept."""
    return settings.folder("anomaly", "verdicts.jsonl")


def record(path: Path, event: dict[str, Any], verdict: str) -> None:
    """Append a verdict on an event.

    Parameters
    ----------
    path : Path
    event : dict
        ``id, entity, target, start, end`` of the event.
    verdict : str
        One of `VERDICTS`, or empty to take the last one back.

    Raises
    ------
    UsageError
        If it is no verdict.
    StorageError
        If it cannot be written.
    """
    if verdict not in ("", *VERDICTS):
        raise UsageError(
            "this is no verdict.", where="verdict", remedy=f"Known: {', '.join(VERDICTS)}."
        )
    line = {**event, "verdict": verdict, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:  # one write of one line: appends of others stay whole
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def latest(path: Path) -> dict[str, str]:
    """Return the verdict that counts for each event by its id; torn lines are passed over."""
    said = {event: str(line.get("verdict")) for event, line in latest_lines(path).items()}
    return {event: verdict for event, verdict in said.items() if verdict in VERDICTS}


def precision(verdicts: dict[str, str]) -> tuple[float | None, int]:
    """Return the share of judged alarms that were true, and how many were judged.

    Explained alarms count with neither side: the alarm was right to ask, nothing was wrong.
    """
    judged = [v for v in verdicts.values() if v in ("true", "false")]
    return (judged.count("true") / len(judged) if judged else None), len(judged)
