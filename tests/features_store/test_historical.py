"""Training tables: several views, restatements, names, against slow Python."""

import random
from datetime import datetime, timedelta

import polars as pl
import pytest

from esgml.core.errors import ColumnError, NotFoundError, UsageError
from esgml.core.settings import Settings
from esgml.features.store import Feature, FeatureStore, FeatureView


def known_then(rows, entity, moment, known):
    """The value of the newest event known, computed row by row."""
    fit = [r for r in rows if r[0] == entity and r[1] <= moment and r[2] <= known]
    return max(fit, key=lambda r: (r[1], r[2]))[3] if fit else None


@pytest.mark.parametrize("seed", range(3))
def test_restated_and_late_rows_over_many_ingests(tmp_path, seed, day):
    dice = random.Random(seed)
    sites = ["a", "b", "c"]
    store = FeatureStore(Settings(workspace=tmp_path), cache_bytes=seed * 1000)
    store.register(FeatureView("load", ("entity",), (Feature("kwh"),)))
    store.register(FeatureView("price", ("market",), (Feature("eur"),), ttl=timedelta(days=4)))
    stored = {"load": {}, "price": {}}
    for _ in range(6):
        for view, (key, value) in {"load": ("entity", "kwh"), "price": ("market", "eur")}.items():
            batch = {}
            for _ in range(60):
                event = dice.randrange(40)
                created = event + dice.choice([-2, 0, 0, 1, 5, 20])
                identity = (dice.choice(sites), day(event), day(created))
                if identity not in stored[view]:
                    batch[identity] = dice.random()
            stored[view] |= batch
            store.ingest(
                view,
                pl.DataFrame(
                    [(*identity, v) for identity, v in batch.items()],
                    schema=[key, "event_timestamp", "created_timestamp", value],
                    orient="row",
                ),
            )
    load = [(*k, v) for k, v in stored["load"].items()]
    price = [(*k, v) for k, v in stored["price"].items()]
    asked = pl.DataFrame(
        [(dice.choice(sites), dice.choice(sites), day(dice.randrange(-3, 50))) for _ in range(200)],
        schema=["entity", "market", "event_timestamp"],
        orient="row",
    )

    def check(answer, known):
        for row, moment in zip(answer.iter_rows(named=True), known, strict=True):
            time = row["event_timestamp"]
            assert row["load__kwh"] == known_then(load, row["entity"], time, moment)
            newest = known_then([(e, t, c, t) for e, t, c, _ in price], row["market"], time, moment)
            expected = known_then(price, row["market"], time, moment)
            if newest is not None and time - newest > timedelta(days=4):
                expected = None
            assert row["price__eur"] == expected
            assert row["price__event_timestamp"] == (None if expected is None else newest)

    options = {"full_feature_names": True, "with_event_timestamps": True}
    check(store.get_historical_features(asked, **options), asked["event_timestamp"])
    check(store.get_historical_features(asked, day(25), **options), [day(25)] * 200)
    known = [day(dice.randrange(60)) for _ in range(200)]
    each = asked.with_columns(pl.Series("as_of", known))
    check(store.get_historical_features(each, **options), known)


def test_the_past_never_changes_when_rows_are_added(store, clock, load, day):
    """What a model was trained on can be computed again later."""
    store.register(load)
    moments = [day(i) for i in range(40)]
    asked = pl.DataFrame({"entity": ["a"] * 40, "event_timestamp": moments})
    before = None
    for now in range(0, 40, 5):
        clock.now = day(now)
        events = range(max(0, now - 7), now)
        store.ingest(
            "load",
            {
                "entity": ["a"] * len(events),
                "event_timestamp": [day(e) for e in events],
                "created_timestamp": [day(now)] * len(events),
                "kwh": [float(100 * now + e) for e in events],
            },
        )
        answer = store.get_historical_features(asked.head(now))
        if before is not None:
            assert answer.head(before.height).equals(before)
        before = answer


def test_several_keys(store, day):
    store.register(FeatureView("meter", ("company", "site"), (Feature("kwh"),)))
    store.ingest(
        "meter",
        {
            "company": ["x", "x", "y"],
            "site": [1, 2, 1],
            "event_timestamp": [day(0)] * 3,
            "kwh": [1.0, 2.0, 3.0],
        },
    )
    asked = pl.DataFrame(
        {
            "site": ["1", "2", "1", "2"],
            "company": ["y", "x", "x", "y"],
            "event_timestamp": [day(1)] * 4,
        }
    )
    assert store.get_historical_features(asked)["kwh"].to_list() == [3.0, 2.0, 1.0, None]
    with pytest.raises(ColumnError, match="no column 'site'"):
        store.get_historical_features(asked.drop("site"), features=["meter"])


def test_what_is_asked(store, load, energy, day):
    store.register(load)
    store.register(energy)
    asked = pl.DataFrame({"entity": ["a"], "event_timestamp": [day(1)]})
    both = store.get_historical_features(asked)
    assert both.columns == [*asked.columns, *energy.feature_names, "kwh"]
    assert both.schema["seen"] == pl.Datetime("us")
    one = store.get_historical_features(asked, features=["energy:label", "load:kwh", "energy:open"])
    assert one.columns == [*asked.columns, "label", "open", "kwh"]
    for wrong, error in [
        (["lod"], NotFoundError),
        (["load:kw"], UsageError),
        (["load@7"], NotFoundError),
        ("load", UsageError),
        ([], UsageError),
    ]:
        with pytest.raises(error):
            store.get_historical_features(asked, features=wrong)
    with pytest.raises(UsageError, match="no registered feature view"):
        store.get_historical_features(asked.rename({"entity": "site"}))


def test_names_that_would_collide(store, load, day):
    store.register(load)
    store.register(FeatureView("other", ("entity",), (Feature("kwh"),)))
    asked = pl.DataFrame({"entity": ["a"], "event_timestamp": [day(1)]})
    with pytest.raises(UsageError, match="full_feature_names=True"):
        store.get_historical_features(asked)
    answer = store.get_historical_features(asked, full_feature_names=True)
    assert answer.columns[2:] == ["load__kwh", "other__kwh"]
    with pytest.raises(UsageError, match="two columns 'kwh'"):
        store.get_historical_features(asked.with_columns(kwh=1.0), features=["load"])


def test_as_of_given_twice_or_badly(store, load, day):
    store.register(load)
    asked = pl.DataFrame({"entity": ["a"], "event_timestamp": [day(1)], "as_of": [day(1)]})
    with pytest.raises(UsageError, match="both as a column and as an argument"):
        store.get_historical_features(asked, day(2))
    with pytest.raises(UsageError, match="must be a datetime"):
        store.get_historical_features(asked.drop("as_of"), as_of="2026-01-01")


def test_what_is_known_ahead_is_not_used_before_its_time(store, load, day):
    """A weather forecast is created before its event: it counts from its event on."""
    store.register(load)
    store.ingest(
        "load",
        {
            "entity": ["a", "a"],
            "event_timestamp": [day(5), day(6)],
            "created_timestamp": [day(1), day(1)],
            "kwh": [5.0, 6.0],
        },
    )
    moments = [day(4), day(5), datetime(2026, 1, 6, 23), day(6)]
    asked = pl.DataFrame({"entity": ["a"] * 4, "event_timestamp": moments})
    assert store.get_historical_features(asked)["kwh"].to_list() == [None, 5.0, 5.0, 6.0]
