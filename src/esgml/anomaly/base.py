"""What every anomaly model can do: learn from unlabelled rows, say how strange a row is."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from esgml.anomaly.metrics import average_precision, roc_auc
from esgml.core.errors import ColumnError, DataError, UsageError
from esgml.core.interfaces import BaseModel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


class AnomalyModel(BaseModel):
    """Base of every anomaly model over rows of numbers.

    Subclasses define ``_train``, ``_score``, ``_dump`` and ``_restore``, and override
    ``_contributions`` where they can say which feature made a row strange. NaN means missing
    and is passed on, unless the class sets `takes_missing` to False.

    Attributes
    ----------
    columns_ : int
        Number of features learned from.
    """

    #: Whether NaN may stand for a missing value.
    takes_missing: ClassVar[bool] = True
    #: Rows needed to learn anything.
    fewest_rows: ClassVar[int] = 2

    columns_: int

    def train(self, X: ArrayLike, *, seed: int = 0) -> Self:
        """Learn from rows most of which are ordinary.

        Parameters
        ----------
        X : array, shape (n, d)
            Unlabelled rows; NaN where missing.
        seed : int
            Of every random choice.

        Raises
        ------
        DataError
            If `X` is no table of numbers, has too few rows, infinite or no values.
        """
        table = self._table(X)
        if len(table) < self.fewest_rows:
            raise DataError(
                f"{len(table)} rows are too few to learn from.",
                code="too_few_rows",
                remedy=f"Give at least {self.fewest_rows} rows.",
            )
        if not np.isfinite(table).any():
            raise DataError("there is no observed value to learn from.", code="no_values")
        self.columns_ = table.shape[1]
        self._train(table, int(seed))
        self.trained_ = True
        return self

    def score(self, X: ArrayLike) -> Floats:
        """Return how strange each row is, shape (n,); higher is stranger.

        Scores order the rows; they are no probabilities and differ in scale between models.

        Raises
        ------
        NotTrainedError
            Before `train` or `load`.
        ColumnError
            If the number of columns is not that of training.
        """
        self._require_trained()
        table = self._known_table(X)
        if len(table) == 0:
            return np.empty(0)
        result = np.asarray(self._score(table), dtype=np.float64)
        if result.shape != (len(table),):
            raise ValueError(f"{type(self).__name__} returned shape {result.shape}")
        return result

    def predict(self, X: ArrayLike) -> Floats:
        """Return the scores of the rows; the same as `score`."""
        return self.score(X)

    def feature_contributions(self, X: ArrayLike) -> Floats:
        """Return how much each feature makes each row strange, shape (n, d), never negative.

        Raises
        ------
        UsageError
            If the model cannot tell.
        """
        self._require_trained()
        table = self._known_table(X)
        result = self._contributions(table)
        if result.shape != table.shape:
            raise ValueError(f"{type(self).__name__} returned shape {result.shape}")
        return result

    def evaluate(self, X: ArrayLike, y: ArrayLike) -> dict[str, float]:
        """Return ``roc_auc`` and ``average_precision`` against labels (1 = anomaly)."""
        score = self.score(X)
        return {
            "roc_auc": roc_auc(y, score),
            "average_precision": average_precision(y, score),
        }

    @classmethod
    def explains(cls) -> bool:
        """Return whether the model can say which feature made a row strange."""
        return cls._contributions is not AnomalyModel._contributions

    @abstractmethod
    def _train(self, X: Floats, seed: int) -> None: ...

    @abstractmethod
    def _score(self, X: Floats) -> Floats: ...

    def _contributions(self, X: Floats) -> Floats:
        raise UsageError(
            f"{type(self).__name__} cannot say which feature made a row strange.",
            code="no_contributions",
        )

    def _known_table(self, X: ArrayLike) -> Floats:
        table = self._table(X)
        if table.shape[1] != self.columns_:
            raise ColumnError(
                f"learned from {self.columns_} columns, got {table.shape[1]}.",
                code="columns_differ",
                remedy="Give the same columns in the same order as in training.",
            )
        return table

    def _table(self, X: ArrayLike) -> Floats:
        """Return `X` as a table of floats, or say what is wrong with it."""
        try:
            table = np.ascontiguousarray(_unframed(X), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(
                "the rows are no table of numbers.",
                code="not_numeric",
                remedy="Give an array of shape (rows, columns); encode texts as numbers first.",
            ) from error
        if table.ndim != 2 or table.shape[1] == 0:
            raise DataError(
                f"expected rows and columns, got shape {table.shape}.",
                code="shape",
                remedy="Reshape one feature with X.reshape(-1, 1), one row with X.reshape(1, -1).",
            )
        if np.isinf(table).any():
            row, column = np.argwhere(np.isinf(table))[0]
            raise DataError(
                "a value is infinite.",
                code="not_finite",
                where=f"row {row}, column {column}",
                remedy="Give NaN where a value is missing.",
            )
        if not self.takes_missing and np.isnan(table).any():
            row, column = np.argwhere(np.isnan(table))[0]
            raise DataError(
                f"{type(self).__name__} takes no missing values.",
                code="missing_values",
                where=f"row {row}, column {column}",
                remedy="Fill or leave out such rows, or choose a model that takes them.",
            )
        return table


def _unframed(X: Any) -> Any:
    """Return the values of a data frame, or what was given."""
    return X.to_numpy() if hasattr(X, "to_numpy") else X
