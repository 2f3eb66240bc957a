"""Neural networks: one training loop, windows over panels, building blocks."""
