"""Bring features to one scale, over everything or entity by entity, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

from esgml.core.errors import ColumnError, IntegrityError, NotTrainedError, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Labels = Sequence[str] | NDArray[np.str_]

Method = Literal["standard", "robust", "minmax"]
METHODS: tuple[str, ...] = get_args(Method)


class Scaler:
    """Linear scaling of columns: ``(x - centre) / spread``, with an exact way back.

    Use ``standard`` for linear models and networks, ``robust`` where faults or spikes
    remain, ``minmax`` where a bounded input is needed (values outside the fitted range then
    leave 0 to 1). A column that never varies is only centred. NaN and infinities are left
    out of the fit; NaN stays NaN.

    Parameters
    ----------
    method : {"standard", "robust", "minmax"}
        Centre and spread are mean and deviation (n), median and interquartile range, or
        minimum and range.
    per_entity : bool
        Whether every entity gets its own scale. An entity not seen in the fit, and a column
        an entity never observed, use the scale of all rows together.

    Attributes
    ----------
    centre_, spread_ : array, shape (k,)
        Over all rows.
    by_entity_ : dict of entity to (centre, spread)
        Empty unless `per_entity`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0], [3.0], [10.0], [30.0]])
    >>> s = Scaler("minmax", per_entity=True).fit(x, ["a", "a", "b", "b"])
    >>> s.transform(x, ["a", "a", "b", "b"]).ravel().tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(self, method: Method = "standard", *, per_entity: bool = False) -> None:
        if method not in METHODS:
            raise UsageError(
                f"unknown scaling {method!r}.", remedy=f"Use one of {', '.join(METHODS)}."
            )
        self.method = method
        self.per_entity = per_entity
        self.fitted_ = False

    def fit(self, values: ArrayLike, entities: Labels | None = None) -> Self:
        """Learn centre and spread of every column.

        Parameters
        ----------
        values : array, shape (rows, k)
        entities : sequence of str, length rows
            Whose row each is; needed with `per_entity`.
        """
        x = _table(values)
        self.centre_, self.spread_ = _statistics(x, self.method)
        unknown = np.isnan(self.centre_)
        self.centre_[unknown], self.spread_[unknown] = 0.0, 1.0
        self.by_entity_: dict[str, tuple[Floats, Floats]] = {}
        if self.per_entity:
            names, code = self._coded(x, entities)
            ends = np.cumsum(np.bincount(code, minlength=len(names)))[:-1]
            groups = np.split(np.argsort(code, kind="stable"), ends)
            for entity, rows in zip(names, groups, strict=False):  # no names, one empty group
                centre, spread = _statistics(x[rows], self.method)
                unseen = np.isnan(centre)
                centre[unseen], spread[unseen] = self.centre_[unseen], self.spread_[unseen]
                self.by_entity_[entity] = (centre, spread)
        self.fitted_ = True
        return self

    def transform(self, values: ArrayLike, entities: Labels | None = None) -> Floats:
        """Return the scaled values, shape (rows, k); the input is not changed."""
        x, scales = self._prepared(values, entities)
        result = np.empty(x.shape[::-1]).T
        for j, (centre, spread) in enumerate(scales):
            result[:, j] = (x[:, j] - centre) / spread
        return result

    def inverse(self, values: ArrayLike, entities: Labels | None = None) -> Floats:
        """Return scaled values in their own units again, shape (rows, k)."""
        x, scales = self._prepared(values, entities)
        result = np.empty(x.shape[::-1]).T
        for j, (centre, spread) in enumerate(scales):
            result[:, j] = x[:, j] * spread + centre
        return result

    def _coded(self, x: Floats, entities: Labels | None) -> tuple[list[str], NDArray[np.intp]]:
        """Return the entities there are and, for every row, the number of its own."""
        if entities is None or len(entities) != len(x):
            raise UsageError(
                "scaling per entity needs to know the entity of every row.",
                remedy="Give entities, one per row.",
            )
        labels = np.asarray(entities, dtype=np.str_)
        # Rows of one series lie together, so only the first of each run is looked up.
        first = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]])[: len(x)])
        names, code_of_run = np.unique(labels[first], return_inverse=True)
        return names.tolist(), np.repeat(code_of_run, np.diff([*first, len(x)]))

    def _prepared(
        self, values: ArrayLike, entities: Labels | None
    ) -> tuple[Floats, Iterator[tuple[Any, Any]]]:
        """Return the table, and centre and spread (or those of every row) by column."""
        if not self.fitted_:
            raise NotTrainedError("the scaler is not fitted.", remedy="Call fit(...) first.")
        x = _table(values)
        if x.shape[1] != len(self.centre_):
            raise ColumnError(
                f"fitted on {len(self.centre_)} columns, got {x.shape[1]}.",
                remedy="Give the same columns as in the fit.",
            )
        if not self.per_entity:
            return x, zip(self.centre_, self.spread_, strict=True)
        names, code = self._coded(x, entities)
        common = (self.centre_, self.spread_)
        both = [self.by_entity_.get(name, common) for name in names] or [common]
        centres = np.stack([centre for centre, _ in both], axis=1)
        spreads = np.stack([spread for _, spread in both], axis=1)
        return x, ((c[code], s[code]) for c, s in zip(centres, spreads, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the scaler and what it learned as plain JSON values."""
        document: dict[str, Any] = {
            "method": self.method,
            "per_entity": self.per_entity,
            "fitted": self.fitted_,
        }
        if self.fitted_:
            document["centre"] = self.centre_.tolist()
            document["spread"] = self.spread_.tolist()
            document["by_entity"] = {
                name: {"centre": centre.tolist(), "spread": spread.tolist()}
                for name, (centre, spread) in self.by_entity_.items()
            }
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Build the scaler that `to_dict` described.

        Raises
        ------
        IntegrityError
            If the description is incomplete.
        """
        try:
            scaler = cls(document["method"], per_entity=bool(document["per_entity"]))
            if document["fitted"]:
                scaler.centre_ = np.array(document["centre"], dtype=np.float64)
                scaler.spread_ = np.array(document["spread"], dtype=np.float64)
                scaler.by_entity_ = {
                    str(name): (
                        np.array(part["centre"], dtype=np.float64),
                        np.array(part["spread"], dtype=np.float64),
                    )
                    for name, part in document["by_entity"].items()
                }
                scaler.fitted_ = True
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"this does not describe a scaler: {error!r}.") from error
        return scaler


def _table(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2:
        raise UsageError(f"scaling takes a table (rows, columns), got shape {x.shape}.")
    return x


def _statistics(x: Floats, method: str) -> tuple[Floats, Floats]:
    """Return centre and spread of each column; NaN centre where nothing was observed."""
    centre, spread = np.full(x.shape[1], np.nan), np.ones(x.shape[1])
    for j in range(x.shape[1]):
        column = x[:, j]
        column = column[np.isfinite(column)]
        if len(column) == 0:
            continue
        if method == "standard":
            centre[j], width = column.mean(), column.std()
        elif method == "robust":
            low, centre[j], high = np.quantile(column, (0.25, 0.5, 0.75))
            # Half the rows may be zeros (a plant that idles); then the deviation serves.
            width = high - low or column.std()
        else:
            centre[j], width = column.min(), np.ptp(column)
        # A deviation at the level of rounding is a constant column, not a scale.
        floor = 8 * np.finfo(np.float64).eps * max(abs(column.max()), abs(column.min()))
        spread[j] = width if width > floor and np.isfinite(width) else 1.0
    return centre, spread
