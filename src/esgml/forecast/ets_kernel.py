"""The compiled loops of exponential smoothing: filter, fit of one form, paths ahead.

A form of Hyndman et al. has a level, a trend that fades or none, a season that is added or
multiplied or none, and an error that is absolute or relative. Both kinds of error move the states
alike, they only count differently in the fit. Parameters lie in one array: the log-odds of the
shares (level, trend, damping, season; those a form has), then the states at the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from esgml.core.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How a season enters a form.
NONE, ADDED, MULTIPLIED = 0, 1, 2
#: Places of what a step takes over: the share of its error that level, slope and season take, and
#: what the slope keeps, which lies between two bounds.
LEVEL, TREND, SEASON, KEPT = range(4)
LEAST_KEPT, MOST_KEPT = 0.8, 0.98
#: Least value of what multiplies; series come scaled to a mean of one.
_TINY = 1e-6
#: The search ends where a step lowers its objective by less; a parameter more would cost 2.
ENOUGH = 1e-2
#: Largest change of a parameter in one step of the search.
_LONGEST = 5.0


class Form(NamedTuple):
    """One form of exponential smoothing, as the loops take it.

    Attributes
    ----------
    relative, damped : bool
        Whether errors count relative to what was expected, and whether there is a trend.
    season : int
        ``NONE``, ``ADDED`` or ``MULTIPLIED``.
    places : int
        Length of the season; 1 without one.
    fixed : array, shape (places,) or (0,)
        The season at the start, where it is not learned.
    """

    relative: bool
    damped: bool
    season: int
    places: int
    fixed: NDArray[np.float64]

    @property
    def shares(self) -> int:
        """Number of shares among the parameters; they come first."""
        return 1 + 2 * self.damped + (self.season != NONE)


@compiled
def _odds(x):  # type: ignore[no-untyped-def]
    return 1.0 / (1.0 + np.exp(-x))


@compiled
def unpack(form, parameters, shares, states):  # type: ignore[no-untyped-def]
    """Write the shares, shape (4,), and the states at the start, shape (2 + places,).

    States are the level, the slope, and a term or factor per place in the season.
    """
    for j in range(len(shares)):
        shares[j] = 0.0
    for j in range(len(states)):
        states[j] = 0.0
    shares[LEVEL] = _odds(parameters[0])
    k = 1
    if form.damped:
        shares[TREND] = shares[LEVEL] * _odds(parameters[1])
        shares[KEPT] = LEAST_KEPT + (MOST_KEPT - LEAST_KEPT) * _odds(parameters[2])
        k = 3
    if form.season != NONE:
        shares[SEASON] = (1.0 - shares[LEVEL]) * _odds(parameters[k])
        k += 1
    states[0] = parameters[k]
    k += 1
    if form.damped:
        states[1] = parameters[k]
        k += 1
    if len(form.fixed) > 0:
        for j in range(form.places):
            states[2 + j] = form.fixed[j]
    elif form.season != NONE:
        # terms sum to zero, factors to their number
        states[-1] = 0.0 if form.season == ADDED else form.places
        for j in range(form.places - 1):
            states[2 + j] = parameters[k + j]
            states[-1] -= parameters[k + j]


@compiled
def _expected(form, shares, states, place):  # type: ignore[no-untyped-def]
    base = states[0] + shares[KEPT] * states[1]
    if form.season == ADDED:
        return base + states[2 + place]
    return base * states[2 + place] if form.season == MULTIPLIED else base


@compiled
def _move(form, shares, states, place, error):  # type: ignore[no-untyped-def]
    """Move the states by the error of a step; say whether what multiplies stays above zero."""
    base = states[0] + shares[KEPT] * states[1]
    factor = states[2 + place] if form.season == MULTIPLIED else 1.0
    states[0] = base + shares[LEVEL] * error / factor
    states[1] = shares[KEPT] * states[1] + shares[TREND] * error / factor
    if form.season == ADDED:
        states[2 + place] += shares[SEASON] * error
    elif form.season == MULTIPLIED:
        states[2 + place] += shares[SEASON] * error / base
        return states[0] > _TINY and states[2 + place] > _TINY
    return True


@compiled
def one_step_errors(form, values, parameters, shares, states, out):  # type: ignore[no-untyped-def]
    """Write the errors of the steps ahead by one; say whether the form holds throughout.

    Relative errors come times the geometric mean of what was expected, so that their sum of
    squares is what the likelihood asks for. A gap moves nothing and has no error.
    """
    unpack(form, parameters, shares, states)
    logs, seen, place = 0.0, 0, 0
    for t in range(len(values)):
        expected = _expected(form, shares, states, place)
        if (form.relative or form.season == MULTIPLIED) and not expected > _TINY:
            return False
        error = 0.0
        if not np.isnan(values[t]):
            error = values[t] - expected
            seen += 1
            if form.relative:
                logs += np.log(expected)
        out[t] = error / expected if form.relative else error
        if not _move(form, shares, states, place, error):
            return False
        place = (place + 1) % form.places
    if form.relative:
        usual = np.exp(logs / max(seen, 1))
        for t in range(len(values)):
            out[t] *= usual
    return True


@compiled
def _solve(matrix, vector):  # type: ignore[no-untyped-def]
    """Solve a symmetric system in place (Cholesky); say whether it was positive definite."""
    n = len(vector)
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not rest > 0:
                    return False
                matrix[i, i] = np.sqrt(rest)
            else:
                matrix[i, j] = rest / matrix[j, j]
    for i in range(n):
        for k in range(i):
            vector[i] -= matrix[i, k] * vector[k]
        vector[i] /= matrix[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            vector[i] -= matrix[k, i] * vector[k]
        vector[i] /= matrix[i, i]
    return True


@compiled
def _objective(errors, seen, bound, parameters, believed, precision):  # type: ignore[no-untyped-def]
    """Return what the search lowers: -2 log likelihood, robust, and the cost of odd shares.

    Errors beyond `bound` count linearly (Huber); the shares are held near `believed`.
    """
    total = 0.0
    for error in errors:
        size = abs(error)
        total += size * size if size <= bound else bound * (2.0 * size - bound)
    result = seen * np.log(max(total / seen, 1e-30))
    for i in range(len(believed)):
        result += precision * (parameters[i] - believed[i]) ** 2
    return result


@compiled
def search(form, values, parameters, believed, precision, bound, steps):  # type: ignore[no-untyped-def]
    """Lower the objective from `parameters`, in place (Levenberg and Marquardt).

    Say whether the form holds where the search begins; it then does where it ends.
    """
    n, p, held = len(values), len(parameters), len(believed)
    shares, states = np.empty(4), np.empty(2 + form.places)
    errors, other, weight = np.empty(n), np.empty(n), np.empty(n)
    slope, trial = np.empty((p, n)), np.empty(p)
    curve, system, pull = np.empty((p, p)), np.empty((p, p)), np.empty(p)
    seen = 0
    for t in range(n):
        seen += 0 if np.isnan(values[t]) else 1
    if not one_step_errors(form, values, parameters, shares, states, errors):
        return False
    damp = 1e-2
    before = _objective(errors, seen, bound, parameters, believed, precision)
    for _ in range(steps):
        size = 0.0
        for t in range(n):
            weight[t] = min(1.0, bound / max(abs(errors[t]), 1e-300))
            size += weight[t] * errors[t] ** 2 / seen
        if size < 1e-18:  # what is left is rounding
            break
        for i in range(p):
            step = 1e-6 * max(abs(parameters[i]), 0.1)
            for k in range(p):
                trial[k] = parameters[k]
            trial[i] += step
            if not one_step_errors(form, values, trial, shares, states, other):
                return True  # at the edge of what the form can be
            for t in range(n):
                slope[i, t] = (other[t] - errors[t]) / step
        for i in range(p):
            pull[i] = 0.0
            for t in range(n):
                pull[i] -= slope[i, t] * errors[t] * weight[t]
            for k in range(i + 1):
                total = 0.0
                for t in range(n):
                    total += slope[i, t] * slope[k, t] * weight[t]
                curve[i, k] = total
                curve[k, i] = total
        for i in range(held):
            pull[i] -= precision * size * (parameters[i] - believed[i])
            curve[i, i] += precision * size
        after = before
        for _ in range(8):
            for i in range(p):
                for k in range(p):
                    system[i, k] = curve[i, k]
                system[i, i] += damp * curve[i, i] + 1e-12 * size
                trial[i] = pull[i]
            if _solve(system, trial):
                for i in range(p):
                    trial[i] = parameters[i] + max(-_LONGEST, min(_LONGEST, trial[i]))
                if one_step_errors(form, values, trial, shares, states, other):
                    after = _objective(other, seen, bound, trial, believed, precision)
                    if after < before:
                        break
            damp *= 4.0
        if not after < before:
            break
        damp = max(damp / 5.0, 1e-8)
        for i in range(p):
            parameters[i] = trial[i]
        for t in range(n):
            errors[t] = other[t]
        gained, before = before - after, after
        if gained < ENOUGH:
            break
    return True


@compiled
def look_ahead(form, values, parameters, horizon, reach, origins):  # type: ignore[no-untyped-def]
    """Return the path after the last value, and the mean absolute error of paths before it.

    Those are the paths of `reach` steps from the latest `origins` places that have a season
    before them; every step ahead counts alike. NaN if none meets a value.
    """
    n = len(values)
    shares, states = np.empty(4), np.empty(2 + form.places)
    unpack(form, parameters, shares, states)
    path, missed, met = np.empty(horizon), np.zeros(reach), np.zeros(reach)
    for t in range(n + 1):
        steps = 0
        if t == n:
            steps = horizon
        elif t >= form.places and t + reach >= n - origins:
            steps = min(reach, n - t)
        slope, kept = 0.0, 1.0
        for h in range(steps):
            kept *= shares[KEPT]
            slope += kept
            ahead = states[0] + slope * states[1]
            if form.season == ADDED:
                ahead += states[2 + (t + h) % form.places]
            elif form.season == MULTIPLIED:
                ahead *= states[2 + (t + h) % form.places]
            if t == n:
                path[h] = ahead
            elif not np.isnan(values[t + h]):
                missed[h] += abs(values[t + h] - ahead)
                met[h] += 1.0
        if t < n:
            place = t % form.places
            error = values[t] - _expected(form, shares, states, place)
            _move(form, shares, states, place, 0.0 if np.isnan(error) else error)
    total, known = 0.0, 0
    for h in range(reach):
        if met[h] > 0:
            total += missed[h] / met[h]
            known += 1
    return path, total / known if known > 0 else np.nan
