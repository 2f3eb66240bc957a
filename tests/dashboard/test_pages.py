import datetime as dt
import re

import httpx
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import DataError
from esgml.dashboard import axes
from esgml.dashboard.forecast import fan_chart as charts
from esgml.dashboard.forecast.page import scores
from esgml.dashboard.forecast.report import STORED, History, SeriesForecast
from esgml.dashboard.forecast.target import TARGETS, Assessed, target_path


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def client(application):
    transport = httpx.ASGITransport(application)
    async with (
        application.router.lifespan_context(application),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


@pytest.mark.anyio
async def test_the_page_holds_nothing_inline_and_nothing_from_outside(
    application, client, make_report
):
    application.store(make_report())
    answer = await client.get("/")
    assert answer.status_code == 200
    page = answer.text
    assert not re.search(r"<script(?![^>]*src=\"/static/)", page)
    assert " style=" not in page and " onload=" not in page and "<style" not in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    for name in re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", page):
        assert (await client.get(name)).status_code == 200


@pytest.mark.anyio
async def test_names_are_escaped(application, client, make_report):
    application.store(make_report(("<script>alert(1)</script>", '"><svg onload=alert(1)>')))
    page = (await client.get("/?series=1")).text
    assert "<script>alert" not in page and "<svg onload" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.anyio
@pytest.mark.parametrize(
    "document",
    [
        "{nope",
        "[]",
        "null",
        '{"forecasts": 3}',
        '{"forecasts": [{"entity": "a", "target": "b", "timestamps": [], "mean": []}]}',
        '{"forecasts": [{"entity": "a", "target": "b", "timestamps": ["2026-01-01"],'
        ' "mean": [1, 2]}]}',
        '{"forecasts": [{"entity": "a", "target": "b", "timestamps": ["2026-01-01"],'
        ' "mean": [NaN]}]}',
        '{"forecasts": [{"entity": "a", "target": "b", "timestamps": ["2026-01-01"],'
        ' "mean": [1], "lower": {"x": [0]}, "upper": {"x": [0]}}]}',
    ],
)
async def test_an_unreadable_report_is_told_on_the_page(application, client, document):
    application.store(document)
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "The stored forecast" in answer.text or "the stored forecast" in answer.text
    assert "Models in service" in answer.text and "Traceback" not in answer.text


@pytest.mark.anyio
async def test_no_series_and_unknown_series(application, client, make_report):
    application.store({"title": "Empty"})
    assert "holds no series" in (await client.get("/")).text
    application.store(make_report())
    for text in ("99", "-1", "x", "1e3", "9" * 40, "²"):
        answer = await client.get("/", params={"series": text})
        assert answer.status_code == 404 and "no such series" in answer.text


@pytest.mark.anyio
async def test_many_series_are_all_reached(application, client, make_report):
    names = [f"site {k:03}" for k in range(450)]
    application.store(make_report(names, horizon=2, days=10))
    page, seen, asked = "/", set(), set()
    while page not in asked:
        asked.add(page)
        text = (await client.get(page)).text
        seen |= set(re.findall(r"<bdi>(site \d{3})</bdi></a>", text))
        later = re.search(r'<a href="([^"]+)">later ones</a>', text)
        page = later.group(1) if later else page
    assert seen == set(names) and len(asked) == 3
    assert "Series 401 to 450 of 450" in text and "/?series=200" in text


@pytest.mark.anyio
async def test_a_changed_report_is_shown_at_once(application, client, make_report):
    application.store({**make_report(), "title": "First"})
    assert "First" in (await client.get("/")).text
    application.store({**make_report(), "title": "Second one"})
    assert "Second one" in (await client.get("/")).text


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["..%2fpages.py", "pages.py", "style.css%00", "nothing.css"])
async def test_only_our_files_are_given_out(client, name):
    assert (await client.get(f"/static/{name}")).status_code == 404


def test_a_report_too_large_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "forecast.json"
    path.write_text("{}" + " " * 100)
    monkeypatch.setattr("esgml.dashboard.stored.MAX_BYTES", 50)
    with pytest.raises(DataError, match="too large"):
        STORED.read(path)


@pytest.mark.anyio
async def test_a_target_stands_in_the_chart_of_its_series(
    application, client, make_report, make_target
):
    application.store(make_report())
    assert "Target path" not in (await client.get("/")).text
    application.store(make_target(), TARGETS)
    answer = await client.get("/")
    assert "Target path" in answer.text and "62 %" in answer.text
    assert "25 % below 2024 in 2027" in answer.text
    assert "Target path" not in (await client.get("/", params={"series": "1"})).text
    application.store(make_target("Plant South"), TARGETS)
    assert "Target path" in (await client.get("/", params={"series": "1"})).text
    application.store('{"results": [{"probability": 7}]}', TARGETS)
    answer = await client.get("/")
    assert answer.status_code == 200 and "The stored target is unreadable" in answer.text


