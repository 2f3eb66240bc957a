"""Simple rules for a store, as an installer would set them; none knows future load or sun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.optimization.dispatch.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def self_consumption(net: Floats, value: Floats, store: Store) -> Floats:
    """Charge from surplus, discharge to cover the load; kW, shape (H, T)."""
    return np.clip(-net / store.hours, -store.power, store.power)


def tariff(net: Floats, value: Floats, store: Store) -> Floats:
    """Fill up before the dear hours with what they took on past days, else use own power.

    Dear hours are those of a day above the middle between its lowest and highest value.

    Parameters
    ----------
    net : array, shape (H, T)
        kWh per step; only what lies before a step is used for it, and the step itself.
    value : array, shape (T,)
        Value of a kWh, known ahead.
    """
    sites, steps = net.shape
    day = max(1, round(24 / store.hours))
    dear = dear_hours(value, day, store)
    ahead = round(store.capacity / store.charging / store.most + 0.5)
    level = np.full(sites, store.start)
    plan = np.zeros((sites, steps))
    need = np.full(sites, store.capacity)  # until a dear period was seen: full
    taken = np.zeros(sites)
    for t in range(steps):
        wanted = -net[:, t]
        soon = dear[t + 1 : t + 1 + ahead].any() and not dear[t]
        if soon:  # charge from the grid, later hours only what is still missing
            wanted = np.maximum(wanted, (need - level) / store.charging)
        energy = store.limit(level, wanted)
        level = store.moved(level, energy)
        plan[:, t] = energy / store.hours
        if dear[t]:
            taken += np.maximum(net[:, t], 0.0) / store.discharging
            if t + 1 == steps or not dear[t + 1]:
                need = np.minimum(0.5 * need + 0.5 * taken, store.capacity)
                taken = np.zeros(sites)
    return plan


def dear_hours(value: Floats, day: int, store: Store) -> NDArray[np.bool_]:
    """Return which steps are worth buying for ahead, losses counted."""
    dear = np.zeros(len(value), dtype=bool)
    for start in range(0, len(value), day):
        part = value[start : start + day]
        low, high = float(part.min()), float(part.max())
        if high * store.charging * store.discharging > low:
            dear[start : start + day] = part > (low + high) / 2
    return dear
