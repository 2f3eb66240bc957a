"""Features of the clock and the calendar; they need no history and are known for any future."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
import pydantic

from esgml.core.errors import UsageError
from esgml.core.interfaces import Hyperparameters
from esgml.features.step import FeatureStep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Panel

    Floats = NDArray[np.float64]
    Times = NDArray[np.datetime64]

Field = Literal[
    "hour_of_day", "day_of_week", "is_weekend", "day_of_month", "day_of_year", "month", "quarter"
]
FIELDS: tuple[str, ...] = get_args(Field)


def local_time(time: Times, timezone: str) -> Times:
    """Return UTC timestamps as the clock on the wall shows them in `timezone`.

    Raises
    ------
    UsageError
        If the zone is unknown.
    """
    if timezone == "UTC":
        return time
    import polars as pl

    try:
        zoned = pl.Series(time.astype("datetime64[us]")).dt.replace_time_zone("UTC")
        return np.asarray(
            zoned.dt.convert_time_zone(timezone).dt.replace_time_zone(None).to_numpy(),
            dtype="datetime64[us]",
        )
    except pl.exceptions.PolarsError as error:
        raise UsageError(
            f"unknown time zone {timezone!r}.", remedy="Use an IANA name such as Europe/Paris."
        ) from error


def calendar_field(time: Times, name: str) -> Floats:
    """Return one field of the calendar for each timestamp.

    Parameters
    ----------
    time : array of datetime64
        Read as it stands (convert with `local_time` first); must not hold NaT.
    name : str
        ``hour_of_day`` 0-23, ``day_of_week`` 0-6 with Monday = 0, ``is_weekend`` 0 or 1
        (Saturday, Sunday), ``day_of_month`` 1-31, ``day_of_year`` 1-366, ``month`` 1-12,
        ``quarter`` 1-4.
    """
    if name not in FIELDS:
        raise UsageError(
            f"unknown calendar field {name!r}.", remedy=f"Use one of {', '.join(FIELDS)}."
        )
    days = time.astype("datetime64[D]")
    if name == "hour_of_day":
        return np.asarray((time - days).astype("timedelta64[h]").astype(np.float64))
    if name in ("day_of_week", "is_weekend"):
        weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
        return np.asarray(weekday if name == "day_of_week" else weekday >= 5, dtype=np.float64)
    months = days.astype("datetime64[M]")
    if name == "day_of_month":
        return np.asarray((days - months).astype(np.float64) + 1)
    if name == "day_of_year":
        return np.asarray((days - days.astype("datetime64[Y]")).astype(np.float64) + 1)
    month = months.astype(np.int64) % 12
    return np.asarray(month + 1 if name == "month" else month // 3 + 1, dtype=np.float64)


def year_waves(time: Times, order: int) -> list[Floats]:
    """Return sine and cosine of the position in the year, for `order` harmonics."""
    first = time.astype("datetime64[Y]")
    begin = first.astype("datetime64[us]")
    length = ((first + 1).astype("datetime64[us]") - begin).astype(np.float64)
    angle = 2 * np.pi * (time.astype("datetime64[us]") - begin).astype(np.float64) / length
    return [wave(k * angle) for k in range(1, order + 1) for wave in (np.sin, np.cos)]


def holiday_flags(time: Times, country: str, subdivision: str | None = None) -> Floats:
    """Return 1 on public holidays of a country (ISO code), else 0.

    Raises
    ------
    UsageError
        If the country or its subdivision is unknown.
    """
    import holidays  # 0.1 s: only when holidays are really looked up

    days = time.astype("datetime64[D]")
    unique, back = np.unique(days, return_inverse=True)
    years = sorted({int(y) + 1970 for y in unique.astype("datetime64[Y]").astype(np.int64)})
    code = country.upper() if len(country) <= 3 else country
    try:
        # next and previous year: an observed holiday may fall on the other side of New Year
        wanted = sorted({y + d for y in years for d in (-1, 0, 1)})
        table = holidays.country_holidays(code, subdiv=subdivision, years=wanted)
    except NotImplementedError as error:
        place = country if subdivision is None else f"{country}-{subdivision}"
        raise UsageError(
            f"no holiday calendar for {place!r}.",
            remedy="Use an ISO 3166 country code such as DE, and one of its subdivisions.",
        ) from error
    dates = np.array(sorted(table), dtype="datetime64[D]")
    return np.isin(unique, dates).astype(np.float64)[back]


class Calendar(FeatureStep):
    """Fields of the calendar, waves of the year, and public holidays.

    Parameters
    ----------
    fields : tuple of str
        Of `FIELDS`; ``day_of_week`` counts from Monday = 0.
    year_order : int
        Harmonics of the year, each a sine and a cosine.
    country : str, optional
        ISO code whose public holidays become the flag ``holiday``.
    subdivision : str, optional
        State or province of that country.
    timezone : str
        IANA zone of the clock on the wall; timestamps are UTC.

    Examples
    --------
    >>> Calendar(fields=("month",), year_order=1, country="SE").names
    ('month', 'year_sin1', 'year_cos1', 'holiday')
    """

    kind = "calendar"
    warm_up: ClassVar[int] = 0
    min_lag: ClassVar[None] = None

    class Params(Hyperparameters):
        """Settings of `Calendar`."""

        fields: tuple[Field, ...] = ("hour_of_day", "day_of_week", "is_weekend", "month")
        year_order: int = pydantic.Field(0, ge=0, le=20)
        country: str | None = None
        subdivision: str | None = None
        timezone: str = "UTC"

    @property
    def names(self) -> tuple[str, ...]:
        """Fields, then waves, then the holiday flag."""
        p = self.params
        waves = tuple(f"year_{w}{k}" for k in range(1, p.year_order + 1) for w in ("sin", "cos"))
        return (*p.fields, *waves, *(("holiday",) if p.country else ()))

    def _fit(self, panel: Panel) -> None:
        self._columns(panel.select([0]) if len(panel) else panel)  # wrong settings fail here

    def _columns(self, panel: Panel) -> list[Floats]:
        return self.at(panel.time)

    def at(self, time: Times) -> list[Floats]:
        """Return the features of any timestamps, one array per name."""
        p = self.params
        # Panels repeat the same few timestamps in every series, so each is looked up once.
        unique, back = np.unique(time, return_inverse=True)
        local = local_time(unique, p.timezone)
        found = [calendar_field(local, name) for name in p.fields]
        found += year_waves(local, p.year_order)
        if p.country:
            found.append(holiday_flags(local, p.country, p.subdivision))
        return [column[back] for column in found]
