import json

import numpy as np
import pytest
import serving_doubles as doubles

pytestmark = pytest.mark.anyio


async def test_forecast_answers_in_the_agreed_format(start):
    async with start() as run:
        answer = await run.client.post("/v1/emissions/forecast", json=doubles.forecast_request())
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert set(body) == {"forecasts", "model", "horizon", "model_version", "prediction_id"}
        forecast = body["forecasts"][0]
        assert len(forecast["mean"]) == body["horizon"] == 7
        assert forecast["timestamps"][0] == "2026-02-02T00:00:00"
        assert set(forecast["lower"]) == {"80", "90"}
        low, high = np.array(forecast["lower"]["80"]), np.array(forecast["upper"]["80"])
        assert (low <= forecast["mean"]).all() and (high >= forecast["mean"]).all()
        assert body["prediction_id"] == run.events[0].prediction_id
        assert run.events[0].bundle_digest == run.registry.get("emissions").digest


async def test_horizon_and_levels_can_be_chosen(start):
    async with start() as run:
        request = doubles.forecast_request(horizon=3, levels=[90])
        body = (await run.client.post("/v1/emissions/forecast", json=request)).json()
        assert body["horizon"] == 3
        assert list(body["forecasts"][0]["lower"]) == ["90"]


async def test_predict_gives_the_same_numbers_as_forecast(start):
    async with start() as run:
        values = doubles.history()
        answer = await run.client.post(
            "/v1/predict/emissions",
            json={"inputs": [values, values[:20]], "parameters": {"start": "2026-01-05"}},
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        forecast = await run.client.post("/v1/emissions/forecast", json=doubles.forecast_request())
        assert body["outputs"][0] == forecast.json()["forecasts"][0]["mean"]
        assert np.array(body["outputs"]).shape == (2, 7)
        assert len(set(body["prediction_ids"])) == 2
        assert body["model_version"] == "1"


async def test_infer_speaks_the_open_inference_protocol(start):
    async with start() as run:
        values = [doubles.history(14), doubles.history(14, seed=1)]
        request = {
            "id": "42",
            "inputs": [{"name": "history", "shape": [2, 14], "datatype": "FP64", "data": values}],
        }
        for path in ("/v2/models/emissions/infer", "/v2/models/emissions/versions/1/infer"):
            answer = await run.client.post(path, json=request)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            assert body["id"] == "42" and body["model_version"] == "1"
            outputs = {o["name"]: o for o in body["outputs"]}
            assert outputs["mean"]["shape"] == [2, 7]
            assert set(outputs) == {"mean", "lower_80", "upper_80", "lower_90", "upper_90"}
        flat = {**request, "outputs": [{"name": "mean"}]}
        flat["inputs"][0]["data"] = values[0] + values[1]
        again = (await run.client.post("/v2/models/emissions/infer", json=flat)).json()
        assert again["outputs"] == [outputs["mean"]]


async def test_descriptions_and_health(start):
    async with start() as run:
        get = run.client.get
        assert (await get("/v2/health/live")).json() == {"live": True}
        assert (await get("/v2/health/ready")).json() == {"ready": True}
        assert (await get("/v2")).json()["models"] == ["emissions"]
        model = (await get("/v2/models/emissions")).json()
        assert model["versions"] == ["1"]
        assert model["inputs"] == [{"name": "history", "datatype": "FP64", "shape": [-1, -1]}]
        assert (await get("/v2/models/emissions/versions/1")).json() == model
        assert (await get("/v2/models/emissions/ready")).json()["ready"] is True
        assert (await get("/v2/models/emissions/versions/1/ready")).json()["ready"] is True
        listed = (await get("/v1/models")).json()["models"][0]
        assert listed["metrics"] == {"wape": 0.11, "naive": {"wape": 0.2}}


async def test_unknown_models_versions_and_paths_are_404(start):
    async with start() as run:
        for path in (
            "/v2/models/other",
            "/v2/models/emissions/versions/9",
            "/v2/models/emissions/versions/champion",
            "/v2/models/..%2f..%2fetc",
            "/nowhere",
        ):
            answer = await run.client.get(path)
            assert answer.status_code == 404, path
            error = answer.json()["error"]
            assert set(error) == {"code", "message", "request_id"}
            assert error["request_id"] == answer.headers["x-request-id"]
        answer = await run.client.post("/v1/predict/other", json={"inputs": [[1.0]]})
        assert answer.status_code == 404


async def test_metrics_count_requests_batches_and_models(start):
    async with start() as run:
        await run.client.post("/v1/emissions/forecast", json=doubles.forecast_request())
        text = (await run.client.get("/metrics")).text
        route = 'route="/v1/emissions/forecast",method="POST",status="200"'
        assert f"esgml_requests_total{{{route}}} 1" in text
        assert 'esgml_predictions_total{model="emissions",version="1"} 1' in text
        assert 'esgml_batch_size_count{model="emissions"} 1' in text
        assert "esgml_model_info{" in text
        for line in text.splitlines():
            assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2


async def test_paths_made_up_by_callers_add_no_series(start):
    async with start() as run:
        for i in range(5):
            await run.client.get(f"/made/up/{i}")
        text = (await run.client.get("/metrics")).text
        assert 'route="unmatched",method="GET",status="404"} 5' in text


async def test_docs_use_nothing_from_outside_and_describe_every_route(start):
    async with start() as run:
        page = (await run.client.get("/docs")).text
        assert "http://" not in page and "https://" not in page and "<script" not in page
        assert " style=" not in page
        document = (await run.client.get("/openapi.json")).json()
        for path in document["paths"]:
            assert path in page
        assert {"/v1/emissions/forecast", "/v1/predict/{model}"} <= set(document["paths"])
        assert (
            (await run.client.get("/docs/style.css")).headers["content-type"].startswith("text/css")
        )


async def test_every_answer_carries_the_security_headers(start):
    async with start() as run:
        answers = [
            await run.client.get("/v2/health/live"),
            await run.client.get("/nowhere"),
            await run.client.post("/v1/emissions/forecast", json={}),
        ]
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-request-id"]


async def test_request_ids_are_kept_when_well_formed(start):
    async with start() as run:
        answer = await run.client.get("/v2/health/live", headers={"X-Request-Id": "abc-1"})
        assert answer.headers["x-request-id"] == "abc-1"
        answer = await run.client.get("/v2/health/live", headers={"X-Request-Id": "a b;" * 40})
        assert " " not in answer.headers["x-request-id"]


async def test_answers_repeat_from_the_cache_and_are_still_told(start):
    async with start() as run:
        bodies = []
        for _ in range(3):
            answer = await run.client.post(
                "/v1/emissions/forecast", json=doubles.forecast_request()
            )
            bodies.append(answer.json())
        assert sum(run.task.built[-1].batches) == 2  # the example, and one of the three
        assert len({b.pop("prediction_id") for b in bodies}) == 3
        assert bodies[0] == bodies[1] == bodies[2]
        assert len(run.events) == 3
        assert json.dumps(run.events[0].request) == json.dumps(run.events[2].request)
