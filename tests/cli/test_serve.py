"""``esgml serve`` as a user runs it: one process or several, and its refusals."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from esgml.cli.app import main
from esgml.core.settings import Settings
from esgml.monitoring import records
from esgml.monitoring.trace import log_path

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("mlflow", reason="the extra 'registry' is not installed")

if "serving_doubles" not in sys.modules:
    _spec = importlib.util.spec_from_file_location(
        "serving_doubles", Path(__file__).parents[1] / "serving" / "doubles.py"
    )
    sys.modules["serving_doubles"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["serving_doubles"])
doubles = sys.modules["serving_doubles"]

#: The command line with the test's task in place of the forecasting one.
RUN = """
import sys
sys.path.insert(0, {folder!r})
import doubles
from esgml.core import tasks
tasks.MODULES = {{"emissions": "emissions_double"}}
import types
module = types.ModuleType("emissions_double")
module.TASK = doubles.SeasonalMeanTask()
import importlib.machinery
module.__spec__ = importlib.machinery.ModuleSpec("emissions_double", None)
sys.modules["emissions_double"] = module
from esgml.cli.app import main
if __name__ == "__main__":
    main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Make a workspace with one model registered and promoted in the real registry."""
    from esgml.registry.registry import ModelRegistry

    folder = tmp_path_factory.mktemp("workspace")
    registry = ModelRegistry(Settings(workspace=folder))
    version = registry.register(doubles.trained(1.5))
    registry.promote("emissions", version)
    return folder


@pytest.fixture
def esgml(tmp_path):
    """Return a function that starts the command line; ends what is left running."""
    script = tmp_path / "run.py"
    folder = str(Path(__file__).parents[1] / "serving")
    script.write_text(textwrap.dedent(RUN).format(folder=folder))
    started = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ready(url):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the service did not become ready")


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_serve_answers_records_and_traces(workspace, esgml, workers):
    options = ("--workspace", workspace, "--json")
    process = esgml("serve", "--port", 0, "--workers", workers, "--drain", 0.2, *options)
    document = json.loads(process.stdout.readline())
    assert document["schema"] == "esgml.serve/1"
    assert document["models"] == [{"name": "emissions", "version": "1", "model": "seasonal_mean"}]
    url = document["url"]
    assert url.startswith("http://127.0.0.1:")
    ready(url)
    answers = [
        httpx.post(f"{url}/v1/emissions/forecast", json=doubles.forecast_request(20 + i)).json()
        for i in range(5)
    ]
    assert "Models in service" in httpx.get(url).text
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in err, err
    path = log_path(Settings(workspace=workspace))
    assert records.check(path) == []
    for answer in answers:  # nothing acknowledged is lost, and everything is computed again
        traced = esgml("trace", answer["prediction_id"], *options)
        out, err = traced.communicate(timeout=60)
        assert traced.returncode == 0, err
        found = json.loads(out)
        assert found["identical"] and found["sound"]
        assert found["response"]["forecasts"] == answer["forecasts"]


def test_ctrl_c_ends_at_once_and_loses_nothing(workspace, esgml):
    process = esgml("serve", "--port", 0, "--workspace", workspace, "--json")
    url = json.loads(process.stdout.readline())["url"]
    answer = httpx.post(f"{url}/v1/predict/emissions", json={"inputs": [doubles.history()]}).json()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in err, err
    record = records.find(log_path(Settings(workspace=workspace)), answer["prediction_ids"][0])
    assert record.intact


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_another_bind_without_a_token_is_not_allowed(tmp_path, capsys, monkeypatch, host):
    monkeypatch.delenv("ESGML_API_TOKEN", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--host", host, "--workspace", str(tmp_path), "--json"])
    assert ended.value.code == 5
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "bind_refused"
    assert "ESGML_API_TOKEN" in err
    assert list(tmp_path.iterdir()) == []


def test_a_weak_token_is_not_allowed(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ESGML_API_TOKEN", "secret")
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--host", "0.0.0.0", "--workspace", str(tmp_path)])
    assert ended.value.code == 5
    assert "secret" not in "".join(capsys.readouterr())


def test_bad_options_are_usage_errors(tmp_path, capsys):
    for options in (["--port", "70000"], ["--workers", "0"], ["--drain", "-1"], ["--nonsense"]):
        with pytest.raises(SystemExit) as ended:
            main(["serve", "--workspace", str(tmp_path), *options])
        assert ended.value.code == 2
    capsys.readouterr()
