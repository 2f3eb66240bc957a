import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from esgml.core.errors import DataError, HistoryError, NotFoundError, StorageError, UsageError
from esgml.core.settings import Settings
from esgml.core.storage import sha256
from esgml.registry.registry import ModelRegistry
from esgml.training import runs
from esgml.training.train import ModelTrainingPipeline

HERE = Path(__file__).parent


def pipeline(settings, **modules):
    return ModelTrainingPipeline(settings, modules=modules or {"toy": "toy_task"})


def computed(tmp_path):
    notes = tmp_path / "notes.txt"
    return notes.read_text().split() if notes.exists() else []


def test_trains_registers_and_releases_the_first_version(settings, sites):
    report = pipeline(settings).train_all_models(sites.frame, spec=sites.spec, seed=5)
    (model,) = report.models
    assert (model.task, model.name, model.version, model.model) == ("toy", "toy", "1", "weekday")
    assert model.champion and "first version" in model.reason
    # long lists stay in the bundle, timings in the run record
    inside = {"weekday": {"wape": 0.1}}
    assert model.metrics == {"wape": 0.1, "naive": {"wape": 0.2}, "models": inside}
    assert model.beside_naive() == [("wape", 0.1, 0.2)]
    bundle = ModelRegistry(settings).get("toy")
    assert bundle.metrics["errors"] == {"a": {"w": [1.0]}}
    assert bundle.data_fingerprint.sha256 == report.data["sha256"]
    kept = pl.read_parquet(settings.workspace / "data" / f"{report.data['sha256']}.parquet")
    assert kept.height == report.data["rows"] == bundle.data_fingerprint.rows


def test_keeps_a_run_record_and_no_steps_of_a_finished_run(settings, sites):
    report = pipeline(settings).train_all_models(sites.frame, spec=sites.spec, seed=5)
    (record,) = runs.RunTracker(settings).list()
    assert (record.key, record.task, record.seed) == (report.models[0].run, "toy", 5)
    assert record.status == "done"
    assert record.data["sha256"] == report.data["sha256"]
    assert record.result["version"] == "1" and record.result["metrics"]["wape"] == 0.1
    assert record.libraries["polars"] == pl.__version__
    (attempt,) = record.attempts
    assert {*attempt.timings} == {"train_seconds", "models"}
    assert attempt.seconds > 0 and attempt.finished > attempt.started
    assert {name: step["reused"] for name, step in attempt.steps.items()} == {
        "fit": False,
        "score": False,
    }
    folder = settings.workspace / "runs" / record.key
    assert (folder / "log.txt").read_text() == ""
    assert sorted(p.name for p in folder.iterdir()) == ["job.json", "log.txt", "run.json"]


def test_same_seed_same_bytes_and_another_seed_others(settings, sites, workspace):
    def files(name, seed):
        elsewhere = workspace(name)
        pipeline(elsewhere).train_all_models(sites.frame, spec=sites.spec, seed=seed)
        return ModelRegistry(elsewhere).get("toy").files

    first = files("a", 1)
    assert first == files("b", 1)
    assert first != files("c", 2)


def test_a_failing_task_is_reported_and_stops_no_other(settings, sites):
    both = pipeline(settings, failing="failing_task", toy="toy_task")
    report = both.train_all_models(sites.frame, spec=sites.spec)
    assert [m.task for m in report.models] == ["toy"]
    (failure,) = report.failures
    assert failure.task == "failing"
    assert failure.error["code"] == "history_too_short"
    assert failure.error["remedy"] == "Give more."
    assert isinstance(failure.as_error(), HistoryError)
    report.raise_on_failures()  # something was trained
    record = runs.RunTracker(settings).find(failure.run)
    assert record.status == "failed" and record.attempts[-1].error["where"] == "site-1"
    log = settings.workspace / "runs" / failure.run / "log.txt"
    assert "a word on standard output" in log.read_text()


@pytest.mark.parametrize(
    ("mode", "code", "words"),
    [
        ("fail", "history_too_short", "too short"),
        ("crash", "unexpected", "ZeroDivisionError: toy"),
        ("die", "process_died", "SIGKILL"),
    ],
)
def test_every_way_to_fail_is_told(settings, sites, monkeypatch, mode, code, words):
    monkeypatch.setenv("TOY_MODE", mode)
    report = pipeline(settings).train_all_models(sites.frame, spec=sites.spec)
    assert report.models == ()
    assert report.failures[0].error["code"] == code
    assert words in report.failures[0].error["message"]
    assert ModelRegistry(settings).list() == ()
    with pytest.raises(Exception, match=words):
        report.raise_on_failures()


