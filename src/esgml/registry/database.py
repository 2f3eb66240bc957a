"""The registry's database: MLflow's own tables and schema, plus the ledger beside them.

Writes go through MLflow's store, so that its interface and clients see nothing unusual, but
in one transaction of ours: what MLflow writes and the entry in the ledger become visible
together or not at all. Reads are plain SQL, because importing MLflow takes seconds.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esgml.core.errors import MissingExtraError, NotFoundError, StorageError, UsageError
from esgml.core.storage import explained
from esgml.registry import ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

#: Seconds a writer waits for another before it gives up.
PATIENCE = 30
#: Seconds a server has to answer.
CONNECT_SECONDS = 10
#: Key of the lock that writers of a PostgreSQL registry queue for.
_ADVISORY_KEY = 0x65736D6C
#: Levels and warning filters belong to the whole process: one thread at a time changes them.
_QUIET = threading.Lock()


@dataclass(frozen=True)
class Transaction:
    """One write: MLflow's store and the session that both it and the ledger use."""

    store: Any
    session: Session


class Database:
    """Opens the registry's database for reading or writing.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://user:password@host/name``.

    Raises
    ------
    UsageError
        If the URL is of another kind.
    """

    def __init__(self, url: str) -> None:
        scheme = url.partition("://")[0]
        if scheme in ("postgres", "postgresql"):
            url = "postgresql+psycopg://" + url.partition("://")[2]
        elif not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise UsageError(
                f"a registry cannot live in {scheme!r}.",
                remedy="Use sqlite:///FILE or postgresql://USER@HOST/NAME.",
            )
        self.url = url
        self.file = Path(url.removeprefix("sqlite:///")) if scheme == "sqlite" else None
        self._lock = threading.Lock()
        self._base: Any = None
        self._known = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """Open for reading; gives None where no registry has been written yet."""
        if self.file is not None and not self.file.exists():
            yield None
            return
        with self._explained(), self._engine.connect() as connection:
            if not self._known:
                from sqlalchemy import inspect

                names = set(inspect(connection).get_table_names())
                self._known = {"model_versions", ledger.TABLE} <= names
            yield connection if self._known else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open one transaction that excludes every other writer, committed at the end.

        Raises
        ------
        StorageError
            If the database cannot be reached or written, or another writer holds it.
        """
        from sqlalchemy import text

        with self._explained():
            base = self._store()
            from sqlalchemy.orm import Session

            with Session(base.engine) as session:
                if self.file is not None:
                    session.execute(text("PRAGMA foreign_keys = ON"))
                    session.execute(text(f"PRAGMA busy_timeout = {PATIENCE * 1000}"))
                    session.execute(text("PRAGMA synchronous = FULL"))
                    # Taking the write lock before the first read means that what is read
                    # here is still true when it is written.
                    session.execute(text("BEGIN IMMEDIATE"))
                else:
                    session.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
                    session.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_KEY})"))

                @contextlib.contextmanager
                def shared(read_only: bool = True) -> Iterator[Session]:
                    yield session
                    session.flush()

                store = copy.copy(base)
                store.ManagedSessionMaker = shared
                yield Transaction(store, session)
                session.commit()

    @functools.cached_property
    def _engine(self) -> Engine:
        return self._engine_of(self.url)

    def describe(self) -> str:
        """Return where the registry is, without its password."""
        if self.file is not None:
            return str(self.file)
        from sqlalchemy import make_url

        return make_url(self.url).render_as_string(hide_password=True)

    # Opening ----------------------------------------------------------------------------

    def _engine_of(self, url: str) -> Engine:
        """Return an engine that keeps no connection open, so that none has to be closed."""
        from sqlalchemy import URL, NullPool, create_engine

        if self.file is None:
            return create_engine(
                url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
            )
        # A path is taken as it is: it may hold what means something in a URL.
        place = URL.create("sqlite", database=url.removeprefix("sqlite:///"))
        return create_engine(place, poolclass=NullPool, connect_args={"timeout": PATIENCE})

    def _store(self) -> Any:
        """Return MLflow's store, creating its tables and the ledger's where missing."""
        with self._lock:
            if self._base is None and self.file is not None:
                if not self.file.exists():
                    self._create_file(self.file)
                self._base = self._open(self._engine)
            elif self._base is None:
                from sqlalchemy import text

                with self._engine.connect() as connection:
                    # Two processes that start on an empty server must not both migrate it.
                    connection.execute(text(f"SELECT pg_advisory_lock({_ADVISORY_KEY + 1})"))
                    self._base = self._open(self._engine)
            return self._base

    def _create_file(self, file: Path) -> None:
        """Create a SQLite registry beside its place and then link it there whole.

        MLflow's migrations are many transactions; a kill between them, or a second process
        starting, must not meet half a schema.
        """
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=".tmp-registry-") as name:
                draft = Path(name).absolute() / "registry.db"
                self._open(self._engine_of(f"sqlite:///{draft}"))
                with contextlib.suppress(FileExistsError):
                    os.link(draft, file)

    @staticmethod
    def _open(engine: Engine) -> Any:
        # Set before MLflow is imported, which reads it once: it must not call home.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        with _quiet():
            try:
                from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
            except ModuleNotFoundError as error:
                raise MissingExtraError.of("mlflow-skinny", "registry") from error

            class Store(SqlAlchemyStore):  # type: ignore[misc]
                """MLflow's store on an engine of ours: its own tries a lost server for minutes."""

                @classmethod
                def _get_or_create_engine(cls, db_uri: str) -> Engine:
                    return engine

            store = Store(engine.url.render_as_string(hide_password=False))
            from sqlalchemy import inspect

            if not inspect(engine).has_table(ledger.TABLE):
                with engine.begin() as connection:
                    ledger.create_table(connection)
            return store

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn database errors into ones that say what to do, without the password."""
        try:
            from sqlalchemy.exc import DBAPIError
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("sqlalchemy", "registry") from error
        try:
            yield
        except DBAPIError as error:
            cause = (str(error.orig).strip().splitlines() or [str(error)])[0]
            code, remedy = next(
                (known for words, known in _KNOWN_CAUSES.items() if words in cause.lower()),
                ("registry_database", _UNREACHABLE),
            )
            raise StorageError(
                f"the registry's database refused: {cause}.",
                code=code,
                where=self.describe(),
                remedy=remedy,
            ) from error
        except Exception as error:
            if type(error).__module__ == "mlflow.exceptions":
                code = getattr(error, "error_code", "")
                kind = NotFoundError if code == "RESOURCE_DOES_NOT_EXIST" else StorageError
                raise kind(str(error), where=self.describe()) from error
            raise


_UNREACHABLE = "Check that it is reachable, writable and not held by another program."
_FREE = ("disk_full", "Free space or choose another --workspace, then run the command again.")
#: What databases say of a full or read-only disk -> code and remedy.
_KNOWN_CAUSES = {
    "disk is full": _FREE,
    "no space left": _FREE,
    "readonly database": ("read_only", "Choose a writable --workspace."),
}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow and Alembic from talking on standard error while they set up."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "mlflow.store.db.utils", "alembic")]
    with _QUIET:
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
