"""The compiled step of a meter's state: one reading in, its contextual features out.

Batch and stream run the very same loop, so they agree to the last bit. Each step takes
constant time and memory: profiles are recursive means and deviations per slot, clipped so
that a strange reading moves them little; windows live in one ring of a day's readings.
"""

from __future__ import annotations

import numpy as np

from esgml.core.compiled import compiled

#: Derived quantities, in the order the kernel computes them.
(VALUE, SHORT_MEAN, DAY_RATIO, WEEK_RATIO, TOP_RATIO, DAY_RANGE, STEP, DAY_MEDIAN, CHANGE) = range(
    9
)
QUANTITIES = 9
#: Columns of the reals that a state keeps beside its profiles.
PREVIOUS, LEVEL, LEVEL_COUNT, SIZE, SIZE_COUNT = range(5)
#: Columns of its whole numbers.
POSITION, RUN, SEEN = range(3)

_TINY = 1e-12
#: Deviation that even a meter without noise is granted, as a share of what it shows.
_LEAST = 1e-3
#: Multiple of the bound on readings in windows beyond which one tells them nothing at all.
_ABSURD = 5.0


@compiled
def _signed_log(x, unit):  # type: ignore[no-untyped-def]
    return np.log1p(x / unit) if x >= 0 else -np.log1p(-x / unit)


