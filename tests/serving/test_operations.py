"""Routes that tasks declare: a champion answers, or the code alone, and both can be traced."""

import pytest
import serving_doubles as doubles

from esgml.core.errors import NotFoundError, UsageError
from esgml.core.events import EventBus, PredictionMade
from esgml.core.operations import BUILT_IN, Operation
from esgml.core.settings import Settings
from esgml.monitoring import records
from esgml.monitoring import trace as tracing
from esgml.monitoring.log import PredictionLog
from esgml.serving.integration import ModelIntegration

pytestmark = pytest.mark.anyio


def total(document):
    values = document.get("values")
    if not isinstance(values, list) or not all(type(v) in (int, float) for v in values):
        raise UsageError("must be a list of numbers.", where="values")
    if 13 in values:
        raise RuntimeError("secret detail")
    return {"total": float(sum(values))}


SUM = Operation(
    "sum_values",
    "/v1/values/sum",
    "Sum values",
    request={"type": "object", "required": ["values"], "properties": {"values": {"type": "array"}}},
    answer={"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}},
    run=total,
    learned=False,
)


class SummingTask(doubles.SeasonalMeanTask):
    """Forecasts with a model and sums without one."""

    def operations(self):
        return (*super().operations(), SUM)


async def test_the_code_alone_answers_and_tells_of_it(start):
    async with start(doubles.Registry(), task=SummingTask()) as run:
        assert (await run.client.get("/v2/health/ready")).json() == {"ready": True}
        answer = await run.client.post(SUM.path, json={"values": [1, 2, 3.5]})
        body = answer.json()
        assert (body["total"], body["model_version"]) == (6.5, BUILT_IN)
        (told,) = run.events
        assert told.prediction_id == body["prediction_id"]
        assert (told.model, told.response) == ("sum_values", {"total": 6.5})
        text = (await run.client.get("/metrics")).text
        assert 'route="/v1/values/sum",method="POST",status="200"} 1' in text


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[]", 422), (b'{"values": "x"}', 400), (b'{"values": [NaN]}', 400), (b"", 400)],
)
async def test_bad_documents_are_refused(start, body, status):
    async with start(task=SummingTask()) as run:
        headers = {"Content-Type": "application/json"}
        answer = await run.client.post(SUM.path, content=body, headers=headers)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"code", "message", "request_id"}


async def test_a_crash_leaks_nothing_and_stops_nothing(start):
    async with start(task=SummingTask()) as run:
        answer = await run.client.post(SUM.path, json={"values": [13]})
        assert answer.status_code == 500 and "secret" not in answer.text
        assert (await run.client.post(SUM.path, json={"values": [1]})).status_code == 200
        assert (await run.client.get(SUM.path)).status_code == 405


async def test_only_a_model_answers_what_is_learned(start):
    async with start(doubles.Registry(), task=SummingTask()) as run:
        answer = await run.client.post("/v1/emissions/forecast", json=doubles.forecast_request())
        assert answer.status_code == 404
        assert "esgml train" in answer.json()["error"]["message"]


async def test_operations_are_described(start):
    async with start(task=SummingTask()) as run:
        paths = (await run.client.get("/openapi.json")).json()["paths"]
        answer = paths[SUM.path]["post"]["responses"]["200"]["content"]["application/json"]
        assert answer["schema"]["required"] == ["total", "model_version", "prediction_id"]
        assert "/v1/emissions/forecast" in paths
        assert SUM.path in (await run.client.get("/docs")).text


def test_in_process_answers_are_recorded_and_computed_again(tmp_path, monkeypatch):
    bus, path = EventBus(), tmp_path / "log.db"
    log = PredictionLog(path)
    bus.subscribe(PredictionMade, log.record)
    registry = doubles.Registry()
    registry.register(doubles.trained())
    registry.promote("emissions", "1")
    task = SummingTask()
    integration = ModelIntegration(Settings(), registry, bus=bus, task_of=lambda name: task)
    api = integration.create_prediction_api()
    answer = api.ask("sum_values", {"values": [1.5, 2]})
    assert answer["total"] == 3.5
    forecast = api.ask("/v1/emissions/forecast", doubles.forecast_request())
    assert forecast["model_version"] == "1"
    with pytest.raises(NotFoundError, match="sum_values"):
        api.ask("no_such", {})
    api.close()
    log.close()
    record = records.find(path, answer["prediction_id"])
    assert tracing.is_built_in(record)
    monkeypatch.setattr(tracing, "find_operation", lambda name: {"sum_values": SUM}[name])
    found = tracing.trace(record, None)
    assert found.sound and found.as_dict()["model"]["version"] == BUILT_IN
    monkeypatch.setattr(
        tracing, "find_operation", lambda name: Operation("x", "/x", "", run=lambda d: {"total": 4})
    )
    found = tracing.trace(record, None)
    assert not found.identical and found.differences == ("total: 3.5 recorded, 4 computed now",)
    made = records.find(path, forecast["prediction_id"])
    assert not tracing.is_built_in(made)


async def test_what_depends_on_the_clock_is_filled_in_and_recorded(start):
    class Dated(doubles.SeasonalMeanTask):
        def operations(self):
            return (
                Operation(
                    "dated",
                    "/v1/dated",
                    "Dated",
                    run=lambda d: {"day": d["as_of"]},
                    complete=lambda d: {"as_of": "2026-11-26", **d},
                    learned=False,
                ),
            )

    async with start(task=Dated()) as run:
        assert (await run.client.post("/v1/dated", json={})).json()["day"] == "2026-11-26"
        body = {"as_of": "2030-01-01"}
        assert (await run.client.post("/v1/dated", json=body)).json()["day"] == "2030-01-01"
        assert [e.request["as_of"] for e in run.events] == ["2026-11-26", "2030-01-01"]


def test_an_operation_needs_something_to_answer_with():
    with pytest.raises(ValueError, match="nothing to answer"):
        Operation("x", "/x", "", learned=False)
