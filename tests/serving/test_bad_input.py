import json

import pytest
import serving_doubles as doubles
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import EsgmlError, UsageError
from esgml.serving import protocol, wire
from esgml.serving.series_request import check_series_request

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}
SERIES = doubles.forecast_request()["series"][0]


def changed(**fields):
    return {"series": [{**SERIES, **fields}]}


BODIES = {
    "empty": (b"", 400),
    "no json": (b"{nope", 400),
    "no object": (b"[]", 400),
    "null": (b"null", 400),
    "utf-16": ('{"series": []}'.encode("utf-16"), 400),
    "invalid utf-8": (b'{"series": "\xff"}', 400),
    "NaN": (b'{"series": [{"values": [NaN]}]}', 400),
    "infinity": (b'{"series": [{"values": [-Infinity]}]}', 400),
    "1e999": (b'{"series": [{"values": [1e999]}]}', 400),
    "huge integer": (b'{"series": [{"values": [' + b"9" * 5000 + b"]}]}", 400),
    "huge float": (json.dumps(changed(values=[1e300, 1.0])).encode(), 400),
    "deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
    "deep lists": (b"[" * 100_000, 400),
    "many lists": (b"[" + b"[]," * 200_000 + b"1]", 400),
    "large and bad": (json.dumps(changed(values=["x" * 300_000])).encode(), 400),
    "no series": (b'{"series": []}', 400),
    "unknown field": (b'{"series": [], "extra": 1}', 400),
    "series no object": (b'{"series": [1]}', 400),
    "missing field": (b'{"series": [{"entity": "a"}]}', 400),
    "text values": (json.dumps(changed(values=["1", "2"])).encode(), 400),
    "boolean values": (json.dumps(changed(values=[True, 1.0])).encode(), 400),
    "no value": (json.dumps(changed(values=[])).encode(), 422),
    "all null": (json.dumps(changed(values=[None, None])).encode(), 422),
    "too short for the model": (json.dumps(changed(values=[1.0])).encode(), 422),
    "unknown target": (json.dumps(changed(target="scope9")).encode(), 422),
    "unknown covariate": (json.dumps(changed(known={"x": [1.0]})).encode(), 422),
    "short covariate": (json.dumps(changed(known={"temperature": [1.0]})).encode(), 422),
    "bad start": (json.dumps(changed(start="yesterday")).encode(), 400),
    "start out of range": (json.dumps(changed(start="0001-01-01T00:00+14:00")).encode(), 400),
    "empty entity": (json.dumps(changed(entity=" ")).encode(), 400),
    "long entity": (json.dumps(changed(entity="x" * 201)).encode(), 400),
    "lone surrogate": (json.dumps(changed(entity="\ud800")).encode(), 400),
    "NUL": (json.dumps(changed(entity="a\0b")).encode(), 400),
    "horizon too long": (json.dumps({**changed(), "horizon": 8}).encode(), 400),
    "horizon of no kind": (json.dumps({**changed(), "horizon": True}).encode(), 400),
    "level not calibrated": (json.dumps({**changed(), "levels": [50]}).encode(), 400),
    "too many rows": (json.dumps(changed(values=[1.0] * 10_001)).encode(), 413),
}


@pytest.mark.parametrize("name", BODIES)
async def test_bad_forecast_requests_are_refused_and_explained(start, name):
    body, status = BODIES[name]
    async with start() as run:
        answer = await run.client.post("/v1/emissions/forecast", content=body, headers=JSON)
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert error["code"] and error["message"] and error["request_id"]
        assert "Traceback" not in answer.text and ".py" not in answer.text
        assert not run.events


ROWS = {
    "no inputs": {},
    "inputs no list": {"inputs": 1},
    "empty": {"inputs": []},
    "row no list": {"inputs": [1]},
    "text": {"inputs": [["1"]]},
    "unknown field": {"inputs": [[1.0, 2.0]], "more": 1},
    "parameters": {"inputs": [[1.0, 2.0]], "parameters": 3},
    "start": {"inputs": [[1.0, 2.0]], "parameters": {"start": 7}},
}


@pytest.mark.parametrize("name", ROWS)
async def test_bad_rows_are_refused(start, name):
    async with start() as run:
        answer = await run.client.post("/v1/predict/emissions", json=ROWS[name])
        assert answer.status_code == 400, answer.text


def tensor(**fields):
    base = {"name": "history", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0, 3.0]}
    return {"inputs": [{**base, **fields}]}


