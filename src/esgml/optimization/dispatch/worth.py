"""What stored energy is worth: stochastic dynamic programming for one store, many at a time.

The cost still to come is a convex function of the level, so the best move is read off its
slope: charge while a stored kWh is worth more than it costs to put in, discharge while it is
worth less than it saves. No move has to be searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.dispatch.store import Store

    Floats = NDArray[np.float64]

#: Rounding that decides no move.
_EVEN = 1e-12


@dataclass(frozen=True)
class Scenarios:
    """What the coming steps may be like for B sites.

    Attributes
    ----------
    net : array, shape (ahead, B, K)
        Load minus solar, kWh per step, in K scenarios.
    value : array, shape (ahead, B, 1 or K)
        Value of a kWh drawn.
    earned : array, shape (ahead, B, 1 or K)
        Value of a kWh fed in, at most `value`.
    weights : array, shape (B, K)
        How likely each scenario is; rows sum to 1.
    persistence : float
        How likely a step goes on in the scenario of the step before; else one is drawn anew.
        0 takes hours to be independent, which makes needy evenings too rare; 1 takes the
        whole scenario to be known once its first hour is, which makes waiting too cheap.
    """

    net: Floats
    value: Floats
    earned: Floats
    weights: Floats
    persistence: float = 0.0


def levels(store: Store, count: int = 33) -> Floats:
    """Return the levels at which worth is kept, kWh, shape (count,)."""
    return np.linspace(0.0, store.capacity, count)


def still_to_come(
    scenarios: Scenarios, store: Store, grid: Floats, after: Floats | None = None
) -> Floats:
    """Return the expected cost of the coming steps at each level, shape (B, levels).

    Each step is decided knowing its own net load and value, and of later ones only how
    likely they are; the scenario is a Markov chain.

    Parameters
    ----------
    grid : array
        From `levels`.
    after : array, shape (B, levels), optional
        Cost after the last step; 0 where omitted.
    """
    ahead, sites, count = scenarios.net.shape
    shape, stays = (sites, count), scenarios.persistence
    mean = np.zeros((sites, len(grid))) if after is None else after
    cost = np.broadcast_to(mean[:, None, :], (*shape, len(grid)))
    step = grid[1] - grid[0]
    level = np.broadcast_to(grid, (*shape, len(grid)))
    for t in range(ahead - 1, -1, -1):
        expected = stays * cost + (1 - stays) * mean[:, None, :]
        value = np.broadcast_to(scenarios.value[t], shape)
        earned = np.broadcast_to(scenarios.earned[t], shape)
        to, now = _move(level, scenarios.net[t], value, earned, store, expected, step)
        place = to / step
        low = np.minimum(place.astype(np.int64), len(grid) - 2)
        part = place - low
        below = np.take_along_axis(expected, low, axis=2)
        above = np.take_along_axis(expected, low + 1, axis=2)
        cost = now + below + part * (above - below)
        mean = np.einsum("bks,bk->bs", cost, scenarios.weights)
    return mean


def decide(
    level: Floats, net: Floats, value: Floats, earned: Floats, store: Store, grid: Floats,
    cost: Floats,
) -> Floats:  # fmt: skip
    """Return kWh at the terminals that are best now, shape (B,); positive charges.

    Parameters
    ----------
    level, net, value, earned : array, shape (B,)
        Of this step.
    cost : array, shape (B, levels)
        Of the steps after this one, from `still_to_come`.
    """
    to, _ = _move(
        level[:, None, None], net[:, None], value[:, None], earned[:, None], store,
        cost[:, None, :], grid[1] - grid[0],
    )  # fmt: skip
    change = to[:, 0, 0] - level
    return np.where(change > 0, change / store.charging, change * store.discharging)


def _move(
    level: Floats, net: Floats, value: Floats, earned: Floats, store: Store, cost: Floats,
    step: float,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the best next level and the cost of this step, each of shape (B, K, S).

    Parameters
    ----------
    level : array, shape (B, K or 1, S)
    net, value, earned : array, shape (B, K)
    cost : array, shape (B, K, levels)
    """
    worth = -np.diff(cost, axis=2) / step  # of a stored kWh, falling
    put_in, taken_out = 1 / store.charging, store.discharging

    def until(limit: Floats, *, even: bool) -> Floats:
        edge = limit[:, :, None] + (-_EVEN if even else _EVEN)
        return np.asarray((worth > edge).sum(axis=2)[:, :, None] * step)

    buy = until(value * put_in, even=False)
    keep = until(earned * put_in, even=False)
    cover = until(value * taken_out, even=True)
    sell = until(earned * taken_out, even=True)
    most_in, most_out = store.most * store.charging, store.most / store.discharging
    surplus = np.clip(-net, 0.0, store.most)[:, :, None] * store.charging
    load = np.clip(net, 0.0, store.most)[:, :, None] / store.discharging
    up = np.maximum(np.minimum(keep, level + surplus), np.minimum(buy, level + most_in))
    down = np.minimum(np.maximum(cover, level - load), np.maximum(sell, level - most_out))
    to = np.where(up > level, up, np.minimum(down, level))
    to = np.clip(to, 0.0, store.capacity)
    change = to - level
    energy = np.where(change > 0, change * put_in, change * taken_out)
    meter = net[:, :, None] + energy
    now = value[:, :, None] * np.maximum(meter, 0.0)
    if earned.any():
        now = now - earned[:, :, None] * np.maximum(-meter, 0.0)
    return to, now
