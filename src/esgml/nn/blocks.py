"""Networks and losses in torch; needed for training only.

Parameter names are shared with `inference` and `onnx_export`, which run the same networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StackedLSTM(nn.Module):
    """LSTM -> dropout -> LSTM -> dense with ReLU -> dense: one vector from each window.

    Parameters
    ----------
    features, outputs : int
        Columns of the window, and values predicted.
    units : pair of int
        Units of the two LSTM layers.
    hidden : int
        Units of the dense layer.
    dropout : float
        Share of the first layer's outputs that training drops.
    """

    def __init__(
        self,
        features: int = 10,
        outputs: int = 3,
        units: tuple[int, int] = (128, 64),
        hidden: int = 32,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.lstm1 = nn.LSTM(features, units[0], batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.lstm2 = nn.LSTM(units[0], units[1], batch_first=True)
        self.dense = nn.Linear(units[1], hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map windows (n, steps, features) to predictions (n, outputs)."""
        first, _ = self.lstm1(x)
        _, (last, _) = self.lstm2(self.dropout(first))
        result: Tensor = self.output(torch.relu(self.dense(last[0])))
        return result


class EncoderDecoder(nn.Module):
    """Quantiles of every step ahead, as a weighing of simple forecasts plus a correction.

    An LSTM reads the past window; a second one begins with its state and reads what is known
    of the future. At every step a gate weighs the candidate forecasts (last value, same
    weekday, ...) and a head adds a correction for the median and non-negative distances to the
    quantiles around it, so quantiles never cross.

    Parameters
    ----------
    past, future, candidates : int
        Features of a past step, of a future step, and number of candidate forecasts.
    series : int
        Number of series with an embedding of their own; row 0 is for all others.
    quantiles, median : int
        Number of quantiles, and the position of the median among them.
    units, hidden, embedding : int
    dropout : float
    """

    def __init__(
        self,
        past: int,
        future: int,
        candidates: int,
        series: int,
        quantiles: int,
        median: int,
        units: int = 48,
        hidden: int = 48,
        embedding: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.median = median
        self.embedding = nn.Embedding(series + 1, embedding)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.encoder = nn.LSTM(past + embedding, units, batch_first=True)
        self.decoder = nn.LSTM(future + embedding, units, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(units + future + embedding, hidden)
        self.gate = nn.Linear(hidden, candidates)
        self.head = nn.Linear(hidden, quantiles)
        # begin as the plain average of the candidates, with a band of about a tenth
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.fill_(-2.5)
            self.head.bias[median] = 0.0

    def forward(self, past: Tensor, future: Tensor, candidates: Tensor, series: Tensor) -> Tensor:
        """Return quantiles of shape (n, horizon, quantiles)."""
        who = self.embedding(series)
        past = torch.cat([past, who[:, None].expand(-1, past.shape[1], -1)], dim=-1)
        future = torch.cat([future, who[:, None].expand(-1, future.shape[1], -1)], dim=-1)
        _, state = self.encoder(past)
        seen, _ = self.decoder(future, state)
        hidden = torch.relu(self.hidden(self.dropout(torch.cat([seen, future], dim=-1))))
        hidden = self.dropout(hidden)
        base = (torch.softmax(self.gate(hidden), dim=-1) * candidates).sum(-1, keepdim=True)
        out = self.head(hidden)
        m = self.median
        middle = base + out[..., m : m + 1]
        steps = nn.functional.softplus(out)
        above = torch.cumsum(steps[..., m + 1 :], dim=-1)
        below = torch.cumsum(steps[..., :m].flip(-1), dim=-1).flip(-1)
        return torch.cat([middle - below, middle, middle + above], dim=-1)


def masked_mse(predicted: Tensor, actual: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error over the entries with weight; 0 where there are none."""
    return ((predicted - actual) ** 2 * weight).sum() / weight.sum().clamp(min=1e-9)


def masked_mae(predicted: Tensor, actual: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error over the entries with weight; 0 where there are none."""
    return ((predicted - actual).abs() * weight).sum() / weight.sum().clamp(min=1e-9)


def pinball(predicted: Tensor, actual: Tensor, weight: Tensor, levels: Tensor) -> Tensor:
    """Mean pinball loss of quantiles, shape (..., q), against `actual`, shape (...).

    Koenker & Bassett, Regression Quantiles, Econometrica 46 (1978).
    """
    error = actual[..., None] - predicted
    loss = torch.maximum(levels * error, (levels - 1) * error).mean(-1)
    return (loss * weight).sum() / weight.sum().clamp(min=1e-9)
