"""All meters of a portfolio under watch, kept as one set of files and asked by requests."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from esgml.anomaly.alarm import AlarmSettings
from esgml.anomaly.detect import Detection, Series, default_until, detect
from esgml.anomaly.watch import MeterWatch
from esgml.core.errors import DataError, IntegrityError
from esgml.core.frequency import Frequency
from esgml.core.panel import SeriesKey

if TYPE_CHECKING:
    from esgml.core.interfaces import Files

FLEET = "fleet.json"


@dataclass(frozen=True)
class Fleet:
    """Meters as they were after the last reading learned from.

    Attributes
    ----------
    meters : dict of key to MeterWatch
    frequency : Frequency
    settings : AlarmSettings
    units : dict of target to unit
    """

    meters: dict[SeriesKey, MeterWatch]
    frequency: Frequency
    settings: AlarmSettings = field(default_factory=AlarmSettings)
    units: dict[str, str] = field(default_factory=dict)

    def judge(self, series: Sequence[Series]) -> Detection:
        """Judge readings; the fleet itself is not moved on.

        A known meter whose readings begin after those it was learned from goes on from there.
        Any other series is learned from its own first half, and its second half judged.

        Raises
        ------
        DataError
            If a series has no reading.
        """
        found, meters, silent = {}, {}, {}
        for one in series:
            if not len(one.time):
                raise DataError("a series has no reading.", code="empty", where=one.key.entity)
            known = self.meters.get(one.key)
            if known is not None and one.time[0] > known.state.last:
                meter = copy.deepcopy(known)
                if meter.status:
                    silent[one.key] = meter.status
                found[one.key] = meter.update(one.time, one.values)
                meters[one.key] = meter
                continue
            fresh = detect(
                [one], self.frequency, until=default_until([one]), settings=self.settings
            )
            found.update(fresh.found)
            meters.update(fresh.meters)
            silent.update(fresh.not_judged)
        first = min(watched.time[0] for watched in found.values() if len(watched.time))
        return Detection(
            first, self.frequency, meters, found, silent, dict(self.units), self.settings
        )

    def to_files(self) -> Files:
        """Return the fleet as named bytes that carry no code."""
        listed = []
        files: Files = {}
        for number, (key, meter) in enumerate(self.meters.items()):
            listed.append([key.entity, key.target])
            for name, data in meter.to_files().items():
                files[f"meters/{number:05d}/{name}"] = data
        document = {
            "frequency": self.frequency.code,
            "settings": vars(self.settings),
            "units": self.units,
            "meters": listed,
        }
        return {FLEET: json.dumps(document, sort_keys=True).encode(), **files}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Take a fleet back from what `to_files` returned.

        Raises
        ------
        IntegrityError
            If the files are unreadable.
        """
        try:
            document = json.loads(files[FLEET])
            keys = [SeriesKey(str(e), str(t)) for e, t in document["meters"]]
            frequency = Frequency(document["frequency"])
            settings = AlarmSettings(**document["settings"])
            units = {str(k): str(v) for k, v in document["units"].items()}
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the saved fleet of meters is unreadable.") from error
        parts: dict[str, Files] = {}
        for name, data in files.items():
            folder, _, rest = name.removeprefix("meters/").partition("/")
            if name.startswith("meters/"):
                parts.setdefault(folder, {})[rest] = data
        try:
            meters = {
                key: MeterWatch.from_files(parts[f"{number:05d}"])
                for number, key in enumerate(keys)
            }
        except KeyError as error:
            raise IntegrityError("a meter of the saved fleet is missing.") from error
        return cls(meters, frequency, settings, units)

    @property
    def last(self) -> np.datetime64:
        """Time of the last reading of any meter."""
        return max(meter.state.last for meter in self.meters.values())
