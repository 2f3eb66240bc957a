"""Every value ever learned, in append-only Parquet partitions.

A partition is one ingested batch, written whole or not at all and never changed. Its name
is a number that only grows, its first and last event (so that an ingest opens only the
partitions it may repeat or correct) and the hash of its content. An event may be stored several
times, each time with a later ``created_timestamp``: a correction adds, nothing is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from esgml.core.errors import DataError, IntegrityError
from esgml.core.storage import explained, write_atomic
from esgml.features.store.digest import content_digest
from esgml.features.store.rows import PreparedRows
from esgml.features.store.views import CREATED, EVENT, FeatureView, polars_type

_PART = re.compile(r"part-([0-9]{8})-([0-9a-f]{16})-([0-9a-f]{16})-[0-9a-f]{16}\.parquet")
_BIAS = 1 << 63  # writes times before 1970 as hexadecimal digits too


@dataclass(frozen=True)
class Appended:
    """What an append stored: partition name (empty = nothing new) and counts of rows."""

    partition: str
    stored: int
    duplicates: int
    corrections: int


class OfflineStore:
    """Parquet partitions of feature views, ``<root>/<view>/v<version>/part-*.parquet``.

    Parameters
    ----------
    root : Path
        Created with the first append.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def partitions(self, view: FeatureView) -> tuple[str, ...]:
        """Return the names of all partitions of a view, oldest first."""
        folder = self._folder(view)
        with explained(folder):
            if not folder.is_dir():
                return ()
            return tuple(sorted(n for n in os.listdir(folder) if _PART.fullmatch(n)))

    def read(
        self,
        view: FeatureView,
        partitions: Sequence[str] | None = None,
        condition: pl.Expr | None = None,
        features: bool = True,
    ) -> pl.DataFrame:
        """Return rows of a view, oldest partition first.

        Parameters
        ----------
        view : FeatureView
        partitions : sequence of str, optional
            Which to read; all where omitted.
        condition : Expr, optional
            Rows to keep; partitions that cannot hold any are not read.
        features : bool
            Whether to read the feature columns, or keys and times only.

        Raises
        ------
        IntegrityError
            If a partition is damaged.
        """
        names = self.partitions(view) if partitions is None else partitions
        schema = self.schema(view)
        columns = list(schema) if features else [*view.entities, EVENT, CREATED]
        if not names:
            return pl.DataFrame(schema={c: schema[c] for c in columns})
        folder = self._folder(view)
        paths = [folder / name for name in names]
        try:
            with explained(folder):
                lazy = pl.scan_parquet(paths, schema=schema, glob=False)
                if condition is not None:
                    lazy = lazy.filter(condition)
                return lazy.select(columns).collect()
        except pl.exceptions.PolarsError as error:
            raise IntegrityError(
                f"a partition cannot be read: {error}",
                where=str(folder),
                remedy="Restore the damaged file from a backup.",
            ) from error

    def append(self, view: FeatureView, rows: PreparedRows, now: datetime) -> Appended:
        """Store the rows that say something new, as one partition.

        A row whose key, times and values are already stored is a repetition and is left
        out, so a retried ingest changes nothing. Where the caller did not state when rows
        became known, the first value of an event counts as known when it happened; a row
        that repeats the latest value of its event is a repetition, and a row that changes
        it is a correction, known from `now`.

        Raises
        ------
        DataError
            If a row contradicts a stored row of the same key, event and created time.
        StorageError
            If the disk is full or read-only; nothing is changed.
        """
        if rows.frame.height == 0:
            return Appended("", 0, rows.duplicates, 0)
        folder = self._folder(view)
        with self._locked(folder):
            names = self.partitions(view)
            if rows.known:
                fresh, corrections = self._stated(view, rows.frame, names)
            else:
                fresh, corrections = self._unstated(view, rows.frame, names, now)
            duplicates = rows.duplicates + rows.frame.height - fresh.height
            if fresh.height == 0:
                return Appended("", 0, duplicates, 0)
            fresh = fresh.select(list(self.schema(view))).sort(*view.entities, EVENT, CREATED)
            number = int(names[-1][5:13]) + 1 if names else 1
            first, last = _span(fresh)
            name = f"part-{number:08d}-{first}-{last}-{content_digest(fresh)[:16]}.parquet"
            buffer = io.BytesIO()
            fresh.write_parquet(buffer, compression="lz4", statistics=True)
            write_atomic(folder / name, buffer.getvalue())
        return Appended(name, fresh.height, duplicates, corrections)

    def schema(self, view: FeatureView) -> dict[str, pl.DataType]:
        """Return the stored columns of a view and their types."""
        return {
            **{key: pl.String() for key in view.entities},
            EVENT: pl.Datetime("us"),
            CREATED: pl.Datetime("us"),
            **{f.name: polars_type(f.dtype) for f in view.features},
        }

    def _folder(self, view: FeatureView) -> Path:
        return self._root / view.name / f"v{view.version}"

    @contextlib.contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """Let one writer at a time into a folder; the lock ends with its process."""
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                for left in folder.glob(".tmp-*"):  # of a writer that was killed
                    left.unlink(missing_ok=True)
                yield
            finally:
                os.close(handle)

    def _overlap(
        self, view: FeatureView, frame: pl.DataFrame, names: Sequence[str]
    ) -> pl.DataFrame:
        """Return the stored rows of the events that `frame` is about."""
        low, high = frame[EVENT].min(), frame[EVENT].max()
        first, last = _span(frame)
        near = [name for name in names if _may_hold(name, first, last)]
        stored = self.read(view, near, pl.col(EVENT).is_between(low, high))
        identity = [*view.entities, EVENT]
        return stored.join(frame.select(identity).unique(), on=identity, how="semi")

    def _stated(
        self, view: FeatureView, frame: pl.DataFrame, names: Sequence[str]
    ) -> tuple[pl.DataFrame, int]:
        stored = self._overlap(view, frame, names)
        if stored.height == 0:
            return frame, 0
        columns = list(self.schema(view))
        fresh = frame.join(stored.select(columns), on=columns, how="anti", nulls_equal=True)
        identity = [*view.entities, EVENT, CREATED]
        clashes = fresh.join(stored, on=identity, how="semi")
        if clashes.height:
            raise DataError(
                f"{clashes.height} rows contradict stored rows of the same key, event and"
                f" created time, first for {', '.join(map(str, clashes.select(identity).row(0)))}.",
                code="conflicting_restatement",
                where=f"view {view.label}",
                remedy=f"A correction needs a later {CREATED}.",
            )
        corrections = fresh.join(stored, on=identity[:-1], how="semi").height
        return fresh, corrections

    def _unstated(
        self, view: FeatureView, frame: pl.DataFrame, names: Sequence[str], now: datetime
    ) -> tuple[pl.DataFrame, int]:
        first = frame.with_columns(pl.col(EVENT).alias(CREATED))
        stored = self._overlap(view, frame, names)
        if stored.height == 0:
            return first, 0
        identity = [*view.entities, EVENT]
        latest = stored.sort(CREATED).unique(identity, keep="last")
        same = [*identity, *view.feature_names]
        fresh = first.join(latest.select(same), on=same, how="anti", nulls_equal=True)
        before = latest.select(*identity, pl.col(CREATED).alias("_before"))
        fresh = fresh.join(before, on=identity, how="left")
        corrections = fresh["_before"].is_not_null().sum()
        # a clock that went backwards must not put a correction before what it corrects
        later = pl.max_horizontal(
            pl.lit(now, pl.Datetime("us")), pl.col("_before") + timedelta(microseconds=1)
        )
        return (
            fresh.with_columns(
                pl.when(pl.col("_before").is_null())
                .then(pl.col(CREATED))
                .otherwise(later)
                .alias(CREATED)
            ).drop("_before"),
            int(corrections),
        )


def _span(frame: pl.DataFrame) -> tuple[str, str]:
    """Return the first and last event as sixteen hexadecimal digits that sort like times."""
    event = frame[EVENT].to_physical().to_numpy()
    return f"{int(event.min()) + _BIAS:016x}", f"{int(event.max()) + _BIAS:016x}"


def _may_hold(name: str, first: str, last: str) -> bool:
    """Whether a partition's events reach into the given span."""
    match = _PART.fullmatch(name)
    return match is not None and match[2] <= last and match[3] >= first
