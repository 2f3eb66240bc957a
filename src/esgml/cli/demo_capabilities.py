"""What the demo shows besides the forecast: alarms, a plan, and duties, each with its page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from esgml.cli.output import note, plain

if TYPE_CHECKING:
    from esgml.core.settings import Settings
    from esgml.training.showcase import Showcase

#: A made-up act, so that the page has a text to read.
INVENTED_ACT = """\
Article 1. This Regulation applies to operators of installations with a total rated thermal input
exceeding 20 MW and to undertakings with more than 1 000 employees on average.
Article 2. Operators shall monitor their greenhouse gas emissions and shall report them to the
competent authority by 31 March each year, starting in 2028. The report shall cover direct
emissions and emissions from purchased electricity.
Article 3. Member States shall lay down effective, proportionate and dissuasive penalties. The
maximum fine shall be at least 2 % of the annual worldwide turnover of the operator.
Article 4. Undertakings should adopt a transition plan by 31 December 2029.
"""
#: Faults that a reading shows; missing values are no readings.
_INVISIBLE = ("missing",)


def alarms(settings: Settings, made: Showcase) -> dict[str, Any]:
    """Watch every meter of the raw portfolio, and hold the alarms against the faults put in."""
    import numpy as np
    import polars as pl

    from esgml.anomaly.detect import detect, series_of
    from esgml.anomaly.report import page_report, report_of
    from esgml.core.frames import SeriesSpec
    from esgml.core.storage import write_atomic
    from esgml.dashboard.anomalies.report import STORED
    from esgml.data.panels import infer_frequency

    columns = sorted(set(made.labels["column"]))
    spec = SeriesSpec(targets=tuple(columns))
    units = {name: made.spec.unit_of(name) for name in columns}
    frequency = infer_frequency(made.frame, spec)
    found = detect(series_of(made.frame, spec), frequency, units=units)
    _, events = report_of(found)
    page = json.dumps(plain(page_report(found, events)), allow_nan=False)
    write_atomic(STORED.path(settings), page.encode())

    wrong = made.labels.filter(~pl.col("kind").is_in(_INVISIBLE))
    false = ordinary = 0
    hit: dict[str, list[bool]] = {}
    for key, watched in found.found.items():
        mine = wrong.filter(
            (pl.col("entity") == key.entity)
            & (pl.col("column") == key.target)
            & (pl.col("timestamp") >= pl.lit(found.until))
        )
        moments = mine["timestamp"].to_numpy().astype("datetime64[us]")
        bad = np.isin(watched.time, moments)
        seen = np.isfinite(watched.value)
        alarm = watched.decisions.alarm
        false += int((alarm & seen & ~bad).sum())
        ordinary += int((seen & ~bad).sum())
        raised = set(watched.time[alarm].tolist())
        for kind, moment in zip(mine["kind"], moments.tolist(), strict=True):
            hit.setdefault(kind, []).append(moment in raised)
    rate = false / ordinary if ordinary else 0.0
    note(
        f"alarms: {len(events)} events on {len(found.found)} meters; {rate:.2%} of the ordinary"
        " readings raised one"
    )
    return {
        "events": len(events),
        "meters": len(found.found),
        "false_positive_rate": rate,
        "readings": {
            kind: {"wrong": len(of), "found": sum(of)} for kind, of in sorted(hit.items())
        },
    }


def plan(settings: Settings, seed: int) -> dict[str, Any]:
    """Plan a battery for three days, and say what is gained over what."""
    from esgml.core.storage import write_atomic
    from esgml.dashboard.plan.report import STORED
    from esgml.optimization import library
    from esgml.optimization.engine import OptimizationEngine
    from esgml.optimization.request import decode

    problem, method, _ = decode(library.example("battery_dispatch", seed))
    document = plain(OptimizationEngine().solve(problem, method, seed=seed).as_dict())
    page = json.dumps(document, allow_nan=False)
    write_atomic(STORED.path(settings), page.encode())
    note(
        f"plan: battery dispatch by {document['method']}: {document['value']:.2f}"
        f" {document['units'][next(iter(document['objective']))]} instead of"
        f" {document['baseline']:.2f}; best simple rule {document['rule']:.2f}"
    )
    names = ("problem", "method", "why", "value", "baseline", "rule", "bound")
    return {name: document[name] for name in (*names, "share_of_attainable", "feasible")}


def duties(settings: Settings, made: Showcase) -> dict[str, Any]:
    """Weigh which regulations touch the company of the portfolio, and read a made-up act."""
    import polars as pl

    from esgml.core.storage import write_atomic
    from esgml.dashboard.regulation.report import STORED
    from esgml.regulatory.predictor import RegulatoryPredictor

    sites = made.frame.group_by("entity").agg(
        pl.col("employees").last(), pl.col("country").first(), pl.col("energy_kwh").median()
    )
    organization = {
        "name": "the generated company",
        "jurisdiction": sites["country"][0],
        "employees": float(sites["employees"].sum()),
        "energy_use": {"value": float(sites["energy_kwh"].sum()) * 365, "unit": "kWh"},
        "available_data": [t.removesuffix("_kg") for t in made.spec.targets],
    }
    predictor = RegulatoryPredictor()
    risk = predictor.predict_compliance_risk(organization)
    analysis = predictor.analyze_regulation(INVENTED_ACT)
    document = {
        "title": "Regulation",
        "risk": risk,
        "text": INVENTED_ACT,
        "analysis": analysis,
    }
    page = json.dumps(plain(document), allow_nan=False)
    write_atomic(STORED.path(settings), page.encode())
    answers = [entry["applies"] for entry in risk["by_regulation"]]
    counts = {word: answers.count(word) for word in ("yes", "unknown", "no")}
    note(
        f"duties: {counts['yes']} regulations apply, {counts['unknown']} are open,"
        f" {counts['no']} do not; impact of the made-up act {analysis['impact_score']:.2f}"
    )
    return {
        **counts,
        "overall_risk": risk["overall_risk"],
        "overall_risk_certain": risk["overall_risk_certain"],
        "impact_score": analysis["impact_score"],
    }
