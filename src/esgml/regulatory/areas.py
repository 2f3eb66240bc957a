"""Which areas a text affects: sectors, instruments, responses and topics, each with evidence."""

from __future__ import annotations

from typing import Any

from esgml.core.errors import UsageError
from esgml.regulatory import heads
from esgml.regulatory.classifier import TextClassifier

#: Kinds of areas, each a head that comes with the package.
KINDS = ("sector", "instrument", "response", "topic")

#: Names that the collection uses for one thing: it was relabelled over the years.
_SAME = {"Transport": "Transportation"}


def affected_areas(text: str) -> list[dict[str, Any]]:
    """Return the areas a text is estimated to affect, the likeliest first within each kind.

    Parameters
    ----------
    text : str
        A law, a policy, or a summary of one, in English; HTML is read past.

    Returns
    -------
    list of dict
        ``area``, ``kind`` (one of `KINDS`), ``probability`` (calibrated), ``threshold``, and
        ``evidence`` with ``text``, ``start``, ``end``, where ``text[start:end]`` is the span that
        speaks most for it. Empty where the heads abstain: `abstains` says why.

    Notes
    -----
    Learned on laws and policies about climate: an area here means that the collection's editors
    would have given this label. A text on another subject gets few areas or none.
    """
    _checked(text)
    found: list[dict[str, Any]] = []
    for kind in KINDS if not heads.readable(text) else ():
        model = heads.head(kind)
        for label, probability, threshold in _said(model, text):
            place = model.evidence(text, label)
            if place is None or place.weight <= 0:
                continue  # nothing in the text speaks for it: the base rate alone is no finding
            area = _SAME.get(label, label)
            if any(one["kind"] == kind and one["area"] == area for one in found):
                continue  # the likelier of two names for one thing was there first
            found.append(
                {
                    "area": area,
                    "kind": kind,
                    "probability": round(probability, 4),
                    "threshold": round(threshold, 4),
                    "evidence": {
                        "text": text[place.start : place.end],
                        "start": place.start,
                        "end": place.end,
                    },
                }
            )
    return found


def abstains(text: str) -> dict[str, str]:
    """Return, by kind of area, why nothing is said; empty where something may be."""
    _checked(text)
    reason = heads.readable(text)
    return dict.fromkeys(KINDS, reason) if reason else {}


def _said(model: TextClassifier, text: str) -> list[tuple[str, float, float]]:
    probability = model.predict([text])
    chosen = model.decide(probability)[0]
    rows = zip(model.labels_, probability[0].tolist(), model.threshold_.tolist(), strict=True)
    said = [row for row, yes in zip(rows, chosen.tolist(), strict=True) if yes]
    return sorted(said, key=lambda row: (-row[1], row[0]))


def _checked(text: str) -> None:
    if not isinstance(text, str):
        raise UsageError("the text must be a string.", where="text")
