"""Is one model really better than another: the difference, and how sure one can be.

Two backtests over the same windows see the same weather and the same holidays, so their
errors rise and fall together; comparing them window by window removes what is common, and
resampling blocks of neighbouring windows keeps what neighbours share. Where the bundles
did not keep their errors, only the plain difference of two scores is left, and it is
called that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import NotFoundError, UsageError
from esgml.core.random import generator
from esgml.registry import gate
from esgml.registry.bundle import Bundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 2_000
#: Fewer blocks than this say nothing about spread.
MIN_ROWS = 4

Errors = dict[tuple[str, str], "NDArray[np.float64]"]


@dataclass(frozen=True)
class Comparison:
    """How two versions of a model compare; negative differences are in favour of `a`.

    Attributes
    ----------
    name, a, b : str
    metric : str
        What is compared.
    value_a, value_b : float
    difference : float
        ``value_a - value_b``, its sign turned where higher is better.
    low, high : float or None
        Confidence interval of the difference; None where it cannot be told.
    level : int
        In percent.
    series, windows : int
        What the two share.
    method : str
        How the interval was made, or why there is none.
    verdict : str
        ``a``, ``b``, or ``no clear difference``.
    """

    name: str
    a: str
    b: str
    metric: str
    value_a: float
    value_b: float
    difference: float
    low: float | None
    high: float | None
    level: int
    series: int
    windows: int
    method: str
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values, for JSON."""
        return asdict(self)


def compare(a: Bundle, b: Bundle, *, level: int = 95, seed: int = 0) -> Comparison:
    """Compare two bundles on the backtest errors they kept.

    ``metrics["errors"]`` maps each series to its windows and each window to the errors of
    its steps (a mapping, or lists in time order; a flat list is one error a window).
    ``metrics["actuals"]`` of the same shape, where kept, makes the compared metric WAPE as
    the mean over series; without it, it is the mean absolute error of each series relative
    to that of `b`.

    The interval resamples blocks of windows, the same for all series and both models
    (circular block bootstrap, blocks of the cube root of the number of windows), widened
    for few windows by the ratio of Student's to the normal quantile (Hesterberg 2015).

    Parameters
    ----------
    a, b : Bundle
    level : int
        Confidence in percent, 50 to 99.
    seed : int

    Raises
    ------
    NotFoundError
        If the two share no metric at all.
    UsageError
        If `level` is out of range.
    """
    if not 50 <= level <= 99:
        raise UsageError(f"level must be 50 to 99 percent, got {level}.")
    ours, theirs = _errors(a.metrics.get("errors")), _errors(b.metrics.get("errors"))
    shared = sorted(k for k in ours.keys() & theirs.keys() if len(ours[k]) == len(theirs[k]))
    if not shared:
        return _plain(a, b, level, "not both versions kept the errors of their backtests")
    truth = _errors(a.metrics.get("actuals") or b.metrics.get("actuals"))
    known = [k for k in shared if k in truth and len(truth[k]) == len(ours[k])]
    weighed = bool(known)
    rows = _tables(known or shared, ours, theirs, truth if weighed else {})
    if len(rows[0]) < MIN_ROWS:
        return _plain(a, b, level, f"the two share {len(rows[0])} windows, too few to resample")
    base = rows[2] if weighed else rows[1]
    kept = base.sum(axis=0) > 0
    if not kept.any():
        return _plain(a, b, level, "there is nothing to scale the errors by")
    rows = [table[:, kept] for table in (rows[0], rows[1], base)]
    value_a, value_b = (float(np.mean(t.sum(0) / rows[2].sum(0))) for t in rows[:2])
    difference = value_a - value_b
    spread = _bootstrap(rows, weighed, seed) - difference
    tail = (100 - level) / 200
    widen = _widening(len(rows[0]), tail)
    low, high = difference + widen * np.quantile(spread, [tail, 1 - tail])
    verdict = "a" if high < 0 else "b" if low > 0 else "no clear difference"
    return Comparison(
        a.name,
        a.version,
        b.version,
        "wape" if weighed else "relative_mae",
        value_a,
        value_b,
        difference,
        float(low),
        float(high),
        level,
        int(kept.sum()),
        len(rows[0]),
        f"paired block bootstrap, {DRAWS} draws",
        verdict,
    )


