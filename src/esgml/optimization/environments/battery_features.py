"""What a controller of batteries is shown in every hour: nothing that it could not know.

Load and sun of this hour and of past days, the tariff ahead, and what they mean together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.environments.battery import Battery, Houses

    Floats = NDArray[np.float64]

DAY = 24
#: What is observed in every hour, in order; see `features`.
FEATURES = (
    "level", "need less level", "hour, sine", "hour, cosine", "price",
    "price in 1 hour", "price in 2 hours", "price in 3 hours", "price in 6 hours",
    "highest price ahead", "lowest price ahead", "hours until dear ones", "dear hours",
    "last chance to fill", "net load", "load", "net load expected in 1 hour",
    "net load expected in 2 hours", "net load expected in 3 hours",
    "surplus expected in 6 hours", "surplus expected in 12 hours", "surplus expected in 24 hours",
    "surplus expected until dear hours", "need expected until dear hours",
    "need expected in dear hours", "need expected in dearer hours", "need of the least needy day",
    "need of a middling day", "need of a needy day", "need of the neediest day",
)  # fmt: skip


def _ahead(series: Floats, count: int) -> Floats:
    """Return the next `count` values after each hour, shape (hours, count); the end repeats."""
    padded = np.concatenate([series[1:], np.repeat(series[-1:], count)])
    return np.lib.stride_tricks.sliding_window_view(padded, count)[: len(series)]


def last_chance(houses: Houses, battery: Battery) -> NDArray[np.bool_]:
    """Return in which hours a store is filled for dear hours to come, shape (hours,).

    Buying later at the same price or a lower one is never worse: less has to be guessed and the
    sun may still bring it. So the last hours before dear ones remain, as many as filling takes.
    """
    taken = int(np.ceil(battery.capacity / battery.way / battery.power))
    price = houses.price
    ahead = _ahead(price, DAY)
    high, low = np.maximum(ahead.max(axis=1), price), np.minimum(ahead.min(axis=1), price)
    dear = (ahead > (high + low)[:, None] / 2) & (high * battery.efficiency > low)[:, None]
    before = np.cumsum(dear, axis=1) == 0
    as_cheap = (before & (ahead <= price[:, None])).sum(axis=1)
    return np.asarray((price <= (high + low) / 2) & dear.any(axis=1) & (as_cheap < taken))


def trailing_mean(price: Floats) -> Floats:
    """Return the mean price of the week up to each hour, or of what there was, shape (hours,)."""
    week = 7 * DAY
    total = np.cumsum(np.concatenate([np.zeros(week), price]))
    count = np.minimum(np.arange(1, len(price) + 1), week)
    return np.asarray(np.maximum((total[week:] - total[:-week]) / count, 1e-9))


def expected_net(houses: Houses) -> Floats:
    """Return the mean net load of the same hour of the seven days before, (houses, hours + 24).

    The last day lies beyond the data; hour t needs data up to t - 24 only.
    """
    net = houses.load - houses.solar
    count, hours = net.shape
    total, seen = np.zeros((count, hours + DAY)), np.zeros(hours + DAY)
    for lag in range(DAY, 8 * DAY, DAY):
        total[:, lag:] += net[:, : hours + DAY - lag]
        seen[lag:] += 1.0
    return total / np.maximum(seen, 1.0)


def needs(houses: Houses, battery: Battery) -> tuple[Floats, Floats, Floats]:
    """Return what a store would have been worth filling for on each of the past seven days.

    Returns
    -------
    needs : array, shape (7, houses, hours)
        kWh taken over a day from this hour on in dear hours (those above the middle between the
        day's lowest and highest price), less what surplus brought before the first of them, if
        the coming day were like each of the seven days before; the least needy one first.
    dear, cheap : array, shape (hours,)
        The highest and lowest price of the day from this hour on.
    """
    hours = houses.price.size
    padded = np.concatenate([houses.price, np.repeat(houses.price[-1:], DAY - 1)])
    prices = np.lib.stride_tricks.sliding_window_view(padded, DAY)
    high, low = prices.max(axis=1), prices.min(axis=1)
    dear = prices > (high + low)[:, None] / 2
    before = np.cumsum(dear, axis=1) == 0
    net = houses.load - houses.solar
    found = np.zeros((7, len(net), hours))
    for day in range(1, 8):
        shifted = np.zeros((len(net), hours + DAY))
        shifted[:, day * DAY :] = net[:, : hours + DAY - day * DAY]
        coming = np.lib.stride_tricks.sliding_window_view(shifted, DAY, axis=1)[:, :hours]
        taken = np.einsum("ijk,jk->ij", np.maximum(coming, 0.0), dear)
        brought = np.einsum("ijk,jk->ij", np.maximum(-coming, 0.0), before)
        found[day - 1] = np.maximum(taken - brought * battery.efficiency, 0.0)
    return np.sort(np.minimum(found, battery.capacity * battery.way), axis=0), high, low


def features(houses: Houses, battery: Battery, past: Floats) -> NDArray[np.float32]:
    """Return what is known in every hour of every house beside the level.

    The hour of the day (sine, cosine); net load now; the price now and in 1, 2, 3, 6 hours and
    the dearest and cheapest of the coming day; whether it is one of the hours to fill in
    (`last_chance`); what past days say of the coming hours: net load
    expected in the next 1, 2, 3 hours, surplus expected in the next 6, 12 and 24, need
    expected before the next dear stretch begins, within it, and by the end of the day in hours
    dearer than now; `needs` of the least needy, middling, needy and neediest past day.
    Expectations are means of the same hours of the seven days before.
    Energies are multiples of the capacity, prices of the past week's mean.

    Parameters
    ----------
    houses : Houses
    battery : Battery
    past : array, shape (7, houses, hours)
        What `needs` returns.

    Returns
    -------
    array of float32, shape (houses, hours, features)
        The first seven days hold zeros where a past is missing.
    """
    net = houses.load - houses.solar
    count, hours = net.shape
    price = houses.price
    usual = trailing_mean(price)
    expected = expected_net(houses)
    # For hour t, expectations of t+1 .. t+24: all of them lie at least one day before t+24.
    coming = np.lib.stride_tricks.sliding_window_view(expected, DAY, axis=1)[:, 1 : hours + 1]
    need, surplus = np.maximum(coming, 0.0), np.maximum(-coming, 0.0)
    prices = _ahead(price, DAY)
    clock = 2 * np.pi * ((np.arange(hours) + houses.first_hour) % DAY) / DAY
    dearer = prices * battery.efficiency > price[:, None]
    middle = (prices.max(axis=1) + prices.min(axis=1)) / 2
    worthwhile = prices.max(axis=1) * battery.efficiency > prices.min(axis=1)
    dear = (prices > middle[:, None]) & worthwhile[:, None]
    begun = np.cumsum(dear, axis=1) > 0
    over = begun & (np.cumsum(~dear & begun, axis=1) > 0)
    until, within = ~begun, begun & ~over
    columns = [np.sin(clock), np.cos(clock), price / usual]
    columns += [prices[:, k - 1] / usual for k in (1, 2, 3, 6)]
    columns += [prices.max(axis=1) / usual, prices.min(axis=1) / usual]
    columns += [until.sum(axis=1) / DAY, within.sum(axis=1) / DAY]
    columns += [last_chance(houses, battery).astype(np.float64)]
    shared = np.broadcast_to(np.stack(columns, axis=1), (count, hours, len(columns)))
    energies = [net, houses.load, *(coming[:, :, k] for k in range(3))]
    energies += [surplus[:, :, :k].sum(axis=2) for k in (6, 12, 24)]
    energies += [(surplus * until).sum(axis=2), (need * until).sum(axis=2)]
    energies += [(need * within).sum(axis=2), (need * dearer).sum(axis=2)]
    energies += list(past[[0, 3, 5, 6]])
    own = np.stack(energies, axis=2) / battery.capacity
    return np.concatenate([shared, own], axis=2).astype(np.float32)
