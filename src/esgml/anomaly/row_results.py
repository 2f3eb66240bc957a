"""What a detector says of rows: alarms with their p-values, and the columns behind a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowDetection:
    """What a detector says of n rows.

    Attributes
    ----------
    score : array, shape (n,)
        Higher is stranger.
    p_value : array, shape (n,)
        Share of held-back rows as strange, corrected for their number (`conformal.p_values`).
    alarm : array of bool, shape (n,)
    threshold : float
        Score above which there is an alarm.
    """

    score: Floats
    p_value: Floats
    alarm: NDArray[np.bool_]
    threshold: float

    def to_frame(self) -> pl.DataFrame:
        """Return rows ``row, score, p_value, alarm``."""
        import polars as pl

        return pl.DataFrame(
            {
                "row": np.arange(len(self.score)),
                "score": self.score,
                "p_value": self.p_value,
                "alarm": self.alarm,
            }
        )


@dataclass(frozen=True)
class Reason:
    """One column's part in a row's score.

    Attributes
    ----------
    feature : str
    value : float
        What was read; NaN where missing.
    usual : float
        Median of the training rows.
    reproduced : float
        What the autoencoder makes of the row; NaN without an autoencoder.
    contribution : float
        Part of the score, computed from path lengths and reconstruction errors; the parts of
        all columns add up to the score, unless no column has one.
    share : float
        The same as a share of the score.
    """

    feature: str
    value: float
    usual: float
    reproduced: float
    contribution: float
    share: float
