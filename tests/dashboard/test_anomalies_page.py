"""The page of alarms: a queue by what is at stake, a timeline, and verdicts that stay."""

import datetime as dt
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import UsageError
from esgml.core.settings import Settings
from esgml.dashboard.anomalies import verdicts
from esgml.dashboard.anomalies.band_chart import band_chart
from esgml.dashboard.anomalies.report import STORED, Timeline

START = dt.datetime(2016, 7, 4)
JSON = {"Content-Type": "application/json"}


def event(name, tco2e=0.1, **more):
    times = [(START + dt.timedelta(hours=i)).isoformat() for i in range(48)]
    line = {
        "timestamps": times,
        "observed": [100.0 + (i == 30) * 90 for i in range(48)],
        "expected": [100.0] * 48,
        "lower": [90.0] * 48,
        "upper": [110.0] * 48,
        "alarm": [i == 30 for i in range(48)],
    }
    return {
        "id": name,
        "entity": f"meter {name} <b>",
        "kind": "level_shift",
        "start": times[30],
        "end": times[30],
        "excess": 90.0,
        "unit": "kWh",
        "tco2e": tco2e,
        "explanation": "Above every baseline.",
        "baselines": [{"name": "hour of week", "expected": 101.0}],
        "timeline": line,
        **more,
    }


def report(**more):
    return {
        "budget": 0.01,
        "alarm_rate": {"a": 0.004, "b": 0.008, "c": None},
        "events": [event("small"), event("large", 2.0), event("bare", 0.5, timeline=None)],
        "not_judged": {"new": "3 days are too few."},
        **more,
    }


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def client(application, tmp_path):
    def store(document):
        path = STORED.path(Settings(workspace=tmp_path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application, raise_app_exceptions=False),
        base_url="http://127.0.0.1",
    ) as client:
        client.store = store
        client.said = lambda: verdicts.latest(verdicts.verdicts_path(Settings(workspace=tmp_path)))
        yield client


@pytest.mark.anyio
async def test_most_at_stake_comes_first_and_is_explained(client):
    client.store(report())
    text = (await client.get("/anomalies")).text
    assert text.index('data-event="large"') < text.index("Queue")
    queue = text[text.index("Queue") :]
    assert queue.index("meter large") < queue.index("meter bare") < queue.index("meter small")
    assert "meter large &lt;b&gt;" in text and "<b>: level" not in text
    for words in ("2.60 t", "0.60 %", "worst meter 0.80 %", "budget 1 %", "hour of week", "3 days"):
        assert words in text
    assert text.count('class="ring"') == 2
    assert 'class="ring"' not in (await client.get("/anomalies?event=1")).text
    assert (await client.get("/anomalies?event=9")).status_code == 404


@pytest.mark.anyio
async def test_verdicts_stay_and_give_the_precision(client):
    client.store(report())
    for name, verdict in (("large", "true"), ("small", "false"), ("bare", "explained")):
        answer = await client.post("/anomalies/verdict", json={"id": name, "verdict": verdict})
        assert answer.status_code == 200
    assert client.said() == {"large": "true", "small": "false", "bare": "explained"}
    text = (await client.get("/anomalies")).text
    assert "50 %" in text and "confirmed" in text and "2 confirmed or dismissed" in text
    await client.post("/anomalies/verdict", json={"id": "small", "verdict": ""})
    assert client.said() == {"large": "true", "bare": "explained"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"id": "large"}', 400),
        (b'{"id": "large", "verdict": "maybe"}', 400),
        (b'{"id": "large", "verdict": 1}', 400),
        (b'{"id": "nobody", "verdict": "true"}', 404),
        (b'{"id": "' + b"x" * 3000 + b'", "verdict": "true"}', 400),
    ],
)
async def test_bad_verdicts_are_refused_and_leave_nothing(client, body, status):
    client.store(report())
    answer = await client.post("/anomalies/verdict", content=body, headers=JSON)
    assert answer.status_code == status and client.said() == {}


@pytest.mark.anyio
async def test_other_sites_and_forms_cannot_leave_verdicts(client):
    client.store(report())
    body = {"id": "large", "verdict": "true"}
    foreign = {"Origin": "http://evil.example"}
    answer = await client.post("/anomalies/verdict", json=body, headers=foreign)
    assert answer.status_code == 403
    own = {"Origin": "http://127.0.0.1"}
    assert (await client.post("/anomalies/verdict", json=body, headers=own)).status_code == 200
    form = await client.post("/anomalies/verdict", data=body)
    assert form.status_code == 400


@pytest.mark.anyio
async def test_nothing_stored_and_nothing_found(client):
    assert "esgml detect DATA" in (await client.get("/anomalies")).text
    answer = await client.post("/anomalies/verdict", json={"id": "x", "verdict": "true"})
    assert answer.status_code == 404
    client.store({"events": []})
    assert "No alarm was raised" in (await client.get("/anomalies")).text
    client.store({"events": [event("a", timeline={"timestamps": [], "observed": [1]})]})
    assert "unreadable" in (await client.get("/anomalies")).text


def test_a_torn_line_loses_only_itself(tmp_path):
    path = tmp_path / "v.jsonl"
    verdicts.record(path, {"id": "a"}, "true")
    with open(path, "ab") as file:
        file.write(b'{"id": "b", "verd\n')
    verdicts.record(path, {"id": "c"}, "false")
    assert verdicts.latest(path) == {"a": "true", "c": "false"}
    with pytest.raises(UsageError):
        verdicts.record(path, {"id": "a"}, "perhaps")
    assert verdicts.precision({}) == (None, 0)


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=2, max_size=40),
    st.sampled_from([420, 960]),
)
def test_the_band_stays_inside_its_box(values, width):
    line = Timeline(
        timestamps=[START + dt.timedelta(hours=i) for i in range(len(values))],
        observed=values,
        expected=values,
        lower=[None if v is None else v - 1 for v in values],
        upper=[None if v is None else v + 1 for v in values],
        alarm=[True] * len(values),
    )
    chart = band_chart(line, width=width)
    if all(v is None for v in values):
        assert chart is None
        return
    assert len(chart.alarms) == sum(v is not None for v in values)
    for x, y, _ in chart.alarms:
        assert chart.left - 0.1 <= x <= chart.right + 0.1
        assert chart.top - 0.1 <= y <= chart.bottom + 0.1
    assert all(area.endswith("Z") for area in chart.bands)
