"""The compiled step of a meter's weather response: degrees in, the part of the reading out."""

from __future__ import annotations

import numpy as np

from esgml.core.compiled import compiled

#: Degrees below and above which heating and cooling begin, in Celsius.
HEATING, COOLING = 15.0, 18.0
#: Readings per group that a usual temperature is remembered over, and what one step forgets.
_USUAL, _KEEPS = 28.0, 0.9995
#: Errors beyond so many usual ones teach no more than that.
_CLIP = 3.0


@compiled
def respond(  # type: ignore[no-untyped-def]
    values, temperature, group, past_values, past_degrees, theta, spread, usual, counts, whole, out
):
    """Write what the weather adds to each reading, learned from the readings before it.

    The response is a recursive least-squares slope of the change against the same time a
    week ago on the change of heating and cooling degrees, so that schedules cancel out.
    """
    span = len(past_values)
    now = np.empty(2)
    for i in range(len(values)):
        out[i] = 0.0
        place = whole[0] % span
        whole[0] += 1
        if np.isnan(temperature[i]):
            past_values[place] = values[i]
            past_degrees[place, :] = np.nan
            continue
        now[0] = max(HEATING - temperature[i], 0.0)
        now[1] = max(temperature[i] - COOLING, 0.0)
        g = group[i]
        if counts[g] > 0:
            for k in range(2):
                out[i] += theta[k] * (now[k] - usual[g, k])
        counts[g] = min(counts[g] + 1, _USUAL)
        for k in range(2):
            usual[g, k] += (now[k] - usual[g, k]) / counts[g]
        change = values[i] - past_values[place]
        moved = now - past_degrees[place]
        past_values[place] = values[i]
        past_degrees[place, :] = now
        if np.isnan(change) or np.isnan(moved).any() or np.abs(moved).sum() < 0.5:
            continue
        error = change - theta[0] * moved[0] - theta[1] * moved[1]
        whole[1] = min(whole[1] + 1, 2000)
        size = abs(error) if whole[1] < 50 else min(abs(error), _CLIP * theta[2])
        theta[2] += (size - theta[2]) / whole[1]
        if whole[1] < 50:  # the usual error has to be known before one is clipped
            continue
        error = max(-_CLIP * theta[2], min(_CLIP * theta[2], error))
        gain = spread @ moved
        gain = gain / (_KEEPS + moved @ gain)
        for k in range(2):
            theta[k] += gain[k] * error
        spread[:, :] = (spread - np.outer(gain, moved @ spread)) / _KEEPS
        for k in range(2):  # degrees that never change must not make the slope a free one
            spread[k, k] = min(spread[k, k], 1.0)