def _plain(a: Bundle, b: Bundle, level: int, why: str) -> Comparison:
    name, higher = gate.headline(a.metrics)
    value_a, value_b = gate.number(a.metrics.get(name)), gate.number(b.metrics.get(name))
    if value_a is None or value_b is None:
        raise NotFoundError(
            f"versions {a.version} and {b.version} of {a.name!r} share no metric.",
            code="no_metric",
            remedy="Register both with metrics of the same name.",
        )
    difference = (value_b - value_a) if higher else (value_a - value_b)
    return Comparison(
        a.name,
        a.version,
        b.version,
        name,
        value_a,
        value_b,
        difference,
        None,
        None,
        level,
        0,
        0,
        f"plain difference without an interval: {why}",
        "no clear difference",
    )


def _errors(kept: object) -> Errors:
    """Read kept errors in any of their shapes as absolute values by series and window."""
    found: Errors = {}
    if not isinstance(kept, Mapping):
        return found
    for series, windows in kept.items():
        if isinstance(windows, list):
            windows = {f"{i:09d}": window for i, window in enumerate(windows)}
        if not isinstance(windows, Mapping):
            return {}
        for window, steps in windows.items():
            steps = steps if isinstance(steps, list) else [steps]
            try:
                values = np.array([np.nan if s is None else s for s in steps], dtype=np.float64)
            except (TypeError, ValueError):
                return {}
            found[str(series), str(window)] = np.abs(values)
    return found


def _tables(
    shared: list[tuple[str, str]], ours: Errors, theirs: Errors, truth: Errors
) -> list[NDArray[np.float64]]:
    """Sum errors and truth by window (rows, in time order) and series (columns).

    A step counts only where all of them are known, so that both models are judged on the
    same ones.
    """
    windows = sorted({window for _, window in shared}, key=_in_time)
    series = sorted({name for name, _ in shared})
    at = {w: i for i, w in enumerate(windows)}
    column = {s: i for i, s in enumerate(series)}
    tables = [np.zeros((len(windows), len(series))) for _ in range(3)]
    for name, window in shared:
        key = (name, window)
        x, y = ours[key], theirs[key]
        z = truth[key] if truth else np.zeros(len(x))
        seen = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
        for table, values in zip(tables, (x, y, z), strict=True):
            table[at[window], column[name]] = values[seen].sum()
    return tables


def _in_time(window: str) -> tuple[int, str]:
    """Order windows by number where they are numbered, else by text (ISO times)."""
    return (int(window), "") if window.isdecimal() else (-1, window)


def _bootstrap(rows: list[NDArray[np.float64]], weighed: bool, seed: int) -> NDArray[np.float64]:
    """Return the difference in each of `DRAWS` resamples of blocks of windows."""
    n = len(rows[0])
    length = max(1, round(n ** (1 / 3)))
    blocks = -(-n // length)
    random = generator(seed)
    starts = random.integers(0, n, size=(DRAWS, blocks))
    index = (starts[:, :, None] + np.arange(length)).reshape(DRAWS, -1)[:, :n] % n
    counts = np.zeros((DRAWS, n))
    np.add.at(counts, (np.arange(DRAWS)[:, None], index), 1.0)
    x, y = counts @ rows[0], counts @ rows[1]
    base = counts @ rows[2] if weighed else y
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(base > 0, (x - y) / base, np.nan)
    ratio = ratio[np.isfinite(ratio).any(axis=1)]
    return np.asarray(np.nanmean(ratio, axis=1))


def _widening(n: int, tail: float) -> float:
    from scipy.stats import norm, t

    return float(t.ppf(1 - tail, n - 1) / norm.ppf(1 - tail) * np.sqrt(n / (n - 1)))
