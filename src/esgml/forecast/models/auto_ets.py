"""AutoETS of statsforecast: exponential smoothing in state-space form, chosen per series."""

from __future__ import annotations

from typing import Any

from esgml.forecast.models._statsforecast import StatsforecastModel


class AutoETS(StatsforecastModel):
    """Error, trend and season of exponential smoothing, chosen per series by AICc.

    A reference among classical forecasters; slower than the Theta methods.

    References
    ----------
    Hyndman et al., Forecasting with Exponential Smoothing (2008); statsforecast.
    """

    def _method(self, season: int) -> Any:
        from statsforecast.models import AutoETS as Method

        return Method(season_length=season)
