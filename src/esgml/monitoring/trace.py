"""The lineage of one prediction, and the prediction computed again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esgml.core.canonical import canonical_json
from esgml.core.errors import EsgmlError
from esgml.core.operations import BUILT_IN
from esgml.core.settings import Settings
from esgml.core.storage import sha256
from esgml.core.tasks import Task, find_operation, get_task
from esgml.monitoring.records import Record
from esgml.registry.bundle import Bundle
from esgml.registry.fingerprint import code_version
from esgml.registry.versions import scalars

_SHOWN = 20


def log_path(settings: Settings) -> Path:
    """Return where the predictions of a workspace are recorded."""
    return settings.folder("monitoring", "predictions.db")


@dataclass(frozen=True)
class Trace:
    """Where a prediction comes from, and whether it can be computed again.

    Attributes
    ----------
    record : Record
    bundle : Bundle or None
        What it was computed again with; None where no trained model made it.
    recomputed : bytes
        Canonical JSON of the answer computed now; empty where that failed.
    differences : tuple of str
        Where the two answers differ, at most 20 places.
    problems : tuple of str
        What else is wrong: a changed record, another bundle, a failed computation.
    """

    record: Record
    bundle: Bundle | None
    recomputed: bytes
    differences: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether the answer computed now equals the recorded one bit for bit."""
        return self.recomputed == self.record.response

    @property
    def sound(self) -> bool:
        """Whether it is identical, the record untouched and the bundle the one recorded."""
        return self.identical and not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the trace as plain values, for JSON."""
        record, bundle = self.record, self.bundle
        data = bundle.data_fingerprint if bundle else None
        asked = record.asked()
        return {
            "id": record.id,
            "identical": self.identical,
            "sound": self.sound,
            "problems": list(self.problems),
            "differences": list(self.differences),
            "prediction": {
                "at": record.at,
                "tenant": record.tenant,
                "seconds": record.seconds,
                "position": record.seq,
                "record_sha256": record.hash,
                "record_intact": record.intact,
                "recorded_sha256": record.response_sha256,
                "recomputed_sha256": sha256(self.recomputed) if self.recomputed else "",
            },
            "request": {
                "sha256": sha256(record.request),
                "bytes": len(record.request),
                "series": [_series(s) for s in _listed(asked)[:_SHOWN]],
                "document": asked,
            },
            "response": json.loads(record.response),
            "features": _recipe(bundle) if bundle else None,
            "model": {
                "name": record.model,
                "version": record.version,
                **(_model(bundle) if bundle else {}),
                "recorded_bundle_sha256": record.bundle_digest,
            },
            "data": data.as_dict() if data else None,
            "code": {
                "trained": bundle.code_version if bundle else "",
                "served": record.code_version,
                "now": code_version(),
            },
        }


def _recipe(bundle: Bundle) -> dict[str, Any]:
    return {
        "recipe": {name: sha256(content) for name, content in bundle.files.items()},
        "schema": {k: v for k, v in bundle.schema.items() if k != "example"},
    }


def _model(bundle: Bundle) -> dict[str, Any]:
    return {
        "task": bundle.task,
        "model": bundle.model_name,
        "bundle_sha256": bundle.digest,
        "created": bundle.created,
        "params": bundle.params,
        "metrics": scalars(bundle.metrics),
    }


def _listed(asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the series of a request; other operations may mean something else by the word."""
    series = asked.get("series")
    return [s for s in series if isinstance(s, dict)] if isinstance(series, list) else []


def _series(series: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "entity": series.get("entity"),
        "target": series.get("target"),
        "start": series.get("start"),
        "values": len(series.get("values", [])),
        "known": sorted(series.get("known", {})),
        "past": sorted(series.get("past", {})),
        "sha256": sha256(canonical_json(series)),
    }


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Return where two JSON values differ, as paths with both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for key in sorted(a.keys() | b.keys()):
            path = f"{where}.{key}" if where else str(key)
            if key not in a or key not in b:
                found.append(f"{path}: only {'computed now' if key in b else 'recorded'}")
            else:
                found += differences(a[key], b[key], path)
        return found
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return [f"{where}: {len(a)} items recorded, {len(b)} computed now"]
        pairs = enumerate(zip(a, b, strict=True))
        return [line for i, (x, y) in pairs for line in differences(x, y, f"{where}[{i}]")]
    if canonical_json(a) == canonical_json(b):
        return []
    return [f"{where}: {a!r} recorded, {b!r} computed now"]


def trace(
    record: Record, bundle: Bundle | None, task_of: Callable[[str], Task] = get_task
) -> Trace:
    """Compute a recorded prediction again and say what it comes from.

    Parameters
    ----------
    record : Record
        From `esgml.monitoring.records.find`.
    bundle : Bundle or None
        The version that made it; None where no trained model did (`is_built_in`).
    task_of : callable
        Finds a task by its name.
    """
    problems = []
    if not record.intact:
        problems.append("the record was changed after it was written.")
    if bundle is not None:
        problems += _mismatches(record, bundle)
    elif record.code_version != code_version():
        problems.append(
            f"answered by the code {record.code_version}, computed again by {code_version()}."
        )
    recomputed = b""
    try:
        if bundle is not None:
            answer = task_of(bundle.task).predictor(bundle.files).predict(record.asked())
        else:
            answer = _run(record)
        recomputed = canonical_json(answer)
    except (EsgmlError, ValueError, KeyError, TypeError) as error:
        problems.append(f"computing it again failed: {type(error).__name__}: {error}")
    found: list[str] = []
    if recomputed and recomputed != record.response:
        found = differences(json.loads(record.response), json.loads(recomputed))
    return Trace(record, bundle, recomputed, tuple(found[:_SHOWN]), tuple(problems))


def is_built_in(record: Record) -> bool:
    """Whether the code alone made a prediction, without a trained model."""
    return record.version == BUILT_IN and not record.bundle_digest


def _mismatches(record: Record, bundle: Bundle) -> list[str]:
    found = []
    if bundle.digest != record.bundle_digest:
        found.append(
            f"the bundle is {bundle.digest[:12]}..., recorded was {record.bundle_digest[:12]}..."
        )
    data = bundle.data_fingerprint.sha256 if bundle.data_fingerprint else ""
    if data != record.data_fingerprint:
        found.append("the bundle was trained on other data than recorded.")
    return found


def _run(record: Record) -> dict[str, Any]:
    run = find_operation(record.model).run
    if run is None:
        raise ValueError(f"operation {record.model!r} answers with a trained model only")
    return run(record.asked())
