"""Numbers written for people."""

from __future__ import annotations

import math


def figure(value: float, digits: int = 4, *, sign: bool = False) -> str:
    """Return a number as people write it.

    From 1,000 on it is whole, with separators; below it has `digits` significant digits.
    A number that rounds to nothing has no sign, and one that is not finite is ``unknown``.

    Examples
    --------
    >>> figure(11_749_832.6), figure(30.1449), figure(-0.0), figure(2, sign=True)
    ('11,749,833', '30.14', '0', '+2')
    """
    if not math.isfinite(value):
        return "unknown"
    plus = "+" if sign and value > 0 else ""
    if value == 0:
        return "0"
    # beyond what a float holds exactly, whole digits would be invented
    if 999.5 <= abs(value) < 1e15:
        return f"{plus}{value:,.0f}"
    return f"{plus}{value:.{digits}g}"
