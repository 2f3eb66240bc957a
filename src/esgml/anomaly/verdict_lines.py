"""The file of verdicts, line by line: the last line on an event counts, torn lines do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from esgml.core.storage import explained


def latest_lines(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last line on each event by its id; nothing where there is no file."""
    if not path.is_file():
        return {}
    with explained(path):
        lines = path.read_bytes().splitlines()
    latest: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            said = json.loads(line)
            latest[str(said["id"])] = said
        except (ValueError, KeyError, TypeError):
            continue
    return latest
