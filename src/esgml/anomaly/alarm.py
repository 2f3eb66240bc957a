"""From scores to alarms: a budget per meter, thresholds from its own past, verdicts.

The layer knows nothing of how scores are made. Its promise is a rate: of a meter's ordinary
readings about ``rate`` are alarms. A threshold fixed once breaks that promise as soon as the
seasons change, so the threshold is the conformal quantile of the last 90 days, and the rate
it is taken at adapts to how often there were alarms lately (Gibbs and Candes, 2021).

A long event must not raise its own threshold: its scores wait outside the pool until a
person has judged it or a timeout passed. Confirmed ones never join, those judged false do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.anomaly.clock import Clock
from esgml.anomaly.state import dump_state, restore_state, stored_arrays
from esgml.core.errors import DataError, IntegrityError, NotFoundError, UsageError
from esgml.core.frequency import Frequency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.interfaces import Files

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_DAY = 86_400
_POOL = 2160
#: Multiple of the rate that adaptation begins at.
_START = 1.5
#: Events kept for verdicts; the oldest fall out.
_MOST_EVENTS = 10_000


class Verdict(StrEnum):
    """What a person says of an event."""

    TRUE = "true"
    FALSE = "false"
    EXPLAINED = "explained"


@dataclass(frozen=True)
class AlarmSettings:
    """How a budget is kept.

    Attributes
    ----------
    rate : float
        Share of ordinary readings that may be alarms, per meter.
    window_days : float
        Days of past scores a threshold rests on.
    hold_days : float
        Days the scores of an event wait for a verdict.
    margin : float
        Standard deviations of the count above the threshold that are kept back.
    speed : float
        How much of itself the rate loses with an alarm more than it allows.
    least, most : float
        Bounds of the adapted rate, as multiples of `rate`.
    floor : float
        Score up to which nothing is an alarm, however ordinary the past.
    """

    rate: float = 0.01
    window_days: float = 90.0
    hold_days: float = 3.0
    margin: float = 0.75
    speed: float = 0.2
    least: float = 0.3
    most: float = 2.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.rate < 0.5:
            raise UsageError(
                f"an alarm rate of {self.rate} is not between 0 and 0.5.",
                where="alarm_rate",
                remedy="Give the share of ordinary readings that may be alarms, such as 0.01.",
            )


@dataclass(frozen=True)
class Decisions:
    """What the alarm layer says of readings.

    Attributes
    ----------
    threshold : array, shape (n,)
        Score above which a reading is an alarm; NaN while there is too little history.
    p_value : array, shape (n,)
        Conformal: the share of past scores at least as high; NaN without a score or a past.
    alarm : array of bool, shape (n,)
    begins : array of bool, shape (n,)
        Whether the alarm opens an event.
    """

    threshold: Floats
    p_value: Floats
    alarm: Flags
    begins: Flags


class AlarmState:
    """The alarm layer of one meter; constant time and bounded memory per reading.

    Parameters
    ----------
    frequency : Frequency
        Of the meter's readings.
    settings : AlarmSettings
    """

    def __init__(self, frequency: Frequency, settings: AlarmSettings | None = None) -> None:
        self.settings = settings or AlarmSettings()
        self.frequency = frequency
        clock = Clock(frequency)
        seconds = frequency.seconds or 30 * _DAY
        wanted = int(self.settings.window_days * _DAY / seconds)
        # with few readings a day the window is longer: a rate cannot be read off fewer scores
        wanted = max(wanted, int(np.ceil(4 / self.settings.rate)))
        self._stride = -(-wanted // _POOL)
        self._quiet = clock.short
        hold = max(round(self.settings.hold_days * _DAY / seconds), 1)
        self.ring = np.full(-(-wanted // self._stride), np.nan)
        self.ordered = self.ring.copy()
        self.held = np.full(hold, np.nan)
        self.whole = np.array([0, 0, 0, 0, 10**6, 0], dtype=np.int64)
        self.rate = np.array([_START * self.settings.rate])
        #: Start of each event, and the verdict on it or "".
        self.events: dict[int, str] = {}

    @property
    def calibrated_on(self) -> int:
        """Scores in the pool."""
        return int(self.whole[0])

    @property
    def ready(self) -> bool:
        """Whether there is enough history to raise alarms by score."""
        from esgml.anomaly.alarm_kernel import spare

        rate = max(float(self.rate[0]), self.settings.rate)
        return bool(spare(self.calibrated_on, rate, self.settings.margin) >= 0)

    def update(
        self,
        time: NDArray[np.datetime64],
        scores: Floats,
        certain: Flags | None = None,
        excused: Flags | None = None,
        *,
        raising: bool = True,
    ) -> Decisions:
        """Decide on readings in time order, each by the scores before it.

        Parameters
        ----------
        time : array of datetime64, shape (n,)
        scores : array, shape (n,)
            NaN where there is none.
        certain : array of bool, shape (n,), optional
            Readings that break a rule: alarms whatever the score.
        excused : array of bool, shape (n,), optional
            Readings on a dated event (closure, holiday): never alarms, never calibration.
        raising : bool
            False to calibrate only.
        """
        from esgml.anomaly.alarm_kernel import watch

        n = len(scores)
        none = np.zeros(n, dtype=bool)
        certain = none if certain is None else np.asarray(certain, dtype=bool)
        excused = none if excused is None else np.asarray(excused, dtype=bool)
        if not len(time) == len(certain) == len(excused) == n:
            raise DataError("times, scores and flags differ in length.", code="shape")
        out = Decisions(np.empty(n), np.empty(n), none.copy(), none.copy())
        given = self.settings
        watch(
            np.asarray(scores, dtype=np.float64),
            certain,
            excused,
            raising,
            (given.rate, given.margin, given.speed, given.least, given.most, given.floor),
            self._stride,
            self._quiet,
            self.ring,
            self.ordered,
            self.held,
            self.whole,
            self.rate,
            out.threshold,
            out.p_value,
            out.alarm,
            out.begins,
        )
        for moment in np.asarray(time)[out.begins].astype("datetime64[us]").astype(np.int64):
            self.events[int(moment)] = ""
        while len(self.events) > _MOST_EVENTS:
            del self.events[next(iter(self.events))]
        return out

    def judge(self, start: np.datetime64, verdict: str) -> None:
        """Take a person's verdict on the event that began at `start`.

        A true or explained event stays out of the calibration, where its scores still wait;
        those of a false one join it at once, so that the like raises no alarm again soon.

        Raises
        ------
        NotFoundError
            If no event began then.
        UsageError
            If the verdict is none of true, false, explained.
        """
        from esgml.anomaly.alarm_kernel import HELD, HELD_PLACE, admit

        try:
            given = Verdict(verdict)
        except ValueError as error:
            raise UsageError(
                f"{verdict!r} is no verdict.",
                where="verdict",
                remedy=f"Use {', '.join(Verdict)}.",
            ) from error
        key = int(np.asarray(start).astype("datetime64[us]").astype(np.int64))
        if key not in self.events:
            raise NotFoundError("no event began then.", code="event_unknown", where=str(start))
        if self.events[key] == given:
            return
        self.events[key] = given
        if key != next(reversed(self.events)):
            return  # only the latest event's scores can still be waiting
        if given is Verdict.FALSE:
            count = int(self.whole[HELD])
            for k in range(count, 0, -1):
                waiting = self.held[(int(self.whole[HELD_PLACE]) - k) % len(self.held)]
                if not np.isnan(waiting):
                    admit(float(waiting), self.ring, self.ordered, self.whole)
        self.held[:] = np.nan

    def precision(self) -> dict[str, float | int]:
        """Return what verdicts say so far: counts, and true among those judged.

        Explained events count as right: the reading was strange, the reason was known.
        """
        judged = {v: sum(x == v for x in self.events.values()) for v in Verdict}
        total = sum(judged.values())
        right = judged[Verdict.TRUE] + judged[Verdict.EXPLAINED]
        return {
            "events": len(self.events),
            **{str(v): n for v, n in judged.items()},
            "precision": right / total if total else float("nan"),
        }

    def to_files(self) -> Files:
        """Return the state as JSON and safetensors, every bit kept."""
        return dump_state(
            frequency=self.frequency.code,
            settings=vars(self.settings),
            events=[[k, v] for k, v in self.events.items()],
            ring=self.ring,
            ordered=self.ordered,
            held=self.held,
            whole=self.whole,
            rate=self.rate,
        )

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Take a state back from what `to_files` returned."""
        stored: dict[str, Any] = restore_state(files)
        try:
            state = cls(Frequency(stored["frequency"]), AlarmSettings(**stored["settings"]))
            state.events = {int(k): str(v) for k, v in stored["events"]}
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise IntegrityError("the saved alarm layer is unreadable.") from error
        names = ("ring", "ordered", "held", "whole", "rate")
        found = stored_arrays(stored, {name: getattr(state, name).shape for name in names})
        for name, array in found.items():
            setattr(state, name, array)
        return state
