import asyncio
from dataclasses import replace

import pytest
import serving_doubles as doubles

from esgml.core.errors import HistoryError, NotAllowedError
from esgml.core.events import VersionPromoted
from esgml.core.settings import Settings
from esgml.serving import routes
from esgml.serving.gateway import Limits
from esgml.serving.integration import ModelIntegration
from esgml.serving.security import Guard, check_bind, is_loopback

pytestmark = pytest.mark.anyio
FORECAST = "/v1/emissions/forecast"


def registry_with(*trained):
    registry = doubles.Registry()
    for item in trained:
        registry.register(item)
    registry.promote("emissions", "1")
    return registry


async def test_a_promotion_swaps_versions_without_dropping_a_request(start):
    registry = registry_with(doubles.trained(1.0, delay=0.002), doubles.trained(2.0, delay=0.002))
    async with start(registry, cache_size=0) as run:
        answers = []
        stop = asyncio.Event()

        async def caller():
            while not stop.is_set():
                answers.append(await run.client.post(FORECAST, json=doubles.forecast_request()))

        callers = [asyncio.create_task(caller()) for _ in range(8)]
        for i in range(6):
            await asyncio.sleep(0.05)
            version = "2" if i % 2 == 0 else "1"
            registry.promote("emissions", version)
            if i < 4:  # told at once; the last two are found by asking the registry
                event = VersionPromoted("emissions", "champion", version)
                await asyncio.to_thread(run.app.bus.publish, event)
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*callers)
        assert {a.status_code for a in answers} == {200}
        assert {a.json()["model_version"] for a in answers} == {"1", "2"}
        means = {a.json()["model_version"]: a.json()["forecasts"][0]["mean"][0] for a in answers}
        assert means["2"] == 2 * means["1"]
        for answer in answers:  # no answer of one version carries the numbers of the other
            body = answer.json()
            assert body["forecasts"][0]["mean"][0] == means[body["model_version"]]


async def test_a_broken_promotion_leaves_the_old_version_in_service(start):
    registry = registry_with(doubles.trained(), doubles.trained(broken=True))
    async with start(registry) as run:
        registry.promote("emissions", "2")
        await asyncio.to_thread(run.hub.refresh)
        answer = await run.client.post(FORECAST, json=doubles.forecast_request())
        assert answer.json()["model_version"] == "1"
        assert (await run.client.get("/v1/models")).json()["failed"] == {"emissions": "ValueError"}
        assert "esgml_model_load_failures_total" in (await run.client.get("/metrics")).text


