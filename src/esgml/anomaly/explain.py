"""Why an alarm: expected and observed, what is at stake, which baselines disagree, what to do.

Every number is computed from the reading and its meter's state; the sentence only says them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.anomaly.context import PROFILES, SCORED
from esgml.anomaly.kinds import WRONG
from esgml.core.figures import figure

if TYPE_CHECKING:
    from esgml.anomaly.watch import Watched
    from esgml.anomaly.wording import Wording

#: What to do about each kind.
_ACTION = {
    "zero": "check the meter and its line; replace the reading by {expected}",
    "stuck": "check the transmission; replace the reading by {expected}",
    "negative": "check the wiring and the sign; replace the reading by {expected}",
    "unit_x1000": "divide the reading by 1000: {corrected}",
    "spike": "check the reading; if it is wrong, replace it by {expected}",
    "drop": "check whether something was off; if the reading is wrong, replace it by {expected}",
    "level_shift": "keep the reading; find what was switched on or off",
    "drift": "keep the reading; compare with production, weather and floor area",
    "schedule": "keep the reading; a holiday or other hours? enter a dated event",
    "shape": "keep the reading; look at what ran when",
    "duplicate": "keep one of the two readings",
    "swap": "check which meter is which; the other meter's reading is {corrected}",
}


@dataclass(frozen=True)
class Stakes:
    """What a unit of the meter costs and emits.

    Attributes
    ----------
    price : float
        Money per unit; NaN = not known.
    carbon_kg : float
        kgCO2e per unit; NaN = not known.
    """

    price: float = float("nan")
    carbon_kg: float = float("nan")


@dataclass(frozen=True)
class Explanation:
    """Why a reading is an alarm.

    Attributes
    ----------
    kind : str
    observed, expected, excess : float
        In the unit of the meter; the excess is observed minus expected.
    cost, carbon_t : float
        Money and tCO2e of the absolute excess; NaN where prices or factors are not known.
    p_value : float
        Share of the meter's past scores at least as high.
    baselines : tuple of dict
        Those that disagree, strongest first: ``name, says, distance`` (standard deviations)
        and ``share`` of the score.
    similar : tuple of str
        When events like it began earlier.
    correction : float
        The number to use instead; NaN where the reading is to be kept.
    action : str
    """

    kind: str
    observed: float
    expected: float
    excess: float
    cost: float
    carbon_t: float
    p_value: float
    baselines: tuple[dict[str, Any], ...]
    similar: tuple[str, ...]
    correction: float
    action: str
    unit: str = ""
    meaning: str = field(default="")

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the explanation in words, every number of it computed."""
        unit = f" {self.unit}" if self.unit else ""
        said = f"{self.kind}: {figure(self.observed)}{unit}"
        if np.isfinite(self.expected):
            said += (
                f" instead of {figure(self.expected)}{unit} ({figure(self.excess, sign=True)}{unit}"
            )
            said += f", {figure(self.carbon_t, 3)} tCO2e" if np.isfinite(self.carbon_t) else ""
            said += f", cost {figure(self.cost)}" if np.isfinite(self.cost) else ""
            said += ")"
        said += f"; {self.meaning}"
        if self.baselines:
            named = ", ".join(f"{b['says']} ({b['distance']:+.1f} sd)" for b in self.baselines)
            said += f"; against {named}"
        if np.isfinite(self.p_value):
            said += f"; p {self.p_value:.2g}"
        if self.similar:
            said += f"; like {', '.join(self.similar)}"
        return f"{said}; {self.action}."


def explain(
    watched: Watched,
    row: int,
    kind: str,
    *,
    words: Wording,
    stakes: Stakes | None = None,
    unit: str = "",
    similar: tuple[str, ...] = (),
    other: float = float("nan"),
    most: int = 3,
) -> Explanation:
    """Explain reading number `row`, of kind `kind`.

    Parameters
    ----------
    words : Wording
        For the rhythm of the meter.
    other : float
        What the other meter of a swap showed.
    most : int
        Baselines named.
    """
    stakes = stakes or Stakes()
    observed, expected = float(watched.value[row]), float(watched.expected[row])
    excess = observed - expected
    correction = float("nan")
    if kind == "unit_x1000":
        correction = observed / 1000
    elif kind == "swap":
        correction = other
    elif kind in WRONG and kind != "duplicate":
        correction = expected
    share = watched.surprise[row]
    total = float(np.nansum(share))
    z = watched.context.z[row]
    baselines: dict[str, dict[str, Any]] = {}
    for j in np.argsort(-np.nan_to_num(share)).tolist():
        column = SCORED[j]
        says = words.baseline(PROFILES[column].name)
        # a daily meter has one slot a day: some baselines are the same to the reader
        if says not in baselines and np.isfinite(share[j]) and np.isfinite(z[column]):
            baselines[says] = {
                "name": PROFILES[column].name,
                "says": says,
                "distance": float(z[column]),
                "share": float(share[j]) / total if total else 0.0,
            }
    action = _ACTION[kind].format(expected=figure(expected), corrected=figure(correction))
    return Explanation(
        kind=kind,
        observed=observed,
        expected=expected,
        excess=excess,
        cost=abs(excess) * stakes.price,
        carbon_t=abs(excess) * stakes.carbon_kg / 1000,
        p_value=float(watched.decisions.p_value[row]),
        baselines=tuple(baselines.values())[:most],
        similar=similar,
        correction=correction,
        action=action,
        unit=unit,
        meaning=words.meaning(kind),
    )


def similar_events(
    surprise: np.ndarray, kind: str, earlier: list[tuple[str, str, np.ndarray]], most: int = 2
) -> tuple[str, ...]:
    """Return when the most alike earlier events of the same kind began.

    Alike = the same baselines disagree: cosine of the surprises at least 0.9.
    """
    here = np.nan_to_num(surprise)
    size = float(np.linalg.norm(here))
    found = []
    for start, other_kind, vector in earlier:
        other = np.nan_to_num(vector)
        length = float(np.linalg.norm(other))
        if other_kind != kind or not size or not length:
            continue
        alike = float(here @ other) / (size * length)
        if alike >= 0.9:
            found.append((alike, start))
    return tuple(start for _, start in sorted(found, reverse=True)[:most])
