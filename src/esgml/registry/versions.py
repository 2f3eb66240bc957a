"""Versions as MLflow's tables hold them, read without MLflow, and the names they may have."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from esgml.core.errors import UsageError
from esgml.registry import gate
from esgml.registry.bundle import plain

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: Tag that makes a version of MLflow's one of ours.
DIGEST = "esgml.digest"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9])?")
_ALIAS = re.compile(r"[a-z](?:[a-z0-9_-]{0,48}[a-z0-9])?")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")

_VERSIONS = """SELECT v.name, v.version, v.creation_time, t.key, t.value
    FROM model_versions v JOIN model_version_tags t
      ON t.workspace = v.workspace AND t.name = v.name AND t.version = v.version
    WHERE v.workspace = 'default' AND v.current_stage <> 'Deleted_Internal'
      AND (v.name = :name OR :name = '')
    ORDER BY v.name, v.version, t.key"""
_ALIASES = """SELECT name, alias, version FROM registered_model_aliases
    WHERE workspace = 'default' AND (name = :name OR :name = '') ORDER BY alias"""


@dataclass(frozen=True)
class VersionInfo:
    """One registered version, without its bytes.

    Attributes
    ----------
    name, version : str
    digest : str
        Identity of the bundle.
    task, model_name, code_version, data : str
        `data` is the SHA-256 of the table it learned from.
    created : str
        ISO 8601, UTC.
    aliases : tuple of str
    metric : str
        The one it is judged by, empty where there is none.
    metrics : dict
        The scalar ones; ``naive.wape`` and so on for the baseline.
    """

    name: str
    version: str
    digest: str
    task: str
    model_name: str
    created: str
    code_version: str = ""
    data: str = ""
    aliases: tuple[str, ...] = ()
    metric: str = ""
    metrics: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the version as plain values, for JSON."""
        return {**asdict(self), "aliases": [*self.aliases]}


def check_name(name: str) -> str:
    """Return `name` if a model may be called so.

    Raises
    ------
    UsageError
        If it is no plain name; a name is never a path.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise UsageError(
            f"{str(name)[:120]!r} is no name for a model.",
            code="model_name",
            remedy="Use letters, digits, '_', '-' and '.', at most 100.",
        )
    return name


def scalars(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of `metrics` one level deep: ``wape``, ``naive.wape``."""
    flat: dict[str, float] = {}
    for key, value in plain(metrics).items():
        inner = value.items() if isinstance(value, dict) and len(value) <= 20 else ()
        for name, item in [(key, value), *((f"{key}.{k}", v) for k, v in inner)]:
            found = gate.number(item)
            if found is not None:
                flat[name] = found
    return flat


def check_version(version: str | int) -> str:
    """Return `version` as text if it is a version number, else raise `UsageError`."""
    text = str(version)
    if not _VERSION.fullmatch(text):
        raise UsageError(
            f"{text[:60]!r} is no version number.",
            code="version",
            remedy="Give a number that `esgml models list` shows.",
        )
    return text


def metric_tag(name: str) -> str:
    """Return the key under which MLflow keeps a metric: of letters and signs it allows."""
    return "metric." + re.sub(r"[^A-Za-z0-9_\-. /:]", "_", name)[:200]


def check_alias(alias: str) -> None:
    """Raise `UsageError` unless `alias` can be the name of an alias."""
    if not _ALIAS.fullmatch(alias) or alias == "latest" or re.fullmatch(r"v[0-9]+", alias):
        raise UsageError(
            f"{alias[:60]!r} is no alias.",
            code="alias",
            remedy="Use champion, challenger, or small letters, digits, '-' and '_'.",
        )


def read_versions(connection: Connection, name: str = "") -> tuple[VersionInfo, ...]:
    """Return the versions that are ours, of one model or of all, oldest first."""
    from sqlalchemy import text

    tags: dict[tuple[str, int], dict[str, str]] = {}
    created: dict[tuple[str, int], int] = {}
    aliases: dict[tuple[str, int], list[str]] = {}
    for model, version, at, key, value in connection.execute(text(_VERSIONS), {"name": name}):
        tags.setdefault((model, version), {})[key] = value or ""
        created[model, version] = at or 0
    for model, alias, version in connection.execute(text(_ALIASES), {"name": name}):
        aliases.setdefault((model, version), []).append(alias)
    return tuple(
        VersionInfo(
            key[0],
            str(key[1]),
            held[DIGEST],
            held.get("esgml.task", ""),
            held.get("esgml.model", ""),
            datetime.fromtimestamp(created[key] / 1000, UTC).isoformat(timespec="milliseconds"),
            held.get("esgml.code", ""),
            held.get("esgml.data", ""),
            tuple(aliases.get(key, ())),
            held.get("esgml.metric", ""),
            _metrics(held),
        )
        for key, held in tags.items()
        if DIGEST in held
    )


def _metrics(tags: Mapping[str, str]) -> dict[str, float]:
    """Return the metrics among the tags; those that others wrote as text are not metrics."""
    found = {}
    for key, value in tags.items():
        if key.startswith("metric."):
            with contextlib.suppress(ValueError):
                found[key.removeprefix("metric.")] = float(value)
    return found
