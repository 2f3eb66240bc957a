"""One meter under watch: features, score, rules and alarms, fed in time order.

`fit_meter` learns from the readings before a moment; `MeterWatch.update` then takes readings
one by one or many at once, with the same result, and can be saved between any two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from esgml.anomaly.alarm import AlarmSettings, AlarmState, Decisions
from esgml.anomaly.context import SCORED, Context, MeterState
from esgml.anomaly.models.tails import Tails
from esgml.anomaly.rules import Rules
from esgml.anomaly.weather import WeatherResponse
from esgml.core.errors import IntegrityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.frequency import Frequency
    from esgml.core.interfaces import Files

    Floats = NDArray[np.float64]

#: What a broken rule adds to a score: more than a reading earns by being unusual.
RULE_SURPRISE = 25.0
#: Share of a strange score that the next reading keeps at least.
MEMORY = 0.5
#: Surprise per baseline that fades at most.
_FADES_FROM = 6.0
#: Standard deviations that are never a surprise, however constant the meter was.
RESOLUTION = 1.0
_FIT_SHARE = 2 / 3
#: Surprise per baseline that an alarm has at least; an ordinary reading has one.
_FLOOR = 2.0
#: Share of its budget that a meter without a schedule spends on scores.
_SCORE_SHARE = 0.5
#: Fewest readings with features that a meter's own score is learned from.
_FEWEST = 120


@dataclass(frozen=True)
class Watched:
    """What is known of readings, in their order.

    Attributes
    ----------
    time, value : arrays, shape (n,)
    context : Context
    surprise : array, shape (n, scored profiles)
        What each baseline adds to the score.
    score : array, shape (n,)
        Higher is stranger; NaN where the reading is missing or the history too short.
    rule : array of int, shape (n,)
        Which rule is broken, as a number into `esgml.anomaly.rules.KINDS`.
    decisions : Decisions
    """

    time: NDArray[np.datetime64]
    value: Floats
    context: Context
    surprise: Floats
    score: Floats
    rule: NDArray[np.int64]
    decisions: Decisions

    @property
    def expected(self) -> Floats:
        """What the same hour of past weeks showed, shape (n,); NaN where not known."""
        return self.context.expected[:, 0]


class MeterWatch:
    """Everything that is kept of one meter.

    Parameters
    ----------
    state : MeterState
    alarm : AlarmState
    model : Tails or None
        Scores features; None until there is enough history.
    rules : Rules
    weather : WeatherResponse, optional
        Where temperatures come with the readings.
    """

    def __init__(
        self,
        state: MeterState,
        alarm: AlarmState,
        model: Tails | None,
        rules: Rules,
        weather: WeatherResponse | None = None,
    ) -> None:
        self.weather = weather
        self.state, self.alarm, self.model, self.rules = state, alarm, model, rules
        self.carry = np.zeros(1)
        self.remembered = rules.begin()

    @property
    def status(self) -> str:
        """Say whether alarms can be raised, or what is missing; empty where they can."""
        if self.model is None:
            return "the history is too short to know what is usual: three weeks are needed"
        if not self.alarm.ready:
            count, rate = self.alarm.calibrated_on, self.alarm.settings.rate
            return (
                f"the history is too short: {count} past scores set no threshold for an alarm"
                f" rate of {rate:g}; about {int(np.ceil(2 / rate))} do"
            )
        return ""

    def update(
        self,
        time: NDArray[np.datetime64],
        values: Floats,
        excused: NDArray[np.bool_] | None = None,
        *,
        temperature: Floats | None = None,
        raising: bool = True,
    ) -> Watched:
        """Feed readings in time order; see `MeterState.update` and `AlarmState.update`.

        A meter learned with temperatures takes them along; without them, the weather counts
        as the usual one.
        """
        added = None
        if self.weather is not None and temperature is not None:
            added = self.weather.update(time, values, temperature)
        context = self.state.update(time, values, added)
        return self.judge(time, values, context, excused, raising=raising)

    def judge(
        self,
        time: NDArray[np.datetime64],
        values: Floats,
        context: Context,
        excused: NDArray[np.bool_] | None = None,
        *,
        raising: bool = True,
    ) -> Watched:
        """Score readings whose features are known, and decide on alarms."""
        from esgml.anomaly.alarm_kernel import persist

        values = np.where(np.isfinite(values), values, np.nan)
        n = len(values)
        surprise, score = np.full((n, len(SCORED)), np.nan), np.full(n, np.nan)
        features = context.z[:, SCORED]
        known = np.isfinite(features).any(axis=1)
        if self.model is not None and known.any():
            surprise[known] = self.model.feature_contributions(features[known])
            raw = surprise.sum(axis=1)
            persist(raw, MEMORY, _FADES_FROM * len(SCORED), self.carry, score)
        rule = self.rules.broken(values, context, self.remembered)
        certain = rule > 0
        decisions = self.alarm.update(time, score, certain, excused, raising=raising)
        shown = np.where(certain, np.nan_to_num(score) + RULE_SURPRISE, score)
        return Watched(time, values, context, surprise, shown, rule, decisions)

    def to_files(self) -> Files:
        """Return everything as named bytes that carry no code."""
        limited = np.isfinite(self.rules.stuck_from)
        files: Files = {
            "watch.json": json.dumps(
                {
                    "carry": float(self.carry[0]),
                    "shifted": int(self.remembered.shifted[0]),
                    "stuck": float(self.remembered.stuck[0]) if limited else None,
                    "left": {k: float(v[0]) for k, v in self.remembered.left.items()},
                    "rules": self.rules.as_dict(),
                },
                sort_keys=True,
            ).encode()
        }
        parts = {"state": self.state.to_files(), "alarm": self.alarm.to_files()}
        if self.weather is not None:
            parts["weather"] = self.weather.to_files()
        if self.model is not None:
            parts["model"] = self.model.to_files()
        for part, content in parts.items():
            files.update({f"{part}/{name}": data for name, data in content.items()})
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Take a meter back from what `to_files` returned."""

        def part(name: str) -> Files:
            start = f"{name}/"
            return {k.removeprefix(start): v for k, v in files.items() if k.startswith(start)}

        try:
            plain = json.loads(files["watch.json"])
            rules = Rules.from_dict(plain["rules"])
            carry, shifted = float(plain["carry"]), int(plain["shifted"])
            left = {k: np.array([float(v)]) for k, v in plain["left"].items()}
            bound = float("inf") if plain["stuck"] is None else float(plain["stuck"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the saved meter is unreadable.") from error
        stored, weather = part("model"), part("weather")
        meter = cls(
            MeterState.from_files(part("state")),
            AlarmState.from_files(part("alarm")),
            Tails.from_files(stored) if stored else None,
            rules,
            WeatherResponse.from_files(weather) if weather else None,
        )
        meter.carry[0] = carry
        if left.keys() != meter.remembered.left.keys():
            raise IntegrityError("the saved meter knows other rules.")
        meter.remembered.left.update(left)
        meter.remembered.shifted[0], meter.remembered.stuck[0] = shifted, bound
        return meter


def fit_meter(
    time: NDArray[np.datetime64],
    values: Floats,
    frequency: Frequency,
    settings: AlarmSettings | None = None,
    shared: Tails | None = None,
    temperature: Floats | None = None,
) -> tuple[MeterWatch, Watched]:
    """Learn a meter from its past, unlabelled readings.

    The first two thirds of the readings with features fit the score and the rules, the rest
    calibrates the alarms.

    Parameters
    ----------
    time, values : arrays, shape (n,)
        In time order; NaN where missing.
    frequency : Frequency
    settings : AlarmSettings, optional
    shared : Tails, optional
        Scores a meter whose own history is too short to learn from.
    temperature : array, shape (n,), optional
        Outside, in degrees Celsius; NaN where missing.

    Returns
    -------
    meter : MeterWatch
        Ready for the readings after the last one given.
    past : Watched
        The readings it learned from; none of them is an alarm.
    """
    state = MeterState(frequency)
    weather = None if temperature is None else WeatherResponse(frequency)
    added = (
        None
        if weather is None or temperature is None
        else weather.update(time, values, temperature)
    )
    context = state.update(time, values, added)
    known = np.flatnonzero(np.isfinite(context.z[:, 0]))
    cut = int(len(known) * _FIT_SHARE)
    model, start = shared, len(time)
    if cut >= _FEWEST:
        model = Tails(resolution=RESOLUTION).train(context.z[known[:cut]][:, SCORED])
        start = int(known[cut])
    elif shared is not None and len(known):
        start = int(known[0])
    early = Context(*(a[:start] for a in _columns(context)))
    rules = Rules.learn(np.asarray(values)[:start], early, state.clock)
    settings = settings or AlarmSettings()
    settings = replace(settings, floor=max(settings.floor, _FLOOR * len(SCORED)))
    if np.isfinite(rules.shift_beyond):  # the other part is for shifts of the level
        settings = replace(settings, rate=_SCORE_SHARE * settings.rate)
    meter = MeterWatch(state, AlarmState(frequency, settings), model, rules, weather)
    late = Context(*(a[start:] for a in _columns(context)))
    first = meter.judge(time[:start], values[:start], early, np.ones(start, bool), raising=False)
    second = meter.judge(time[start:], values[start:], late, raising=False)
    return meter, joined([first, second])


def _columns(context: Context) -> tuple[Floats, ...]:
    return context.z, context.expected, context.scale, context.run


def joined(parts: Sequence[Watched]) -> Watched:
    """Return readings judged in parts, in their order, as one."""
    if len(parts) == 1:
        return parts[0]
    both = np.concatenate
    decisions = [p.decisions for p in parts]
    return Watched(
        both([p.time for p in parts]),
        both([p.value for p in parts]),
        Context(*(both(c) for c in zip(*(_columns(p.context) for p in parts), strict=True))),
        both([p.surprise for p in parts]),
        both([p.score for p in parts]),
        both([p.rule for p in parts]),
        Decisions(
            both([d.threshold for d in decisions]),
            both([d.p_value for d in decisions]),
            both([d.alarm for d in decisions]),
            both([d.begins for d in decisions]),
        ),
    )
