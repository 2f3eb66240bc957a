"""The battery every feature step must pass; run it over your own steps too.

::

    from esgml.checks.features import check_step
    check_step(MyStep(window=7))

A step that passes never sees the future, gives a series the same features alone as among
others, learns and computes the same twice, keeps its promise on warm-up, survives being
saved, and leaves its input alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import EsgmlError, GateError, NotTrainedError
from esgml.core.frequency import Frequency
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.random import generator
from esgml.features.pipeline import FeaturePipeline, tail
from esgml.features.step import STEPS, FeatureStep, step_class
from esgml.features.validation import look_ahead_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Settings for shipped steps that have no complete default.
_SETTINGS: dict[str, dict[str, object]] = {
    "calendar": {"year_order": 2, "country": "SE", "timezone": "Europe/Stockholm"},
    "ratio": {"denominator": "output"},
}
#: Sliding sums that start elsewhere differ in their last digits.
_CLOSE = 1e-6


def sample_panel(seed: int = 0) -> Panel:
    """Return a daily panel that has what real ones have.

    Series of unequal length (one row to 120), gaps inside, a stuck meter, one absurd
    spike, a series without any value; the known covariates ``temperature`` and
    ``holiday``, the past covariates ``energy`` and ``output``.
    """
    rng = generator(seed, "feature-checks")
    lengths = np.array([120, 1, 90, 60, 120])
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    rows = int(indptr[-1])
    frequency = Frequency("D")
    begin = np.datetime64("2023-11-20T00:00:00", "us")
    time = np.concatenate(
        [
            frequency.advance(begin + np.timedelta64(3 * i, "D"), np.arange(n))
            for i, n in enumerate(lengths)
        ]
    )
    day = frequency.ordinals(time)
    temperature = 8 - 10 * np.cos(2 * np.pi * day / 365.25) + rng.normal(scale=3, size=rows)
    output = np.where(day % 7 < 5, 100.0, 20.0) + rng.normal(scale=5, size=rows)
    energy = 50 + 2 * np.maximum(15.5 - temperature, 0) + output
    values = 0.3 * energy + rng.normal(scale=2, size=rows)
    values[rng.random(rows) < 0.08] = np.nan
    values[indptr[0] + 40] = 1e12  # a placeholder booked as a reading
    values[indptr[2] + 20 : indptr[2] + 50] = 33.0  # a stuck meter
    values[indptr[3] : indptr[4]] = np.nan
    energy[rng.random(rows) < 0.05] = np.nan
    return Panel(
        keys=tuple(SeriesKey(f"site-{i}", "scope2_kg") for i in range(len(lengths))),
        indptr=indptr,
        time=time,
        values=values,
        frequency=frequency,
        known=np.column_stack([temperature, (day % 30 == 0).astype(np.float64)]),
        past=np.column_stack([energy, output]),
        known_names=("temperature", "holiday"),
        past_names=("energy", "output"),
        units={"scope2_kg": "kgCO2e"},
    )


def check_step(step: FeatureStep, panel: Panel | None = None) -> list[str]:
    """Run the whole battery over one step.

    Parameters
    ----------
    step : FeatureStep
        With its settings; it is rebuilt from them, not fitted itself.
    panel : Panel, optional
        Data to check it on; `sample_panel` where omitted. It must have the covariates the
        step reads.

    Returns
    -------
    list of str
        Names of the checks that ran, all of them passed.

    Raises
    ------
    GateError
        With the name of the step and of the first check it fails.
    """
    data = sample_panel() if panel is None else panel
    ran = []
    for name, check in CHECKS.items():
        try:
            check(step, _own(data))
        except _FailedError as failure:
            raise GateError(
                f"{failure}.",
                code="feature_check",
                where=f"feature step {step.kind!r}, check {name!r}",
                remedy="Mend the step; a model must not learn from it.",
            ) from failure
        ran.append(name)
    return ran


def check_all(panel: Panel | None = None) -> dict[str, list[str]]:
    """Run the battery over every known step, registered ones included, by name."""
    return {
        kind: check_step(step_class(kind)(**_SETTINGS.get(kind, {})), panel)
        for kind in sorted(STEPS)
    }


class _FailedError(Exception):
    """A check failed; turned into `GateError` by `check_step`."""


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise _FailedError(message)


def _copy(step: FeatureStep) -> FeatureStep:
    """Return a step of the same settings that has learned nothing."""
    return type(step)(**step.params.model_dump())


def _own(panel: Panel) -> Panel:
    """Return a panel with arrays of its own: a step that changes them fools only itself."""
    parts = ("indptr", "time", "values", "known", "past")
    return replace(panel, **{part: getattr(panel, part).copy() for part in parts})


def _same(a: Floats, b: Floats) -> bool:
    return a.shape == b.shape and bool(((a == b) | (np.isnan(a) & np.isnan(b))).all())


def _close(a: Floats, b: Floats) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=_CLOSE, atol=_CLOSE, equal_nan=True))


def _names_fit(step: FeatureStep, panel: Panel) -> None:
    fitted = _copy(step).fit(panel)
    found = fitted.transform(panel)
    names = fitted.names
    _require(len(set(names)) == len(names), f"its names are not distinct: {names}")
    _require(
        found.shape == (panel.rows, len(names)),
        f"{len(names)} names and {panel.rows} rows, but shape {found.shape}",
    )
    _require(found.dtype == np.float64, f"it gives {found.dtype}, not float64")


def _needs_fit(step: FeatureStep, panel: Panel) -> None:
    try:
        _copy(step).transform(panel)
    except NotTrainedError:
        return
    raise _FailedError("it transforms before it was fitted")


def _input_unchanged(step: FeatureStep, panel: Panel) -> None:
    parts = ("indptr", "time", "values", "known", "past")
    before = [getattr(panel, part).tobytes() for part in parts]
    found = _copy(step).fit(panel).transform(panel)
    found[:] = 0.0  # a view of the input would show here
    changed = [p for p, b in zip(parts, before, strict=True) if getattr(panel, p).tobytes() != b]
    _require(not changed, f"it changes the input: {', '.join(changed)}")


def _deterministic(step: FeatureStep, panel: Panel) -> None:
    first, second = _copy(step).fit(panel), _copy(step).fit(panel)
    _require(first.to_dict() == second.to_dict(), "two fits learn different things")
    plain = first.transform(panel)
    _require(_same(plain, second.transform(panel)), "two fits give different features")
    _require(_same(plain, first.transform(panel)), "transforming twice differs")


def _no_look_ahead(step: FeatureStep, panel: Panel) -> None:
    caught = look_ahead_features(_copy(step).fit(panel), panel)
    _require(not caught, f"these features see the future: {', '.join(caught)}")


def _batch_equals_single(step: FeatureStep, panel: Panel) -> None:
    fitted = _copy(step).fit(panel)
    together = fitted.transform(panel)
    for i in range(len(panel)):
        alone = fitted.transform(panel.select([i]))
        _require(
            _same(together[panel.rows_of(i)], alone),
            f"series {panel.keys[i].entity!r} has other features alone than among others",
        )


def _warm_up_suffices(step: FeatureStep, panel: Panel) -> None:
    fitted = _copy(step).fit(panel)
    whole = fitted.transform(panel)
    if fitted.warm_up is None:
        return
    for back in (0, 1, 17):
        ends = [
            max(int(b) - back, int(a))
            for a, b in zip(panel.indptr[:-1], panel.indptr[1:], strict=True)
        ]
        kept = [i for i, end in enumerate(ends) if end > panel.indptr[i]]
        if not kept:
            continue
        short = tail(panel.before(back).select(kept), fitted.warm_up + 1)
        _require(
            _close(
                fitted.transform(short)[short.indptr[1:] - 1],
                whole[[ends[i] - 1 for i in kept]],
            ),
            f"{fitted.warm_up} earlier rows do not give the features of the whole history",
        )


def _saved_is_same(step: FeatureStep, panel: Panel) -> None:
    fitted = _copy(step).fit(panel)
    document = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    loaded = FeatureStep.from_dict(document)
    _require(type(loaded) is type(fitted), "another class comes back")
    _require(loaded.to_dict() == fitted.to_dict(), "other settings or state come back")
    _require(loaded.names == fitted.names, "other names come back")
    _require(_same(loaded.transform(panel), fitted.transform(panel)), "other features come back")


def _serving_equals_training(step: FeatureStep, panel: Panel) -> None:
    horizon = 3
    pipeline = FeaturePipeline([_copy(step)]).fit(panel)
    if pipeline.min_lag is not None:
        horizon = min(horizon, pipeline.min_lag)
    kept = np.flatnonzero(panel.lengths > horizon).tolist()
    if not kept:
        return
    long = panel.select(kept)
    plain = pipeline.transform(long)
    rows = long.indptr[1:, None] - horizon + np.arange(horizon)
    future = Future(long.time[rows], long.known[rows], long.known_names)
    ahead = pipeline.transform_ahead(long.before(horizon), future)
    _require(_close(ahead, plain[rows]), "served ahead, its features are not those of training")


def _never_infinite(step: FeatureStep, panel: Panel) -> None:
    zeros = replace(panel, values=np.zeros(panel.rows), past=np.zeros(panel.past.shape))
    wild = replace(panel, values=np.where(np.arange(panel.rows) % 5 == 0, np.inf, panel.values))
    for other in (panel, zeros, wild):
        found = _copy(step).fit(panel).transform(other)
        _require(not np.isinf(found).any(), "it gives infinite features")


def _short_and_empty(step: FeatureStep, panel: Panel) -> None:
    fitted = _copy(step).fit(panel)
    first = panel.take([slice(0, 1)], panel.keys[:1])
    for few, what in ((first, "one row"), (panel.select([]), "no series")):
        try:
            shape = fitted.transform(few).shape
        except EsgmlError as error:
            raise _FailedError(f"a panel of {what} is refused: {error}") from error
        _require(shape == (few.rows, len(fitted.names)), f"a panel of {what} gives {shape}")


#: Every check by name, in the order they run.
CHECKS: dict[str, Callable[[FeatureStep, Panel], None]] = {
    "names_fit": _names_fit,
    "needs_fit": _needs_fit,
    "input_unchanged": _input_unchanged,
    "deterministic": _deterministic,
    "no_look_ahead": _no_look_ahead,
    "batch_equals_single": _batch_equals_single,
    "warm_up_suffices": _warm_up_suffices,
    "saved_is_same": _saved_is_same,
    "serving_equals_training": _serving_equals_training,
    "never_infinite": _never_infinite,
    "short_and_empty": _short_and_empty,
}
