"""A list of feature steps used as one: fitted on the past, applied anywhere, saved as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.core.errors import (
    IntegrityError,
    LookAheadError,
    NotFoundError,
    NotTrainedError,
    UsageError,
)
from esgml.core.storage import explained, write_atomic
from esgml.features.scaling import Scaler
from esgml.features.step import FeatureStep, joint_min_lag, joint_warm_up, shared_readers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

    Floats = NDArray[np.float64]

SCHEMA = "esgml.features/1"


class FeaturePipeline:
    """Feature steps side by side; their columns follow each other.

    Parameters
    ----------
    steps : iterable of FeatureStep
    scaler : Scaler, optional
        Applied to all columns; per entity it scales each series of the panel on its own.
    keep : sequence of str, optional
        Only these columns, in this order (see `select_features`).

    Attributes
    ----------
    names : tuple of str
        Names of the columns, once fitted.

    Examples
    --------
    >>> from esgml.features.calendar import Calendar
    >>> from esgml.features.lags import Lags
    >>> FeaturePipeline([Lags(lags=(1, 7)), Calendar()]).warm_up
    7
    """

    def __init__(
        self,
        steps: Iterable[FeatureStep],
        scaler: Scaler | None = None,
        keep: Sequence[str] | None = None,
    ) -> None:
        self.steps = tuple(steps)
        self.scaler = scaler
        self.keep = None if keep is None else tuple(keep)
        if not self.steps:
            raise UsageError("a feature pipeline needs at least one step.")
        self.fitted_ = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that `transform` gives."""
        return self._all_names() if self.keep is None else self.keep

    @property
    def warm_up(self) -> int | None:
        """How many rows before a row its features may read; None = the whole history."""
        return joint_warm_up([step.warm_up for step in self.steps])

    @property
    def min_lag(self) -> int | None:
        """Distance in rows to the newest value read that is not known ahead; None = none."""
        return joint_min_lag([step.min_lag for step in self.steps])

    def fit(self, panel: Panel) -> Self:
        """Fit every step, and the scaler on their columns, to the past held in `panel`.

        Raises
        ------
        UsageError
            If two features have the same name, or one to keep does not exist.
        """
        for step in self.steps:
            step.fit(panel)
        names = self._all_names()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"two steps give features named {twice}.", remedy="Drop one of them.")
        unknown = [name for name in self.keep or () if name not in names]
        if unknown:
            raise UsageError(f"no features named {unknown}; there are {list(names)}.")
        self.fitted_ = True
        if self.scaler is not None:
            self.scaler.fit(self._raw(panel), self._labels(panel))
        return self

    def transform(self, panel: Panel) -> Floats:
        """Return the features of every row, shape (rows, k), in the order of `names`."""
        raw = self._raw(panel)
        return raw if self.scaler is None else self.scaler.transform(raw, self._labels(panel))

    def transform_ahead(self, history: Panel, future: Future) -> Floats:
        """Return the features of periods still to come.

        Runs `transform` on the end of the history (as much as `warm_up` asks for) with the
        future periods added, so that serving and training are the same code.

        Parameters
        ----------
        history : Panel
        future : Future
            The next periods of every series, with the covariates known ahead.

        Returns
        -------
        array, shape (n, horizon, k)

        Raises
        ------
        LookAheadError
            If the horizon is longer than `min_lag`, so that values not yet known would be
            needed.
        """
        if self.min_lag is not None and future.horizon > self.min_lag:
            raise LookAheadError(
                f"these features read values {self.min_lag} periods back, so they can be"
                f" computed {self.min_lag} periods ahead, not {future.horizon}.",
                remedy="Use longer lags, or a shorter horizon.",
            )
        whole = extended(tail(history, self.warm_up), future)
        found = self.transform(whole)
        rows = whole.indptr[1:, None] - future.horizon + np.arange(future.horizon)
        return np.asarray(found[rows])

    def select(self, names: Sequence[str]) -> FeaturePipeline:
        """Return a pipeline, not yet fitted, that gives only these columns.

        Steps that give none of them are left out.
        """
        unknown = [name for name in names if name not in self._all_names()]
        if unknown or not names:
            raise UsageError(f"no features named {unknown}; there are {list(self._all_names())}.")
        steps = [step for step in self.steps if set(step.names) & set(names)]
        copies = [FeatureStep.from_dict({**s.to_dict(), "fitted": False}) for s in steps]
        scaler = self.scaler and Scaler(self.scaler.method, per_entity=self.scaler.per_entity)
        return FeaturePipeline(copies, scaler, names)

    def to_dict(self) -> dict[str, Any]:
        """Return the pipeline and what it learned as plain JSON values."""
        return {
            "schema": SCHEMA,
            "fitted": self.fitted_,
            "steps": [step.to_dict() for step in self.steps],
            "scaler": None if self.scaler is None else self.scaler.to_dict(),
            "keep": None if self.keep is None else list(self.keep),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Build the pipeline that `to_dict` described; it runs no code from the document.

        Raises
        ------
        IntegrityError
            If the document is no feature pipeline.
        """
        if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
            raise IntegrityError(f"this is not a feature pipeline of schema {SCHEMA}.")
        try:
            scaler = document["scaler"]
            pipeline = cls(
                [FeatureStep.from_dict(step) for step in document["steps"]],
                None if scaler is None else Scaler.from_dict(scaler),
                document["keep"],
            )
            pipeline.fitted_ = bool(document["fitted"])
        except (KeyError, TypeError) as error:
            raise IntegrityError(f"the feature pipeline is incomplete: {error!r}.") from error
        return pipeline

    def to_json(self) -> bytes:
        """Return the pipeline as JSON; the same pipeline gives the same bytes."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Build the pipeline whose `to_json` gave `data`."""
        try:
            document = json.loads(data)
        except ValueError as error:
            raise IntegrityError("the feature pipeline is not valid JSON.") from error
        return cls.from_dict(document)

    def save(self, path: str | Path) -> None:
        """Write the pipeline to a JSON file, whole or not at all."""
        write_atomic(Path(path), self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the pipeline that `save` wrote."""
        file = Path(path)
        if not file.is_file():
            raise NotFoundError("no saved feature pipeline here.", where=str(file))
        with explained(file):
            data = file.read_bytes()
        return cls.from_json(data)

    def _all_names(self) -> tuple[str, ...]:
        return tuple(name for step in self.steps for name in step.names)

    def _labels(self, panel: Panel) -> NDArray[np.str_] | None:
        return series_labels(panel) if self.scaler and self.scaler.per_entity else None

    def _raw(self, panel: Panel) -> Floats:
        """Return the kept columns before scaling."""
        if not self.fitted_:
            raise NotTrainedError(
                "the feature pipeline is not fitted.", remedy="Call fit(panel) first."
            )
        names = self.names
        place = {name: j for j, name in enumerate(names)}
        # One feature after the other in memory: every column is written in one sweep.
        result = np.empty((len(names), panel.rows))
        with shared_readers(panel):
            for step in self.steps:
                if not place.keys() & set(step.names):
                    continue
                for name, column in zip(step.names, step.columns(panel), strict=True):
                    if name in place:
                        result[place[name]] = column
        return result.T


def series_labels(panel: Panel) -> NDArray[np.str_]:
    """Return for every row the name of its series, ``entity|target``, shape (rows,)."""
    names = np.array([f"{key.entity}|{key.target}" for key in panel.keys], dtype=np.str_)
    return np.asarray(np.repeat(names, panel.lengths))


def tail(panel: Panel, rows: int | None) -> Panel:
    """Return the panel with only the last `rows` rows of each series (None = all of them)."""
    if rows is None:
        return panel
    return panel.take(
        [
            slice(max(int(a), int(b) - rows), int(b))
            for a, b in zip(panel.indptr[:-1], panel.indptr[1:], strict=True)
        ]
    )


def extended(panel: Panel, future: Future) -> Panel:
    """Return the panel with the periods of `future` after every series, targets still NaN.

    Raises
    ------
    UsageError
        If `future` has other series or covariates than the panel.
    """
    if len(future.time) != len(panel) or future.known_names != panel.known_names:
        raise UsageError(
            f"the future holds {len(future.time)} series with {list(future.known_names)},"
            f" the panel {len(panel)} with {list(panel.known_names)}.",
            remedy="Give the same series and known covariates.",
        )
    h, n = future.horizon, len(panel)
    old = np.arange(panel.rows) + h * np.repeat(np.arange(n), panel.lengths)
    indptr = panel.indptr + h * np.arange(n + 1)
    new = indptr[1:, None] - h + np.arange(h)
    time = np.empty(panel.rows + n * h, dtype="datetime64[us]")
    values = np.full(len(time), np.nan)
    known = np.empty((len(time), len(panel.known_names)))
    past = np.full((len(time), len(panel.past_names)), np.nan)
    time[old], time[new] = panel.time, future.time
    values[old], known[old], past[old] = panel.values, panel.known, panel.past
    known[new] = future.known
    return replace(panel, indptr=indptr, time=time, values=values, known=known, past=past)
