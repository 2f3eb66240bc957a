"""A policy learned from sites: it plays like its environment, is guarded, saved, and says no."""

import json

import numpy as np
import pytest

from esgml.core.errors import HistoryError, IntegrityError
from esgml.core.frames import SeriesSpec
from esgml.core.tasks import TaskOptions, get_task
from esgml.optimization import battery_policy
from esgml.optimization.battery_policy import (
    WEEK,
    BatteryPolicy,
    guard,
    in_one_row,
    run_through,
    saved,
)
from esgml.optimization.dispatch.store import Store
from esgml.optimization.environments.battery import Battery, fill_late
from esgml.optimization.problems.battery_dispatch import BatteryDispatch
from esgml.optimization.trial import sites

TASK = get_task("optimization")
QUICK = {"steps": 2_000, "hidden": (24,), "warm_up": 400, "updates_per_step": 0.25}
KEPT = 4 * WEEK


@pytest.fixture(scope="module")
def found(table):
    return sites(table(10), SeriesSpec())


@pytest.fixture(scope="module", autouse=True)
def quick():
    before = dict(battery_policy.SETTINGS)
    battery_policy.SETTINGS.update(QUICK)
    yield
    battery_policy.SETTINGS.clear()
    battery_policy.SETTINGS.update(before)


@pytest.fixture(scope="module")
def learned(found):
    policy = BatteryPolicy.learn(found, Battery(), KEPT)
    policy.guarded.trusted, policy.guarded.margin = True, 0.0  # so that it acts, good or not
    return policy


def last_week(site):
    way = float(np.sqrt(0.9))
    return site.week(len(site.load) - WEEK, Store(6.4, 5.0, way, way))


@pytest.fixture(scope="module")
def week(found):
    return last_week(found[0])


@pytest.fixture(scope="module")
def document(week):
    p = week
    return {
        "load": p.load[0].tolist(),
        "solar": p.solar[0].tolist(),
        "price": p.grid.price.tolist(),
        "start": "2026-03-09T00:00:00",
        "history": {
            "load": p.history["load"][0].tolist(),
            "solar": p.history["solar"][0].tolist(),
            "price": p.history["price"].tolist(),
        },
    }


def test_a_plan_is_what_its_environment_saves(learned, found, week):
    problem = week
    played = learned.play(problem)
    values = problem.evaluate(np.stack([problem.baseline(), played.powers.reshape(-1)]))
    gain = values.objectives[0, 0] - values.objectives[1, 0]
    assert values.feasible.all() and played.decisions == WEEK
    site = found[0]
    houses, _ = in_one_row([site], 0)
    start = np.array([[0, houses.load.shape[1] - WEEK]])
    fleet = run_through(houses, Battery(), start)
    assert gain == pytest.approx(saved(fleet, learned.guarded.decide), abs=0.02), (
        "the last day differs: nothing is known of the tariff after it"
    )


def test_no_hour_of_the_future_changes_what_was_decided_before(learned, found, week):
    site = found[0]
    whole, cut = week, 100
    load = site.load.copy()
    load[len(load) - WEEK + cut + 1 :] += 3.0
    other = last_week(type(site)(site.name, load, site.solar, site.price, site.carbon, 0))
    first, second = learned.play(whole).powers[0], learned.play(other).powers[0]
    assert np.array_equal(first[: cut + 1], second[: cut + 1])


def test_the_guard_never_saves_less_than_the_rule_where_it_was_tried(found):
    houses, lessons = in_one_row(found, KEPT)
    policy = battery_policy.learn_policy(houses, Battery(), lessons, 3)
    trial = run_through(houses, Battery(), lessons)
    safe = guard(policy, trial)
    assert saved(trial, safe.decide) >= saved(trial, fill_late) - 1e-9
    policy._wide["head.bias"][:] = 0.0  # the state's value, then what each action adds
    policy._wide["head.bias"][1] = 100.0  # always idle
    policy._wide["head.weight"][:] = 0.0
    worst = guard(policy, trial)
    assert saved(trial, worst.decide) >= saved(trial, fill_late) - 1e-9


