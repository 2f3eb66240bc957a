"""One training table, read in every way that the tasks to be trained need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esgml.core.errors import DataError, EsgmlError
from esgml.core.frames import SeriesSpec
from esgml.core.settings import Settings
from esgml.core.tasks import Task
from esgml.training import dataset

if TYPE_CHECKING:
    from esgml.data.load import Loaded
    from esgml.registry.fingerprint import Fingerprint


class Tables:
    """The table as the tasks read it, each way once, and kept once in the workspace.

    Parameters
    ----------
    data : path, URL, data frame or Loaded
    spec : SeriesSpec or None
        Column roles; detected where None.
    settings : Settings
        Says where the workspace is.
    notice : callable
        Told what is wrong with the table.
    """

    def __init__(
        self,
        data: Any,
        spec: SeriesSpec | None,
        settings: Settings,
        notice: Callable[[str], None],
    ) -> None:
        self._data, self._spec, self._settings, self._notice = data, spec, settings, notice
        self._loaded: dict[str, Loaded] = {}
        self._refused: dict[str, EsgmlError] = {}
        self._kept: dict[str, tuple[Path, Fingerprint]] = {}

    def refusal(self, task: Task) -> EsgmlError | None:
        """Read the table as a task does; returns why it is refused at the door, if it is."""
        reads = task.reads
        if reads not in self._loaded and reads not in self._refused:
            try:
                found = self._loaded[reads] = dataset.prepare(self._data, self._spec, reads)
            except DataError as error:
                self._refused[reads] = error
            else:
                for fault in found.report.faults if found is not self._data else ():
                    self._notice(f"{fault.severity}: {fault.code}: {fault.message}")
        return self._refused.get(reads)

    def loaded(self, task: Task) -> Loaded:
        """Return the table as a task reads it."""
        return self._loaded[task.reads]

    def spec(self, reads: str) -> SeriesSpec:
        """Return the column roles of the table read one way."""
        return self._loaded[reads].spec

    def kept(self, reads: str) -> tuple[Path, Fingerprint]:
        """Keep the table read one way under its fingerprint."""
        if reads not in self._kept:
            table = self._loaded[reads]
            self._kept[reads] = dataset.keep(table.frame, table.spec, self._settings)
        return self._kept[reads]

    def fingerprint(self) -> dict[str, Any]:
        """Return the fingerprint of the table that was trained on first, for the report."""
        found = next(iter(self._kept.values()), None)
        return dataset.without_columns(found[1]) if found else {}
