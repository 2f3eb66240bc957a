"""How significant a rule is estimated to be, and whether an act is a statute, with evidence."""

from __future__ import annotations

from typing import Any

from esgml.core.errors import UsageError
from esgml.regulatory import heads
from esgml.regulatory.rules import rule_text

#: Head and label of each estimate.
_SIGNIFICANCE = {"probability": "significant", "economic_probability": "econ_significant"}


def significance(
    text: str, *, title: str = "", agency: str = "", action: str = ""
) -> dict[str, Any]:
    """Return how likely a rule is to be designated significant.

    Parameters
    ----------
    text : str
        The rule or its abstract, in English.
    title, agency, action : str
        Where known: title, issuing department and agency, and kind of action, such as
        ``Final rule; correction.``; they sharpen the estimate.

    Returns
    -------
    dict
        ``probability`` that it is significant and ``economic_probability`` that its effect on the
        economy is (100 million dollars a year or more), both None where the head abstains;
        ``evidence`` with ``text``, ``start``, ``end`` (None where no span of the text speaks for
        it); ``abstains``: why nothing is said, empty otherwise.

    Notes
    -----
    Learned from the designations of US final rules under Executive Order 12866; for other
    jurisdictions it orders texts, and is no designation.
    """
    if not isinstance(text, str):
        raise UsageError("the text must be a string.", where="text")
    model = heads.head("significance")
    reason = heads.readable(text)
    answer: dict[str, Any] = dict.fromkeys(_SIGNIFICANCE)
    if not reason:
        composed = rule_text(title, text, agency=agency, action=action)
        probability = model.predict([composed])[0]
        for key, label in _SIGNIFICANCE.items():
            answer[key] = round(float(probability[model.labels_.index(label)]), 4)
    answer["evidence"] = None if reason else _evidence(text, "significance", "significant")
    answer["abstains"] = reason
    return answer


def legislative(text: str) -> dict[str, Any]:
    """Return how likely a description is of an act of a legislature, not of an executive.

    Returns
    -------
    dict
        ``probability`` (None where the head abstains), ``evidence``, ``abstains``.
    """
    if not isinstance(text, str):
        raise UsageError("the text must be a string.", where="text")
    model = heads.head("act")
    reason = heads.readable(text)
    if reason:
        return {"probability": None, "evidence": None, "abstains": reason}
    return {
        "probability": round(float(model.predict([text])[0, 0]), 4),
        "evidence": _evidence(text, "act", "legislative"),
        "abstains": "",
    }


def _evidence(text: str, head: str, label: str) -> dict[str, Any] | None:
    place = heads.head(head).evidence(text, label)
    if place is None or place.weight <= 0:
        return None
    return {"text": text[place.start : place.end], "start": place.start, "end": place.end}