def test_sites_stand_in_one_row_from_midnight_and_lessons_stay_within_them(table):
    rng = np.random.default_rng(0)
    one = sites(table(7), SeriesSpec())[0]
    two = type(one)("late", rng.random(7 * WEEK), one.solar, one.price, one.carbon, 5)
    houses, lessons = in_one_row([one, two], WEEK)
    first, second = 6 * WEEK, 6 * WEEK - 24
    assert houses.load.shape == (1, first + second)
    assert np.array_equal(houses.load[0, first:], two.load[19 : 19 + second])
    starts = lessons[:, 1]
    assert (starts % 24 == 0).all() and len(set(starts.tolist())) == len(starts)
    inside = [(starts >= a + WEEK) & (starts + WEEK + 24 <= b) for a, b in
              ((0, first), (first, first + second))]  # fmt: skip
    assert (inside[0] | inside[1]).all() and inside[0].any() and inside[1].any()


def test_it_is_saved_and_read_back_the_same(learned, week):
    files = learned.to_files()
    again = BatteryPolicy.from_files(files)
    assert np.array_equal(again.play(week).powers, learned.play(week).powers)
    assert again.to_files() == files
    for name in files:
        with pytest.raises(IntegrityError):
            BatteryPolicy.from_files({k: v for k, v in files.items() if k != name})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"battery": {"capacity": 50.0}}, "the battery is another one"),
        ({"carbon": 0.3, "carbon_price": 0.1}, "carbon has a price"),
        ({"export_price": 0.05}, "feeding in is paid"),
        ({"site_limit": 20.0}, "there are limits"),
        ({"price_published": 13}, "prices are not known"),
        ({"history": None}, "the history is shorter"),
        ({"step_hours": 0.5}, "steps are not hours"),
    ],
)
def test_what_it_did_not_learn_is_left_to_the_rule_and_said(learned, document, changed, reason):
    answer = predictor(learned).predict({**document, **changed})
    assert answer["method"] == "rule" and reason in answer["why"]
    assert any(reason in text for text in answer["details"]["objections"])


def test_hours_unlike_any_it_saw_are_left_to_the_rule_and_said(learned, document):
    usual = predictor(learned).predict(document)
    assert usual["method"] == "dqn" and usual["details"]["outside_training"] == 0
    assert "nothing like it" not in usual["why"]
    load = list(document["load"])
    load[50] = 80.0
    strange = predictor(learned).predict({**document, "load": load})
    count = strange["details"]["outside_training"]
    assert count > 0 and f"{count} of {WEEK} decisions" in strange["why"]
    assert {"load", "net load"} <= set(strange["details"]["outside_by_feature"])
    learned.guarded.trusted = False
    ruled = predictor(learned).predict(document)
    learned.guarded.trusted = True
    assert ruled["method"] == "rule" and "saved no more" in ruled["why"]
    assert ruled["details"]["unlike_the_rule"] == 0 < usual["details"]["unlike_the_rule"]


def predictor(policy):
    state = {"schema": "esgml.dispatch/1", "chosen": "dqn", "rule": "tariff",
             "battery": {"capacity": 6.4, "power": 5.0, "efficiency": 0.9}}  # fmt: skip
    return TASK.predictor({**policy.to_files(), "dispatch.json": json.dumps(state).encode()})


def test_the_task_learns_a_policy_tries_it_and_keeps_the_better(table, document):
    trained = TASK.train(table(10), SeriesSpec(), TaskOptions(model="dqn"))
    m = trained.metrics
    assert m["cost"]["limit"] <= m["cost"]["dqn"] <= m["cost"]["idle"]
    assert m["share_of_attainable"] >= m["rule_share"] - 1e-12
    assert trained.model_name == m["chosen"] in ("dqn", m["rule"])
    assert ("policy.safetensors" in trained.files) == (m["chosen"] == "dqn")
    again = TASK.train(table(10), SeriesSpec(), TaskOptions(model="dqn"))
    assert again.files == trained.files
    answer = TASK.predictor(trained.files).predict(document)
    assert answer["feasible"] and len(answer["solution"]["battery"]) == WEEK


def test_too_little_to_learn_from_is_refused(table):
    with pytest.raises(HistoryError, match="too short") as caught:
        TASK.train(table(6), SeriesSpec(), TaskOptions(model="dqn"))
    assert "10 weeks" in caught.value.remedy


def test_a_document_of_several_sites_is_played_site_by_site(learned, document, week):
    p = week
    past = {k: v if k == "price" else [v] * 2 for k, v in document["history"].items()}
    both = BatteryDispatch.from_document(
        {
            **document,
            "problem": "battery_dispatch",
            "load": [p.load[0].tolist()] * 2,
            "solar": [p.solar[0].tolist()] * 2,
            "history": past,
        }
    )
    played = learned.play(both)
    assert np.array_equal(played.powers[0], played.powers[1])
    assert np.array_equal(played.powers[0], learned.play(week).powers[0])
