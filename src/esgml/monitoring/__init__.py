"""Monitoring: what was served, from what, and whether it can be computed again."""
