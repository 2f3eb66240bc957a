"""The exception tree: what went wrong, where, and how to mend it.

::

    EsgmlError ............................ exit 1
    |-- UsageError ........................ exit 2   the call itself is wrong
    |-- DataError ......................... exit 3   the data is not fit for what was asked
    |   |-- ReadError                                cannot be read as a table
    |   |-- ColumnError                              a column missing, unknown or of the wrong kind
    |   |-- UnitError                                units unknown or not convertible
    |   |-- HistoryError                             too few observations
    |   `-- LookAheadError                           something from the future would be used
    |-- NotFoundError ..................... exit 4   no such model, version, entity, file
    |-- NotAllowedError ................... exit 5   refused by policy or permission
    |-- GateError ......................... exit 6   a quality gate was not met
    |-- NotTrainedError                              predict before train
    |-- MissingExtraError                            an optional library is needed
    |-- IntegrityError                               bytes do not match their hash
    `-- StorageError                                 disk full, read-only, locked

Every error carries ``code`` (stable, for programs), ``message``, ``where`` (file, row,
column) and ``remedy`` (what to do), and knows the process exit code the command line
answers with.
"""

from __future__ import annotations

from typing import ClassVar


class EsgmlError(Exception):
    """Base of every error the package raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    code : str, optional
        Stable machine-readable code; the class default where omitted.
    where : str, optional
        File, row, column or field the error is about.
    remedy : str, optional
        What the reader can do about it.
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, code: str | None = None, where: str = "", remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} {self.remedy}" if self.remedy else text

    def as_dict(self) -> dict[str, str]:
        """Return the error as plain strings, for JSON output."""
        return {
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "remedy": self.remedy,
        }


class UsageError(EsgmlError):
    """The call itself is wrong: an unknown option, a contradiction, a bad setting."""

    exit_code = 2
    default_code = "usage"


class DataError(EsgmlError):
    """The data is not fit for what was asked of it."""

    exit_code = 3
    default_code = "data_invalid"


class ReadError(DataError):
    """The source cannot be read as a table."""

    default_code = "unreadable"


class ColumnError(DataError):
    """A column is missing, unknown, or of the wrong kind."""

    default_code = "column"


class UnitError(DataError):
    """A unit is unknown, or two units cannot be converted into each other."""

    default_code = "unit"


class HistoryError(DataError):
    """There are too few observations for the request."""

    default_code = "history_too_short"


class LookAheadError(DataError):
    """A value from after the forecast origin would have been used."""

    default_code = "look_ahead"


class NotFoundError(EsgmlError):
    """The named thing does not exist."""

    exit_code = 4
    default_code = "not_found"


class NotAllowedError(EsgmlError):
    """Refused by policy: token, role, path, host or limit."""

    exit_code = 5
    default_code = "not_allowed"


class GateError(EsgmlError):
    """A quality gate was not met, so nothing was released."""

    exit_code = 6
    default_code = "gate"


class NotTrainedError(EsgmlError):
    """A model was asked to predict before it was trained."""

    default_code = "not_trained"


class MissingExtraError(EsgmlError):
    """An optional library is needed; the message names the extra that brings it."""

    default_code = "missing_extra"

    @classmethod
    def of(cls, library: str, extra: str) -> MissingExtraError:
        """Build the error for a library that the named extra installs."""
        return cls(
            f"this needs the library {library!r}, which is not installed.",
            remedy=f"Install it with: pip install 'esgml[{extra}]'.",
        )


class IntegrityError(EsgmlError):
    """Stored bytes do not match the hash they were recorded with."""

    default_code = "integrity"


class StorageError(EsgmlError):
    """The workspace cannot be written or read: full, read-only, locked."""

    default_code = "storage"
