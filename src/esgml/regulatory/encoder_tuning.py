"""Tuning a sentence encoder to labels: low-rank changes of its last layers, in torch.

The lower layers stay as they are and are run once; what they give is kept, so that an epoch costs
only the layers that learn. The head begins as a logistic regression on the untouched encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from esgml.nn.loop import Batch, Fit, FitSettings, fit, seeded
from esgml.regulatory.encoder_adapter import DOWN, UP
from esgml.regulatory.linear import fit_logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.nn.weights import Weights

#: Unit vectors are stretched by this before the head, so that one learning rate suits both.
SCALE = 16.0
#: What the lower layers give is kept up to this size, in bytes; beyond it they are run again.
_MOST_KEPT = 1_500_000_000
_MATRICES = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)


@dataclass(frozen=True)
class Tuned:
    """What tuning yields.

    Attributes
    ----------
    adapter : dict of name to array
        See `encoder_adapter`.
    weights : array, shape (hidden, labels)
    bias : array, shape (labels,)
        The head on unit vectors.
    fit : Fit
        Losses by epoch, and the epoch that was kept.
    """

    adapter: Weights
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    fit: Fit


class AdaptedEncoder(nn.Module):
    """A BERT whose last layers carry low-rank changes, and a linear head on its unit vectors.

    Parameters
    ----------
    weights : mapping of name to array
        Of the published encoder.
    config : mapping
    labels : int
    layers : int
        How many of the last layers are changed.
    rank : int
    dropout : float
        Share of inputs of a change, and of the vector before the head, left out in training.
    """

    def __init__(
        self,
        weights: Mapping[str, NDArray[Any]],
        config: Mapping[str, Any],
        labels: int,
        *,
        layers: int,
        rank: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.hidden = int(config["hidden_size"])
        self.heads, self.layers = (
            int(config["num_attention_heads"]),
            int(config["num_hidden_layers"]),
        )
        self.first = max(0, self.layers - layers)
        self.epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.dropout = dropout
        # A plain dictionary: what does not learn is neither saved nor copied with every epoch.
        self.fixed = {
            name.removeprefix("bert."): torch.from_numpy(np.array(value, dtype=np.float32))
            for name, value in weights.items()
            if value.dtype.kind == "f"
        }
        self.changes = nn.ParameterDict()
        for layer in range(self.first, self.layers):
            for part in _MATRICES:
                name = f"encoder.layer.{layer}.{part}"
                outputs, inputs = self.fixed[f"{name}.weight"].shape
                down = torch.randn(rank, inputs) / inputs**0.5
                self.changes[_key(name + DOWN)] = nn.Parameter(down)
                self.changes[_key(name + UP)] = nn.Parameter(torch.zeros(outputs, rank))
        self.head = nn.Linear(self.hidden, labels)

    def move(self, device: str) -> AdaptedEncoder:
        """Move everything to a device."""
        self.to(device)
        self.fixed = {name: value.to(device) for name, value in self.fixed.items()}
        return self

    def lower(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return what the unchanged layers give, (windows, length, hidden)."""
        w, name = self.fixed, "embeddings."
        x = w[f"{name}word_embeddings.weight"][ids]
        x = x + w[f"{name}position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + w[f"{name}token_type_embeddings.weight"][0], f"{name}LayerNorm")
        for layer in range(self.first):
            x = self._layer(x, mask, layer)
        return x

    def vectors(self, x: Tensor, mask: Tensor, owner: Tensor, texts: int) -> Tensor:
        """Return unit vectors of texts from what `lower` gave for their windows.

        A window counts by its tokens, as in `SentenceEncoder`.
        """
        for layer in range(self.first, self.layers):
            x = self._layer(x, mask, layer)
        count = mask.sum(1, keepdim=True)
        each = functional.normalize((x * mask[..., None]).sum(1), dim=-1) * count
        total = torch.zeros(texts, self.hidden, device=x.device).index_add(0, owner, each)
        return functional.normalize(total, dim=-1)

    def forward(self, x: Tensor, mask: Tensor, owner: Tensor, texts: int) -> Tensor:
        """Return log-odds, (texts, labels)."""
        found = self.vectors(x, mask, owner, texts) * SCALE
        log_odds: Tensor = self.head(functional.dropout(found, self.dropout, self.training))
        return log_odds

    def _linear(self, x: Tensor, name: str) -> Tensor:
        y = functional.linear(x, self.fixed[f"{name}.weight"], self.fixed[f"{name}.bias"])
        key = _key(name + DOWN)
        if key not in self.changes:
            return y
        kept = functional.dropout(x, self.dropout, self.training)
        small = functional.linear(kept, self.changes[key])
        return y + functional.linear(small, self.changes[_key(name + UP)])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        w = self.fixed
        return functional.layer_norm(
            x, (self.hidden,), w[f"{name}.weight"], w[f"{name}.bias"], self.epsilon
        )

    def _layer(self, x: Tensor, mask: Tensor, layer: int) -> Tensor:
        name, shape = f"encoder.layer.{layer}", (*x.shape[:2], self.heads, -1)
        q, k, v = (
            self._linear(x, f"{name}.attention.self.{part}").view(*shape).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask[:, None, None, :].bool()
        )
        seen = self._linear(seen.transpose(1, 2).flatten(2), f"{name}.attention.output.dense")
        x = self._norm(x + seen, f"{name}.attention.output.LayerNorm")
        inner = functional.gelu(self._linear(x, f"{name}.intermediate.dense"))
        return self._norm(
            x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"
        )

    def adapter(self) -> Weights:
        """Return the changes as arrays of 16 bits, as they are saved and merged."""
        return {
            _name(key): value.detach().cpu().numpy().astype(np.float16)
            for key, value in self.changes.items()
        }


def _key(name: str) -> str:
    """Return a parameter's name as torch allows it; ``.weight`` is added to the matrix."""
    stem, _, part = name.rpartition(".")
    return f"{stem}.weight.{part}".replace(".", "/")


def _name(key: str) -> str:
    return key.replace("/", ".")


class _Texts:
    """Texts as examples: their windows, what the lower layers give for them, their labels."""

    def __init__(
        self, module: AdaptedEncoder, windows: Sequence[Sequence[NDArray[np.int64]]], truth: Any
    ) -> None:
        self.module, self.windows = module, windows
        self.device = module.head.weight.device
        self.truth = torch.from_numpy(np.nan_to_num(truth).astype(np.float32))
        self.seen = torch.from_numpy(np.isfinite(truth).astype(np.float32))
        tokens = sum(len(window) for text in windows for window in text)
        self.kept: dict[int, list[Tensor]] = {}
        if module.first and 2 * tokens * module.hidden <= _MOST_KEPT:
            for start in range(0, len(windows), 32):
                self._keep(range(start, min(start + 32, len(windows))))

    def __len__(self) -> int:
        return len(self.windows)

    def _keep(self, rows: range) -> None:
        x, mask, owner, _ = self._lower(rows)
        for row in rows:
            self.kept[row] = []
        for one, size, place in zip(x, mask.sum(1).long().tolist(), owner.tolist(), strict=True):
            self.kept[rows[place]].append(one[:size].half().cpu())

    def _lower(self, rows: Sequence[int] | range) -> tuple[Tensor, Tensor, Tensor, int]:
        flat = [(place, w) for place, row in enumerate(rows) for w in self.windows[row]]
        longest = max(len(window) for _, window in flat)
        ids = torch.zeros(len(flat), longest, dtype=torch.long)
        mask = torch.zeros(len(flat), longest)
        for k, (_, window) in enumerate(flat):
            ids[k, : len(window)], mask[k, : len(window)] = torch.from_numpy(window), 1
        mask = mask.to(self.device)
        with torch.no_grad():
            x = self.module.lower(ids.to(self.device), mask)
        owner = torch.tensor([place for place, _ in flat], device=self.device)
        return x, mask, owner, len(rows)

    def inputs(self, rows: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, int]:
        """Return what `AdaptedEncoder.vectors` takes, for some texts."""
        if not self.kept:
            return self._lower(rows)
        flat = [(place, one) for place, row in enumerate(rows) for one in self.kept[row]]
        x = nn.utils.rnn.pad_sequence([one for _, one in flat], batch_first=True).float()
        mask = torch.zeros(x.shape[:2])
        for k, (_, one) in enumerate(flat):
            mask[k, : len(one)] = 1
        owner = torch.tensor([place for place, _ in flat])
        return x.to(self.device), mask.to(self.device), owner.to(self.device), len(rows)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Return the tensors of the texts numbered `index`."""
        rows = index.tolist()
        x, mask, owner, _ = self.inputs(rows)
        return (x, mask, owner, self.truth[rows].to(self.device), self.seen[rows].to(self.device))


def _loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, float]:
    """Return cross entropy to learn by, and the Brier score to stop by.

    A network that grows too sure of itself loses in cross entropy long after its decisions stopped
    changing; the Brier score is bounded, and what is too sure is calibrated afterwards.
    """
    x, mask, owner, truth, seen = batch
    log_odds = module(x, mask, owner, len(truth))
    known = seen.sum().clamp(min=1.0)
    entropy = functional.binary_cross_entropy_with_logits(log_odds, truth, reduction="none")
    brier = ((torch.sigmoid(log_odds) - truth) ** 2 * seen).sum() / known
    learned = (entropy * seen).sum() / known
    return (learned if module.training else brier), brier, float(known)


def tune(
    weights: Mapping[str, NDArray[Any]],
    config: Mapping[str, Any],
    windows: Sequence[Sequence[NDArray[np.int64]]],
    truth: NDArray[np.float64],
    settings: FitSettings,
    *,
    layers: int,
    rank: int,
    dropout: float,
    validation: NDArray[np.int64],
    seed: int,
    device: str = "cpu",
) -> Tuned:
    """Learn changes of an encoder and a head from labelled texts.

    Parameters
    ----------
    weights, config
        Of the encoder, see `encoder_files`.
    windows : sequence of sequence of array
        Tokens of every window of every text, marks included; at least one window a text.
    truth : array, shape (texts, labels)
        1, 0, or NaN where nobody said.
    settings : FitSettings
    layers, rank, dropout
        See `AdaptedEncoder`.
    validation : array of int
        Texts that decide when to stop and are not learned from.
    seed : int
        The same seed on the same machine gives the same bytes.
    device : str
        Of torch.
    """
    made = seeded(
        lambda: AdaptedEncoder(
            weights, config, truth.shape[1], layers=layers, rank=rank, dropout=dropout
        ),
        seed,
    )
    assert isinstance(made, AdaptedEncoder)
    module = made.move(device)
    texts = _Texts(module, windows, truth)
    train = np.setdiff1d(np.arange(len(windows)), validation)
    _begin(module, texts, truth, train)
    outcome = fit(
        module,
        texts,
        _loss,
        settings,
        train=train,
        validation=validation,
        seed=seed,
        label="tuning the encoder",
    )
    head = {
        k: v.detach().cpu().numpy().astype(np.float64) for k, v in module.head.named_parameters()
    }
    return Tuned(module.adapter(), SCALE * head["weight"].T, head["bias"], outcome)


def _begin(module: AdaptedEncoder, texts: _Texts, truth: Any, train: NDArray[np.int64]) -> None:
    """Let the head begin as a logistic regression on the untouched encoder.

    A head that begins at random would first spoil the encoder's layers.

    References
    ----------
    Kumar et al. (2022), fine-tuning can distort pretrained features.
    """
    found = []
    with torch.no_grad():
        module.eval()
        for start in range(0, len(train), 32):
            rows = train[start : start + 32].tolist()
            found.append(module.vectors(*texts.inputs(rows)).cpu().numpy())
    design = SCALE * np.concatenate(found).astype(np.float64)
    first, bias = fit_logistic(design, truth[train], 0.05, balanced=False)
    with torch.no_grad():
        module.head.weight.copy_(torch.from_numpy(first.T.astype(np.float32)))
        module.head.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