@pytest.mark.parametrize(
    ("step", "count", "expected"),
    [
        ("1d", 60, 1000.0),
        ("1h", 200, 1000.0 / 24),
        ("1w", 60, 7000.0),
        ("1mo", 30, 1000 * 365.2425 / 12),
        ("1q", 12, 1000 * 365.2425 / 4),
        ("1y", 4, 1000 * 365.2425),
    ],
)
def test_a_period_has_its_share_of_the_year(step, count, expected):
    start = pl.Series([dt.datetime(2024, 1, 1)])
    times = [start.dt.offset_by(f"{k * int(step[0])}{step[1:]}")[0] for k in range(count)]
    past = History(entity="a", target="b", timestamps=times[:-1], values=[1.0] * (count - 1))
    ahead = SeriesForecast(entity="a", target="b", unit="kg", timestamps=times[-1:], mean=[1.0])
    flat = [{"year": year, "path": 365.2425} for year in (2023, 2050)]
    found = target_path(
        Assessed(entity="a", target="b", unit="t", probability=1, path=flat), ahead, past
    )
    assert found.timestamps[0] == times[0] and found.timestamps[-1] == times[-1]
    np.testing.assert_allclose(found.values, expected)


def test_a_path_runs_from_the_base_year_to_the_goal_and_no_further():
    times = [dt.datetime(year, 1, 1) for year in range(2018, 2031)]
    past = History(entity="a", target="b", timestamps=times[:7], values=[1.0] * 7)
    ahead = SeriesForecast(entity="a", target="b", timestamps=times[7:], mean=[1.0] * 6)
    falling = [{"year": y, "path": 100.0 - 10 * (y - 2020)} for y in range(2020, 2028)]
    aim = Assessed(entity="a", target="b", probability=0.5, path=falling)
    found = target_path(aim, ahead, past)
    assert found.timestamps[0].year == 2020 and found.timestamps[-1].year == 2027
    assert found.values[0] == pytest.approx(100, abs=0.1)
    assert found.values[-1] == pytest.approx(30, abs=0.1)
    early = History(entity="a", target="b", timestamps=times[:2], values=[1.0] * 2)
    only = ahead.model_copy(update={"timestamps": [dt.datetime(2020, 1, 1)], "mean": [1.0]})
    assert target_path(aim, only, early) is None
    for unit in ("kWh", "head"):
        assert target_path(aim, ahead.model_copy(update={"unit": unit}), past) is None
    assert target_path(aim, ahead.model_copy(update={"timestamps": times[7:8]})) is None


def test_scores_stand_beside_the_naive_forecast():
    found = scores({"wape": 0.1, "within_10pct": 0.6, "mase": 0.7, "naive": {"wape": 0.2}})
    assert [(s.title, s.value, s.naive, s.gain, s.better) for s in found] == [
        ("WAPE", "10.0%", "20.0%", "+50%", True),
        ("MASE", "0.70", "–", "", False),
        ("Within 10 %", "60.0%", "–", "", False),
    ]
    metrics = {"primary": "f1", "higher_is_better": True, "f1": 0.6, "naive": {"f1": 0.5}}
    assert [(s.title, s.gain, s.better) for s in scores(metrics)] == [("f1", "+20%", True)]
    assert scores({"wape": None, "naive": 3, "coverage": 1}) == []
    held = scores({"coverage": {"80": 0.812, "90": None}})
    assert [(s.title, s.value) for s in held] == [("80 % interval held", "81.2%")]


def series(values, **more):
    start = dt.datetime(2026, 1, 1)
    times = [start + dt.timedelta(days=i) for i in range(len(values))]
    return SeriesForecast(entity="a", target="b", timestamps=times, mean=values, **more)


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=30),
    st.sampled_from([420, 960]),
)
def test_every_chart_stays_inside_its_box(values, width):
    spread = [abs(v) * 0.1 + 1 for v in values]
    forecast = series(
        values,
        lower={"80": [v - s for v, s in zip(values, spread, strict=True)]},
        upper={"80": [v + s for v, s in zip(values, spread, strict=True)]},
    )
    chart = charts.fan_chart(forecast, width=width)
    for path in (chart.mean, chart.bands[0].path):
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path):
            assert chart.left - 0.1 <= float(x) <= chart.right + 0.1
            assert chart.top - 0.1 <= float(y) <= chart.bottom + 0.1
    assert charts.sparkline(forecast, None)[1].startswith("M")


@given(st.floats(-1e9, 1e9), st.floats(1e-2, 1e15), st.integers(2, 10))
def test_ticks_are_round_and_span_the_values(low, size, count):
    ticks = axes.nice_ticks(low, low + size, count)
    rounding = 1e-9 * size + 1e-12 * abs(low)  # a tick of 83886.9 may be one bit above it
    assert ticks[0] <= low + rounding and ticks[-1] >= low + size - rounding
    assert len(ticks) <= count + 3


@pytest.mark.parametrize(
    ("days", "label"), [(0.5, "00:00"), (20, "Jan"), (200, "Feb 2026"), (3000, "2028")]
)
def test_time_ticks_fit_the_span(days, label):
    start = dt.datetime(2026, 1, 1)
    ticks = axes.time_ticks(start, start + dt.timedelta(days=days), 8)
    assert 1 <= len(ticks) <= 8
    assert any(label in text for _, text in ticks)


def test_numbers_are_written_for_people():
    assert [axes.number(v) for v in (0, 1234.5, 45.67, 1.234, 0.01234, -1e9)] == [
        "0",
        "1,234",
        "45.7",
        "1.23",
        "0.0123",
        "-1,000,000,000",
    ]
