"""Monitoring: what was served, from what, and whether it can be computed again.

Every prediction told on the event bus is written to a log that only grows and whose entries
chain by their hashes (`log`). From an entry the whole lineage is told, and the answer is
computed again from the stored request and the bundle (`trace`): equal to the last bit, or
the trace says what differs.
"""
