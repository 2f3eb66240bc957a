import json

import pytest

from esgml.cli.app import main


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Run the demo once with a quick model; what it printed, and where."""
    import contextlib
    import io

    workspace = tmp_path_factory.mktemp("demo")
    out, err = io.StringIO(), io.StringIO()
    arguments = ["demo", "--sites", "2", "--model", "ridge", "--json"]
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main([*arguments, "--workspace", str(workspace)])
    assert not ended.value.code, err.getvalue()
    return workspace, json.loads(out.getvalue()), err.getvalue()


def test_the_whole_road_in_one_document(result):
    workspace, document, err = result
    assert document["schema"] == "esgml.demo/1"
    assert document["check"]["found"] >= document["check"]["injected"] // 2 > 0
    assert document["clean"]["actions"]
    (model,) = document["models"]
    assert model["task"] == "emissions" and model["metrics"]["naive"]["wape"] > 0
    held = document["forecast"]["held_out"]
    assert held["series"] == 6 and 0 < held["wape"] < 1 and held["naive"]["wape"] > 0
    assert (workspace / "demo" / "portfolio.csv").exists()
    assert err.index("generate:") < err.index("check:") < err.index("clean:")


def test_targets_are_assessed(result):
    _, document, _ = result
    assert [target["target"] for target in document["targets"]] == [
        "scope1_kg",
        "scope2_kg",
        "scope3_kg",
    ]
    assert {target["entity"] for target in document["targets"]} == {"total"}
    assert all(0 <= target["probability"] <= 1 for target in document["targets"])


def test_the_page_can_read_the_stored_forecast(result):
    from esgml.dashboard.forecast.report import ForecastReport
    from esgml.dashboard.forecast.target import TargetReport

    workspace, document, _ = result
    assert document["report"] == str(workspace / "reports" / "forecast.json")
    report = ForecastReport.model_validate_json((workspace / "reports/forecast.json").read_bytes())
    first = report.forecasts[0]
    assert first.entity == "total" and first.levels == [90, 80]
    assert report.history_of(first).timestamps[-1] < first.timestamps[0]
    targets = TargetReport.model_validate_json((workspace / "reports/target.json").read_bytes())
    aims = [targets.of(forecast) for forecast in report.forecasts]
    assert all(aims) and aims[0].probability == document["targets"][0]["probability"]


def test_alarms_and_a_plan_stand_beside_the_forecast(result):
    from esgml.dashboard.anomalies.report import AlarmReport
    from esgml.dashboard.plan.report import PlanReport

    workspace, document, _ = result
    alarms = AlarmReport.model_validate_json((workspace / "reports/anomalies.json").read_bytes())
    assert len(alarms.events) == document["alarms"]["events"] > 0
    assert 0 <= document["alarms"]["false_positive_rate"] < 0.05
    readings = document["alarms"]["readings"]
    assert readings["unit_x1000"]["found"] == readings["unit_x1000"]["wrong"] > 0
    plan = PlanReport.model_validate_json((workspace / "reports/plan.json").read_bytes())
    assert plan.feasible and plan.bound - 1e-6 <= plan.value <= plan.rule <= plan.baseline


def test_duties_are_weighed_and_a_text_is_read(result):
    from esgml.dashboard.regulation.report import RegulationReport

    workspace, document, _ = result
    raw = (workspace / "reports/regulation.json").read_bytes()
    report = RegulationReport.model_validate_json(raw)
    duties = document["duties"]
    assert len(report.risk.by_regulation) == sum(duties[w] for w in ("yes", "unknown", "no"))
    assert report.risk.overall_risk == duties["overall_risk"]
    assert any(item.date == "2028-03-31" for item in report.analysis.timeline)
    for item in report.analysis.timeline:
        span = item.evidence
        assert report.text[span.start : span.end] == span.text


def test_the_registry_holds_what_was_trained(result, capsys):
    workspace, document, _ = result
    with pytest.raises(SystemExit):
        main(["models", "list", "--json", "--workspace", str(workspace)])
    listed = json.loads(capsys.readouterr().out)["models"]
    versions = {version["name"]: version for version in listed}
    assert {model["name"] for model in document["models"]} == set(versions)
    for model in document["models"]:
        version = versions[model["name"]]
        assert version["version"] == model["version"]
        assert ("champion" in version["aliases"]) is model["champion"]


def test_the_tables_end_with_models_beside_naive_baselines(result, capsys):
    from esgml.cli.demo import _show
    from esgml.training.report import TrainedModel, TrainingReport

    _, document, _ = result
    names = ("task", "name", "version", "model", "metrics", "seconds", "run", "champion", "reason")
    models = tuple(TrainedModel(**{n: m[n] for n in names}) for m in document["models"])
    _show(document, TrainingReport(models))
    out = capsys.readouterr().out
    last = out[out.index("Trained models beside the naive baseline") :]
    assert "seasonal_naive" in last and "ridge" in last and "days that came after" in last


@pytest.mark.parametrize("option", [("--horizon", "181"), ("--sites", "0"), ("--horizon", "0")])
def test_bad_options(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["demo", *option, "--workspace", str(tmp_path)])
    assert ended.value.code == 2
