"""Whether features are fit to learn from: missing, constant, infinite, drifted, or too wise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from esgml.core.errors import IntegrityError, UsageError
from esgml.core.frames import Fault, Severity
from esgml.core.random import generator
from esgml.features.selection import low_variance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from esgml.core.panel import Panel

    Floats = NDArray[np.float64]


class Transformer(Protocol):
    """A fitted step or pipeline."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""

    @property
    def min_lag(self) -> int | None:
        """Distance in rows to the newest value read that is not known ahead."""

    def transform(self, panel: Panel) -> Floats:
        """Return the features of every row, shape (rows, k)."""


@dataclass(frozen=True)
class FeatureProfile:
    """What features looked like in training, to compare later ones with.

    Attributes
    ----------
    names : tuple of str
    low, high : array, shape (k,)
        The 0.1 and 99.9 % quantiles; NaN where nothing was finite.
    missing : array, shape (k,)
        Share of NaN.
    """

    names: tuple[str, ...]
    low: Floats
    high: Floats
    missing: Floats

    @classmethod
    def of(cls, features: ArrayLike, names: Sequence[str]) -> FeatureProfile:
        """Return the profile of training features, shape (rows, k)."""
        x = _table(features, names)
        low, high = np.full(len(names), np.nan), np.full(len(names), np.nan)
        for j in range(len(names)):
            column = x[np.isfinite(x[:, j]), j]
            if len(column):
                low[j], high[j] = np.quantile(column, (0.001, 0.999))
        missing = np.isnan(x).mean(axis=0) if len(x) else np.ones(len(names))
        return cls(tuple(names), low, high, np.asarray(missing))

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain JSON values (null = nothing was finite)."""
        return {
            "names": list(self.names),
            "low": [None if np.isnan(v) else float(v) for v in self.low],
            "high": [None if np.isnan(v) else float(v) for v in self.high],
            "missing": self.missing.tolist(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> FeatureProfile:
        """Build the profile that `to_dict` described."""
        try:
            return cls(
                tuple(document["names"]),
                np.array(document["low"], dtype=np.float64),
                np.array(document["high"], dtype=np.float64),
                np.array(document["missing"], dtype=np.float64),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"this does not describe a feature profile: {error!r}.") from error


def validate_features(
    features: ArrayLike,
    names: Sequence[str],
    *,
    reference: FeatureProfile | None = None,
    max_missing: float = 0.5,
    max_outside: float = 0.05,
) -> list[Fault]:
    """Return everything wrong with a table of features.

    Parameters
    ----------
    features : array, shape (rows, k)
    names : sequence of str, length k
    reference : FeatureProfile, optional
        Profile of the training features; adds the rules on range and missing values.
    max_missing : float
        Largest share of NaN in a column.
    max_outside : float
        Largest share of rows outside the range of training, widened by a tenth at each end.

    Returns
    -------
    list of Fault
        Codes ``feature_infinite`` and ``feature_empty`` (errors), ``feature_missing``,
        ``feature_constant``, ``feature_drifted`` and ``feature_missing_more`` (warnings).
    """
    x = _table(features, names)
    if reference is not None and tuple(names) != reference.names:
        raise UsageError(
            "the features are not those of the profile.",
            remedy=f"Give {list(reference.names)}, in that order.",
        )
    flat = low_variance(x)
    found: list[Fault] = []
    for j, name in enumerate(names):
        column = x[:, j]
        gaps, wild = np.isnan(column), np.isinf(column)
        share = float(gaps.mean()) if len(column) else 0.0
        if wild.any():
            found.append(
                _fault("infinite", name, wild, "holds infinite values.", "Guard the division.")
            )
        if len(column) and gaps.all():
            found.append(
                _fault(
                    "empty",
                    name,
                    gaps,
                    "is missing in every row.",
                    "Drop it, or give more history.",
                )
            )
            continue
        if share > max_missing:
            found.append(
                _fault(
                    "missing",
                    name,
                    gaps,
                    f"is missing in {share:.0%} of the rows.",
                    "Shorten its window, or give more history.",
                )
            )
        if flat[j] and len(column) > 1:
            everywhere = np.ones(len(column), dtype=bool)
            found.append(_fault("constant", name, everywhere, "does not vary.", "Drop it."))
        if reference is not None:
            found += _drift(column, name, reference, j, max_outside)
    return found


def _drift(
    column: Floats, name: str, reference: FeatureProfile, j: int, max_outside: float
) -> list[Fault]:
    found: list[Fault] = []
    low, high = reference.low[j], reference.high[j]
    margin = 0.1 * (high - low)
    outside = (column < low - margin) | (column > high + margin)
    seen = int(np.isfinite(column).sum())
    if seen and outside.sum() / seen > max_outside:
        found.append(
            _fault(
                "drifted",
                name,
                outside,
                f"leaves the range of training, {low:g} to {high:g}, in"
                f" {outside.sum() / seen:.0%} of the rows.",
                "Check its unit and source, then retrain.",
            )
        )
    gaps = np.isnan(column)
    if len(column) and gaps.mean() > reference.missing[j] + 0.2:
        found.append(
            _fault(
                "missing_more",
                name,
                gaps,
                f"is missing in {gaps.mean():.0%} of the rows, {reference.missing[j]:.0%} in"
                " training.",
                "Check its source.",
            )
        )
    return found


def _fault(code: str, name: str, rows: NDArray[np.bool_], message: str, remedy: str) -> Fault:
    severity = Severity.ERROR if code in ("infinite", "empty") else Severity.WARNING
    where = np.flatnonzero(rows)
    return Fault(
        f"feature_{code}",
        severity,
        f"feature {name!r} {message}",
        remedy,
        column=name,
        rows=tuple(where[: Fault.MAX_ROWS].tolist()),
        count=len(where),
    )


def _table(features: ArrayLike, names: Sequence[str]) -> Floats:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(names):
        raise UsageError(f"features {x.shape} do not fit {len(names)} names.")
    return x


def look_ahead_features(fitted: Transformer, panel: Panel, *, seed: int = 0) -> list[str]:
    """Return the names of features that see the future; an empty list is a pass.

    The future of every series is replaced by other numbers, by gaps, and cut off, at three
    origins; a feature of the past that changes, by a single bit, has seen it. Then the same
    for what is not known ahead, `min_lag` rows into the future.
    """
    plain = fitted.transform(panel)
    rng = generator(seed, "look-ahead")
    caught: set[int] = set()
    place = np.arange(panel.rows) - np.repeat(panel.indptr[:-1], panel.lengths)
    for share in (0.3, 0.6, 0.9):
        origin = np.repeat((panel.lengths * share).astype(np.int64), panel.lengths)
        future = place >= origin
        reach = panel.rows if fitted.min_lag is None else fitted.min_lag
        for known, allowed in ((True, ~future), (False, place < origin + reach)):
            for numbers in (True, False):
                other = _with_other_future(panel, future, rng, numbers=numbers, known=known)
                caught |= _differing(plain[allowed], fitted.transform(other)[allowed])
        short = panel.take(
            [
                slice(int(a), int(a) + int(n * share))
                for a, n in zip(panel.indptr[:-1], panel.lengths, strict=True)
            ]
        )
        caught |= _differing(plain[~future], fitted.transform(short))
    return [fitted.names[j] for j in sorted(caught)]


def _with_other_future(
    panel: Panel, future: NDArray[np.bool_], rng: np.random.Generator, *, numbers: bool, known: bool
) -> Panel:
    """Return the panel with everything in `future` rows replaced by numbers or by gaps."""

    def other(values: Floats) -> Floats:
        changed = values.copy()
        drawn = (
            rng.normal(scale=1e6, size=values.shape) if numbers else np.full(values.shape, np.nan)
        )
        changed[future] = drawn[future]
        return changed

    return replace(
        panel,
        values=other(panel.values),
        past=other(panel.past),
        known=other(panel.known) if known else panel.known,
    )


def _differing(a: Floats, b: Floats) -> set[int]:
    """Return the columns in which two tables are not the same, NaN being equal to NaN."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return set(np.flatnonzero(~same.all(axis=0)).tolist())
