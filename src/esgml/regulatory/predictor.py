"""From text to impact, areas, dates, thresholds and duties; from an organization to its risk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esgml.core.errors import MissingExtraError
from esgml.regulatory import impact
from esgml.regulatory.document import MOST_READ, Document, read
from esgml.regulatory.entities import entities
from esgml.regulatory.obligations import obligations
from esgml.regulatory.sanctions import sanctions
from esgml.regulatory.thresholds import thresholds
from esgml.regulatory.timeline import timeline

NOTICE = "A model estimate with its evidence, not legal advice."
#: Most statements of one kind in a report; what is beyond is counted in a warning.
MOST_ITEMS = 1000

#: Most characters the classifiers judge: a long act says in its first articles what it is about,
#: and they cost some twenty seconds a megabyte where reading costs four.
MOST_JUDGED = 300_000

#: Judges a text: areas with probability and evidence, as spans of the text it is given.
Areas = Callable[[str], list[dict[str, Any]]]
#: Judges a text: ``{"probability", "evidence"}``, or None where it abstains.
Significance = Callable[[str], dict[str, Any] | None]


class RegulatoryPredictor:
    """Reads regulation and weighs what it means for an organization.

    What is **read** (dates, thresholds, entities, obligations, sanctions) comes from rules over the
    text itself; what is **estimated** (areas, significance, the impact score) says so and carries
    a probability or a formula. Every statement carries its evidence: ``text[start:end]``.

    Use it on English legal text: an act, an article, a final rule. It is no reader of tables far
    from their heads, nor of other languages: those are named and not guessed at.

    Parameters
    ----------
    areas, significance : callable, optional
        What judges a text in place of the shipped classifiers.

    Examples
    --------
    >>> from esgml import RegulatoryPredictor
    >>> report = RegulatoryPredictor(areas=lambda text: [], significance=lambda text: None)
    >>> text = "Importers shall register by 31 December 2026."
    >>> [one["date"] for one in report.analyze_regulation(text)["timeline"]]
    ['2026-12-31']
    """

    def __init__(
        self, areas: Areas | None = None, significance: Significance | None = None
    ) -> None:
        self._areas = areas or _shipped_areas
        self._judge = significance or _shipped_significance

    def analyze_regulation(self, text: str, *, as_of: dt.date | None = None) -> dict[str, Any]:
        """Return what a text asks of whom, by when, and how much it matters.

        Parameters
        ----------
        text : str
            Plain text, HTML, or the text of a PDF; at most 5 MB. Nothing in it is obeyed.
        as_of : date, optional
            The day urgency counts from; today where omitted. It is part of the answer.

        Returns
        -------
        dict
            ``impact_score`` (0-1, None where nothing can be measured), ``formula``, ``parts``,
            ``affected_areas``, ``entities``, ``timeline``, ``thresholds``, ``obligations``,
            ``sanctions``, ``bindingness``, ``significance``, ``language``, ``warnings``,
            ``as_of``, ``notice``.

        Raises
        ------
        DataError
            If the text is empty or too large.
        """
        day = as_of or dt.date.today()
        document = read(text)
        report: dict[str, Any] = {
            "impact_score": None,
            "formula": impact.FORMULA,
            "parts": [],
            "affected_areas": [],
            "entities": [],
            "timeline": [],
            "thresholds": [],
            "obligations": [],
            "sanctions": [],
            "bindingness": None,
            "significance": None,
            "language": {"code": document.language.code, "supported": document.language.supported},
            "warnings": _language_warnings(document),
            "as_of": day.isoformat(),
            "notice": NOTICE,
        }
        if not document.language.supported:
            return report
        found, of_time = timeline(document)
        quantities, of_numbers = thresholds(document)
        duties = obligations(document)
        breaches = sanctions(document, quantities)
        named = entities(document) + [_as_entity(one) for one in quantities]
        areas, significance, of_models = self._estimated(document)
        score, parts = impact.score(duties, breaches, named, areas, found, significance, day)
        report |= {
            "impact_score": score,
            "parts": parts,
            "affected_areas": areas,
            "bindingness": _bindingness(duties),
            "significance": significance,
        }
        report["warnings"] += of_time + of_numbers + of_models
        for name, items in (
            ("entities", named),
            ("timeline", found),
            ("thresholds", quantities),
            ("obligations", duties),
            ("sanctions", breaches),
        ):
            report[name] = items[:MOST_ITEMS]
            if len(items) > MOST_ITEMS:
                report["warnings"].append(_cut(name, items))
        if len(report["warnings"]) > MOST_ITEMS:
            rest = report["warnings"][MOST_ITEMS - 1 :]
            report["warnings"] = [*report["warnings"][: MOST_ITEMS - 1], _cut("warnings", rest)]
        return report

    def predict_compliance_risk(
        self,
        organization: Mapping[str, Any],
        regulations: Sequence[str] | None = None,
        *,
        as_of: dt.date | None = None,
    ) -> dict[str, Any]:
        """Return which regulations apply to an organization, and the risk of each as an index.

        Parameters
        ----------
        organization : mapping
            What is known of it; a missing field is unknown, not no.
        regulations : sequence of str, optional
            Ids of the knowledge base; all of them where omitted.
        as_of : date, optional
            The day to judge on; today where omitted.

        Returns
        -------
        dict
            See `esgml.regulatory.risk.compliance_risk`.
        """
        from esgml.regulatory.risk import compliance_risk

        wanted = None if regulations is None else list(regulations)
        return compliance_risk(organization, wanted, as_of)

    def _estimated(
        self, document: Document
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None, list[dict[str, Any]]]:
        """Return areas and significance with evidence in the given text, and warnings."""
        text = document.text[:MOST_JUDGED]
        try:
            areas = [_placed(document, one) for one in self._areas(text)]
            significance = self._judge(text)
        except MissingExtraError as error:
            message = f"areas and significance are not judged: {error}"
            return [], None, [{"code": "not_judged", "message": message}]
        warnings: list[dict[str, Any]] = []
        if len(text) < len(document.text):
            message = (
                f"areas and significance are judged from the first {MOST_JUDGED:,} characters."
            )
            warnings.append({"code": "judged_in_part", "message": message})
        return areas, significance and _placed(document, significance), warnings


def _shipped_areas(text: str) -> list[dict[str, Any]]:
    from esgml.regulatory.areas import affected_areas

    return affected_areas(text)


def _shipped_significance(text: str) -> dict[str, Any] | None:
    from esgml.regulatory.significance import significance

    found = significance(text)
    return None if found["probability"] is None or found["evidence"] is None else found


def _placed(document: Document, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an estimate with its evidence as a span of the text as given."""
    span = item["evidence"]
    return {**item, "evidence": document.evidence(span["start"], span["end"])}


