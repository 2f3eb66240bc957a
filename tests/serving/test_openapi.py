"""The description against the service: generated requests, in process, bounded."""

import contextlib
import json
import re

import pytest
import serving_doubles as doubles
from hypothesis import HealthCheck, Phase, settings

from esgml.core.settings import Settings
from esgml.serving.app import create_app

schemathesis = pytest.importorskip("schemathesis")


def application():
    registry = doubles.Registry()
    registry.register(doubles.trained())
    registry.promote("emissions", "1")
    task = doubles.SeasonalMeanTask()
    app = create_app(Settings(), registry, task_of=lambda name: task, tasks=("emissions",))
    app.hub.refresh()
    return app


schema = schemathesis.openapi.from_asgi("/openapi.json", application())


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_service_keeps_its_description(case):
    excluded = [
        # Well-formed requests may still not fit a model: an unknown name, a short history.
        schemathesis.checks.positive_data_acceptance,
    ]
    with contextlib.suppress(AttributeError):
        excluded.append(schemathesis.checks.missing_required_header)
    for name, value in (("model", "emissions"), ("version", "1")):
        if name in (case.path_parameters or {}) and len(case.path_parameters[name]) % 2:
            case.path_parameters[name] = value  # half of the requests meet a model
    case.call_and_validate(excluded_checks=excluded)


def test_every_error_has_the_form_that_is_answered():
    document = application().openapi()
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert named <= set(document["components"]["schemas"])
    assert not {name for name in named if "Validation" in name}
    for path in document["paths"].values():
        for described in path.values():
            for status, answer in described["responses"].items():
                if status.startswith("4"):
                    (content,) = answer["content"].values()
                    assert content["schema"]["$ref"].endswith("/Error")
