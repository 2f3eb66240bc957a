"""The plan page: the plan beside today, rules and limit, its front and its course."""

import json

import httpx
import pytest

from esgml.core.settings import Settings
from esgml.dashboard.plan import page
from esgml.dashboard.plan.report import STORED, PlanReport


def plan(**more):
    return {
        "problem": "battery dispatch",
        "method": "exact",
        "why": "Every cost is linear.",
        "objective": {"cost": 41.2, "carbon": 22.5},
        "units": {"cost": "USD", "carbon": "kgCO2e"},
        "value": 41.2,
        "baseline": 66.9,
        "bound": 41.2,
        "share_of_attainable": 1.0,
        "gap": 0.0,
        "feasible": True,
        "comparison": {"baseline": {"cost": 66.9, "carbon": 36.3, "feasible": True}},
        "solution": {"charge": [i % 7 for i in range(48)], "build": True, "mode": ["a"] * 48},
        "front": [{"objective": {"cost": 41.2 + i, "carbon": 22.5 - i}} for i in range(5)],
        **more,
    }


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def visit(application, tmp_path):
    def store(document):
        path = STORED.path(Settings(workspace=tmp_path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://127.0.0.1"
    ) as client:

        async def get(document=None):
            if document is not None:
                store(document)
            answer = await client.get("/plan")
            assert answer.status_code == 200
            return answer.text

        yield get


@pytest.mark.anyio
async def test_a_plan_stands_beside_today_and_the_limit(visit):
    text = await visit(plan())
    for words in ("38.4 %", "100.0 %", "battery dispatch", "limit", "baseline", "cost, USD"):
        assert words in text
    assert text.count("<svg") == 4  # front and one curve, each wide and narrow
    assert text.count('class="dot point"') == 10 and text.count('class="dot chosen"') == 2


@pytest.mark.anyio
async def test_a_broken_limit_is_told(visit):
    text = await visit(plan(feasible=False, violations={"peak <b>": 2.5}, front=[], gap=None))
    assert "breaks a limit" in text and "peak &lt;b&gt;" in text and "by 2.5" in text


@pytest.mark.anyio
@pytest.mark.parametrize("document", ["{", "[]", '{"problem": 3}', '{"value": NaN}'])
async def test_no_plan_and_a_bad_one(visit, document):
    assert "esgml optimize PROBLEM.json" in await visit()
    assert "The stored plan is unreadable" in await visit(document)


def test_values_hold_for_one_step_each():
    assert page.steps([2.0, 5.0]) == ([0.0, 1.0, 1.0, 2.0], [2.0, 2.0, 5.0, 5.0])


def test_curves_that_move_most_come_first_and_texts_are_no_curves():
    report = PlanReport.model_validate(
        plan(solution={"a": [0, 1] * 5, "b": [0, 9] * 5, "short": [1, 2], "s": ["x"] * 10})
    )
    assert [c.name for c in page.curves(report, 400, 200)] == ["b", "a"]
    figure = page.curves(report, 400, 200)[0].figure
    assert figure.bottom < figure.height and figure.x_ticks[-1].at <= figure.right


def test_one_objective_has_no_front():
    assert page.pareto(PlanReport.model_validate(plan(objective={"cost": 1.0})), 400, 200) is None