def _as_entity(quantity: Mapping[str, Any]) -> dict[str, Any]:
    """Return a threshold as one of the entities a text names."""
    return {
        "what": "threshold",
        "name": f"{quantity['comparator']} {quantity['amount']}",
        "mentions": 1,
        "value": quantity["value"],
        "unit": quantity["unit"],
        "comparator": quantity["comparator"],
        "evidence": quantity["evidence"],
    }


def _bindingness(duties: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many clauses bind, advise and allow, with the first of the strongest kind."""
    counts = {"binding": 0, "recommended": 0, "permitted": 0}
    for one in duties:
        counts[one["bindingness"]] += 1
    level = next((name for name, n in counts.items() if n), "none")
    first = next((one["evidence"] for one in duties if one["bindingness"] == level), None)
    return {"level": level, **counts, "evidence": first}


def _language_warnings(document: Document) -> list[dict[str, Any]]:
    language = document.language
    if not language.supported:
        return [
            {
                "code": "unsupported_language",
                "message": f"unsupported language: {language.code}. Nothing was read; give the"
                " English version.",
            }
        ]
    found: list[dict[str, Any]] = []
    if language.code == "und":
        found.append(
            {
                "code": "language_unknown",
                "message": "too little running text to tell its language; read as English.",
            }
        )
    found += [
        {
            "code": "unsupported_language",
            "message": f"a passage is in an unsupported language ({code}) and was not understood.",
            "evidence": document.evidence(start, end),
        }
        for start, end, code in document.foreign()
    ]
    return found


def _cut(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    more = "at least " if len(items) >= MOST_READ else ""
    return {
        "code": "cut",
        "message": f"there are {more}{len(items):,} {name}; the report holds the first"
        f" {MOST_ITEMS:,}."
        " Analyse the parts of the text one by one to see all.",
    }