def test_a_failed_run_goes_on_with_its_finished_steps(settings, sites, monkeypatch, tmp_path):
    monkeypatch.setenv("TOY_MODE", "failfit")
    toy = pipeline(settings)
    assert toy.train_all_models(sites.frame, spec=sites.spec).failures
    monkeypatch.delenv("TOY_MODE")
    (model,) = toy.train_all_models(sites.frame, spec=sites.spec).models
    assert model.reused == ("fit",)
    assert computed(tmp_path) == ["fit", "score"]
    record = runs.RunTracker(settings).find(model.run)
    assert [a.status for a in record.attempts] == ["failed", "done"]


def test_a_damaged_step_is_computed_again(settings, sites, monkeypatch, tmp_path):
    monkeypatch.setenv("TOY_MODE", "failfit")
    toy = pipeline(settings)
    toy.train_all_models(sites.frame, spec=sites.spec)
    (step,) = (settings.workspace / "runs").glob("*/steps/*")
    step.write_bytes(step.read_bytes()[:-1] + b"#")
    monkeypatch.delenv("TOY_MODE")
    (model,) = toy.train_all_models(sites.frame, spec=sites.spec).models
    assert model.reused == ()
    assert computed(tmp_path) == ["fit", "fit", "score"]
    assert runs.RunTracker(settings).find(model.run).attempts[-1].damaged == ["fit"]


def start_and_kill(settings, sites, tmp_path):
    """Train in another process and kill it, with SIGKILL, after the first step."""
    table = tmp_path / "table.parquet"
    sites.frame.write_parquet(table)
    ready = tmp_path / "ready"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from esgml.core.settings import Settings\n"
        "from esgml.training import train\n"
        "train.code_version = lambda: 'test'\n"
        "from esgml.data.synthetic import portfolio\n"
        "p = train.ModelTrainingPipeline(Settings(workspace=Path(sys.argv[2])),"
        " modules={'toy': 'toy_task'})\n"
        "spec = portfolio(seed=3, sites=2, years=1).spec\n"
        "p.train_all_models(sys.argv[3], spec=spec, seed=9)\n"
    )
    environment = {**os.environ, "TOY_MODE": "waitfit", "TOY_READY": str(ready)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(HERE), str(settings.workspace), str(table)],
        env=environment,
    )
    try:
        while not (ready.exists() and ready.read_text()):
            assert process.poll() is None, "the training process ended by itself"
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return table, int(ready.read_text())


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")  # an orphan nobody has waited for yet is gone as well
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_goes_on_after_sigkill_with_the_same_bytes(
    settings, sites, workspace, tmp_path, monkeypatch
):
    monkeypatch.setattr("esgml.training.train.code_version", lambda: "test")
    table, worker = start_and_kill(settings, sites, tmp_path)
    while not gone(worker):  # the training process ends with its parent
        time.sleep(0.05)
    (record,) = runs.RunTracker(settings).list()
    assert record.status == "interrupted"
    told = []
    toy = ModelTrainingPipeline(settings, modules={"toy": "toy_task"}, notice=told.append)
    report = toy.train_all_models(str(table), spec=sites.spec, seed=9)
    (model,) = report.models
    assert any("was interrupted" in line for line in told)
    assert model.reused == ("fit",)
    assert computed(tmp_path) == ["fit", "score"]
    ended = runs.RunTracker(settings).find(record.key)
    assert [a.status for a in ended.attempts] == ["interrupted", "done"]

    fresh = workspace("fresh")
    pipeline(fresh).train_all_models(str(table), spec=sites.spec, seed=9)
    ours, theirs = (ModelRegistry(s).get("toy") for s in (settings, fresh))
    assert ours.files == theirs.files


def test_a_kill_between_training_and_registering_keeps_the_result(
    settings, sites, monkeypatch, tmp_path
):
    toy = pipeline(settings)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(toy.registry, "register", killed)
    with pytest.raises(KeyboardInterrupt):
        toy.train_all_models(sites.frame, spec=sites.spec)
    (record,) = runs.RunTracker(settings).list()
    assert record.status == record.attempts[-1].status == "interrupted"
    (model,) = pipeline(settings).train_all_models(sites.frame, spec=sites.spec).models
    assert model.reused == ("result",) and model.version == "1"
    assert computed(tmp_path) == ["fit", "score"]


