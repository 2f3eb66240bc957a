"""The routes of the installed tasks against their description, and real requests end to end."""

import pytest
import serving_doubles as doubles
from hypothesis import HealthCheck, Phase, settings

from esgml.core.operations import BUILT_IN
from esgml.core.settings import Settings
from esgml.core.tasks import get_task, task_names
from esgml.serving.app import create_app

schemathesis = pytest.importorskip("schemathesis")
pytest.importorskip("sklearn", reason="the extra 'train' is not installed")

OWN = {op.path: op for name in task_names() for op in get_task(name).operations() if op.run}


def application():
    app = create_app(Settings(), doubles.Registry())
    app.hub.refresh()
    return app


schema = schemathesis.openapi.from_asgi("/openapi.json", application()).include(path=sorted(OWN))


def test_every_capability_has_its_route():
    assert set(OWN) == {
        "/v1/anomalies/detect",
        "/v1/optimization/control",
        "/v1/optimization/solve",
        "/v1/regulations/analyze",
        "/v1/compliance/risk",
    }


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_routes_keep_their_description(case):
    excluded = [
        # Well-formed documents may still make no sense: a battery that holds less than nothing.
        schemathesis.checks.positive_data_acceptance,
    ]
    case.call_and_validate(excluded_checks=excluded)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "document", "found"),
    [
        (
            "/v1/regulations/analyze",
            {"text": "Operators shall report by 31 March 2028.", "as_of": "2026-11-26"},
            lambda a: a["timeline"][0]["date"] == "2028-03-31",
        ),
        (
            "/v1/compliance/risk",
            {"organization": {"name": "A", "jurisdiction": "DE"}, "regulations": ["csrd"]},
            lambda a: a["by_regulation"][0]["applies"] == "unknown" and a["as_of"],
        ),
    ],
)
async def test_a_request_is_answered_recorded_and_the_same_again(start, path, document, found):
    async with start(doubles.Registry(), task=get_task("regulatory")) as run:
        answer = await run.client.post(path, json=document)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["model_version"] == BUILT_IN and found(body)
        (told,) = run.events
        assert "as_of" in told.request
        assert OWN[path].run(told.request) == told.response
