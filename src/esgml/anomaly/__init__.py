"""Anomaly detection: wrong or wasteful readings, few false alarms, each alarm explained.

The road of a reading::

    context -> models -> score -> alarm -> explain

A meter's state turns the reading into contextual features, models say how strange these are,
the alarm layer decides on past scores alone which are worth a person's time, and the
explanation says what was expected, what kind of fault it looks like and what is at stake.
"""
