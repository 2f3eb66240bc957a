"""EU ETS shortfall: the probability that an installation emits more than it is given next year."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import HistoryError, IntegrityError, UsageError
from esgml.core.interfaces import BaseModel, Files, Hyperparameters, tunable
from esgml.regulatory.boosted import BoostedTrees
from esgml.regulatory.calibration import sigmoid
from esgml.regulatory.calibration_scores import intercept, reliability, scores
from esgml.regulatory.installations import (
    AHEAD,
    FEATURES,
    Installations,
    ahead,
    features,
    transitions,
)

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TREES = "trees.safetensors"
TREES_AHEAD = "trees_ahead.safetensors"
STATE = "state.json"
#: Fewest pairs of years that are learned from.
FEWEST = 200


class ShortfallParams(Hyperparameters):
    """Settings of the shortfall model."""

    rounds: int = tunable(250, 50, 800, log=True, description="trees")
    learning_rate: float = tunable(0.04, 0.01, 0.2, log=True)
    num_leaves: int = tunable(15, 4, 63, log=True)
    min_data_in_leaf: int = tunable(80, 20, 400, log=True)
    feature_fraction: float = tunable(0.7, 0.3, 1.0)
    bagging_fraction: float = tunable(0.8, 0.4, 1.0)
    l2: float = tunable(5.0, 0.1, 50.0, log=True)


class EtsShortfall(BaseModel):
    """The probability that an installation is short of free allowances in the year to come.

    Boosted trees on the history of one installation alone: how its emissions stand to its free
    allocation, how both moved, how long it has been short. Where the allocation of the coming year
    is in the table (a row without an emission), trees that know it answer. When to use it: to see
    which installations will have to buy allowances, a year ahead. Known weakness: the economy of
    the coming year is not known to it, so a shock that moves all installations at once (as in
    2020) is not foreseen; it was measured on phase 3 of the system (2013-2020).

    Parameters
    ----------
    rounds, learning_rate, num_leaves, min_data_in_leaf, feature_fraction, bagging_fraction, l2
        See `ShortfallParams`.

    Attributes
    ----------
    trees_, trees_ahead_ : BoostedTrees
        Without and with the allocation of the coming year.
    shift_, shift_ahead_ : float
        Added to their log-odds: what trees of the years before missed in the last year.
    years_ : tuple of int
        First and last year learned from.
    base_rate_ : float
        Share of installation-years short in what was learned from.

    References
    ----------
    Verified emissions and free allocation: Union Registry of the EU ETS. Boosting: G. Ke et al.,
    LightGBM, NeurIPS 2017. Deviation: no country, no sector and no identity of the installation
    takes part, so that a single row is answered as it would be among thousands.
    """

    Params = ShortfallParams

    trees_: BoostedTrees
    trees_ahead_: BoostedTrees
    shift_: float
    shift_ahead_: float
    years_: tuple[int, int]
    base_rate_: float

    def train(self, table: pl.DataFrame, *, seed: int = 0) -> EtsShortfall:
        """Learn from a table of installation-years; see `installations`.

        Raises
        ------
        ColumnError, DataError
            If the table is not of that form.
        HistoryError
            If fewer than 200 pairs of consecutive years are in it, or all have one answer.
        """
        super().train(Installations.read(table), seed)
        return self

    def _train(self, data: Installations, seed: int) -> None:
        rows, columns, short = transitions(data)
        if len(rows) < FEWEST or short.min() == short.max():
            raise HistoryError(
                f"{len(rows)} pairs of consecutive years are too few to learn from.",
                code="history_too_short",
                remedy=f"Give at least {FEWEST}, some of them short and some not.",
            )
        p = self.params
        settings = {
            "learning_rate": p.learning_rate,
            "num_leaves": p.num_leaves,
            "min_data_in_leaf": p.min_data_in_leaf,
            "feature_fraction": p.feature_fraction,
            "bagging_fraction": p.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": p.l2,
            "seed": seed,
        }
        X = features(data, rows, columns)
        last = columns == columns.max()
        self.trees_, self.shift_ = self._grow(X, short, last, settings)
        X = np.column_stack([X, ahead(data, rows, columns)])
        self.trees_ahead_, self.shift_ahead_ = self._grow(X, short, last, settings)
        self.years_ = (int(data.years[0]), int(data.years[-1]))
        self.base_rate_ = float(short.mean())

    def _grow(
        self, X: Array, short: Array, last: NDArray[np.bool_], settings: dict[str, Any]
    ) -> tuple[BoostedTrees, float]:
        """Return trees of all years, and by how much their log-odds are to be shifted.

        The whole system moves from year to year. What trees grown without the last year missed
        of it on average is what the trees of all years are shifted by: one number.
        """
        shift, earlier = 0.0, short[~last]
        if len(earlier) >= FEWEST and earlier.min() < earlier.max():
            before = BoostedTrees.grow(X[~last], earlier, settings, self.params.rounds)
            shift = intercept(before.log_odds(X[last]), short[last])
        return BoostedTrees.grow(X, short, settings, self.params.rounds), shift

    def predict(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return, for every installation, the probability to be short in the year after its last.

        Returns
        -------
        DataFrame
            ``installation_id, year`` (the one foretold), ``probability``, and what it rests on:
            ``last_free`` and ``last_emission`` (tCO2e), ``years_short``, ``years_seen``, and
            ``allocation_known``, whether the allocation of the year to come took part.

        Raises
        ------
        NotTrainedError, ColumnError, DataError, HistoryError
            Before training, or if the table is not of the right form.
        """
        self._require_trained()
        found: pl.DataFrame = self._predict(Installations.read(table))
        return found

    def _predict(self, data: Installations) -> pl.DataFrame:
        import polars as pl

        rows, columns = np.arange(len(data.names)), data.last()
        short = data.short
        probability, informed = self._probability(data, rows, columns)
        return pl.DataFrame(
            {
                "installation_id": data.names,
                "year": data.years[columns] + 1,
                "probability": probability,
                "last_free": data.free[rows, columns],
                "last_emission": data.emission[rows, columns],
                "years_short": np.nansum(short, axis=1).astype(np.int64),
                "years_seen": np.isfinite(short).sum(axis=1),
                "allocation_known": informed,
            }
        )

    def _probability(
        self,
        data: Installations,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        *,
        allocation_known: bool = True,
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Return probabilities, and where the allocation of the year to come took part."""
        X, coming = features(data, rows, columns), ahead(data, rows, columns)
        informed = np.logical_and(np.isfinite(coming).all(axis=1), allocation_known)
        log_odds = self.trees_.log_odds(X) + self.shift_
        if informed.any():
            known = np.column_stack([X, coming])[informed]
            log_odds[informed] = self.trees_ahead_.log_odds(known) + self.shift_ahead_
        return sigmoid(log_odds), informed

    def foretold(
        self, table: pl.DataFrame, year: int, *, allocation_known: bool = True
    ) -> tuple[Array, Array, Array]:
        """Return probabilities of a year from what was known before it, what happened, and before.

        `allocation_known` says whether the allocation of that year counts as known.

        Returns
        -------
        probability, short, before : array of float, shape (m,)
            ``before`` is whether the installation was short the year before: persistence.
        """
        self._require_trained()
        data = Installations.read(table)
        into = np.flatnonzero(data.years == year)
        rows, columns, short = transitions(data, into)
        if not len(rows):
            raise HistoryError(f"no installation reported {year} and the year before it.")
        probability, _ = self._probability(data, rows, columns, allocation_known=allocation_known)
        return probability, short, data.short[rows, columns]

    def evaluate(
        self, table: pl.DataFrame, *, year: int, allocation_known: bool = True
    ) -> dict[str, float]:
        """Return scores on one year that was not learned from, persistence beside them.

        Raises
        ------
        UsageError
            If the year was learned from.
        """
        self._require_trained()
        if year <= self.years_[1]:
            raise UsageError(
                f"{year} was learned from: a score on it would say nothing.",
                remedy=f"Score a year after {self.years_[1]}.",
            )
        probability, short, before = self.foretold(table, year, allocation_known=allocation_known)
        return {
            **scores(probability, short),
            "persistence_accuracy": float((before == short).mean()),
            "base_rate": float(short.mean()),
        }

    def reliability(self, table: pl.DataFrame, *, year: int) -> list[dict[str, float]]:
        """Return how often what was foretold came true, by tenths of probability."""
        probability, short, _ = self.foretold(table, year)
        return reliability(probability, short)

    def _details(self) -> dict[str, Any]:
        if not self.trained_:
            return {}
        return {
            "years": list(self.years_),
            "base_rate": self.base_rate_,
            "features": [*FEATURES, *AHEAD],
        }

    def _dump(self) -> Files:
        state = {
            "years": list(self.years_),
            "base_rate": self.base_rate_,
            "shift": self.shift_,
            "shift_ahead": self.shift_ahead_,
        }
        trees = {TREES: self.trees_.to_bytes(), TREES_AHEAD: self.trees_ahead_.to_bytes()}
        return {**trees, STATE: json.dumps(state).encode()}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        try:
            state = json.loads(files[STATE])
            first, last = (int(y) for y in state["years"])
            self.years_, self.base_rate_ = (first, last), float(state["base_rate"])
            self.shift_ = float(state["shift"])
            self.shift_ahead_ = float(state["shift_ahead"])
            self.trees_ = BoostedTrees.from_bytes(files[TREES], len(FEATURES))
            both = len(FEATURES) + len(AHEAD)
            self.trees_ahead_ = BoostedTrees.from_bytes(files[TREES_AHEAD], both)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this is no shortfall model.") from error
