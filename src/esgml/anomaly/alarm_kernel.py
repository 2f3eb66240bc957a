"""The compiled alarm loop of one meter: a threshold from past scores, calibration held back.

The pool of past scores is a ring beside a sorted copy, so the quantile is one look-up and a
reading costs one insertion. Scores of an open event wait in a second ring.
"""

from __future__ import annotations

import numpy as np

from esgml.core.compiled import compiled

#: Whole numbers of a state: scores in the pool and where the next goes; the same of the held
#: ones; readings since the last alarm; readings met, for a pool that takes one in several.
SIZE, PLACE, HELD, HELD_PLACE, QUIET, MET = range(6)


@compiled
def admit(score, ring, ordered, whole):  # type: ignore[no-untyped-def]
    """Put a score into the pool, the oldest leaving where it is full."""
    size = whole[SIZE]
    if size == len(ring):
        gone = np.searchsorted(ordered[:size], ring[whole[PLACE]])
        for k in range(gone, size - 1):
            ordered[k] = ordered[k + 1]
        size -= 1
    place = np.searchsorted(ordered[:size], score)
    for k in range(size, place, -1):
        ordered[k] = ordered[k - 1]
    ordered[place] = score
    ring[whole[PLACE]] = score
    whole[PLACE] = (whole[PLACE] + 1) % len(ring)
    whole[SIZE] = size + 1


@compiled
def spare(size, rate, margin):  # type: ignore[no-untyped-def]
    """Return how many scores of the pool lie above the threshold; -1 = too few to tell.

    `margin` standard deviations of that count are kept back, for a pool is but a sample.
    """
    expected = rate * (size + 1)
    if expected < 2.0:
        return -1
    allowed = expected - margin * np.sqrt(expected * (1 - rate))
    return max(int(np.floor(allowed)) - 1, 0)


@compiled
def watch(  # type: ignore[no-untyped-def]
    scores,
    certain,
    excused,
    raising,
    settings,
    stride,
    quiet,
    ring,
    ordered,
    held,
    whole,
    rate,
    threshold,
    p_value,
    alarm,
    begins,
):
    """Decide on readings in time order; all arrays of one meter.

    ``certain`` readings break a rule and are alarms whatever their score; they never enter
    the pool. ``excused`` readings fall on a dated event: no alarm, no calibration.
    ``begins[i]`` says whether the alarm opens an event.
    """
    target, margin, speed, least, most, floor = settings
    for i in range(len(scores)):
        threshold[i], p_value[i], alarm[i], begins[i] = np.nan, np.nan, False, False
        whole[QUIET] += 1
        s = scores[i]
        size = whole[SIZE]
        if not np.isnan(s) and size > 0:
            above = size - np.searchsorted(ordered[:size], s)
            p_value[i] = (above + 1.0) / (size + 1.0)
            over = spare(size, rate[0], margin)
            if over < 0 and spare(size, target, margin) >= 0:
                over = 0  # enough history, but many alarms lately: only what tops it all
            if over >= 0:
                threshold[i] = max(ordered[size - 1 - over], floor)
        raised = certain[i] or (not np.isnan(threshold[i]) and s > threshold[i])
        raised = raised and raising and not excused[i]
        if raised:
            alarm[i] = True
            begins[i] = whole[QUIET] > quiet
            whole[QUIET] = 0
        if raising and not certain[i] and not excused[i] and not np.isnan(s):
            missed = target - (1.0 if raised else 0.0)
            moved = rate[0] + speed * target * missed
            rate[0] = min(max(moved, least * target), most * target)
        # scores of an open event wait; what has waited long enough joins the pool
        waits = len(held) > 0
        if waits and whole[HELD] == len(held):
            place = (whole[HELD_PLACE] - whole[HELD]) % len(held)
            whole[HELD] -= 1
            if not np.isnan(held[place]):
                admit(held[place], ring, ordered, whole)
        whole[MET] += 1
        counts = not np.isnan(s) and not certain[i] and not excused[i]
        counts = counts and whole[MET] % stride == 0
        opened = raising and whole[QUIET] <= quiet
        if waits and (opened or whole[HELD] > 0):
            held[whole[HELD_PLACE]] = s if counts and opened else np.nan
            whole[HELD_PLACE] = (whole[HELD_PLACE] + 1) % len(held)
            whole[HELD] += 1
        if counts and not (waits and opened):
            admit(s, ring, ordered, whole)


@compiled
def persist(scores, memory, most, carry, out):  # type: ignore[no-untyped-def]
    """Let a strange score fade rather than vanish: never below what came in.

    What fades is at most `most`, lest an absurd reading hide what follows it.
    """
    for i in range(len(scores)):
        if np.isnan(scores[i]):
            out[i] = np.nan
            continue
        faded = memory * min(carry[0], most) + (1 - memory) * scores[i]
        carry[0] = max(scores[i], faded)
        out[i] = carry[0]


@compiled
def stuck(runs, settings, bound, out):  # type: ignore[no-untyped-def]
    """Say which runs of one value are too long, by a bound that long runs raise.

    A meter whose readings start to repeat, as in a quiet season, earns a higher bound, up to
    a multiple of the learned one, and loses it again as slowly as its budget allows.
    """
    learned, share, step, most = settings
    for i in range(len(runs)):
        out[i] = runs[i] >= bound[0]
        if not np.isnan(runs[i]):
            moved = bound[0] + step * ((1.0 if out[i] else 0.0) - share)
            bound[0] = min(max(moved, learned), most * learned)


@compiled
def spend(flags, longest, cool, left, out):  # type: ignore[no-untyped-def]
    """Pass flags on while an allowance lasts, which only grows back where nothing is flagged.

    What goes on for longer than the allowance is how things are now, and no alarm any more.
    """
    for i in range(len(flags)):
        out[i] = flags[i] and left[0] >= 1.0
        if out[i]:
            left[0] -= 1.0
        elif not flags[i]:
            left[0] = min(left[0] + longest / cool, longest)
