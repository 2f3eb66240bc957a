"""AutoTheta of statsforecast: the best of four Theta methods, chosen per series."""

from __future__ import annotations

from typing import Any

from esgml.forecast.models._statsforecast import StatsforecastModel


class AutoTheta(StatsforecastModel):
    """The best of four Theta methods, static and dynamic, chosen per series.

    A strong classical forecaster of single series. ``theta`` is as accurate, many times
    faster and needs no library, so the default pool uses that one; this one is the
    reference it is measured against.

    References
    ----------
    Fiorucci et al., Models for optimising the theta method (2016); statsforecast.
    """

    def _method(self, season: int) -> Any:
        from statsforecast.models import AutoTheta as Method

        return Method(season_length=season)
