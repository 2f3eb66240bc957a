"""Known faults put into readings, so that detection can be scored where nobody labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.anomaly.clock import Clock

    Floats = NDArray[np.float64]

#: Kinds that can be put in, in turn.
KINDS = ("spike", "drop", "stuck", "zero", "schedule", "unit_x1000")


class Injected(NamedTuple):
    """Readings with faults.

    Attributes
    ----------
    values : array, shape (n,)
    label : array of int, shape (n,)
        1 where a fault was put in.
    kind : list of str, length n
        Empty where none was.
    """

    values: Floats
    label: NDArray[np.int64]
    kind: list[str]


def inject(
    values: Floats,
    clock: Clock,
    random: np.random.Generator,
    *,
    share: float = 0.02,
    kinds: tuple[str, ...] = KINDS,
) -> Injected:
    """Put faults into about `share` of the readings, never two side by side.

    A ``spike`` multiplies one to three readings by 1.5 to 3, a ``drop`` by 0.2 to 0.6; a
    meter is ``stuck`` or shows ``zero`` for a third of a day to a day; ``schedule`` replaces
    two thirds of a day by the same hours three or four days earlier; ``unit_x1000``
    multiplies one to four readings.
    """
    n = len(values)
    changed, label, named = values.copy(), np.zeros(n, dtype=np.int64), [""] * n
    third = max(clock.long // 3, 2)
    turn = 0
    for _ in range(20 * n):
        if label.sum() >= share * n:
            break
        kind = kinds[turn % len(kinds)]
        length = {
            "spike": int(random.integers(1, 4)),
            "drop": int(random.integers(1, 4)),
            "unit_x1000": int(random.integers(1, 5)),
            "schedule": 2 * third,
        }.get(kind, int(random.integers(third, 3 * third + 1)))
        back = clock.long * int(random.integers(3, 5))
        first = int(random.integers(0, max(n - length, 1)))
        stretch = slice(first, first + length)
        free = not label[max(first - clock.short, 0) : first + length + clock.short].any()
        whole = first >= back + 1 and first + length <= n
        if not free or not whole or not np.isfinite(values[first - 1 : first + length]).all():
            if n <= back + length + 1:
                break
            continue
        turn += 1
        if kind == "spike":
            changed[stretch] *= random.uniform(1.5, 3.0)
        elif kind == "drop":
            changed[stretch] *= random.uniform(0.2, 0.6)
        elif kind == "unit_x1000":
            changed[stretch] *= 1000.0
        elif kind == "stuck":
            changed[stretch] = values[first - 1]
        elif kind == "zero":
            changed[stretch] = 0.0
        else:
            changed[stretch] = values[first - back : first - back + length]
        same = np.isclose(changed[stretch], values[stretch], rtol=1e-3, equal_nan=True)
        label[stretch] = ~same
        for i in np.flatnonzero(~same).tolist():
            named[first + i] = kind
    return Injected(changed, label, named)
