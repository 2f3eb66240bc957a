"""Training side of the windowed LSTM: windows as tensors, its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from esgml.nn.blocks import masked_mae, masked_mse
from esgml.nn.loop import Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.nn.scope_windows import ScopeTable

    Array = NDArray[np.float64]


class ArrayExamples:
    """Windows, targets and weights given as arrays.

    Parameters
    ----------
    windows : array, shape (n, window, features)
    targets, weight : array, shape (n, outputs)
    """

    def __init__(self, windows: Array, targets: Array, weight: Array) -> None:
        self.arrays = [
            torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32))
            for a in (windows, targets, weight)
        ]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Return windows, targets and weights of the examples numbered `index`."""
        picked = torch.from_numpy(index)
        return tuple(a[picked] for a in self.arrays)


class ScopeExamples:
    """One-step-ahead windows of ten-feature tables, cut when they are asked for.

    Parameters
    ----------
    table : ScopeTable
    window : int
    stride : int
        Take every so many-th window.

    Attributes
    ----------
    row : array of int
        The predicted row of each example: every row with an observed scope but the first.
    """

    def __init__(self, table: ScopeTable, window: int, stride: int = 1) -> None:
        self.table, self.window = table, window
        rows = np.arange(len(table.features))
        usable = np.asarray(table.observed.any(axis=1), dtype=bool)
        usable[table.indptr[:-1]] = False
        self.row = rows[usable][::stride]

    def __len__(self) -> int:
        return len(self.row)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Return windows, targets and weights of the examples numbered `index`."""
        row = self.row[index]
        scopes = self.table.observed.shape[1]
        arrays = (
            self.table.windows(row, self.window),
            self.table.features[row][:, :scopes],
            self.table.observed[row],
        )
        return tuple(torch.from_numpy(np.asarray(a, dtype=np.float32)) for a in arrays)


def squared_loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, float]:
    """Return mean squared error, mean absolute error, and the number of observed targets."""
    windows, targets, weight = batch
    predicted = module(windows)
    metric = masked_mae(predicted.detach(), targets, weight)
    return masked_mse(predicted, targets, weight), metric, float(weight.sum())