@compiled
def _spread_median(ring, position):  # type: ignore[no-untyped-def]
    """Return the median of at most 24 readings spread evenly over the ring."""
    length = len(ring)
    stride = max(length // 24, 1)
    kept = np.empty(24)
    n = 0
    for k in range(min(length // stride, 24)):
        v = ring[(position - k * stride) % length]
        if np.isnan(v):
            continue
        place = n
        while place > 0 and kept[place - 1] > v:
            kept[place] = kept[place - 1]
            place -= 1
        kept[place] = v
        n += 1
    if n == 0:
        return np.nan
    return kept[n // 2] if n % 2 else 0.5 * (kept[n // 2 - 1] + kept[n // 2])


@compiled
def _derive(x, ring, position, short, reals, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the derived quantities; `x` is already in the ring."""
    length = len(ring)
    total, count, top, low = 0.0, 0, -np.inf, np.inf
    near, close = 0.0, 0  # of the short window, this reading included
    before, earlier = 0.0, 0  # of the short window before it
    for k in range(length):
        v = ring[(position - k) % length]
        if np.isnan(v):
            continue
        total += v
        count += 1
        top = max(top, v)
        low = min(low, v)
        if k < short:
            near += v
            close += 1
        if 0 < k <= short:
            before += v
            earlier += 1
    out[:] = np.nan
    out[VALUE] = x
    if 2 * close > short:
        out[SHORT_MEAN] = near / close
    if 2 * earlier > short:
        out[CHANGE] = x - before / earlier
    size = reals[SIZE] + _TINY
    if 2 * count > length:
        mean = total / count
        out[DAY_RATIO] = _signed_log(x, 0.01 * size) - _signed_log(mean, 0.01 * size)
        out[TOP_RATIO] = x / max(abs(top), 1e-3 * size)
        out[DAY_RANGE] = (top - low) / max(abs(mean), 1e-3 * size)
        out[DAY_MEDIAN] = _spread_median(ring, position)
    out[WEEK_RATIO] = x / max(abs(reals[LEVEL]), 1e-3 * size)
    out[STEP] = x - ring[(position - 1) % length]


@compiled
def _scale(n, own, group, whole, memory, pool_group, pool_whole):  # type: ignore[no-untyped-def]
    """Return the standard deviation of a slot: its own spread, shrunk to that of its like."""
    weight = min(n, memory) - 1
    return 1.2533 * np.sqrt(
        (weight * own**2 + pool_group * group**2 + pool_whole * whole**2)
        / (weight + pool_group + pool_whole)
    )


@compiled
def advance(  # type: ignore[no-untyped-def]
    x,
    raw,
    slot,
    skipped,
    sources,
    slots,
    offsets,
    memories,
    spread_memories,
    follows,
    per_hour,
    short,
    span,
    day,
    settings,
    mean,
    spread,
    count,
    group_spread,
    group_count,
    whole_spread,
    whole_count,
    bias,
    bias_count,
    ring,
    reals,
    whole,
    z,
    expected,
    scale,
    runs,
):
    """Feed readings into one meter's state and write its features.

    ``z[i, p]`` is the reading's standardized distance from profile ``p``, ``expected`` and
    ``scale`` the profile itself, ``runs[i]`` how long the value has not changed. NaN where
    there is not enough history, and for every feature of a missing reading. ``raw`` is what
    the meter showed, ``x`` the same less what the weather added.
    """
    clip, least, pool_group, pool_whole, window_clip = settings
    derived = np.empty(QUANTITIES)
    length = len(ring)
    groups = group_spread.shape[1]
    for i in range(len(x)):
        for _ in range(min(skipped[i], length)):
            whole[POSITION] = (whole[POSITION] + 1) % length
            ring[whole[POSITION]] = np.nan
        if skipped[i] > 0:
            reals[PREVIOUS] = np.nan
            whole[RUN] = 0
        whole[POSITION] = (whole[POSITION] + 1) % length
        ring[whole[POSITION]] = x[i]
        z[i, :] = np.nan
        expected[i, :] = np.nan
        scale[i, :] = np.nan
        runs[i] = np.nan
        if np.isnan(x[i]):
            reals[PREVIOUS] = np.nan
            whole[RUN] = 0
            continue
        value = x[i]
        whole[RUN] = whole[RUN] + 1 if raw[i] == reals[PREVIOUS] else 1
        whole[SEEN] += 1
        runs[i] = whole[RUN]
        if reals[SIZE_COUNT] == 0:
            reals[LEVEL] = value
            reals[SIZE] = abs(value)
        group = ((slot[i] % day) * groups) // day
        cell = offsets[0] + slot[i] % slots[0]
        if count[cell] >= least and whole[SEEN] > span:
            # windows hold a strange reading as a bounded one, lest it haunt the day after it
            s = _scale(
                count[cell],
                spread[cell],
                group_spread[0, group],
                whole_spread[0],
                spread_memories[0],
                pool_group,
                pool_whole,
            )
            s = max(s, _LEAST * reals[SIZE]) + _TINY
            center = mean[cell] + bias[0] * s
            bound = window_clip * s
            if abs(value - center) > _ABSURD * bound:
                ring[whole[POSITION]] = center
            else:
                ring[whole[POSITION]] = center + max(-bound, min(bound, value - center))
        _derive(value, ring, whole[POSITION], short, reals, derived)
        for p in range(len(sources)):
            u = derived[sources[p]]
            if np.isnan(u):
                continue
            cell = offsets[p] + slot[i] % slots[p]
            n = count[cell]
            if n == 0:
                mean[cell] = u
                count[cell] = 1
                continue
            r = u - mean[cell]
            w = whole_spread[p] if whole_count[p] > 0 else abs(r)
            g = group_spread[p, group] if group_count[p, group] > 0 else w
            s = _scale(n, spread[cell], g, w, spread_memories[p], pool_group, pool_whole)
            shape = sources[p] in (DAY_RATIO, WEEK_RATIO, TOP_RATIO, DAY_RANGE)
            s = max(s, _LEAST * (1.0 if shape else reals[SIZE])) + _TINY
            uncertain = np.sqrt(1.0 + 1.0 / n)
            if n >= least and whole[SEEN] > span:
                away = r / (s * uncertain)
                z[i, p] = away - bias[p]
                scale[i, p] = s * uncertain
                expected[i, p] = mean[cell] + bias[p] * scale[i, p]
                if follows[p] > 0:
                    # what all hours have in common for weeks is a season, no anomaly
                    bias_count[p] = min(bias_count[p] + 1, follows[p])
                    moved = max(-1.0, min(1.0, away - bias[p]))
                    bias[p] += moved / max(bias_count[p], follows[p] / 4)
            # what is learned of a strange reading is bounded, however strange it is
            mean[cell] += max(-clip * s, min(clip * s, r)) / min(n + 1, memories[p])
            size = min(abs(r) / uncertain, clip * s) if n > 1 else abs(r)
            spread[cell] += (size - spread[cell]) / min(n, spread_memories[p])
            group_count[p, group] = min(group_count[p, group] + 1, 20 * per_hour)
            group_spread[p, group] += (size - group_spread[p, group]) / group_count[p, group]
            whole_count[p] = min(whole_count[p] + 1, 300 * per_hour)
            whole_spread[p] += (size - whole_spread[p]) / whole_count[p]
            count[cell] = n + 1
        reals[PREVIOUS] = raw[i]
        reals[SIZE_COUNT] = min(reals[SIZE_COUNT] + 1, 4 * span)
        step = max(-4 * reals[SIZE], min(4 * reals[SIZE], abs(value) - reals[SIZE]))
        reals[SIZE] += step / reals[SIZE_COUNT]
        reals[LEVEL_COUNT] = min(reals[LEVEL_COUNT] + 1, span)
        bound = 4 * reals[SIZE]
        reals[LEVEL] += max(-bound, min(bound, value - reals[LEVEL])) / reals[LEVEL_COUNT]
