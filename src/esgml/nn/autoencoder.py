"""An autoencoder over rows, in torch; needed for training only.

`inference.dense_stack` runs the same network without torch; the names of the layers are shared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Autoencoder(nn.Module):
    """Dense layers down to a bottleneck and back up, ReLU between them, the last one linear.

    Parameters
    ----------
    columns : int
        Width of a row.
    hidden : sequence of int
        Widths of the hidden layers down to the bottleneck, such as 64, 32, 16; the layers back
        up mirror them.
    """

    def __init__(self, columns: int = 100, hidden: Sequence[int] = (64, 32, 16)) -> None:
        super().__init__()
        widths = [columns, *hidden, *reversed(hidden[:-1]), columns]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Map rows (n, columns) to their reconstructions (n, columns)."""
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        result: Tensor = self.layers[-1](x)
        return result


class Rows:
    """Rows as examples of the training loop: what is put in, and which values were observed."""

    def __init__(self, values: NDArray[np.float32], observed: NDArray[np.float32]) -> None:
        self.values, self.observed = torch.from_numpy(values), torch.from_numpy(observed)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    def batch(self, index: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Return the values and the marks of the rows numbered `index`."""
        at = torch.from_numpy(index)
        return self.values[at], self.observed[at]


def reconstruction_loss(
    module: nn.Module, batch: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor, float]:
    """Return mean squared and mean absolute error over the observed values, and their number."""
    values, observed = batch
    error = (module(values) - values) * observed
    count = observed.sum().clamp(min=1.0)
    return error.square().sum() / count, error.abs().sum() / count, float(count)
