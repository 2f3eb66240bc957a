"""Online reads and materialization, the same tests over SQLite and Redis."""

import os
import random
import sqlite3
import threading
from datetime import timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from esgml.core.errors import (
    DataError,
    MissingExtraError,
    NotFoundError,
    StorageError,
    UsageError,
)
from esgml.core.settings import Settings
from esgml.features.store import Feature, FeatureStore, FeatureView, Status
from esgml.features.store.online import NewRow, StoredRow, Watermark
from esgml.features.store.online_sqlite import SqliteOnlineStore


@pytest.fixture
def served(settings, clock, online, energy, load):
    store = FeatureStore(settings, online=online, clock=clock)
    store.register(energy)
    store.register(load)
    return store


def give(store, day, entity, event, value, **more):
    given = {"entity": [entity], "event_timestamp": [day(event)], "kwh": [value]}
    store.ingest("load", given | {k: [v] for k, v in more.items()})


def value(store, entity="a", feature="load:kwh"):
    (row,) = store.get_online_features([{"entity": entity}], [feature]).rows
    return row[feature.partition(":")[2]]


def test_every_type_comes_back_with_time_age_and_status(served, clock, day):
    row = {"load": 1.5, "count": 2**60, "open": False, "label": "höhe", "seen": day(3)}
    served.ingest("energy", [{"entity": "a", "event_timestamp": day(1), **row}])
    served.ingest("energy", [{"entity": "b", "event_timestamp": day(2), **dict.fromkeys(row)}])
    (done,) = served.materialize(views=["energy"])
    assert (done.view, done.rows, done.entities, done.end) == ("energy@1", 2, 2, clock.now)
    clock.now = day(5)
    answer = served.get_online_features([{"entity": "b"}, {"entity": "a"}], ["energy"])
    assert {k: v.value for k, v in answer.rows[1].items()} == row
    assert {v.status for v in answer.rows[1].values()} == {Status.PRESENT}
    assert answer.rows[1]["load"].event_timestamp == day(1)
    assert answer.rows[1]["load"].age == timedelta(days=4)
    assert {v.status for v in answer.rows[0].values()} == {Status.NULL}
    assert answer.entities == [{"entity": "b"}, {"entity": "a"}]


def test_a_stale_value_is_never_served_as_present(served, clock, day):
    row = {"load": 1.5, "count": 1, "open": True, "label": "x", "seen": day(3)}
    served.ingest("energy", [{"entity": "a", "event_timestamp": day(1), **row}])
    served.materialize()
    clock.now = day(11)  # exactly the time to live
    assert value(served, feature="energy:label").value == "x"
    clock.now = day(11) + timedelta(microseconds=1)
    stale = value(served, feature="energy:label")
    assert (stale.value, stale.status, stale.stale) == (None, "stale", True)
    assert stale.event_timestamp == day(1)
    assert stale.age == timedelta(days=10, microseconds=1)


def test_a_missing_value_says_so(served, day):
    missing = value(served, "nobody")
    assert missing == (None, "missing", None, None)
    give(served, day, "a", 1, 1.0)
    assert value(served).status == "missing"  # not materialized yet
    served.materialize()
    assert value(served).value == 1.0
    frame = served.get_online_features([{"entity": "a"}, {"entity": "z"}], ["load"]).to_frame()
    assert frame["kwh__status"].to_list() == ["present", "missing"]
    assert frame["kwh"].to_list() == [1.0, None]
    assert frame["kwh__age_seconds"].to_list() == [99 * 86400.0, None]


def test_only_new_rows_are_materialized(served, clock, day):
    for i in range(10):
        give(served, day, "a", i, float(i))
    assert [d.rows for d in served.materialize(end=day(4), views=["load"])] == [5]
    assert value(served).value == 4.0
    assert [d.rows for d in served.materialize(end=day(4), views=["load"])] == [0]
    assert [d.rows for d in served.materialize(end=day(6), views=["load"])] == [2]
    assert value(served).value == 6.0
    give(served, day, "a", 20, 20.0)
    done = served.materialize(views=["load"])[0]
    assert (done.rows, done.entities) == (4, 1)
    assert value(served).value == 20.0


def test_it_never_moves_backwards(served, day):
    give(served, day, "a", 9, 9.0)
    served.materialize()
    give(served, day, "a", 3, 3.0)  # late: older than what is online
    give(served, day, "b", 3, 3.5)  # late, and the only row of its entity
    (_, done) = served.materialize()
    assert (done.rows, done.entities) == (2, 1)
    assert value(served).value == 9.0
    assert value(served, "b").value == 3.5
    assert served.materialize(end=day(4))[1].entities == 0
    assert served.materialize(start=day(0), end=day(4))[1].entities == 0
    assert value(served).value == 9.0


