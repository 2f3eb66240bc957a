"""Training side of the encoder-decoder: windows as tensors, the network's sizes, its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from esgml.nn.blocks import EncoderDecoder, pinball
from esgml.nn.loop import Batch, Loss
from esgml.nn.windows import WindowedPanel

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Share of the windows that training shows without saying whose they are, so that the row of
#: the embedding for unknown series is learned too.
ANONYMOUS = 0.1


class PanelExamples:
    """Windows of a panel as training examples, cut when they are asked for.

    Parameters
    ----------
    table : WindowedPanel
    series : array of int, shape (examples,)
        Row of the embedding table of each example.
    row : array of int, shape (examples,)
        Row of the first predicted period.
    seed : int
        Decides which examples are anonymous.
    """

    def __init__(
        self,
        table: WindowedPanel,
        series: NDArray[np.int64],
        row: NDArray[np.int64],
        seed: int,
    ) -> None:
        self.table, self.row = table, row
        hidden = np.random.default_rng(seed).random(len(row)) < ANONYMOUS
        self.series = np.where(hidden, 0, series)
        one = table.gather(row[:1])
        self.sizes = one.past.shape[-1], one.future.shape[-1], one.candidates.shape[-1]

    def __len__(self) -> int:
        return len(self.row)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Return past, future, candidates, series, target and weight of examples."""
        cut = self.table.gather(self.row[index])
        arrays = (cut.past, cut.future, cut.candidates)
        tensors = [torch.from_numpy(a.astype(np.float32)) for a in arrays]
        return (
            *tensors,
            torch.from_numpy(self.series[index]),
            torch.from_numpy(cut.target.astype(np.float32)),
            torch.from_numpy(cut.weight.astype(np.float32)),
        )


def build(
    examples: PanelExamples, series: int, params: Any, quantiles: Sequence[float]
) -> EncoderDecoder:
    """Build the network that fits the examples, with the sizes in `params`."""
    past, future, candidates = examples.sizes
    return EncoderDecoder(
        past,
        future,
        candidates,
        series,
        len(quantiles),
        list(quantiles).index(0.5),
        units=params.units,
        hidden=params.hidden,
        embedding=params.embedding,
        dropout=params.dropout,
    )


def quantile_loss(quantiles: Sequence[float]) -> Loss:
    """Return the pinball loss; its metric is the absolute error of the median."""
    levels = torch.tensor(list(quantiles), dtype=torch.float32)
    median = list(quantiles).index(0.5)

    def loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, float]:
        *inputs, target, weight = batch
        predicted = module(*inputs)
        error = ((predicted[..., median].detach() - target).abs() * weight).sum()
        total = weight.sum().clamp(min=1e-9)
        return pinball(predicted, target, weight, levels), error / total, float(weight.sum())

    return loss
