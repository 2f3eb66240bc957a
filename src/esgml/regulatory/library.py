"""Regulations kept in a workspace: each text under a name, every version of it side by side.

A text is stored once, as it was given, under the hash of its bytes; versions are never changed,
so that a search or a comparison made yesterday can be made again.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from esgml.core.errors import DataError, IntegrityError, NotFoundError, UsageError
from esgml.core.storage import explained, read_checked, sha256, write_atomic

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
#: Most bytes of one text, and most texts of a library.
MOST_BYTES = 5_000_000
MOST_TEXTS = 20_000


@dataclass(frozen=True)
class Entry:
    """One version of one regulation.

    Attributes
    ----------
    name : str
        What the regulation is called, such as ``32023R0956``.
    version : str
        What tells its versions apart, such as the date of a consolidated text.
    title : str
    sha256 : str
        Hash of the text, and the name of its file.
    characters : int
    """

    name: str
    version: str
    title: str
    sha256: str
    characters: int


class RegulationLibrary:
    """The regulations of a workspace.

    Parameters
    ----------
    folder : path
        Where they are kept; made when the first one is added.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def _list(self) -> Path:
        return self.folder / "library.json"

    def entries(self) -> list[Entry]:
        """Return what is kept, by name and version.

        Raises
        ------
        IntegrityError
            If the list of the library is no longer readable.
        """
        if not self._list.exists():
            return []
        with explained(self._list):
            data = self._list.read_bytes()
        try:
            found = [Entry(**one) for one in json.loads(data)["texts"]]
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(
                "the list of regulations is unreadable.",
                where=str(self._list),
                remedy="Restore it from a backup, or add the texts again into a new workspace.",
            ) from error
        return sorted(found, key=lambda e: (e.name, e.version))

    def add(self, name: str, text: str, *, title: str = "", version: str = "") -> Entry:
        """Keep a text; the same text under the same name and version again changes nothing.

        Raises
        ------
        UsageError
            If the name is none, or another text is kept under it and the version.
        DataError
            If there is no text, or it is too large.
        """
        for what, value in (("name", name), ("version", version)):
            if (value or what == "name") and not _NAME.fullmatch(value):
                raise UsageError(
                    f"{value[:40]!r} is no {what} of a regulation.",
                    remedy="Use letters, digits, dots, dashes and underscores, at most 80.",
                )
        data = text.encode("utf-8", errors="surrogatepass")
        if not text.strip():
            raise DataError("there is no text.", code="empty", where=name)
        if len(data) > MOST_BYTES:
            raise DataError(
                f"the text has {len(data)} bytes, more than {MOST_BYTES}.",
                code="too_large",
                where=name,
                remedy="Add its parts under names of their own.",
            )
        entry = Entry(name, version, title[:500], sha256(data), len(text))
        kept = self.entries()
        for old in kept:
            if (old.name, old.version) == (name, version):
                if old.sha256 == entry.sha256:
                    return old
                raise UsageError(
                    f"another text is kept as {name!r} {version!r}.",
                    code="version_exists",
                    remedy="Give the new text a version of its own, such as its date.",
                )
        if len(kept) >= MOST_TEXTS:
            raise DataError(f"a library holds at most {MOST_TEXTS} texts.", code="library_full")
        write_atomic(self._text(entry), data)
        listed = json.dumps({"texts": [asdict(e) for e in [*kept, entry]]}, indent=1)
        write_atomic(self._list, listed.encode())
        return entry

    def _text(self, entry: Entry) -> Path:
        return self.folder / "texts" / f"{entry.sha256}.txt"

    def read(self, entry: Entry) -> str:
        """Return the text of an entry, its hash verified."""
        data = read_checked(self._text(entry), entry.sha256)
        return data.decode("utf-8", errors="surrogatepass")

    def text(self, name: str, version: str = "") -> str:
        """Return the text kept under a name; its last version where none is given.

        Raises
        ------
        NotFoundError
            If there is none, naming what is kept.
        """
        found = [e for e in self.entries() if e.name == name and version in ("", e.version)]
        if not found:
            names = sorted({e.name for e in self.entries()})
            kept = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if names[20:] else "")
            raise NotFoundError(
                f"no regulation {name[:40]!r} {version[:40]!r} in the library.",
                code="regulation_unknown",
                remedy=f"Kept: {kept or 'none; add one first'}.",
            )
        return self.read(found[-1])


def listing(folder: str | Path | None = None, as_of: dt.date | None = None) -> dict[str, Any]:
    """Return the regulations of a library and those of the knowledge base, as plain JSON values.

    Parameters
    ----------
    folder : path, optional
        Folder of the library.
    as_of : date, optional
        The day on which facts are counted as law; today where not given.
    """
    from esgml.regulatory.knowledge import knowledge

    day = as_of or dt.date.today()
    known = []
    for regulation in sorted(knowledge().regulations.values(), key=lambda r: r.id):
        valid = [f for f in regulation.facts if f.valid(day)]
        dates = [
            due
            for f in valid
            if f.deadline is not None
            and (f.deadline.date is not None or f.deadline.every is not None)
            and (due := f.deadline.next(day, "01-01", day)) is not None
        ]
        known.append(
            {
                "id": regulation.id,
                "title": regulation.title,
                "jurisdiction": regulation.jurisdiction,
                "topics": list(regulation.topics),
                "status": sorted({f.status for f in valid if f.kind == "scope"}),
                "facts": len(valid),
                "verified": sum(f.verified for f in valid),
                "as_of": max(f.as_of for f in regulation.facts).isoformat(),
                "next_deadline": min(dates).isoformat() if dates else None,
            }
        )
    kept = RegulationLibrary(folder).entries() if folder is not None else []
    return {
        "schema": "esgml.regulations/1",
        "as_of": day.isoformat(),
        "ingested": [asdict(entry) for entry in kept],
        "knowledge": known,
    }
