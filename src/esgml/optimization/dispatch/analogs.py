"""What the coming hours may be like: the days before that were most like today.

Nothing is fitted, so nothing can be fitted to the weeks it is judged on; it knows only what
was measured up to now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Analogs:
    """Scenarios of load and solar from past days, weighed by likeness to today.

    A past day counts the more, the more recent it is, if it is of the same kind (working
    day or weekend), and the closer its last hours were to the last hours now. Its load is
    moved towards the load of now, its sun scaled towards the sun of now, both fading.
    Days count less as they get older, for the sun changes; yet old ones are kept, for it is
    the rare needy evening that says how much to store.

    Attributes
    ----------
    days : int
        How far back days are taken from.
    recent : float
        Days after which a day counts e times less.
    other_kind : float
        Weight of a day of the other kind.
    close : float
        How quickly unlike days stop to count; smaller is choosier.
    back : int
        Hours that are compared.
    load_keeps, sun_keeps : float
        What is left of the difference to now after each hour.
    """

    days: int = 56
    recent: float = 15.0
    other_kind: float = 0.8
    close: float = 0.75
    back: int = 12
    load_keeps: float = 0.15
    sun_keeps: float = 0.45

    def paths(
        self, load: Floats, solar: Floats, ahead: int, *, hours: float = 1.0, clock: int = 0
    ) -> tuple[Floats, Floats]:
        """Return net load over the coming steps, and how likely each path is.

        Parameters
        ----------
        load, solar : array, shape (B, n)
            kWh per step up to and with the step of now, which is the last.
        ahead : int
            Number of steps after now.
        hours : float
            Length of a step.
        clock : int
            Hour of the week of now, 0 = Monday 00:00.

        Returns
        -------
        net : array, shape (ahead, B, K)
        weights : array, shape (B, K)
        """
        day = max(1, round(24 / hours))
        sites, now = load.shape[0], load.shape[1] - 1
        count = min(self.days, now // day)
        if count < 1:  # nothing like today was seen yet: the coming hours are like now
            net = (load[:, -1] - solar[:, -1])[None, :, None]
            return np.repeat(net, ahead, axis=0), np.ones((sites, 1))
        before = day * np.arange(1, count + 1)
        k = np.arange(1, ahead + 1)
        at = now + k[:, None] - before[None, :]
        at = at - day * np.ceil(np.maximum(at - now, 0) / day).astype(np.int64)
        at = np.where(at < 0, at + day, at)  # (ahead, K), all up to now
        loads, suns = load[:, at], solar[:, at]  # (B, ahead, K)
        weights = self._likeness(load, solar, before, hours, clock)
        gap = load[:, -1:] - load[:, now - before]  # (B, K)
        fading = self.load_keeps ** (k * hours)
        loads = np.maximum(loads + gap[:, None, :] * fading[None, :, None], 0.0)
        then = solar[:, now - before]
        peak = solar.max(axis=1, keepdims=True)
        bright = (then > 0.06 * peak) & (solar[:, -1:] > 0.015 * peak)
        ratio = np.divide(solar[:, -1:], then, out=np.ones_like(then), where=bright)
        fading = self.sun_keeps ** (k * hours)
        suns = suns * (1 + (np.clip(ratio, 0.3, 3.0) - 1)[:, None, :] * fading[None, :, None])
        net = loads - suns
        weights = weights / weights.sum(axis=1, keepdims=True)
        return np.ascontiguousarray(net.transpose(1, 0, 2)), weights

    def _likeness(
        self, load: Floats, solar: Floats, before: NDArray[np.int64], hours: float, clock: int
    ) -> Floats:
        """Return the weight of each past day, shape (B, K)."""
        now = load.shape[1] - 1
        back = max(1, min(round(self.back / hours), now - int(before[-1]) + 1))
        hour = np.arange(back)
        was = now - hour[:, None] - before[None, :]  # (back, K)
        apart = np.zeros((load.shape[0], len(before)))
        fading = 0.8 ** (hour * hours)
        for series, floor in ((load, 0.1), (solar, 0.2)):
            then = series[:, was]
            spread = then.std(axis=(1, 2), keepdims=True) + floor * hours
            gap = (series[:, now - hour][:, :, None] - then) / spread
            apart += np.einsum("btk,t->bk", gap**2, fading / fading.sum())
        weights = np.exp(-before * hours / 24 / self.recent)
        weights = weights[None, :] * np.exp(-apart / (2 * self.close**2))
        today = (clock // 24) % 7 >= 5
        then_day = ((clock - before * hours) // 24) % 7 >= 5
        weights = weights * np.where(then_day == today, 1.0, self.other_kind)
        return np.asarray(weights + 1e-12)


def usual_ahead(
    values: Floats, ahead: int, *, hours: float = 1.0, days: int = 4, keeps: float = 0.95
) -> Floats:
    """Return what is usual over the coming steps for one series, shape (ahead,).

    For carbon intensity, and for prices beyond those published.

    The mean of the same hour over the last days, moved by what is unusual now, fading.

    Parameters
    ----------
    values : array, shape (n,)
        Up to and with now.
    """
    day = max(1, round(24 / hours))
    now = len(values) - 1
    count = min(days, now // day)
    if count < 1:
        return np.full(ahead, values[-1])
    before = day * np.arange(1, count + 1)
    k = np.arange(1, ahead + 1)
    at = now + k[:, None] - before[None, :]
    at = at - day * np.ceil(np.maximum(at - now, 0) / day).astype(np.int64)
    at = np.where(at < 0, at + day, at)
    usual = values[at].mean(axis=1)
    unusual = values[-1] - values[now - before].mean()
    return np.asarray(usual + unusual * keeps ** (k * hours))
