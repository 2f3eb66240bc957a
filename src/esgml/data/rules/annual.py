"""Annual inventories: years that do not go with the year before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault
from esgml.data.rules.values import thousandfold
from esgml.data.rules.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

#: A change by more than this factor is seldom emissions alone.
JUMP = 3.0
#: Significant digits from which an equal value is no coincidence.
DIGITS = 3


def find(view: View) -> list[Fault]:
    """Return faults of annual tables; other tables have none of this kind."""
    if view.frequency is None or view.frequency.code != "YS":
        return []
    found: list[Fault] = []
    for column in view.amounts:
        numbers = view.values(column)
        place = _place_before(view, numbers)
        before = np.where(place >= 0, numbers[place], np.nan)
        found += _jumps(view, column, numbers, place)
        found += _repeats(view, column, numbers, before)
    return found


def _place_before(view: View, numbers: Floats) -> NDArray[np.int64]:
    """Return where the last known value of the same entity before each row is, -1 where none."""
    known = np.where(np.isfinite(numbers), np.arange(len(numbers)), -1)
    last = np.maximum.accumulate(np.concatenate([[-1], known[:-1]]))
    return np.where(last >= view.starts[view.codes], last, -1)


def _jumps(view: View, column: str, numbers: Floats, place: NDArray[np.int64]) -> list[Fault]:
    before = np.where(place >= 0, numbers[place], np.nan)
    both = (numbers > 0) & (before > 0)
    change = np.zeros(len(numbers))
    change[both] = np.log(numbers[both]) - np.log(before[both])
    up, down = thousandfold(view, numbers)
    # a value of a wrong unit is told as such, and the way back from it is no jump
    told = up | down
    told |= (place >= 0) & told[place]
    return _told(
        view,
        column,
        (np.abs(change) > np.log(JUMP)) & ~told,
        "annual_jump",
        Severity.WARNING,
        f"are more than {JUMP:g} times, or less than a third of, the one before,",
        "Check for a misread figure, a restatement, a merger or a change of boundary; restate"
        " the earlier years, or forecasts and targets rest on two different things.",
        numbers,
        before,
    )


def _repeats(view: View, column: str, numbers: Floats, before: Floats) -> list[Fault]:
    equal = (numbers == before) & (numbers > 0)
    size = np.floor(np.log10(np.where(equal, numbers, 1.0)))
    digits = np.where(equal, numbers, 1.0) / 10.0 ** (size - DIGITS + 2)
    equal &= np.abs(digits - np.round(digits)) > 1e-9
    return _told(
        view,
        column,
        equal,
        "repeated_year",
        Severity.INFO,
        "are the very value of the year before,",
        "Check whether last year's figure was copied forward.",
        numbers,
        before,
    )


def _told(
    view: View,
    column: str,
    marked: Mask,
    code: str,
    severity: Severity,
    message: str,
    remedy: str,
    numbers: Floats,
    before: Floats,
) -> list[Fault]:
    if not marked.any():
        return []
    first = int(np.argmax(marked))
    value, name = numbers[first], view.name(int(view.codes[first]))
    example = f"{value:g}" if value == before[first] else f"{value:g} after {before[first]:g}"
    text = f"{int(marked.sum())} values of {column!r} {message} e.g. {example} ({name!r})."
    return [fault(code, severity, text, remedy, column=column, rows=view.rows[marked])]
