"""A drawing of a network's layers with shapes and numbers of weights, in plain text."""

from __future__ import annotations

from collections.abc import Sequence

_ARROW = "  " + " " * 21 + "v"
_LINE = "  +" + "-" * 18 + "+" + "-" * 13 + "+" + "-" * 11 + "+"


def lstm_weights(inputs: int, units: int) -> int:
    """Return the number of weights of an LSTM layer, its two bias vectors included."""
    return 4 * units * (inputs + units + 2)


def draw_layers(layers: Sequence[tuple[str, str, int]]) -> str:
    """Draw layers given as name, output shape and number of weights, from input to output."""
    head = f"  | {'layer':<16} | {'output':<11} | {'weights':>9} |"
    rows = [f"  | {name:<16} | {shape:<11} | {count:>9,} |" for name, shape, count in layers]
    body = "\n".join(rows).replace("\n", f"\n{_ARROW}\n")
    total = f"  weights in all: {sum(count for _, _, count in layers):,}"
    return "\n".join([_LINE, head, _LINE, body, _LINE, total])
