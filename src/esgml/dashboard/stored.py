"""The documents that pages show: ``reports/*.json`` of the workspace, checked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import pydantic

from esgml.core.errors import DataError, EsgmlError, NotFoundError
from esgml.core.settings import Settings
from esgml.core.storage import explained

#: Larger files are no report.
MAX_BYTES = 50_000_000


def _naive(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value


Number = Annotated[float, pydantic.Field(allow_inf_nan=False)]
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Time = Annotated[dt.datetime, pydantic.AfterValidator(_naive)]

D = TypeVar("D", bound=pydantic.BaseModel)


@dataclass
class Stored(Generic[D]):
    """One kind of document, read again only when its file changed.

    Attributes
    ----------
    name : str
        Of the file, without ``.json``.
    model : type
        What the document must be.
    what : str
        What it is called in messages.
    command : str
        Which command makes it.
    """

    name: str
    model: type[D]
    what: str
    command: str
    _known: dict[Path, tuple[tuple[int, int], D]] = field(default_factory=dict)

    def path(self, settings: Settings) -> Path:
        """Return where a workspace stores the document."""
        return settings.folder("reports", f"{self.name}.json")

    def found(self, settings: Settings) -> tuple[D | None, str]:
        """Return the document of a workspace; where there is none, None and why."""
        try:
            return self.read(self.path(settings)), ""
        except EsgmlError as error:
            return None, error.message

    def read(self, path: Path) -> D:
        """Read the document.

        Raises
        ------
        NotFoundError
            If nothing is stored yet.
        DataError
            If the file is no such document.
        """
        if not path.is_file():
            raise NotFoundError(
                f"No {self.what} is stored yet. Make one with: {self.command}",
                code="report_missing",
            )
        with explained(path):
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            known = self._known.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            if state.st_size > MAX_BYTES:
                raise DataError(
                    f"The stored {self.what} is too large.", code="report", where=path.name
                )
            data = path.read_bytes()
        try:
            document = self.model.model_validate_json(data)
        except pydantic.ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "file"
            raise DataError(
                f"The stored {self.what} is unreadable: {place}: {first['msg']}.",
                code="report",
                where=path.name,
                remedy=f"Make it again with: {self.command}",
            ) from error
        self._known.clear()
        self._known[path] = (stamp, document)
        return document
