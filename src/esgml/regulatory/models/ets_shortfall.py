"""EU ETS shortfall: the probability that an installation emits more than it is given next year."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import HistoryError, IntegrityError, UsageError
from esgml.core.interfaces import BaseModel, Files, Hyperparameters, tunable
from esgml.regulatory.boosted import BoostedTrees
from esgml.regulatory.calibration_scores import intercept, reliability, scores
from esgml.regulatory.installations import FEATURES, Installations, features, transitions

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TREES = "trees.safetensors"
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
    allocation, how both moved, how long it has been short. When to use it: to see which
    installations will have to buy allowances, a year ahead. Known weakness: the allocation and
    economy of the coming year are not known to it, so a shock that moves all installations at
    once (as in 2020) shifts all probabilities alike; it was learned on phases 3 (2013-2020) of the
    system.

    Parameters
    ----------
    rounds, learning_rate, num_leaves, min_data_in_leaf, feature_fraction, bagging_fraction, l2
        See `ShortfallParams`.

    Attributes
    ----------
    trees_ : BoostedTrees
    shift_ : float
        Added to the log-odds: what trees of the years before missed in the last year.
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
    shift_: float
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
        # The whole system moves from year to year. What trees grown without the last year missed
        # of it on average is what the trees of all years are shifted by: one number.
        last = columns == columns.max()
        self.shift_ = 0.0
        earlier = short[~last]
        if len(earlier) >= FEWEST and earlier.min() < earlier.max():
            before = BoostedTrees.grow(X[~last], earlier, settings, p.rounds)
            self.shift_ = intercept(before.log_odds(X[last]), short[last])
        self.trees_ = BoostedTrees.grow(X, short, settings, p.rounds)
        self.years_ = (int(data.years[0]), int(data.years[-1]))
        self.base_rate_ = float(short.mean())

    def predict(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return, for every installation, the probability to be short in the year after its last.

        Returns
        -------
        DataFrame
            ``installation_id, year`` (the one foretold), ``probability``, and what it rests on:
            ``last_free`` and ``last_emission`` (tCO2e), ``years_short``, ``years_seen``.

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
        return pl.DataFrame(
            {
                "installation_id": data.names,
                "year": data.years[columns] + 1,
                "probability": self._probability(features(data, rows, columns)),
                "last_free": data.free[rows, columns],
                "last_emission": data.emission[rows, columns],
                "years_short": np.nansum(short, axis=1).astype(np.int64),
                "years_seen": np.isfinite(short).sum(axis=1),
            }
        )

    def _probability(self, X: Array) -> Array:
        log_odds = self.trees_.log_odds(X) + self.shift_
        return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))

    def foretold(self, table: pl.DataFrame, year: int) -> tuple[Array, Array, Array]:
        """Return probabilities of a year from what was known before it, what happened, and before.

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
        return self._probability(features(data, rows, columns)), short, data.short[rows, columns]

    def evaluate(self, table: pl.DataFrame, *, year: int) -> dict[str, float]:
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
        probability, short, before = self.foretold(table, year)
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
            "features": list(FEATURES),
        }

    def _dump(self) -> Files:
        state = {
            "years": list(self.years_),
            "base_rate": self.base_rate_,
            "shift": self.shift_,
        }
        return {TREES: self.trees_.to_bytes(), STATE: json.dumps(state).encode()}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        try:
            state = json.loads(files[STATE])
            first, last = (int(y) for y in state["years"])
            self.years_, self.base_rate_ = (first, last), float(state["base_rate"])
            self.shift_ = float(state["shift"])
            self.trees_ = BoostedTrees.from_bytes(files[TREES], len(FEATURES))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this is no shortfall model.") from error