def test_an_earlier_end_does_not_hide_rows_from_later(served, day):
    give(served, day, "a", 5, 5.0)
    served.materialize(end=day(10))
    give(served, day, "a", 7, 7.0)
    served.materialize(end=day(6))  # does not reach the new row
    assert value(served).value == 5.0
    served.materialize(end=day(10))
    assert value(served).value == 7.0


def test_corrections_of_the_newest_event_arrive(served, clock, day):
    give(served, day, "a", 5, 5.0)
    served.materialize()
    give(served, day, "a", 5, 5.5)
    assert served.materialize()[1].entities == 1
    assert value(served).value == 5.5


def test_what_is_not_known_yet_waits(served, clock, day):
    clock.now = day(10)
    give(served, day, "a", 5, 5.0, created_timestamp=day(6))
    give(served, day, "a", 5, 6.0, created_timestamp=day(20))
    served.materialize()
    assert value(served).value == 5.0
    clock.now = day(21)
    served.materialize()
    assert value(served).value == 6.0


def test_an_interval_can_be_done_again(served, online, day):
    for i in range(6):
        give(served, day, f"s{i}", i, float(i))
    done = served.materialize(start=day(2), end=day(3), views=["load"])[0]
    assert (done.rows, done.entities) == (2, 2)
    assert online.watermark("load@1") is None
    assert served.materialize(start=day(2), end=day(3), views=["load"])[0].entities == 0
    assert served.materialize(views=["load"])[0].entities == 4
    with pytest.raises(UsageError, match="after end"):
        served.materialize(start=day(3), end=day(2))


def test_any_order_of_steps_ends_at_the_newest_known(settings, clock, online, load, day):
    dice = random.Random(4)
    store = FeatureStore(settings, online=online, clock=clock)
    store.register(load)
    truth = {}
    for step in range(60):
        if dice.random() < 0.6:
            entity, event = dice.choice("abc"), dice.randrange(50)
            created = day(event + dice.randrange(0, 40))
            number = float(step)
            try:
                give(store, day, entity, event, number, created_timestamp=created)
            except DataError:
                continue
            truth[entity] = max(
                truth.get(entity, (day(-1), created, 0.0)), (day(event), created, number)
            )
        else:
            store.materialize(end=day(dice.randrange(60)))
    store.materialize()
    assert {e: value(store, e).value for e in truth} == {e: t[2] for e, t in truth.items()}


def test_several_keys_do_not_run_together(served, day):
    served.register(FeatureView("pair", ("company", "site"), (Feature("x"),)))
    keys = [("a", "bc"), ("ab", "c"), ('a","b', "c"), ("a", 1)]
    served.ingest(
        "pair",
        [
            {"company": c, "site": str(s), "event_timestamp": day(1), "x": float(i)}
            for i, (c, s) in enumerate(keys)
        ],
    )
    served.materialize()
    asked = [{"company": c, "site": s} for c, s in keys]
    answer = served.get_online_features(asked, ["pair"])
    assert [r["x"].value for r in answer.rows] == [0.0, 1.0, 2.0, 3.0]
    assert served.get_online_features(pl.DataFrame(asked[:2]), ["pair"]).rows == answer.rows[:2]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([{}], DataError),
        ([{"entity": None}], DataError),
        ([{"entity": 1.5}], DataError),
        ([{"entity": True}], DataError),
        ([{"entity": "\ud800"}], DataError),
        ([{"entity": "a"}, {"site": "a"}], DataError),
        (["a"], UsageError),
    ],
)
def test_bad_entity_rows(served, rows, error):
    with pytest.raises(error):
        served.get_online_features(rows, ["load"])


def test_unknown_features_and_empty_requests(served):
    with pytest.raises(NotFoundError):
        served.get_online_features([{"entity": "a"}], ["nothing"])
    with pytest.raises(UsageError):
        served.get_online_features([{"entity": "a"}], ["load:nothing"])
    assert served.get_online_features([]).rows == []
    both = served.get_online_features({"entity": "a"}).rows[0]
    assert set(both) == {"load", "count", "open", "label", "seen", "kwh"}
    odd = ["x'; DROP TABLE online; --", "", "a\x00b", "*", "ключ"]
    answer = served.get_online_features([{"entity": k} for k in odd], ["load"])
    assert {r["kwh"].status for r in answer.rows} == {"missing"}


def test_a_newer_version_is_served_apart(served, day):
    give(served, day, "a", 1, 1.0)
    served.materialize()
    two = FeatureView("load", ("entity",), (Feature("kwh"), Feature("peak")), version=2)
    served.register(two)
    assert value(served).status == "missing"
    answer = served.get_online_features([{"entity": "a"}], ["load@1:kwh"])
    assert answer.rows[0]["kwh"].value == 1.0


