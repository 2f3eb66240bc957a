import importlib.util
import json
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.canonical import canonical_json
from esgml.core.errors import NotFoundError, StorageError
from esgml.core.events import PredictionMade
from esgml.monitoring import records
from esgml.monitoring.log import PredictionLog
from esgml.monitoring.trace import differences, trace
from esgml.registry.bundle import Bundle
from esgml.registry.fingerprint import Fingerprint

if "serving_doubles" not in sys.modules:
    _spec = importlib.util.spec_from_file_location(
        "serving_doubles", Path(__file__).parents[1] / "serving" / "doubles.py"
    )
    sys.modules["serving_doubles"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["serving_doubles"])
doubles = sys.modules["serving_doubles"]

DATA = Fingerprint("d" * 64, 100, "2020-01-01", "2020-04-09")


def bundle(factor=1.25):
    made = Bundle.from_trained(doubles.trained(factor), DATA)
    return made.registered("emissions", "1", "2026-01-01T00:00:00+00:00")


def task_of(name):
    return doubles.SeasonalMeanTask()


def event(number=0, **more):
    made = bundle()
    request = {**doubles.forecast_request(20 + number), "horizon": 7, "levels": [80, 90]}
    fields = {
        "prediction_id": f"id-{number}",
        "model": "emissions",
        "version": "1",
        "request": request,
        "response": task_of("").predictor(made.files).predict(request),
        "seconds": 0.0123,
        "bundle_digest": made.digest,
        "data_fingerprint": DATA.sha256,
        "code_version": "0.1.0+abc",
        **more,
    }
    return PredictionMade(**fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "monitoring" / "predictions.db"


def write(path, *events):
    log = PredictionLog(path)
    for item in events:
        log.record(item)
    log.close()


def test_what_is_recorded_is_found_and_recomputed_bit_for_bit(path):
    write(path, *(event(i) for i in range(5)))
    record = records.find(path, "id-3")
    assert record.intact and record.seq == 4
    found = trace(record, bundle(), task_of)
    assert found.identical and found.sound and not found.differences
    document = found.as_dict()
    assert document["prediction"]["recorded_sha256"] == document["prediction"]["recomputed_sha256"]
    assert document["data"]["sha256"] == DATA.sha256
    assert document["model"]["bundle_sha256"] == document["model"]["recorded_bundle_sha256"]
    assert set(document["features"]["recipe"]) == {"model.json"}
    assert document["code"]["served"] == "0.1.0+abc"
    json.dumps(document, allow_nan=False)


def test_another_bundle_is_told_with_what_differs(path):
    write(path, event())
    found = trace(records.find(path, "id-0"), bundle(1.2500000001), task_of)
    assert not found.identical and not found.sound
    assert "the bundle is" in found.problems[0]
    assert found.differences[0].startswith("forecasts[0].lower.80[0]: ")


def test_a_failing_model_is_told(path):
    write(path, event())
    broken = Bundle.from_trained(doubles.trained(broken=True), DATA)
    found = trace(records.find(path, "id-0"), broken, task_of)
    assert not found.sound
    assert "weights make no sense" in found.problems[-1]


def test_the_log_only_grows_and_changes_behind_its_back_are_seen(path):
    write(path, *(event(i) for i in range(4)))
    assert records.check(path) == []
    with sqlite3.connect(path) as connection:
        for statement in ("UPDATE prediction SET model = 'x'", "DELETE FROM prediction"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        connection.execute("DROP TRIGGER prediction_no_update")
        connection.execute("DROP TRIGGER prediction_no_delete")
        changed = records.find(path, "id-1").response.replace(b"plant-1", b"plant-2")
        connection.execute("UPDATE prediction SET response = ? WHERE seq = 2", (changed,))
        connection.execute("DELETE FROM prediction WHERE seq = 4")
    connection.close()
    assert records.check(path) == ["record 2 was changed after it was written."]
    record = records.find(path, "id-1")
    assert not record.intact
    found = trace(record, bundle(), task_of)
    assert "the record was changed" in found.problems[0] and not found.identical


def test_several_writers_share_one_chain(path):
    logs_ = [PredictionLog(path) for _ in range(3)]

    def fill(number):
        for i in range(30):
            logs_[number].record(event(0, prediction_id=f"{number}-{i}"))

    threads = [threading.Thread(target=fill, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for log in logs_:
        log.close()
    assert len(records.latest(path, 200)) == 90
    assert records.check(path) == []


def test_unknown_ids_and_missing_logs_are_not_found(path):
    with pytest.raises(NotFoundError) as caught:
        records.find(path, "x")
    assert caught.value.code == "log_missing"
    write(path, event())
    with pytest.raises(NotFoundError) as caught:
        records.find(path, "x")
    assert caught.value.code == "prediction_unknown" and caught.value.exit_code == 4
    assert [r.id for r in records.latest(path)] == ["id-0"]


def test_while_the_log_cannot_be_written_nothing_is_taken_and_nothing_lost(path):
    log = PredictionLog(path, retry_seconds=0.01)
    real = log._write
    broken = threading.Event()
    broken.set()

    def write_or_fail(connection, items):
        if broken.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        real(connection, items)

    log._write = write_or_fail
    log.record(event(0))
    while log._failure is None:
        pass
    with pytest.raises(StorageError) as caught:
        log.record(event(1))
    assert caught.value.code == "disk_full"
    broken.clear()
    assert log.flush()
    log.record(event(2))
    log.close()
    assert [r.id for r in records.latest(path)] == ["id-2", "id-0"]


def test_losing_predictions_at_the_end_is_an_error(path):
    log = PredictionLog(path, retry_seconds=0.01)

    def fail(connection, items):
        raise sqlite3.OperationalError("database or disk is full")

    log._write = fail
    log.record(event(0))
    with pytest.raises(StorageError) as caught:
        log.close(0.05)
    assert caught.value.code == "log_lost"
    with pytest.raises(StorageError):
        log.record(event(1))


def test_too_many_waiting_are_refused(path):
    log = PredictionLog(path, max_waiting=2)
    gate = threading.Event()
    real = log._write

    def slow(connection, items):
        gate.wait(10)
        real(connection, items)

    log._write = slow
    one = event()
    with pytest.raises(StorageError) as caught:
        for i in range(2000):  # the writer holds at most a batch of 1000 while it is held up
            log.record(replace(one, prediction_id=f"id-{i}"))
    assert caught.value.code == "log_full"
    gate.set()
    log.close()


def test_a_log_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "monitoring").write_text("a file is in the way")
    with pytest.raises(StorageError):
        PredictionLog(tmp_path / "monitoring" / "predictions.db")
    folder = tmp_path / "other" / "predictions.db"
    folder.mkdir(parents=True)
    with pytest.raises(StorageError):
        PredictionLog(folder)


def test_no_database_is_told(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but long enough to be looked at" * 100)
    with pytest.raises(StorageError):
        records.find(path, "x")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(json_values)
def test_canonical_json_reads_back_exactly_and_is_stable(value):
    data = canonical_json(value)
    assert canonical_json(json.loads(data)) == data


@given(json_values, json_values)
def test_differences_are_found_exactly_where_bytes_differ(a, b):
    assert (differences(a, b) == []) == (canonical_json(a) == canonical_json(b))


def test_records_hash_every_field(path):
    write(path, event())
    record = records.find(path, "id-0")
    for change in (
        {"at": "x"},
        {"tenant": "x"},
        {"request": b"{}"},
        {"code_version": "x"},
        {"seconds": 1.0},
    ):
        assert not replace(record, **change).intact


KILLED = """
import sys
from pathlib import Path
from esgml.core.events import PredictionMade
from esgml.monitoring.log import PredictionLog
log = PredictionLog(Path(sys.argv[1]))
for i in range(100_000):
    name = f"{sys.argv[2]}-{i}"
    log.record(PredictionMade(name, "m", "1", {"i": i}, {"o": [i / 7] * 50}, 0.0))
    if i % 7 == 0:
        log.flush()
        print(name, flush=True)
"""


def test_a_kill_at_any_moment_breaks_no_chain_and_loses_nothing_flushed(path):
    flushed = []
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(attempt)],
            stdout=subprocess.PIPE,
            text=True,
        )
        flushed += [process.stdout.readline().strip() for _ in range(5 + 11 * attempt)]
        process.kill()
        rest, _ = process.communicate()
        flushed += rest.split("\n")[:-1]
    assert records.check(path) == []
    kept = {record.id for record in records.latest(path, 1_000_000)}
    assert set(flushed) <= kept and len(flushed) > 80
