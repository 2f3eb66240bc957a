"""The features a panel gets when nobody names any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esgml.features.calendar import Calendar, Field
from esgml.features.degree_days import DegreeDays
from esgml.features.lags import Covariates, Differences, Lags
from esgml.features.rolling import Rolling, SeasonalRolling

if TYPE_CHECKING:
    from esgml.core.panel import Panel
    from esgml.features.step import FeatureStep


def default_steps(
    panel: Panel, *, country: str | None = None, timezone: str = "UTC", lead: int = 1
) -> list[FeatureStep]:
    """Return steps that suit the frequency and the covariates of a panel.

    Lags and windows follow the seasons of the frequency and never reach back further than
    half of the longest series.

    Parameters
    ----------
    panel : Panel
    country : str, optional
        ISO code whose public holidays become a feature.
    timezone : str
        IANA zone of the calendar features.
    lead : int
        Smallest lag: features can be computed that many periods ahead.
    """
    season, long = panel.frequency.season, panel.frequency.long_season
    longest = int(panel.lengths.max(initial=0)) // 2

    def fitting(*rows: int) -> tuple[int, ...]:
        return tuple(sorted({r for r in rows if lead <= r <= max(longest, lead)}))

    steps: list[FeatureStep] = [
        Lags(lags=fitting(lead, lead + 1, lead + 2, season, 2 * season, long) or (lead,)),
        Differences(lag=lead),
    ]
    windows = tuple(sorted({w for w in (max(season, 3), long or 4 * season) if 2 <= w <= longest}))
    if windows:
        steps.append(Rolling(windows=windows, statistics=("mean", "std", "min", "max"), lag=lead))
    for cycle in (season, long):
        if cycle > 1 and 4 * cycle <= longest:
            ahead = -(-lead // cycle) * cycle  # the first lag of the same phase
            steps.append(SeasonalRolling(season=cycle, windows=(4,), lag=ahead))
    daily = panel.frequency.sub_daily or panel.frequency.code == "D"
    fields: list[Field] = ["month"]
    if daily:
        fields += ["day_of_week", "is_weekend"]
    if panel.frequency.sub_daily:
        fields.append("hour_of_day")
    steps.append(
        Calendar(
            fields=tuple(fields),
            year_order=2 if panel.frequency.code != "YS" else 0,
            country=country if daily else None,
            timezone=timezone,
        )
    )
    if panel.known_names:
        # a flag of the table by that name is better than the calendar's guess
        if "holiday" in panel.known_names:
            steps[-1] = Calendar(**{**steps[-1].params.model_dump(), "country": None})
        steps.append(Covariates())
    temperature = next((n for n in panel.known_names if "temp" in n.lower()), None)
    if temperature is not None:
        steps.append(DegreeDays(temperature=temperature))
    return steps