def test_a_worse_or_equal_version_is_registered_and_not_released(settings, sites, monkeypatch):
    toy = pipeline(settings)
    toy.train_all_models(sites.frame, spec=sites.spec)
    for wape, released, words in [
        ("0.15", False, "no more than version 1"),
        ("0.3", False, "does not beat the naive"),
        ("0.05", True, "more than version 1"),
    ]:
        monkeypatch.setenv("TOY_WAPE", wape)
        (model,) = toy.train_all_models(sites.frame, spec=sites.spec, seed=int(wape[2:])).models
        assert model.champion is released
        assert words in model.reason
    versions = {v.version: v.aliases for v in ModelRegistry(settings).list("toy")}
    assert versions == {"1": (), "2": (), "3": (), "4": ("champion",)}


def test_training_the_same_again_gives_the_same_version(settings, sites):
    toy = pipeline(settings)
    first = toy.train_all_models(sites.frame, spec=sites.spec).models[0]
    again = toy.train_all_models(sites.frame, spec=sites.spec).models[0]
    if (
        len({ModelRegistry(settings).get("toy", m.version).code_version for m in (first, again)})
        > 1
    ):
        pytest.skip("the source was edited while the test ran")
    assert again.version == first.version == "1"
    assert again.champion and "already" in again.reason


def test_a_table_changed_on_disk_is_not_trained_on(settings, sites):
    toy = pipeline(settings)
    first = toy.train_all_models(sites.frame, spec=sites.spec)
    stored = settings.workspace / "data" / f"{first.data['sha256']}.parquet"
    pl.read_parquet(stored).head(100).write_parquet(stored)
    second = toy.train_all_models(sites.frame, spec=sites.spec)
    assert second.failures[0].error["code"] == "integrity"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tasks": "nothing"}, NotFoundError),
        ({"tasks": ""}, NotFoundError),
        ({"model": "no_such"}, NotFoundError),
        ({"horizon": 0}, UsageError),
        ({"levels": ()}, UsageError),
        ({"levels": (80, 100)}, UsageError),
        ({"seed": -1}, UsageError),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(settings, sites, options, error):
    with pytest.raises(error):
        pipeline(settings).train_all_models(sites.frame, spec=sites.spec, **options)
    assert not (settings.workspace / "runs").exists()


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(),
        pl.DataFrame(schema={"entity": pl.String, "timestamp": pl.Date, "co2_t": pl.Float64}),
        pl.DataFrame({"entity": ["a"] * 3, "timestamp": ["x", "y", "z"], "co2_t": [1.0, 2, 3]}),
    ],
)
def test_unusable_tables_are_refused(settings, frame):
    with pytest.raises(DataError):
        pipeline(settings).train_all_models(frame)


def test_a_read_only_workspace_is_told(tmp_path, sites, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(Exception, match=r"Check the disk|no such file|writable") as caught:
        pipeline(Settings(workspace=blocked)).train_all_models(sites.frame, spec=sites.spec)
    assert caught.value.exit_code in (1, 4)


@pytest.mark.parametrize(
    ("words", "code"), [("IO error: (os error 28)", "disk_full"), ("strange", "storage")]
)
def test_a_full_disk_is_told_and_leaves_nothing(settings, sites, monkeypatch, words, code):
    def full(*_, **__):
        raise pl.exceptions.ComputeError(words)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(StorageError) as caught:
        pipeline(settings).train_all_models(sites.frame, spec=sites.spec)
    assert caught.value.code == code and caught.value.remedy
    assert list((settings.workspace / "data").iterdir()) == []


def test_run_keys_change_with_everything_they_depend_on():
    base = ("toy", "a" * 64, {"entity": "e"}, {"seed": 1}, "0.1+abc")
    changed = [
        ("other", *base[1:]),
        (base[0], "b" * 64, *base[2:]),
        (*base[:2], {"entity": "f"}, *base[3:]),
        (*base[:3], {"seed": 2}, base[4]),
        (*base[:4], "0.1+abd"),
    ]
    keys = {runs.run_key(*parts) for parts in (base, *changed)}
    assert len(keys) == 6 and runs.run_key(*base) == runs.run_key(*base)


def test_an_unreadable_run_record_says_where(settings):
    tracker = runs.RunTracker(settings)
    path = tracker.folder("abc") / runs.RECORD
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schema": 1}))
    with pytest.raises(Exception, match="unreadable") as caught:
        tracker.find("abc")
    assert str(path) in str(caught.value)
    with pytest.raises(NotFoundError):
        tracker.folder("../abc")
    assert sha256(b"") not in str(caught.value)
