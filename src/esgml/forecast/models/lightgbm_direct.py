"""Gradient-boosted trees on the direct design, one model for all series and steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.core.random import derive_seed
from esgml.forecast.design import Design, build_design, is_multiplicative
from esgml.forecast.linear import unhelpful_covariates
from esgml.forecast.state import dump_state, restore_state
from esgml.forecast.trees import Trees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

_OBJECTIVES = ("l1", "l2")


class LightGBMParams(Hyperparameters):
    """Settings of the tree forecaster."""

    rounds: int = tunable(300, 50, 800, log=True, description="trees per objective")
    learning_rate: float = tunable(0.05, 0.01, 0.2, log=True)
    num_leaves: int = tunable(31, 4, 63, log=True)
    min_data_in_leaf: int = tunable(20, 5, 100, log=True)
    feature_fraction: float = tunable(0.5, 0.2, 1.0)
    bagging_fraction: float = tunable(0.7, 0.4, 1.0)
    max_rows: int = 80_000


class LightGBMDirect(TimeSeriesModel):
    """Boosted trees that forecast every step directly, the step being a feature.

    The mean of two ensembles, one for the median (L1) and one for the mean (L2), over all
    series together; the number of a series is a feature, so series differ where the data
    say so. Strong where covariates interact; weak on very short histories.
    """

    Params = LightGBMParams
    refit_every = 4

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        import lightgbm

        self.log_ = is_multiplicative(panel)
        self.keys_ = [list(key) for key in panel.keys]
        design = build_design(panel, horizon, log=self.log_, max_rows=self.params.max_rows)
        design = design.where(np.isfinite(design.z))
        age = design.age(panel)
        self.dropped_ = unhelpful_covariates(design, age)
        design = design.without(self.dropped_)
        # trees read a missing value as zero where training never met one
        gapless = np.isfinite(design.x).all(axis=0)
        self.usual_ = np.where(gapless, np.median(design.x, axis=0), np.nan)
        x = self._columns(design, panel)
        z = np.clip(design.z, -5, 8)
        settings = {
            "learning_rate": self.params.learning_rate,
            # small tables get small trees
            "num_leaves": int(np.clip(len(z) // 800, 4, self.params.num_leaves)),
            "min_data_in_leaf": self.params.min_data_in_leaf,
            "feature_fraction": self.params.feature_fraction,
            "bagging_fraction": self.params.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "max_bin": 127,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        self.text_: list[str] = []
        for objective in _OBJECTIVES:
            chosen = {
                **settings,
                "objective": objective,
                "seed": derive_seed(seed, "lightgbm", objective) % 2**31,
            }
            data = lightgbm.Dataset(x, z, params=chosen)
            booster = lightgbm.train(chosen, data, num_boost_round=self.params.rounds)
            self.text_.append(booster.model_to_string())
        self._read()

    def _read(self) -> None:
        self.trees_ = [Trees.from_text(text) for text in self.text_]

    def _columns(self, design: Design, panel: Panel) -> NDArray[np.float64]:
        """Return the features with the number of the series; NaN for one not trained on."""
        place = {tuple(key): float(i) for i, key in enumerate(self.keys_)}
        number = np.array([place.get(tuple(key), np.nan) for key in panel.keys])
        x = np.where(np.isnan(design.x), self.usual_, design.x)
        return np.column_stack([x, number[design.series]])

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        design = build_design(history, future.horizon, log=self.log_, future=future)
        x = self._columns(design.without(self.dropped_), history)
        z = np.mean([trees.predict(x) for trees in self.trees_], axis=0)
        return design.to_target(z).reshape(len(history), -1)

    def _dump(self) -> Files:
        state = dump_state(
            self,
            log=self.log_,
            keys=self.keys_,
            dropped=list(self.dropped_),
            usual=self.usual_,
        )
        texts = {
            f"{objective}.txt": text.encode()
            for objective, text in zip(_OBJECTIVES, self.text_, strict=True)
        }
        return {**state, **texts}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.log_, self.keys_ = bool(state["log"]), state["keys"]
        self.dropped_ = tuple(state["dropped"])
        self.usual_ = state.get("usual", np.array(np.nan))  # older bundles have none
        self.text_ = [files[f"{objective}.txt"].decode() for objective in _OBJECTIVES]
        self._read()
