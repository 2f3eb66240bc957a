"""The contract every forecaster keeps, as checks that anyone can run over a model class.

::

    from esgml.checks.models import forecaster_checks
    forecaster_checks(MyForecaster)

A check that a model cannot pass for a good reason is named, with the reason, in the model's
class attribute ``expected_failures``; a reason that no longer holds is an error too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.checks.battery import Battery, raises, require, run
from esgml.checks.samples import sample_future, sample_panel
from esgml.core.errors import (
    ColumnError,
    HistoryError,
    NotTrainedError,
    UsageError,
)
from esgml.core.panel import Future, Panel, SeriesKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.interfaces import TimeSeriesModel

HORIZON = 5


class ForecasterBattery(Battery["TimeSeriesModel"]):
    """The checks on one forecaster class; every method ``check_*`` is one.

    Parameters
    ----------
    model_class : type
        A subclass of `TimeSeriesModel`.
    params : mapping, optional
        Hyperparameters to build it with, such as fewer epochs.
    """

    def __init__(
        self, model_class: type[TimeSeriesModel], params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(model_class, params)
        self.panel = sample_panel()
        self.future = sample_future(self.panel, HORIZON)

    def learn(self) -> TimeSeriesModel:
        """Return the model newly trained on the sample panel."""
        model: TimeSeriesModel = self.build().train(self.panel, horizon=HORIZON, seed=1)
        return model

    def _finite(self, panel: Panel, what: str, train: Panel | None = None) -> NDArray[np.float64]:
        model = self.trained
        if train is not None:
            model = self.build().train(train, horizon=HORIZON, seed=1)
        result = model.predict(panel, sample_future(panel, HORIZON))
        require(bool(np.isfinite(result).all()), f"{what}: the forecast is not finite")
        return result

    def check_predict_before_train(self) -> None:
        """Refuse to predict or save before training."""
        model = self.build()
        raises(NotTrainedError, lambda: model.predict(self.panel, self.future), "predict")
        raises(NotTrainedError, model.to_files, "to_files")

    def check_shapes(self) -> None:
        """Have one row a series and one column a period, also for fewer periods."""
        model = self.trained
        for horizon in (HORIZON, HORIZON - 2, 1):
            shape = model.predict(self.panel, sample_future(self.panel, horizon)).shape
            require(shape == (len(self.panel), horizon), f"horizon {horizon}: shape {shape}")

    def check_finite(self) -> None:
        """Forecast ordinary series with finite values of their own magnitude."""
        result = self._finite(self.panel, "ordinary series")
        for i in range(len(self.panel)):
            usual = float(np.abs(self.panel.series(i)).mean())
            require(
                bool((np.abs(result[i]) < 20 * usual).all()),
                f"series {i}: forecasts are 20 times the usual value",
            )

    def check_gaps(self) -> None:
        """Bear missing values anywhere, the last period and future covariates included."""
        holed = sample_panel(gaps=0.2, seed=2)
        values = holed.values.copy()
        values[holed.indptr[1:] - 1] = np.nan
        holed = replace(holed, values=values)
        self._finite(holed, "gaps at prediction")
        model = self.build().train(holed, horizon=HORIZON, seed=1)
        blank = holed.future(HORIZON)
        require(
            bool(np.isfinite(model.predict(holed, blank)).all()),
            "gaps in training and no future covariates: the forecast is not finite",
        )

    def check_constant(self) -> None:
        """Bear constant and all-zero series in training and prediction."""
        values = self.panel.values.copy()
        values[self.panel.rows_of(0)] = 7.0
        values[self.panel.rows_of(1)] = 0.0
        flat = replace(self.panel, values=values)
        self._finite(flat, "constant series at prediction")
        self._finite(flat, "constant series in training", train=flat)
        still = replace(self.panel, values=np.full(self.panel.rows, 3.0))
        result = self._finite(still, "only constant series", train=still)
        require(bool(np.allclose(result, 3.0, atol=1.5)), "a constant 3 is not forecast near 3")

    def check_short_series(self) -> None:
        """Forecast series of one, two and three periods."""
        short = sample_panel((1, 2, 3, 90))
        self._finite(short, "short series at prediction")
        self._finite(short, "short series in training", train=short)

    def check_unequal_starts_and_ends(self) -> None:
        """Bear series that begin and end at different times."""
        ends = (0, 13, 4, 0)
        slices = [
            slice(self.panel.rows_of(i).start, self.panel.rows_of(i).stop - cut)
            for i, cut in enumerate(ends)
        ]
        uneven = self.panel.take(slices)
        self._finite(uneven, "unequal ends at prediction")
        self._finite(uneven, "unequal ends in training", train=uneven)

    def check_unseen_series(self) -> None:
        """Forecast series that were not in training."""
        keys = tuple(SeriesKey(f"new-{k.entity}", k.target) for k in self.panel.keys)
        self._finite(replace(self.panel, keys=keys), "unseen series")

    def check_frequencies(self) -> None:
        """Learn and forecast hourly, weekly, monthly and annual series."""
        for code, lengths in (
            ("h", (200, 200)),
            ("W", (80, 60)),
            ("MS", (48, 40)),
            ("YS", (9, 9, 7, 6)),
        ):
            panel = sample_panel(lengths, code)
            self._finite(panel, f"frequency {code}", train=panel)

    def check_no_covariates(self) -> None:
        """Learn and forecast panels without covariates."""
        rows = self.panel.rows
        bare = replace(
            self.panel,
            known=np.empty((rows, 0)),
            past=np.empty((rows, 0)),
            known_names=(),
            past_names=(),
        )
        model = self.build().train(bare, horizon=HORIZON, seed=1)
        result = model.predict(bare, bare.future(HORIZON))
        require(bool(np.isfinite(result).all()), "the forecast is not finite")

    def check_negative_values(self) -> None:
        """Learn and forecast series that cross zero."""
        values = self.panel.values.copy()
        rows = self.panel.rows_of(0)
        values[rows] -= values[rows].mean()
        crossing = replace(self.panel, values=values)
        self._finite(crossing, "negative values", train=crossing)

    def check_no_look_ahead(self) -> None:
        """Let nothing after the origin change a forecast."""
        poisoned = replace(self.panel, values=self.panel.values.copy(), past=self.panel.past.copy())
        after = np.concatenate(
            [np.arange(end - 2 * HORIZON, end) for end in self.panel.indptr[1:].tolist()]
        )
        poisoned.values[after] = 1e7
        poisoned.past[after] = -1e7
        results = []
        for panel in (self.panel, poisoned):
            history, future, _ = panel.window(2 * HORIZON, HORIZON)
            model = self.build().train(history, horizon=HORIZON, seed=1)
            results.append(model.predict(history, future))
        require(bool(np.array_equal(results[0], results[1])), "later values changed the forecast")

    def check_save_load(self) -> None:
        """Come back from a save with the same bytes and the same forecasts."""
        model = self.trained
        expected = model.predict(self.panel, self.future)
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model")
            again = self.model_class.load(Path(folder) / "model")
        require(again.to_files() == model.to_files(), "saved again, the bytes differ")
        require(
            bool(np.array_equal(again.predict(self.panel, self.future), expected)),
            "loaded, it forecasts other numbers",
        )
        raises(
            UsageError,
            lambda: again.predict(self.panel, sample_future(self.panel, HORIZON + 1)),
            "a loaded model and a horizon longer than trained",
        )

    def check_batch_equals_single(self) -> None:
        """Forecast an entity alone as among others (1e-9 relative)."""
        model = self.trained
        together = model.predict(self.panel, self.future)
        for entity in dict.fromkeys(key.entity for key in self.panel.keys):
            which = [i for i, key in enumerate(self.panel.keys) if key.entity == entity]
            own = replace(self.future, time=self.future.time[which], known=self.future.known[which])
            alone = model.predict(self.panel.select(which), own)
            scale = 1 + np.abs(together[which])
            gap = float((np.abs(alone - together[which]) / scale).max())
            require(gap <= 1e-9, f"entity {entity!r}: differs by {gap:.1e}")

    def check_order_of_series(self) -> None:
        """Forecast series in another order the same, in that order."""
        model = self.trained
        order = np.arange(len(self.panel))[::-1]
        turned = replace(self.future, time=self.future.time[order], known=self.future.known[order])
        result = model.predict(self.panel.select(order.tolist()), turned)
        expected = model.predict(self.panel, self.future)[order]
        require(bool(np.allclose(result, expected, rtol=1e-9)), "the forecasts depend on the order")

    def check_too_long_horizon(self) -> None:
        """Refuse a longer horizon than trained for."""
        longer = sample_future(self.panel, HORIZON + 1)
        raises(UsageError, lambda: self.trained.predict(self.panel, longer), "longer horizon")
        raises(UsageError, lambda: self.build().train(self.panel, horizon=0), "horizon 0")

    def check_wrong_covariates(self) -> None:
        """Refuse other known covariates than in training."""
        other = replace(self.panel, known_names=("wind",))
        raises(
            ColumnError,
            lambda: self.trained.predict(other, replace(self.future, known_names=("wind",))),
            "other covariates in the history",
        )
        raises(
            ColumnError,
            lambda: self.trained.predict(
                self.panel, replace(self.future, known_names=(), known=self.future.known[..., :0])
            ),
            "no covariates in the future",
        )

    def check_missing_is_not_zero(self) -> None:
        """Take a covariate that is never given as missing, not as the zero of its unit."""
        results = []
        for offset in (0.0, 300.0):  # the same weather in degrees Celsius and in kelvins
            shifted = replace(self.panel, known=self.panel.known + offset)
            model = self.build().train(shifted, horizon=HORIZON, seed=1)
            never = replace(self.panel, known=np.full_like(self.panel.known, np.nan))
            results.append(model.predict(never, self.panel.future(HORIZON)))
        gap = np.abs(results[1] - results[0]).mean() / np.abs(results[0]).mean()
        require(gap < 0.02, f"a covariate never given moves the forecast by {gap:.0%}")

    def check_nothing_to_learn(self) -> None:
        """Refuse a panel without a single value."""
        empty = replace(self.panel, values=np.full(self.panel.rows, np.nan))
        raises(HistoryError, lambda: self.build().train(empty, horizon=HORIZON), "all missing")

    def check_input_not_mutated(self) -> None:
        """Leave the inputs of training and prediction as they were."""
        panel = sample_panel(gaps=0.1, seed=3)
        future = sample_future(panel, HORIZON)
        before = [a.copy() for a in _arrays(panel, future)]
        for array in _arrays(panel, future):
            array.flags.writeable = False
        self.build().train(panel, horizon=HORIZON, seed=1).predict(panel, future)
        same = all(
            np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            for a, b in zip(before, _arrays(panel, future), strict=True)
        )
        require(same, "an input array was changed")


def _arrays(panel: Panel, future: Future) -> list[NDArray[Any]]:
    return [
        panel.indptr,
        panel.time,
        panel.values,
        panel.known,
        panel.past,
        future.time,
        future.known,
    ]


def forecaster_checks(
    model_class: type[TimeSeriesModel], params: Mapping[str, Any] | None = None
) -> list[str]:
    """Run every check over a forecaster class and return the names of those that ran.

    Parameters
    ----------
    model_class : type
        A subclass of `TimeSeriesModel`; its attribute ``expected_failures``, a mapping of
        check name to reason, names the checks it does not keep.
    params : mapping, optional
        Hyperparameters to build it with, such as fewer epochs.

    Raises
    ------
    GateError
        Naming every check that failed, every expected failure that passed, and every expected
        failure that is no check.
    """
    return run(ForecasterBattery(model_class, params), model_class)
