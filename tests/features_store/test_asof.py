"""The point-in-time join against a slow, obvious oracle."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.features.store import asof
from esgml.features.store.asof import Questions, SortedRows, TimeTicks

KEYS = ["site", "meter"]


def brute(rows, key, time, known, ttl):
    """Newest event at or before `time` among those known; ties to the last created."""
    best = None
    for row_key, event, created, value in rows:
        if row_key != key or event > time or created > known:
            continue
        if best is None or (event, created) > best[:2]:
            best = (event, created, value)
    if best is None or (ttl is not None and time - best[0] > ttl):
        return None
    return best[2]


def table(rows):
    times = {n: pl.Series([r[i] for r in rows], dtype=pl.Int64) for i, n in ((1, "e"), (2, "c"))}
    return pl.DataFrame(
        {
            "site": pl.Series([r[0][0] for r in rows], dtype=pl.String),
            "meter": pl.Series([r[0][1] for r in rows], dtype=pl.String),
            "event_timestamp": times["e"].cast(pl.Datetime("us")),
            "created_timestamp": times["c"].cast(pl.Datetime("us")),
            "value": pl.Series([r[3] for r in rows], dtype=pl.Int64),
        }
    )


def ask(rows, questions, known, ttl):
    frame = pl.DataFrame(
        {
            "site": pl.Series([q[0][0] for q in questions], dtype=pl.String),
            "meter": pl.Series([q[0][1] for q in questions], dtype=pl.String),
        }
    )
    time = np.array([q[1] for q in questions], dtype=np.int64)
    sorted_rows = SortedRows.of(table(rows), tuple(KEYS))
    found = Questions(frame, KEYS, time, known, [sorted_rows]).answer(sorted_rows, ttl)
    values = sorted_rows.values["value"].to_list()
    return [None if i < 0 else values[i] for i in found]


key = st.tuples(st.sampled_from("abc"), st.sampled_from("xy"))
moment = st.integers(-6, 12)


@st.composite
def stored(draw):
    triples = draw(st.lists(st.tuples(key, moment, moment), unique=True, max_size=40))
    return [(k, e, c, i) for i, (k, e, c) in enumerate(triples)]


@settings(max_examples=400, deadline=None)
@given(
    stored(),
    st.lists(st.tuples(key, moment), max_size=25),
    st.sampled_from(["then", "fixed", "each"]),
    st.one_of(st.none(), st.integers(0, 6)),
    st.sampled_from([1, 1_000_000, 3_600_000_000, 10**15]),
    st.randoms(use_true_random=False),
)
def test_equals_brute_force(rows, questions, mode, ttl, scale, random):
    rows = [(k, e * scale, c * scale, v) for k, e, c, v in rows]
    random.shuffle(rows)
    questions = [(k, t * scale + random.randrange(scale)) for k, t in questions]
    ttl = None if ttl is None else ttl * scale
    n = len(questions)
    known = {
        "then": None,
        "fixed": np.full(n, 3 * scale, dtype=np.int64),
        "each": np.array([random.randint(-6, 12) * scale for _ in range(n)], dtype=np.int64),
    }[mode]
    expected = [
        brute(rows, k, t, t if known is None else int(known[i]), ttl)
        for i, (k, t) in enumerate(questions)
    ]
    assert ask(rows, questions, known, ttl) == expected


def test_equals_brute_force_when_key_and_time_do_not_fit_64_bits(monkeypatch):
    monkeypatch.setattr(asof, "_LIMIT", 50)  # forces ranks and the lexicographic order
    rng = np.random.default_rng(0)
    rows = {
        (("a", str(k)), int(e), int(c)): i
        for i, (k, e, c) in enumerate(rng.integers(0, 30, (300, 3)))
    }
    rows = [(*k, v) for k, v in rows.items()]
    questions = [(("a", str(k)), int(t)) for k, t in rng.integers(-2, 34, (200, 2))]
    known = rng.integers(0, 40, 200)
    expected = [brute(rows, k, t, int(c), 9) for (k, t), c in zip(questions, known, strict=True)]
    assert ask(rows, questions, known, 9) == expected


@pytest.mark.parametrize("unit", [1, 1_000_000, 3_600_000_000])
def test_ticks_keep_every_comparison(unit, monkeypatch):
    monkeypatch.setattr(asof, "_LIMIT", 4000)
    rng = np.random.default_rng(1)
    event = rng.integers(-50, 50, 40) * unit + 7
    ticks = TimeTicks(event, keys=5)
    asked = rng.integers(-60 * unit, 60 * unit, 500)
    expected = event[None, :] <= asked[:, None]
    assert ((ticks(event)[None, :] <= ticks(asked)[:, None]) == expected).all()
    assert ticks(asked).max() < ticks.size


def test_a_long_search_through_unknown_rows():
    """The one row known in time lies thousands of rows before the newest event."""
    n = 5000
    rows = [(("a", "x"), i, 10**6 if i else 0, i) for i in range(n)]
    assert ask(rows, [(("a", "x"), n)] * 3, np.array([5, 10**6, -1]), None) == [0, n - 1, None]


def test_order_of_rows_is_kept_and_repeats_are_answered(store, load, day):
    store.register(load)
    store.ingest("load", {"entity": ["b", "a"], "event_timestamp": [day(0)] * 2, "kwh": [2.0, 1.0]})
    asked = pl.DataFrame(
        {"entity": ["b", "zz", "a", "b"], "event_timestamp": [day(1), day(1), day(-1), day(0)]}
    )
    answer = store.get_historical_features(asked)
    assert answer.drop("kwh").equals(asked)
    assert answer["kwh"].to_list() == [2.0, None, None, 2.0]


def test_time_to_live_is_inclusive(store, energy, day):
    store.register(energy)
    row = {"count": [1], "open": [True], "label": ["x"], "seen": [day(0)], "load": [1.0]}
    store.ingest("energy", {"entity": ["a"], "event_timestamp": [day(0)], **row})
    late = day(10) + timedelta(microseconds=1)
    asked = pl.DataFrame({"entity": ["a", "a"], "event_timestamp": [day(10), late]})
    assert store.get_historical_features(asked)["count"].to_list() == [1, None]