TENSORS = {
    "no inputs": {},
    "two inputs": {"inputs": tensor()["inputs"] * 2},
    "no shape": tensor(shape=None),
    "negative shape": tensor(shape=[-1, -3]),
    "wrong shape": tensor(shape=[2, 3]),
    "three dimensions": tensor(shape=[1, 1, 3]),
    "huge shape": tensor(shape=[10**9, 10**9]),
    "type": tensor(datatype="BYTES"),
    "text data": tensor(data=["1", "2", "3"]),
    "ragged": tensor(shape=[2, 2], data=[[1.0, 2.0], [3.0]]),
    "no data": {"inputs": [{"name": "history", "shape": [1], "datatype": "FP64"}]},
    "binary without bytes": tensor(parameters={"binary_data_size": 24}),
    "unknown output": {**tensor(), "outputs": [{"name": "other"}]},
    "outputs empty": {**tensor(), "outputs": []},
    "id": {**tensor(), "id": 5},
}


@pytest.mark.parametrize("name", TENSORS)
async def test_bad_tensors_are_refused(start, name):
    async with start() as run:
        answer = await run.client.post("/v2/models/emissions/infer", json=TENSORS[name])
        assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("length", ["x", "-1", "999999", "1" * 40])
async def test_bad_binary_header_is_refused(start, length):
    async with start() as run:
        answer = await run.client.post(
            "/v2/models/emissions/infer",
            content=json.dumps(tensor()),
            headers={"Inference-Header-Content-Length": length},
        )
        assert answer.status_code == 400, answer.text


async def test_non_finite_bytes_are_refused(start):
    head = {"inputs": [{"name": "h", "shape": [2], "datatype": "FP64"}]}
    head["inputs"][0]["parameters"] = {"binary_data_size": 16}
    import numpy as np

    text = json.dumps(head).encode()
    body = text + np.array([1.0, np.nan]).tobytes()
    with pytest.raises(UsageError, match="NaN"):
        protocol.decode(body, str(len(text)), 100)


async def test_a_body_is_capped_while_it_streams(start):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1000

    async with start(settings={"max_body_bytes": 10_000}) as run:
        answer = await run.client.post("/v1/emissions/forecast", content=endless(), headers=JSON)
        assert answer.status_code == 413
        assert sent < 20
        declared = await run.client.post(
            "/v1/emissions/forecast", content=b" " * 10_001, headers=JSON
        )
        assert declared.status_code == 413


async def test_a_body_that_never_ends_times_out(start):
    import asyncio

    async def stalled():
        yield b"{"
        await asyncio.sleep(30)

    async with start(settings={"request_timeout": 0.1}) as run:
        answer = await run.client.post("/v1/emissions/forecast", content=stalled(), headers=JSON)
        assert answer.status_code == 408


async def test_other_content_types_encodings_and_methods_are_refused(start):
    async with start() as run:
        post = run.client.post
        body = json.dumps(doubles.forecast_request())
        for headers in ({}, {"Content-Type": "text/plain"}):
            answer = await post("/v1/emissions/forecast", content=body, headers=headers)
            assert answer.status_code == 415
        answer = await post("/v2/models/emissions/infer", data={"a": "b"})
        assert answer.status_code == 415
        answer = await post(
            "/v1/emissions/forecast", content=body, headers={**JSON, "Content-Encoding": "gzip"}
        )
        assert answer.status_code == 415
        answer = await run.client.get("/v1/emissions/forecast")
        assert answer.status_code == 405 and answer.headers["allow"] == "POST"
        answer = await run.client.delete("/v2/models/emissions")
        assert answer.status_code == 405


async def test_a_crash_in_the_model_tells_nothing_and_spoils_no_neighbour(start, caplog):
    import asyncio

    async with start() as run:
        bad = changed(entity="crash")
        answers = await asyncio.gather(
            *(
                run.client.post("/v1/emissions/forecast", json=r)
                for r in (bad, doubles.forecast_request(), bad, doubles.forecast_request(20))
            )
        )
        assert [a.status_code for a in answers] == [500, 200, 500, 200]
        assert "secret" not in answers[0].text
        assert answers[0].json()["error"]["code"] == "internal"
        assert "secret detail" in caplog.text  # the log keeps what the caller may not see
        live = await run.client.get("/v2/health/ready")
        assert live.status_code == 200


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    try:
        value = wire.loads(body)
    except UsageError:
        return
    assert json.loads(wire.dumps(value)) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["series", "values", "entity", "start", "known"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_any_document_is_accepted_or_refused_with_a_code(document):
    try:
        check_series_request(document, doubles.SCHEMA)
    except EsgmlError as error:
        assert error.code and error.message


def test_zones_are_read_as_utc():
    request = check_series_request(changed(start="2026-01-05T02:00:00+02:00"), doubles.SCHEMA)
    assert request["series"][0]["start"] == "2026-01-05T00:00:00"
