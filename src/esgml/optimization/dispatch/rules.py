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


def fill_late(net: Floats, value: Floats, store: Store, past: Floats | None = None) -> Floats:
    """Fill in the last two hours before dear ones for the neediest of the past seven days.

    In all other hours the battery follows load and sun. Late, because the sun may still
    bring some of it; for the neediest day, because what is left over is used later at little
    loss. Without a day before, it fills up.

    Parameters
    ----------
    net : array, shape (H, T)
        kWh per step; only what lies before a step is used for it, and the step itself.
    value : array, shape (T,)
        Value of a kWh, known a day ahead.
    past : array, shape (H, n), optional
        Net load before the first step.
    """
    sites, steps = net.shape
    known = net if past is None else np.hstack([past, net])
    begin = known.shape[1] - steps
    day, late = max(1, round(24 / store.hours)), max(1, round(2 / store.hours))
    level, plan = np.full(sites, store.start), np.zeros((sites, steps))
    for t in range(steps):
        wanted = -net[:, t]
        dear = _dear(value[t + 1 : t + 1 + day], store)
        if dear[:late].any() and value[t] <= _middle(value[t + 1 : t + 1 + day]):
            goal = _neediest(known[:, : begin + t], value[t : t + day], day, store)
            wanted = np.maximum(np.maximum(wanted, 0.0), (goal - level) / store.charging)
        energy = store.limit(level, wanted)
        level = store.moved(level, energy)
        plan[:, t] = energy / store.hours
    return plan


def _neediest(seen: Floats, value: Floats, day: int, store: Store) -> Floats:
    """Return kWh to have stored, had the coming day been the neediest of the past seven."""
    sites, now = seen.shape
    full = np.full(sites, store.capacity)
    dear = value > _middle(value)
    before = np.cumsum(dear) == 0
    needs = []
    for back in range(day, 8 * day, day):
        if back > now:
            break
        like = seen[:, now - back : now - back + len(value)]
        taken = np.maximum(like, 0.0)[:, dear].sum(axis=1)
        brought = np.maximum(-like, 0.0)[:, before].sum(axis=1)
        needs.append(taken / store.discharging - brought * store.charging)
    return np.clip(np.max(needs, axis=0), 0.0, store.capacity) if needs else full


def _middle(value: Floats) -> float:
    return float(value.max() + value.min()) / 2


def _dear(value: Floats, store: Store) -> NDArray[np.bool_]:
    """Return which steps lie above the middle, if that is worth buying for, losses counted."""
    if not len(value) or value.max() * store.charging * store.discharging <= value.min():
        return np.zeros(len(value), dtype=bool)
    return np.asarray(value > _middle(value))


def dear_hours(value: Floats, day: int, store: Store) -> NDArray[np.bool_]:
    """Return which steps are worth buying for ahead, losses counted."""
    dear = np.zeros(len(value), dtype=bool)
    for start in range(0, len(value), day):
        dear[start : start + day] = _dear(value[start : start + day], store)
    return dear
