"""The ledger: every act of the registry, in order, each entry holding the hash of the last.

Entries are only ever added; the database refuses changes and deletions. Whoever edits the
tables behind its back breaks the chain, and `check` names the entry. Cutting off the end is
the one thing a chain alone cannot show: compare the head with one noted earlier.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

TABLE = "esgml_ledger"
GENESIS = "0" * 64

_LAST = "SELECT seq, hash FROM esgml_ledger ORDER BY seq DESC LIMIT 1"
_SELECT = """SELECT seq, at, who, act, model, version, detail, previous, hash FROM esgml_ledger
    WHERE model = :model OR :model = '' ORDER BY seq"""
_INSERT = """INSERT INTO esgml_ledger
    (seq, at, who, act, model, version, detail, previous, hash) VALUES
    (:seq, :at, :who, :act, :model, :version, :detail, :previous, :hash)"""
_CREATE = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, act TEXT NOT NULL,
    model TEXT NOT NULL, version TEXT NOT NULL, detail TEXT NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL UNIQUE)"""
_GUARD_SQLITE = tuple(
    f"""CREATE TRIGGER IF NOT EXISTS {TABLE}_no_{verb.lower()} BEFORE {verb} ON {TABLE}
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"""
    for verb in ("UPDATE", "DELETE")
)
_GUARD_POSTGRES = (
    f"""CREATE OR REPLACE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    f"""CREATE OR REPLACE TRIGGER {TABLE}_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()""",
)


@dataclass(frozen=True)
class Entry:
    """One act: who did what to which model, when, after which other entry.

    Attributes
    ----------
    seq : int
        1 for the first.
    at : str
        ISO 8601, UTC.
    who, act, model, version : str
    detail : dict
    previous, hash : str
        SHA-256 of the entry before, and of this one with it.
    """

    seq: int
    at: str
    who: str
    act: str
    model: str
    version: str
    detail: dict[str, Any]
    previous: str
    hash: str

    def computed(self) -> str:
        """Return the hash the entry must have."""
        body = [self.seq, self.at, self.who, self.act, self.model, self.version]
        text = json.dumps([*body, self.detail, self.previous], sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def whoami() -> str:
    """Return who acts: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def create_table(connection: Connection) -> None:
    """Create the ledger and the triggers that keep it append-only."""
    from sqlalchemy import text

    connection.execute(text(_CREATE))
    sqlite = connection.dialect.name == "sqlite"
    for statement in _GUARD_SQLITE if sqlite else _GUARD_POSTGRES:
        connection.execute(text(statement))


def append(
    session: Session, act: str, model: str, version: str, detail: dict[str, Any], who: str = ""
) -> Entry:
    """Add an entry inside the caller's transaction, which must exclude other writers."""
    from sqlalchemy import text

    last = session.execute(text(_LAST)).one_or_none()
    seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    detail = json.loads(json.dumps(detail, allow_nan=False))
    entry = Entry(seq, at, who or whoami(), act, model, version, detail, previous, "")
    entry = replace(entry, hash=entry.computed())
    session.execute(text(_INSERT), {**asdict(entry), "detail": json.dumps(detail, sort_keys=True)})
    return entry


def entries(connection: Connection | Session, model: str = "") -> tuple[Entry, ...]:
    """Return the entries in order, of one model or of all."""
    from sqlalchemy import text

    rows = connection.execute(text(_SELECT), {"model": model})
    return tuple(
        Entry(int(r[0]), r[1], r[2], r[3], r[4], r[5], _detail(r[6]), r[7], r[8]) for r in rows
    )


def _detail(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"unreadable": text}


def check(chain: Sequence[Entry]) -> list[str]:
    """Return what is wrong with a whole ledger; empty where the chain holds."""
    found = []
    previous = GENESIS
    for number, entry in enumerate(chain, start=1):
        if entry.seq != number:
            found.append(f"entry {number} is missing; found entry {entry.seq} instead.")
            break
        if entry.previous != previous:
            found.append(f"entry {entry.seq} does not follow the entry before it.")
        if entry.hash != entry.computed():
            found.append(f"entry {entry.seq} was changed after it was written.")
        previous = entry.hash
    return found


def aliases(chain: Sequence[Entry], model: str, alias: str) -> list[str]:
    """Return the versions an alias pointed at, oldest first, undone promotions taken out."""
    stack: list[str] = []
    for entry in chain:
        if entry.model != model or entry.detail.get("alias") != alias:
            continue
        if entry.act == "promote":
            stack.append(entry.version)
        elif entry.act == "rollback" and stack:
            stack.pop()
    return stack
