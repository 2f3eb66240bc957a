"""How a search went: the best and mean objective by generation, and a drawing of them."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDTH, _HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 620.0, 30.0, 240.0
_TICKS = 5


class Convergence:
    """One row a generation: best and mean objective, violation of the best, evaluations."""

    COLUMNS = ("best", "mean", "violation", "evaluations")

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float, float]] = []

    def add(self, best: float, mean: float, violation: float, evaluations: int) -> None:
        """Note one generation."""
        self._rows.append((float(best), float(mean), float(violation), float(evaluations)))

    def __len__(self) -> int:
        """Return the number of generations noted, the first population included."""
        return len(self._rows)

    def to_array(self) -> NDArray[np.float64]:
        """Return the history, shape (generations + 1, 4), columns as in `COLUMNS`."""
        return np.array(self._rows, dtype=np.float64).reshape(-1, len(self.COLUMNS))

    @classmethod
    def from_array(cls, rows: NDArray[np.float64]) -> Convergence:
        """Build a history from what `to_array` returned."""
        made = cls()
        made._rows = [tuple(row) for row in rows.tolist()]
        return made

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one column of the history by name."""
        return np.asarray(self.to_array()[:, self.COLUMNS.index(name)])

    def sample(self, most: int = 60) -> list[list[float]]:
        """Return at most `most` generations as ``[generation, best, mean]``, the ends included."""
        rows = self.to_array()
        if not len(rows):
            return []
        at = np.unique(np.linspace(0, len(rows) - 1, most).astype(int))
        return [[int(i), float(rows[i, 0]), float(rows[i, 1])] for i in at]

    def to_svg(self, title: str = "Convergence", unit: str = "") -> str:
        """Draw best and mean objective over the generations as an SVG document.

        Parameters
        ----------
        title : str
        unit : str
            Unit of the objective, written at the axis.

        Returns
        -------
        str
            Stands alone; needs no script and no style sheet.
        """
        best, mean = self.column("best"), self.column("mean")
        if not len(best):
            best = mean = np.zeros(1)
        low, high = float(best.min()), float(np.quantile(mean, 0.98))
        high = max(high, float(best.max()), low + 1e-12 * max(1.0, abs(low)))
        last = max(1, len(best) - 1)

        def points(values: NDArray[np.float64]) -> str:
            at = np.unique(np.linspace(0, len(values) - 1, 400).astype(int))
            x = _LEFT + (_RIGHT - _LEFT) * at / last
            share = (np.clip(values[at], low, high) - low) / (high - low)
            y = _BOTTOM - (_BOTTOM - _TOP) * share
            return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
            f' font-family="sans-serif" font-size="11" role="img">',
            f"<title>{html.escape(title)}</title>",
            f'<text x="{_LEFT}" y="18" font-size="13">{html.escape(title)}</text>',
        ]
        for i in range(_TICKS):
            share = i / (_TICKS - 1)
            y = _BOTTOM - (_BOTTOM - _TOP) * share
            x = _LEFT + (_RIGHT - _LEFT) * share
            parts.append(
                f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
                f"{_short(low + share * (high - low))}</text>"
                f'<text x="{x:.1f}" y="{_BOTTOM + 16:.1f}" text-anchor="middle">'
                f"{round(share * last):,}</text>"
            )
        axis = f"generation; objective{f' in {unit}' if unit else ''}: best (dark), mean (light)"
        parts += [
            f'<text x="{_RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{html.escape(axis)}</text>',
            f'<polyline fill="none" stroke="#9bbcd6" points="{points(mean)}"/>',
            f'<polyline fill="none" stroke="#1a5a8a" stroke-width="1.5" points="{points(best)}"/>',
            "</svg>",
        ]
        return "\n".join(parts)


def _short(value: float) -> str:
    """Return a number in at most six characters or so."""
    if value == 0 or not math.isfinite(value):
        return "0"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.4g}"
