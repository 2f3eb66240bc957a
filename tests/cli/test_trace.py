import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from esgml.cli.app import main
from esgml.core.events import PredictionMade
from esgml.core.settings import Settings
from esgml.core.storage import write_folder_atomic
from esgml.monitoring.log import PredictionLog
from esgml.monitoring.trace import log_path
from esgml.registry.bundle import Bundle

if "serving_doubles" not in sys.modules:
    _spec = importlib.util.spec_from_file_location(
        "serving_doubles", Path(__file__).parents[1] / "serving" / "doubles.py"
    )
    sys.modules["serving_doubles"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["serving_doubles"])
doubles = sys.modules["serving_doubles"]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Make a workspace with one recorded prediction and its bundle in a folder."""
    monkeypatch.setattr(
        "esgml.monitoring.trace.trace.__defaults__", (lambda name: doubles.SeasonalMeanTask(),)
    )
    bundle = Bundle.from_trained(doubles.trained(1.5))
    write_folder_atomic(tmp_path / "bundle", bundle.to_files())
    write_folder_atomic(tmp_path / "other", Bundle.from_trained(doubles.trained(1.6)).to_files())
    request = {**doubles.forecast_request(), "horizon": 7, "levels": [80]}
    response = doubles.SeasonalMeanTask().predictor(bundle.files).predict(request)
    log = PredictionLog(log_path(Settings(workspace=tmp_path)))
    log.record(PredictionMade("abc", "emissions", "1", request, response, 0.01, "", bundle.digest))
    log.close()
    return tmp_path


def run(capsys, *arguments):
    try:
        main(["trace", *map(str, arguments)])
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    out, err = capsys.readouterr()
    return code, out, err


def test_an_identical_prediction_exits_0(workspace, capsys):
    options = ("--workspace", workspace, "--bundle", workspace / "bundle")
    code, out, _ = run(capsys, "abc", *options)
    assert code == 0 and "identical bit for bit" in out
    code, out, _ = run(capsys, "abc", *options, "--json")
    document = json.loads(out)
    assert code == 0 and document["schema"] == "esgml.trace/1" and document["identical"] is True


def test_another_bundle_exits_1_and_says_what_differs(workspace, capsys):
    options = ("--workspace", workspace, "--bundle", workspace / "other")
    code, out, _ = run(capsys, "abc", *options)
    assert code == 1 and "NOT IDENTICAL" in out and "forecasts[0]" in out
    code, out, _ = run(capsys, "abc", *options, "--json")
    assert code == 1 and json.loads(out)["identical"] is False


def test_unknown_ids_bundles_and_workspaces_exit_4(workspace, capsys):
    assert run(capsys, "nope", "--workspace", workspace)[0] == 4
    assert run(capsys, "abc", "--workspace", workspace, "--bundle", workspace / "no")[0] == 4
    code, out, err = run(capsys, "abc", "--workspace", workspace / "empty", "--json")
    assert code == 4 and json.loads(out)["error"]["code"] == "log_missing" and "fix:" in err


@pytest.mark.parametrize("variable", ["OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"])
def test_no_environment_changes_the_last_bit(variable, monkeypatch, capsys):
    monkeypatch.setenv(variable, "2")
    with pytest.raises(SystemExit):
        main(["--version"])
    assert os.environ[variable] == "1", "matrix products depend on the number of threads"
