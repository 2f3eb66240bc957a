"""Rolling-origin backtests: every model forecasts the same windows, never from the future.

Windows are counted back from the end of each series. Series that end at different times
have different origins; then a model is trained once per distinct origin time, on the rows
of all series up to that moment, so that no series tells another its future.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from esgml.core import catalog
from esgml.core.errors import HistoryError
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.progress import track
from esgml.forecast.history import seasonal_naive_error
from esgml.forecast.state import pack, unpack
from esgml.forecast.unsettled import unsettled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.frequency import Frequency
    from esgml.core.interfaces import TimeSeriesModel


#: ``checkpoint(name, compute)`` returns stored bytes, or computes and stores them.
Checkpoint = Callable[[str, Callable[[], bytes]], bytes]


@dataclass(frozen=True)
class Plan:
    """Which windows a backtest forecasts.

    Attributes
    ----------
    backs : tuple of int
        Distance of each origin from the end of a series, oldest first.
    scored : int
        How many of the latest windows are scored; those before only calibrate.
    horizon : int
    """

    backs: tuple[int, ...]
    scored: int
    horizon: int

    @property
    def calibrating(self) -> int:
        """Number of windows before the scored ones."""
        return len(self.backs) - self.scored


def usual_spacing(frequency: Frequency, horizon: int) -> int:
    """Return the usual number of periods between origins.

    It is the horizon; for sub-daily data at least three days, to meet different weekdays.
    """
    return max(horizon, 3 * frequency.season) if frequency.sub_daily else horizon


def plan_windows(
    panel: Panel, horizon: int, windows: int, step: int | None = None, calibrating: int = 10
) -> Plan:
    """Plan `windows` scored windows `step` periods apart, and earlier ones to calibrate on.

    As many calibrating windows are taken as the history allows while it keeps at least half
    of the periods before the first scored origin.

    Raises
    ------
    HistoryError
        If the longest series cannot hold the scored windows.
    """
    step = step or horizon
    longest = int(panel.lengths.max())
    first = horizon + step * (windows - 1)
    annual = panel.frequency.season == 1
    least = 3 if annual else 2 * panel.frequency.season
    # two annual values are a forecast from the first and what happened
    shortest = first + (1 if annual else 2)
    if longest < shortest:
        raise HistoryError(
            f"{windows} windows of {horizon} periods, {step} apart, need at least {shortest}"
            f" periods; the longest series has {longest}.",
            remedy="Use fewer windows, a smaller step or a shorter horizon.",
        )
    spacing = usual_spacing(panel.frequency, horizon)
    room = (longest - first - least) // 2
    extra = int(min(calibrating, max(room // spacing, 0)))
    if annual:
        extra = int(min(calibrating, max(longest - first - least, 0)))
    backs = [first + spacing * k for k in range(extra, 0, -1)]
    backs += [horizon + step * k for k in range(windows - 1, -1, -1)]
    return Plan(tuple(backs), windows, horizon)


@dataclass(frozen=True)
class Backtest:
    """What every model forecast in every window, and what happened.

    Arrays have the shape (windows, series, horizon); NaN where a series had no history yet
    or a value is missing. `alone`, shape (windows + 1, series), says of annual series whether
    the last value before each window stood for itself (`unsettled`), and at last whether the
    newest value does.
    """

    plan: Plan
    keys: tuple[SeriesKey, ...]
    time: NDArray[np.datetime64]
    actual: NDArray[np.float64]
    forecasts: dict[str, NDArray[np.float64]]
    naive_error: NDArray[np.float64]
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    alone: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class _Origin:
    """One origin time of one window: who is forecast, from what."""

    window: int
    moment: np.datetime64
    members: NDArray[np.int64]
    training: Panel
    history: Panel
    future: Future


def _origins(panel: Panel, plan: Plan, least: int) -> list[_Origin]:
    found = []
    for w, back in enumerate(plan.backs):
        rows = panel.indptr[1:] - back
        able = np.flatnonzero(rows - panel.indptr[:-1] >= least)
        moments = panel.time[rows[able] - 1]
        for moment in np.unique(moments):
            members = able[moments == moment]
            training = panel.until(moment)
            place = {key: i for i, key in enumerate(training.keys)}
            history = training.select([place[panel.keys[i]] for i in members])
            index = rows[members][:, None] + np.arange(plan.horizon)
            future = Future(panel.time[index], panel.known[index], panel.known_names)
            found.append(_Origin(w, moment, members, training, history, future))
    return found


def run_backtest(
    panel: Panel,
    plan: Plan,
    models: Sequence[str],
    *,
    seed: int = 0,
    threads: int = 1,
    checkpoint: Checkpoint | None = None,
    label: str = "backtest",
) -> Backtest:
    """Forecast every window of `plan` with every model.

    Models are fitted at the first window, at the first scored one, and every
    ``refit_every`` windows after it.
    """
    origins = _origins(panel, plan, least=1)
    shape = (len(plan.backs), len(panel), plan.horizon)
    actual = np.full(shape, np.nan)
    moment = np.full(shape, np.datetime64("NaT"), dtype="datetime64[us]")
    error = np.full(shape[:2], np.nan)
    annual = panel.frequency.season == 1
    alone = np.zeros((shape[0] + 1, shape[1]), dtype=bool)
    if annual:
        alone[-1] = unsettled(panel, panel)
    for origin in origins:
        rows = panel.indptr[1:][origin.members] - plan.backs[origin.window]
        index = rows[:, None] + np.arange(plan.horizon)
        actual[origin.window, origin.members] = panel.values[index]
        moment[origin.window, origin.members] = panel.time[index]
        error[origin.window, origin.members] = [
            seasonal_naive_error(origin.history.series(j), panel.frequency.season)
            for j in range(len(origin.members))
        ]
        if annual:
            alone[origin.window, origin.members] = unsettled(origin.history, origin.training)

    def run(name: str) -> tuple[str, NDArray[np.float64], tuple[float, float]]:
        result = np.full(shape, np.nan)
        fitted: dict[tuple[int, ...], tuple[int, np.datetime64, TimeSeriesModel]] = {}
        training = predicting = 0.0
        for origin in origins:
            group = tuple(origin.members.tolist()) if panel.frequency.season > 1 else ()
            clock = time.perf_counter()
            w = origin.window
            due = group not in fitted or w == plan.calibrating
            if not due:
                before, seen_until, last = fitted[group]
                due = w > plan.calibrating and w - before >= last.refit_every
                # series that end apart: the last fit may have seen what is still to come
                due = due or last.refit_every == 1 or bool(seen_until > origin.moment)
            if due:
                model: TimeSeriesModel = catalog.load("forecast", name)()  # type: ignore[assignment]
                model.train(origin.training, horizon=plan.horizon, seed=seed)
                fitted[group] = (w, origin.moment, model)
            training += time.perf_counter() - clock
            clock = time.perf_counter()
            result[w, origin.members] = fitted[group][2].predict(origin.history, origin.future)
            predicting += time.perf_counter() - clock
        return name, result, (training, predicting)

    def resumed(name: str) -> tuple[str, NDArray[np.float64], tuple[float, float]]:
        if checkpoint is None:
            return run(name)

        def compute() -> bytes:
            _, result, seconds = run(name)
            return json.dumps({"forecast": pack(result), "seconds": seconds}).encode()

        kept = json.loads(checkpoint(f"backtest-{name}", compute))
        return name, unpack(kept["forecast"]), (kept["seconds"][0], kept["seconds"][1])

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        # the dearest models are the last of the pool; started first, no other waits for them
        done = list(track(pool.map(resumed, reversed(models)), label, total=len(models)))[::-1]
    return Backtest(
        plan,
        panel.keys,
        moment,
        actual,
        {name: result for name, result, _ in done},
        error,
        {name: seconds for name, _, seconds in done},
        alone if annual else None,
    )
