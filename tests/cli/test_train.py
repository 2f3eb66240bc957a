import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from esgml.cli.app import main
from esgml.data.synthetic import portfolio
from esgml.training.report import TrainedModel, TrainingReport


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    made = portfolio(seed=3, sites=1, years=1)
    path = tmp_path_factory.mktemp("data") / "site.csv"
    made.frame.select("entity", "timestamp", "scope1_kg", "temperature").write_csv(path)
    return path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


def test_trains_and_says_so_in_json(source, tmp_path, capsys):
    options = ["--target", "scope1_kg", "--model", "ridge", "--horizon", 5, "--seed", 4]
    code, out, err = run(
        capsys,
        "train",
        source,
        *options,
        "--known",
        "temperature",
        "--json",
        "--workspace",
        tmp_path,
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["schema"] == "esgml.train/1"
    (model,) = document["models"]
    assert (model["task"], model["name"], model["version"]) == ("emissions", "emissions", "1")
    assert model["metrics"]["wape"] > 0 and model["metrics"]["naive"]["wape"] > 0
    assert model["seconds"] > 0
    assert "errors" not in model["metrics"]
    record = json.loads((tmp_path / "runs" / model["run"] / "run.json").read_text())
    assert record["seed"] == 4 and record["options"]["horizon"] == 5


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--task", "nothing"], 4, "no task"),
        (["--model", "nothing"], 4, "no model"),
        (["--levels", "80,x"], 2, "percentage"),
        (["--target", "nothing"], 3, "no column"),
        (["--horizon", "0"], 2, ""),
    ],
)
def test_bad_options_have_their_exit_codes(source, tmp_path, capsys, options, code, words):
    found, out, err = run(capsys, "train", source, *options, "--workspace", tmp_path)
    assert found == code
    assert words in err and out == ""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lightgbm_direct", "gaussian_process"])
def test_the_same_seed_gives_the_same_bytes_on_any_number_of_cores(
    source, tmp_path, capsys, monkeypatch, model
):
    from esgml.core.settings import Settings
    from esgml.registry.registry import ModelRegistry
    from esgml.training import train

    found = []
    for count in (1, 2):
        monkeypatch.setattr(train, "cores", lambda count=count: count)
        folder = tmp_path / str(count)
        options = ["--target", "scope1_kg", "--horizon", 7, "--model", model, "--seed", 5]
        code, _, err = run(capsys, "train", source, *options, "--workspace", folder)
        assert code == 0, err
        found.append(ModelRegistry(Settings(workspace=folder)).get("emissions", "latest"))
    first, second = found
    assert first.files == second.files and len(first.files) > 1
    assert first.metrics == second.metrics and first.card == second.card


def test_no_such_file(tmp_path, capsys):
    code, _, err = run(capsys, "train", tmp_path / "none.csv", "--workspace", tmp_path)
    assert code == 4 and "no such file" in err


@pytest.mark.parametrize("content", ["", "entity,timestamp,scope1_kg\n"])
def test_empty_files(tmp_path, capsys, content):
    path = tmp_path / "empty.csv"
    path.write_text(content)
    code, _, err = run(capsys, "train", path, "--workspace", tmp_path)
    assert code == 3 and "error" in err


def test_the_table_has_the_naive_baseline_beside_each_metric(capsys):
    from esgml.cli.train import show

    metrics = {"primary": "wape", "wape": 0.1, "naive": {"wape": 0.2, "mase": 1.0}, "mase": 0.5}
    model = TrainedModel("t", "t", "3", "m", {**metrics, "coverage": {"80": 0.79}}, 1.5)
    show(TrainingReport((model,)))
    out = capsys.readouterr().out
    assert "0.100" in out and "0.200" in out and "+50.0%" in out
    assert "80 %: 79.0%" in out
    shares = {"wape": 0.1, "accuracy": 0.9, "within_10pct": 0.8}
    naive = {"wape": 0.2, "accuracy": 0.8, "within_10pct": 0.4}
    show(TrainingReport((TrainedModel("t", "t", "3", "m", {**shares, "naive": naive}, 1.5),)))
    out = capsys.readouterr().out
    assert "+12.5%" in out and "+100.0%" in out  # more accuracy is better
    rising = {"primary": "f1", "higher_is_better": True, "f1": 0.6, "naive": {"f1": 0.5}}
    show(TrainingReport((TrainedModel("t", "t", "3", "m", rising, 1.5),)))
    assert "+20.0%" in capsys.readouterr().out


def test_help_imports_no_library_that_trains():
    code = (
        "import sys\n"
        "from esgml.cli import train, demo\n"
        "heavy = {'torch', 'lightgbm', 'sklearn', 'mlflow', 'polars'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help():
    from esgml.cli.train import app

    answer = CliRunner().invoke(app, ["--help"])
    assert answer.exit_code == 0 and "--horizon" in answer.stdout