class Fragile(doubles.SeasonalMeanTask):
    """A task whose model breaks on the made-up history, or refuses it."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def predictor(self, files):
        predictor = super().predictor(files)
        predictor.predict_batch = self.fail
        return predictor

    def fail(self, requests):
        raise self.error


@pytest.mark.parametrize(
    ("error", "served"), [(RuntimeError("broken"), False), (HistoryError("too short"), True)]
)
async def test_a_bundle_without_example_is_exercised_on_a_made_up_history(start, error, served):
    item = doubles.trained()
    schema = {k: v for k, v in item.schema.items() if k != "example"}
    registry = registry_with(replace(item, schema=schema))
    async with start(registry, task=Fragile(error)) as run:
        ready = await run.client.get("/v2/health/ready")
        assert (ready.status_code == 200) == served


async def test_listed_metrics_leave_out_what_is_kept_by_series(start):
    item = doubles.trained()
    metrics = {**item.metrics, "coverage": {"80": 0.8}, "errors": {"a/b": {"t": [1.0]}}}
    async with start(registry_with(replace(item, metrics=metrics))) as run:
        listed = (await run.client.get("/v1/models")).json()["models"][0]
        assert set(listed["metrics"]) == {"wape", "naive", "coverage"}


async def test_a_pinned_version_answers_beside_the_champion(start):
    registry = registry_with(*(doubles.trained(1.0 + i) for i in range(7)))
    async with start(registry) as run:
        for version in "1234567":
            answer = await run.client.post(
                f"/v2/models/emissions/versions/{version}/infer",
                json={
                    "inputs": [
                        {
                            "name": "history",
                            "shape": [1, 8],
                            "datatype": "FP64",
                            "data": [7.0] * 8,
                        }
                    ]
                },
            )
            body = answer.json()
            assert body["model_version"] == version
            assert body["outputs"][0]["data"] == [7.0 * float(version)] * 7
        assert len(run.hub._pinned) <= 4


async def test_models_promoted_after_the_start_are_found(start):
    async with start(doubles.Registry()) as run:
        answer = await run.client.get("/v2/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "reason": "no model in service"}
        assert (await run.client.get("/v2/health/live")).status_code == 200
        assert (await run.client.post(FORECAST, json=doubles.forecast_request())).status_code == 404
        run.registry.register(doubles.trained())
        assert (await run.client.get("/v2/models/emissions")).status_code == 404
        run.registry.promote("emissions", "1")
        assert (await run.client.get("/v2/models/emissions")).status_code == 200
        assert (await run.client.get("/v2/health/ready")).status_code == 200


async def test_a_stuck_worker_is_not_healthy_and_requests_time_out(start, monkeypatch):
    monkeypatch.setattr(routes, "PROBE_SECONDS", 0.05)
    async with start(settings={"request_timeout": 0.1}) as run:
        predictor = run.task.built[-1]
        predictor.hold.clear()
        answer = await run.client.post(FORECAST, json=doubles.forecast_request())
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "timeout"
        ready = await run.client.get("/v2/health/ready")
        assert ready.status_code == 503 and "does not answer" in ready.json()["reason"]
        assert (await run.client.get("/v2/models/emissions/ready")).status_code == 503
        await asyncio.sleep(0.3)
        live = await run.client.get("/v2/health/live")
        assert live.status_code == 503 and live.json()["reason"] == "stuck: emissions"
        predictor.hold.set()
        for _ in range(100):
            if (await run.client.get("/v2/health/ready")).status_code == 200:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("the service did not recover")


async def test_load_is_shed_per_group_and_never_on_health_or_metrics(start):
    async with start(limits=Limits(predict=2, other=1), cache_size=0) as run:
        predictor = run.task.built[-1]
        predictor.hold.clear()
        held = [
            asyncio.create_task(run.client.post(FORECAST, json=doubles.forecast_request()))
            for _ in range(2)
        ]
        while run.app.gateway.in_progress["predict"] < 2:
            await asyncio.sleep(0.005)
        refused = await run.client.post(FORECAST, json=doubles.forecast_request())
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["code"] == "overloaded"
        assert (await run.client.get("/v2/health/live")).status_code == 200
        assert (await run.client.get("/v2/models/emissions")).status_code == 200
        metrics = (await run.client.get("/metrics")).text
        assert 'esgml_shed_total{route="predict"} 1' in metrics
        assert 'esgml_in_progress{group="predict"} 2' in metrics
        predictor.hold.set()
        assert [a.status_code for a in await asyncio.gather(*held)] == [200, 200]


async def test_draining_is_not_ready_but_still_serves(start):
    async with start() as run:
        run.app.serving.draining = True
        ready = await run.client.get("/v2/health/ready")
        assert ready.status_code == 503 and ready.json()["reason"] == "draining"
        assert (await run.client.get("/v2/health/live")).status_code == 200
        answer = await run.client.post(FORECAST, json=doubles.forecast_request())
        assert answer.status_code == 200


TOKEN = "correct-horse-battery-staple"


async def test_the_token_is_needed_everywhere_but_on_health(start):
    async with start(settings={"api_token": TOKEN}) as run:
        assert (await run.client.get("/v2/health/ready")).status_code == 200
        for path in ("/v2", "/metrics", "/docs", "/openapi.json", "/v1/models"):
            assert (await run.client.get(path)).status_code == 401, path
        refused = await run.client.post(FORECAST, json=doubles.forecast_request())
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", TOKEN):
            headers = {"Authorization": wrong}
            answer = await run.client.post(
                FORECAST, json=doubles.forecast_request(), headers=headers
            )
            assert answer.status_code == 401, wrong
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await run.client.post(FORECAST, json=doubles.forecast_request(), headers=headers)
        assert answer.status_code == 200
        # A browser sends the token as a password, and only to read.
        assert (await run.client.get("/docs", auth=("any", TOKEN))).status_code == 200
        posted = await run.client.post(
            FORECAST, json=doubles.forecast_request(), auth=("any", TOKEN)
        )
        assert posted.status_code == 401
        document = (await run.client.get("/openapi.json", headers=headers)).json()
        assert document["security"] == [{"token": []}]


async def test_pages_of_other_sites_cannot_call_a_service_without_token(start):
    async with start() as run:
        request = doubles.forecast_request()
        for headers in (
            {"Host": "evil.example.com"},
            {"Origin": "https://evil.example.com"},
            {"Origin": "null"},
        ):
            answer = await run.client.post(FORECAST, json=request, headers=headers)
            assert answer.status_code == 403, headers
        own = {"Origin": "http://127.0.0.1:8080"}
        assert (await run.client.post(FORECAST, json=request, headers=own)).status_code == 200
        rebound = await run.client.get("/", headers={"Host": "evil.example.com"})
        assert rebound.status_code == 403


def test_only_loopback_may_be_served_without_a_token():
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"):
        assert is_loopback(host)
        check_bind(Settings(host=host))
    for host in ("0.0.0.0", "::", "192.168.1.4", "example.com", ""):
        with pytest.raises(NotAllowedError) as caught:
            check_bind(Settings(host=host))
        assert caught.value.exit_code == 5 and "ESGML_API_TOKEN" in caught.value.remedy
        check_bind(Settings(host=host, api_token=TOKEN))
    with pytest.raises(NotAllowedError, match="short"):
        check_bind(Settings(host="0.0.0.0", api_token="abc"))


def test_odd_authorization_headers_are_refused():
    guard = Guard(TOKEN)
    for text in ("", "Basic !!!", "Basic /w==", "Bearer \xff", "\x00"):
        assert not guard.allows(text, browser=True)


def test_the_service_in_process_gives_the_same_answers(start):
    registry = registry_with(doubles.trained(1.5))
    task = doubles.SeasonalMeanTask()
    api = ModelIntegration(Settings(), registry, task_of=lambda name: task).create_prediction_api()
    request = doubles.forecast_request()
    answer = api.forecast(request)
    rows = api.predict(
        "emissions", [request["series"][0]["values"]], {"start": request["series"][0]["start"]}
    )
    assert rows["outputs"][0] == answer["forecasts"][0]["mean"]
    assert answer["model_version"] == rows["model_version"] == "1"
    api.close()
