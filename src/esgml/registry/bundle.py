"""A bundle: all that one trained model is, as named bytes under one hash."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from esgml.core.canonical import canonical_json
from esgml.core.errors import IntegrityError, NotFoundError, UsageError
from esgml.core.interfaces import MANIFEST, BaseModel, Files
from esgml.core.storage import explained, sha256
from esgml.core.tasks import MODULES, Predictor, Trained, get_task, task_names
from esgml.registry.fingerprint import Fingerprint, code_version
from esgml.registry.formats import MAX_BYTES, check_files, check_name

SCHEMA = "esgml.bundle/1"
#: Folder inside a stored bundle that holds the files of the model.
FOLDER = "files/"
MAX_MANIFEST_BYTES = 64_000_000


def plain(value: Any) -> Any:
    """Return `value` as strict JSON values: arrays as lists, what is not finite as null.

    Raises
    ------
    UsageError
        If it holds something JSON has no form for.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise UsageError(
        f"a bundle cannot hold a value of type {type(value).__name__}.",
        code="bundle_value",
        remedy="Give numbers, text, lists, dictionaries, arrays or dates.",
    )


@dataclass(frozen=True)
class Bundle:
    """Everything a trained model needs to be served, audited and computed again.

    A bundle is immutable and checked when it is made. Its `digest` covers everything but
    the `name`, `version` and time of `created`, which a registry gives it.

    Attributes
    ----------
    task, model_name : str
    files : dict of name to bytes
        Weights, calibration and recipe, in formats that carry no code.
    metrics : dict
        Scores on data not learned from; ``naive`` beside them; ``errors`` and ``actuals``,
        where kept, for paired comparison (see ``esgml.registry.compare``).
    params, schema, card : dict
        Hyperparameters; what a request and an answer hold; facts for the model card.
    data_fingerprint : Fingerprint or None
    code_version : str
    name, version, created : str
        Where and when it was registered, empty before; `created` is ISO 8601 in UTC.

    Raises
    ------
    NotAllowedError
        If a file is of a format that may carry code, or its name leaves the bundle.
    IntegrityError
        If a file is not what its suffix says.
    """

    task: str
    model_name: str
    files: Files
    metrics: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    data_fingerprint: Fingerprint | None = None
    code_version: str = ""
    name: str = ""
    version: str = ""
    created: str = ""

    def __post_init__(self) -> None:
        for attribute in ("metrics", "params", "schema", "card"):
            object.__setattr__(self, attribute, plain(getattr(self, attribute)))
        object.__setattr__(self, "files", {k: bytes(v) for k, v in sorted(self.files.items())})
        check_files(self.files)

    @classmethod
    def from_trained(
        cls,
        trained: Trained,
        fingerprint: Fingerprint | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> Bundle:
        """Bundle what training a task yielded; `metrics` are added to its own."""
        return cls(
            trained.task,
            trained.model_name,
            trained.files,
            {**trained.metrics, **(metrics or {})},
            trained.params,
            trained.schema,
            trained.card,
            fingerprint,
            code_version(),
        )

    @classmethod
    def from_model(
        cls,
        model: BaseModel,
        metrics: Mapping[str, Any] | None = None,
        fingerprint: Fingerprint | None = None,
    ) -> Bundle:
        """Bundle a single trained model; its task is told from the package it lives in."""
        package = type(model).__module__.rsplit(".", 2)[0]
        owners = [t for t, module in MODULES.items() if package == module.rpartition(".")[0]]
        meta = model.metadata()
        return cls(
            owners[0] if owners else "custom",
            meta.name,
            model.to_files(),
            dict(metrics or {}),
            meta.params,
            card={"description": meta.description, "layers": model.summary()},
            data_fingerprint=fingerprint,
            code_version=code_version(),
        )

    # Identity ---------------------------------------------------------------------------

    def manifest(self) -> bytes:
        """Return the canonical description of the bundle, with the SHA-256 of each file."""
        data = self.data_fingerprint
        return canonical_json(
            {
                "format": SCHEMA,
                "task": self.task,
                "model_name": self.model_name,
                "files": {
                    name: {"sha256": sha256(content), "bytes": len(content)}
                    for name, content in self.files.items()
                },
                "metrics": self.metrics,
                "params": self.params,
                "schema": self.schema,
                "card": self.card,
                "data_fingerprint": data.as_dict() if data else None,
                "code_version": self.code_version,
            }
        )

    @property
    def digest(self) -> str:
        """The identity of the bundle: SHA-256 of its manifest, which covers every file."""
        return sha256(self.manifest())

    # Storing ----------------------------------------------------------------------------

    def to_files(self) -> Files:
        """Return the bundle as the named bytes that are stored."""
        stored = {FOLDER + name: data for name, data in self.files.items()}
        return {**stored, MANIFEST: self.manifest()}

    @classmethod
    def from_files(cls, stored: Mapping[str, bytes], digest: str | None = None) -> Bundle:
        """Build a bundle from stored bytes, checking every hash.

        Parameters
        ----------
        stored : mapping of name to bytes
            What `to_files` returned.
        digest : str, optional
            The identity it must have.

        Raises
        ------
        IntegrityError
            If anything is missing, added or changed.
        """
        raw, document = _read_manifest(stored.get(MANIFEST), digest)
        listed = {FOLDER + name: entry["sha256"] for name, entry in document["files"].items()}
        found = {name for name in stored if name != MANIFEST}
        if found != set(listed):
            odd = sorted(found ^ set(listed))
            raise IntegrityError(
                "the files are not those of the manifest.", code="bundle_files", where=odd[0][:200]
            )
        for name, expected in listed.items():
            if sha256(stored[name]) != expected:
                raise _changed(name)
        data = document["data_fingerprint"]
        bundle = cls(
            document["task"],
            document["model_name"],
            {name: stored[FOLDER + name] for name in document["files"]},
            document["metrics"],
            document["params"],
            document["schema"],
            document["card"],
            None if data is None else Fingerprint.from_dict(data),
            document["code_version"],
        )
        if bundle.manifest() != raw:
            raise IntegrityError("the manifest is not in its canonical form.", where=MANIFEST)
        return bundle

    @classmethod
    def read(cls, folder: Path, digest: str | None = None) -> Bundle:
        """Read a stored bundle, following no links and checking every hash.

        Raises
        ------
        NotFoundError
            If there is no bundle.
        IntegrityError
            If anything is missing, added or changed.
        """
        if not folder.is_dir():
            raise NotFoundError("no bundle here.", code="bundle_missing", where=str(folder))
        with explained(folder):
            stored: Files = {MANIFEST: _read_plain(folder, MANIFEST, MAX_MANIFEST_BYTES)}
            _, document = _read_manifest(stored[MANIFEST], digest)
            for name, entry in document["files"].items():
                check_name(name)
                stored[FOLDER + name] = _read_plain(folder, FOLDER + name, int(entry["bytes"]))
            for path in folder.rglob("*"):
                name = path.relative_to(folder).as_posix()
                if not path.is_dir() and name not in stored:
                    raise IntegrityError(
                        "this file is not in the manifest.", code="bundle_files", where=name
                    )
        return cls.from_files(stored, digest)

    def registered(self, name: str, version: str, created: str) -> Bundle:
        """Return the bundle with the name, version and time a registry gave it."""
        return replace(self, name=name, version=version, created=created)

    # Using ------------------------------------------------------------------------------

    def predictor(self) -> Predictor:
        """Build what answers requests from this bundle."""
        return get_task(self.task).predictor(self.files)

    def model(self) -> BaseModel | None:
        """Return the trained model inside, or None where there is not a single one."""
        if MANIFEST in self.files:
            from esgml.core import catalog

            module = MODULES.get(self.task, "")
            for capability, package in catalog.PACKAGES.items():
                if module and package.startswith(module.rpartition(".")[0] + "."):
                    return catalog.load(capability, self.model_name).from_files(self.files)
        if self.task not in task_names():
            return None
        return get_task(self.task).model_from(self.files)


def _changed(name: str) -> IntegrityError:
    return IntegrityError(
        "the content does not match its recorded SHA-256.",
        code="bundle_changed",
        where=name,
        remedy="Restore the file from a backup, or train and register the model again.",
    )


def _read_plain(folder: Path, name: str, limit: int) -> bytes:
    """Read a regular file below `folder`, at most `limit` bytes, refusing links."""
    path = folder / name
    inside = [folder.joinpath(*name.split("/")[: i + 1]) for i in range(name.count("/") + 1)]
    if any(part.is_symlink() for part in inside):
        raise IntegrityError("a bundle holds no links.", code="bundle_link", where=name)
    if not path.is_file():
        raise IntegrityError("this file of the bundle is missing.", code="bundle_files", where=name)
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _changed(name)
    return data


def _read_manifest(raw: bytes | None, digest: str | None) -> tuple[bytes, dict[str, Any]]:
    """Check and parse a manifest."""
    if raw is None:
        raise IntegrityError("this is not a bundle: it has no manifest.", code="bundle_files")
    if len(raw) > MAX_MANIFEST_BYTES:
        raise IntegrityError("the manifest is too large.", code="bundle_manifest", where=MANIFEST)
    if digest is not None and sha256(raw) != digest:
        raise _changed(MANIFEST)
    wrong = IntegrityError("the manifest is unreadable.", code="bundle_manifest", where=MANIFEST)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise wrong from error
    kinds: dict[str, type | tuple[type, ...]] = {
        "task": str,
        "model_name": str,
        "code_version": str,
        "files": dict,
        "metrics": dict,
        "params": dict,
        "schema": dict,
        "card": dict,
        "data_fingerprint": (dict, type(None)),
    }
    if not isinstance(document, dict) or document.get("format") != SCHEMA:
        raise wrong
    if any(not isinstance(document.get(key), kind) for key, kind in kinds.items()):
        raise wrong
    for name, entry in document["files"].items():
        check_name(name)
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
            raise wrong
        if not isinstance(entry.get("bytes"), int) or entry["bytes"] < 0:
            raise wrong
    if sum(entry["bytes"] for entry in document["files"].values()) > MAX_BYTES:
        raise wrong
    return raw, document
