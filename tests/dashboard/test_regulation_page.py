"""The regulation page: duties by risk and deadline, a text with its clauses marked."""

import datetime as dt
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.settings import Settings
from esgml.dashboard.regulation import page
from esgml.dashboard.regulation.report import STORED, Analysis, Duty, RegulationReport

TEXT = "Reports are due by 31 March 2027. The rules apply to cement plants."


def risk():
    cited = {"text": "employees 1500 > 1000: yes", "evidence": {"citation": "Art. 19a <b>"}}
    duty = {"id": "csrd", "title": "CSRD", "applies": "yes", "because": [cited], "risk": 0.4}
    return {
        "organization": "Acme",
        "as_of": "2026-11-26",
        "overall_risk": 0.46,
        "by_regulation": [
            {**duty, "deadline": "2027-12-31", "missing_data": [{"name": "Scope 3"}]},
            {**duty, "id": "eudr", "title": "EUDR", "applies": "unknown", "risk": 0.1},
            {**duty, "id": "sec", "title": "SEC", "applies": "no", "risk": 0},
        ],
        "recommendations": [{"text": f"Collect {i}", "gain": 0.1} for i in range(10)],
        "formula": "risk = a x b",
    }


def analysis():
    def span(start, end):
        return {"text": TEXT[start:end], "start": start, "end": end}

    return {
        "impact_score": 0.6,
        "affected_areas": [{"area": "industry", "probability": 0.8, "evidence": span(34, 67)}],
        "timeline": [{"what": "report", "date": "2027-03-31", "evidence": span(0, 33)}],
    }


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def visit(application, tmp_path):
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://127.0.0.1"
    ) as client:

        async def get(document=None):
            if document is not None:
                path = STORED.path(Settings(workspace=tmp_path))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(document))
            answer = await client.get("/regulation")
            assert answer.status_code == 200
            return answer.text

        yield get


@pytest.mark.anyio
async def test_duties_reasons_and_advice_are_shown(visit):
    text = await visit({"risk": risk()})
    assert "Model estimate, not legal advice" in text
    assert text.index("CSRD") < text.index("EUDR") < text.index("SEC")
    assert "employees 1500 &gt; 1000: yes" in text and "Art. 19a &lt;b&gt;" in text
    assert "400 days" in text and "2 more steps" in text and "2027-12-31" in text
    assert text.count('class="dot yes"') == 2 and 'class="dot no"' not in text


@pytest.mark.anyio
async def test_a_text_is_shown_with_its_clauses_marked(visit):
    text = await visit({"analysis": analysis(), "text": TEXT})
    assert f'<mark class="date" title="2027-03-31: report">{TEXT[:33]}</mark>' in text
    assert f'<mark class="area" title="industry">{TEXT[34:]}</mark>' in text
    assert "0.60" in text and "80 %" in text


@pytest.mark.anyio
async def test_nothing_stored_and_something_unreadable(visit):
    assert "esgml regulation risk ORG.json" in await visit()
    assert "unreadable" in await visit({"risk": {"overall_risk": 7}})


SPANS = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=8)


@given(SPANS)
def test_marking_neither_loses_nor_repeats_a_letter(spans):
    found = Analysis.model_validate(
        {
            "timeline": [
                {"what": "x", "evidence": {"text": "", "start": a, "end": b}} for a, b in spans
            ]
        }
    )
    pieces = page.marked(TEXT, found)
    assert "".join(piece.text for piece in pieces) == TEXT


@given(st.lists(st.tuples(st.integers(-4000, 4000), st.floats(0, 1)), max_size=20))
def test_the_radar_stays_inside_its_box(places):
    today = dt.date(2026, 11, 26)
    duties = [
        Duty(id=str(i), applies="yes", risk=r, deadline=today + dt.timedelta(days=d))
        for i, (d, r) in enumerate(places)
    ]
    chart = page.radar(duties, today)
    assert len(chart.dots) == len(places)
    for dot in chart.dots:
        assert chart.left <= dot.x <= chart.right and chart.top <= dot.y <= chart.bottom


def test_an_empty_report_is_a_report():
    assert RegulationReport.model_validate({}).risk is None