def test_online_store_contract(online):
    """The rule of replacement, the extremes of time, and the watermark."""
    far = 250_000_000_000_000_000
    assert online.read("v@1", "k") is None
    assert online.watermark("v@1") is None
    steps = [
        (NewRow("k", 5, 5, b"a"), 1, b"a"),
        (NewRow("k", 5, 5, b"a"), 0, b"a"),
        (NewRow("k", 4, 9, b"old"), 0, b"a"),
        (NewRow("k", 5, 4, b"old"), 0, b"a"),
        (NewRow("k", 5, 6, b"b\x00\xff"), 1, b"b\x00\xff"),
        (NewRow("k", far, -far, b""), 1, b""),
        (NewRow("k", far - 1, far, b"old"), 0, b""),
    ]
    for row, changed, payload in steps:
        assert online.write("v@1", [row], None) == changed
        assert online.read("v@1", "k").payload == payload
    assert online.write("v@1", [NewRow("n", -far, -far, b"x")], Watermark(1, 2, "p")) == 1
    assert online.write("v@1", [NewRow("n", -far, 1 - far, b"y")], None) == 1
    assert online.read_many("v@1", ["n", "none", "k"]) == [
        StoredRow(-far, 1 - far, b"y"),
        None,
        StoredRow(far, -far, b""),
    ]
    assert online.read_many("v@1", []) == []
    assert online.watermark("v@1") == Watermark(1, 2, "p")
    assert online.read("v@2", "k") is None
    many = [NewRow(f"m{i}", i, i, b"x") for i in range(1234)]
    assert online.write("w@1", many, None) == 1234
    assert online.write("w@1", many, None) == 0


def test_readers_in_many_threads(served, day):
    for i in range(20):
        give(served, day, f"s{i}", 1, float(i))
    served.materialize()
    wrong = []

    def read():
        got = [value(served, f"s{i % 20}").value for i in range(100)]
        if got != [float(i % 20) for i in range(100)]:
            wrong.append(got)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_failed_write_leaves_rows_and_watermark_as_they_were(tmp_path):
    def rows():
        yield NewRow("a", 1, 1, b"x")
        raise RuntimeError("killed")

    with SqliteOnlineStore(tmp_path / "o.db") as store:
        with pytest.raises(RuntimeError):
            store.write("v@1", rows(), Watermark(1, 1, "p"))
        assert store.read("v@1", "a") is None
        assert store.watermark("v@1") is None
        assert store.write("v@1", [NewRow("a", 1, 1, b"x")], None) == 1


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "o.db"
    path.write_bytes(b"this is not a database, but long enough to be one" * 100)
    with SqliteOnlineStore(path) as store, pytest.raises(StorageError, match="not a database"):
        store.read("v@1", "a")


def test_a_database_that_cannot_be_written(tmp_path):
    with SqliteOnlineStore(tmp_path / "o.db") as store:
        store.write("v@1", [NewRow("a", 1, 1, b"x")], None)
        store._local.connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StorageError) as caught:
            store.write("v@1", [NewRow("a", 2, 2, b"y")], None)
        assert caught.value.code == "read_only"
        assert store.read("v@1", "a").payload == b"x"


def test_a_locked_database(tmp_path):
    path = tmp_path / "o.db"
    with SqliteOnlineStore(path) as store:
        store.write("v@1", [NewRow("a", 1, 1, b"x")], None)
        store._local.connection.execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert store.read("v@1", "a").payload == b"x"
        with pytest.raises(StorageError) as caught:
            store.write("v@1", [NewRow("a", 2, 2, b"y")], None)
        assert caught.value.code == "locked"
        other.close()


def test_redis_that_is_not_there(tmp_path, load):
    pytest.importorskip("redis")
    from esgml.features.store.online_redis import RedisOnlineStore

    # port 1 is never a Redis server
    settings = Settings(workspace=tmp_path, redis_url="redis://:secret@127.0.0.1:1/0")
    with FeatureStore(settings) as store:
        store.register(load)
        with pytest.raises(StorageError) as caught:
            store.get_online_features([{"entity": "a"}], ["load"])
    assert caught.value.code == "redis"
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="scheme"):
        RedisOnlineStore("http://127.0.0.1")


def test_redis_library_missing(monkeypatch):
    import sys

    from esgml.features.store.online_redis import RedisOnlineStore

    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"esgml\[serve\]"):
        RedisOnlineStore("redis://127.0.0.1")


def test_a_read_only_disk_is_read(tmp_path, monkeypatch):
    mark = Watermark(end=1, known=1, partition="p")
    path = tmp_path / "online.db"
    with SqliteOnlineStore(path) as made:
        made.write("v@1", [NewRow("a", 5, 5, b"x")], mark)
    before = path.read_bytes()
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(f_flag=os.ST_RDONLY))
    with SqliteOnlineStore(path) as store:
        assert store.read("v@1", "a") == (5, 5, b"x")
        assert store.watermark("v@1") == mark
        with pytest.raises(StorageError) as caught:
            store.write("v@1", [NewRow("a", 6, 6, b"y")], None)
    assert caught.value.code == "read_only"
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["online.db"]
