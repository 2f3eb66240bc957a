"""`ModelRegistry`: versions of models, who released which, and the proof that none changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esgml.core.errors import (
    GateError,
    IntegrityError,
    NotFoundError,
    UsageError,
)
from esgml.core.events import EventBus, VersionPromoted
from esgml.core.interfaces import BaseModel
from esgml.core.settings import Settings
from esgml.core.tasks import Trained
from esgml.registry import gate, ledger
from esgml.registry.audit import Verification, audit
from esgml.registry.bundle import Bundle
from esgml.registry.compare import Comparison, compare
from esgml.registry.database import Database, Transaction
from esgml.registry.fingerprint import Fingerprint
from esgml.registry.shelf import Shelf
from esgml.registry.versions import (
    DIGEST,
    VersionInfo,
    check_alias,
    check_name,
    check_version,
    metric_tag,
    read_versions,
    scalars,
)

CHAMPION = "champion"
CHALLENGER = "challenger"


class ModelRegistry:
    """Registered models in a workspace: register, get, promote, roll back, compare, verify.

    Versions, aliases and tags live in MLflow's tables in the database of the settings
    (SQLite, or PostgreSQL by URL); bundles in ``bundles/<digest>`` of the workspace. What
    `register` or `promote` has returned survives a kill; what was under way when the kill
    came has not happened.

    Parameters
    ----------
    settings : Settings, optional
    bus : EventBus, optional
        Told of every promotion and rollback.
    """

    def __init__(self, settings: Settings | None = None, bus: EventBus | None = None) -> None:
        self.settings = settings or Settings()
        self.database = Database(self.settings.database)
        self._bus = bus
        self._shelf = Shelf(self.settings)

    # Writing ----------------------------------------------------------------------------

    def register(
        self,
        model: Trained | Bundle | BaseModel,
        metrics: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        fingerprint: Fingerprint | None = None,
        who: str = "",
    ) -> str:
        """Store a trained model and return its version, ``1`` for the first of a name.

        Registering the same content under the same name again returns the version it has
        already, so a caller that never saw the answer can simply ask again.

        Parameters
        ----------
        model : Trained, Bundle or BaseModel
        metrics : mapping, optional
            Added to those the model brings.
        name : str, optional
            Name to register under; that of the task where left out.
        fingerprint : Fingerprint, optional
            Of the table it learned from.
        who : str, optional
            For the ledger; ``user@host`` where left out.

        Raises
        ------
        UsageError
            If the name is not allowed, or the model is of no kind that can be stored.
        NotAllowedError
            If a file is of a format that may carry code.
        StorageError
            If the workspace or the database cannot be written; nothing is registered then.
        """
        if metrics is not None and not isinstance(metrics, Mapping):
            raise UsageError(f"metrics are a mapping of names, got a {type(metrics).__name__}.")
        if isinstance(model, Bundle):
            if metrics or fingerprint:
                values = {key: getattr(model, key) for key in model.__dataclass_fields__}
                values["metrics"] = {**model.metrics, **(metrics or {})}
                values["data_fingerprint"] = fingerprint or model.data_fingerprint
                model = Bundle(**values)
            bundle = model
        elif isinstance(model, Trained):
            bundle = Bundle.from_trained(model, fingerprint, metrics)
        elif isinstance(model, BaseModel):
            bundle = Bundle.from_model(model, metrics, fingerprint)
        else:
            raise UsageError(
                f"a {type(model).__name__} cannot be registered.",
                code="model_kind",
                remedy="Give a trained BaseModel, what training a task yielded, or a Bundle.",
            )
        name = check_name(name or bundle.name or bundle.task)
        digest = bundle.digest
        repaired = self._shelf.store(bundle, digest)
        with self.database.writing() as tx:
            known = [v for v in self._list(tx, name) if v.digest == digest]
            if repaired:
                ledger.append(tx.session, "repair", name, "", {"digest": digest}, who)
            if known:
                return known[-1].version
            version = self._create(tx, name, bundle, digest)
            detail = {
                "digest": digest,
                "task": bundle.task,
                "model": bundle.model_name,
                "code": bundle.code_version,
                "data": bundle.data_fingerprint.sha256 if bundle.data_fingerprint else "",
            }
            ledger.append(tx.session, "register", name, version, detail, who)
        return version

    def promote(
        self,
        name: str,
        version: str | int,
        alias: str = CHAMPION,
        *,
        force: bool = False,
        reason: str = "",
        who: str = "",
    ) -> str:
        """Point an alias at a version and return the version it pointed at, or ``""``.

        Readers see the old version or the new one, never neither. The bundle is verified
        first. A champion must beat its naive baseline, and not be worse than the champion
        before it where the windows both were tested on show that; `force` overrides that,
        and the ledger keeps that it was forced, by whom and with what `reason`.

        Raises
        ------
        NotFoundError
            If there is no such version.
        GateError
            If it does not beat the naive baseline, or is clearly worse than the champion,
            and is not forced.
        IntegrityError
            If its bundle was changed.
        """
        check_name(name)
        check_alias(alias)
        version = check_version(version)
        bundle = self.get(name, version)
        verdict = gate.judge(bundle.metrics)
        refused = gate.refusal(verdict, self._worse(bundle)) if alias == CHAMPION else None
        if refused and not force:
            raise GateError(
                f"{name} {version} is not released: {refused.reason}",
                code=refused.code,
                remedy="Train a better model, or promote it with force and a reason.",
            )
        with self.database.writing() as tx:
            self._visible(tx, name, version)
            previous = self._alias(tx, name, alias)
            if previous != version:
                tx.store.set_registered_model_alias(name, alias, version)
                detail = {
                    "alias": alias,
                    "from": previous,
                    "gate": refused.reason if refused else verdict.reason,
                    "forced": refused is not None,
                    "reason": reason,
                }
                ledger.append(tx.session, "promote", name, version, detail, who)
        self._tell(name, alias, version, previous)
        return previous

    def rollback(self, name: str, alias: str = CHAMPION, *, reason: str = "", who: str = "") -> str:
        """Point an alias back at the version before the last promotion; returns that version.

        Rolling back twice goes back twice.

        Raises
        ------
        NotFoundError
            If there is nothing to go back to.
        IntegrityError
            If the bundle to go back to was changed.
        """
        check_name(name)
        check_alias(alias)
        with self.database.writing() as tx:
            stack = ledger.aliases(ledger.entries(tx.session, name), name, alias)
            current = self._alias(tx, name, alias)
            if current == "" or len(stack) < 2:
                raise NotFoundError(
                    f"{alias} of {name!r} has no earlier version to go back to.",
                    code="no_previous",
                    remedy="Promote the version you want instead.",
                )
            if stack[-1] != current:
                raise IntegrityError(
                    f"{alias} of {name!r} points at {current}, the ledger says {stack[-1]}.",
                    code="alias_changed_outside",
                    remedy="Promote the version you want, so that the ledger knows it.",
                )
            target = stack[-2]
            self._read(self._visible(tx, name, target))
            tx.store.set_registered_model_alias(name, alias, target)
            detail = {"alias": alias, "from": current, "reason": reason}
            ledger.append(tx.session, "rollback", name, target, detail, who)
        self._tell(name, alias, target, current)
        return target

    # Reading ----------------------------------------------------------------------------

    def get(self, name: str, version_or_alias: str | int = CHAMPION) -> Bundle:
        """Return a bundle by version number, alias, or ``latest``, with every hash checked.

        Does not import MLflow.

        Raises
        ------
        NotFoundError
            If there is no such model, version or alias.
        IntegrityError
            If any stored byte differs from what was registered.
        """
        return self._read(self.info(name, version_or_alias))

    def info(self, name: str, version_or_alias: str | int = CHAMPION) -> VersionInfo:
        """Return what is known of a version without reading its bundle; cheap to poll."""
        check_name(name)
        version_or_alias = str(version_or_alias)
        found = self.list(name)
        if not found:
            known = sorted({v.name for v in self.list()})
            raise NotFoundError(
                f"no model {name!r}.",
                code="model_unknown",
                remedy=f"Registered: {', '.join(known) or 'none; train one first'}.",
            )
        if version_or_alias == "latest":
            return found[-1]
        for version in found:
            if version_or_alias == version.version or version_or_alias in version.aliases:
                return version
        named = sorted({alias for version in found for alias in version.aliases})
        raise NotFoundError(
            f"{name!r} has no version or alias {version_or_alias[:60]!r}.",
            code="version_unknown",
            remedy=f"Versions: {', '.join(v.version for v in found)};"
            f" aliases: {', '.join(named) or 'none'}.",
        )

    def list(self, name: str = "") -> tuple[VersionInfo, ...]:
        """Return all versions of a model, or of all models, oldest first."""
        if name:
            check_name(name)
        with self.database.reading() as connection:
            return () if connection is None else read_versions(connection, name)

    def history(self, name: str = "") -> tuple[ledger.Entry, ...]:
        """Return the acts recorded for a model, or all, oldest first."""
        with self.database.reading() as connection:
            return () if connection is None else ledger.entries(connection, name)

    def compare(
        self, name: str, a: str | int, b: str | int, *, level: int = 95, seed: int = 0
    ) -> Comparison:
        """Compare two versions, with a confidence interval where both kept paired errors."""
        return compare(self.get(name, a), self.get(name, b), level=level, seed=seed)

    def verify(self, name: str = "", version: str = "", *, head: str = "") -> Verification:
        """Check every hash of the bundles, the chain of the ledger, and that both agree.

        With a name, only the bundles of that model (or that version) are read; the ledger
        is always checked whole. `head` is a ledger hash noted earlier: it must still be
        in the chain, or the end was cut off or rewritten.
        """
        while True:
            chain = self.history()
            versions = (self.info(name, version),) if version else self.list(name)
            if self.history()[-1:] == chain[-1:]:
                break  # nobody wrote between reading the one and the other
        if name and not versions:
            self.info(name, "latest")  # says what is registered instead
        return audit(
            versions,
            chain,
            self._read,
            head,
            whole=lambda model: not version and name in ("", model),
        )

    # Inside -----------------------------------------------------------------------------

    def _worse(self, bundle: Bundle) -> str:
        """Say by how much a bundle is worse than the champion, empty where that is not shown."""
        champion = next((v for v in self.list(bundle.name) if CHAMPION in v.aliases), None)
        if champion is None or champion.version == bundle.version:
            return ""
        try:
            found = compare(bundle, self._read(champion))
        except (NotFoundError, IntegrityError):  # nothing to compare with is no reason against
            return ""
        if found.verdict != "b":
            return ""
        return (
            f"{found.metric} {found.value_a:.4g} is worse than {found.value_b:.4g} of version"
            f" {champion.version} on the {found.windows} windows both were tested on."
        )

    def _read(self, item: VersionInfo) -> Bundle:
        return self._shelf.read(item.digest).registered(item.name, item.version, item.created)

    def _create(self, tx: Transaction, name: str, bundle: Bundle, digest: str) -> str:
        from mlflow.entities.model_registry import ModelVersionTag
        from sqlalchemy import text

        from esgml.registry.card import markdown

        known = tx.session.execute(
            text("SELECT 1 FROM registered_models WHERE workspace = 'default' AND name = :name"),
            {"name": name},
        ).first()
        if known is None:
            tx.store.create_registered_model(name)
        tags = {
            DIGEST: digest,
            "esgml.task": bundle.task,
            "esgml.model": bundle.model_name,
            "esgml.metric": gate.headline(bundle.metrics)[0],
            "esgml.code": bundle.code_version,
            "esgml.data": bundle.data_fingerprint.sha256 if bundle.data_fingerprint else "",
            **{metric_tag(key): repr(value) for key, value in scalars(bundle.metrics).items()},
        }
        source = self._shelf.folder(digest).absolute().as_uri()
        row = tx.store.create_model_version(
            name,
            source if len(source) <= 500 else f"bundles/{digest}",
            tags=[ModelVersionTag(key[:250], value) for key, value in tags.items()],
            description=markdown(bundle)[:5000],
        )
        return str(row.version)

    def _list(self, tx: Transaction, name: str) -> tuple[VersionInfo, ...]:
        return read_versions(tx.session.connection(), name)

    def _visible(self, tx: Transaction, name: str, version: str) -> VersionInfo:
        for item in self._list(tx, name):
            if item.version == version:
                return item
        raise NotFoundError(f"{name!r} has no version {version!r}.", code="version_unknown")

    def _alias(self, tx: Transaction, name: str, alias: str) -> str:
        for item in self._list(tx, name):
            if alias in item.aliases:
                return item.version
        return ""

    def _tell(self, name: str, alias: str, version: str, previous: str) -> None:
        if self._bus is not None and previous != version:
            self._bus.publish(VersionPromoted(name, alias, version, previous))
