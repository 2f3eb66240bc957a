"""The shortfall model learns from the past alone, keeps its promises, and beats persistence."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from esgml.core import catalog
from esgml.core.errors import (
    ColumnError,
    DataError,
    HistoryError,
    IntegrityError,
    NotTrainedError,
    UsageError,
)
from esgml.regulatory.calibration_scores import auc, calibration_error, intercept, reliability
from esgml.regulatory.installations import (
    AHEAD,
    FEATURES,
    Installations,
    ahead,
    features,
    transitions,
)

DATA = Path(os.environ.get("ESGML_DATA", "../shared/data"))
TABLE = DATA / "regulatory" / "eu_ets_installation_years.csv"
FAST = {"rounds": 20, "min_data_in_leaf": 10}


def made_up(seed=0, n=120, years=range(2013, 2019)):
    """Installations whose free allocation falls and whose emissions wander."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        size, cut = np.exp(rng.normal(9, 1)), rng.choice([0.98, 0.9])
        for k, year in enumerate(years):
            if rng.random() < 0.95:
                used = size * np.exp(rng.normal(0, 0.15))
                rows.append(
                    (f"AT_{i}", year, float(round(size * 1.1 * cut**k)), float(round(used)))
                )
    return pl.DataFrame(rows, schema=["installation_id", "year", "free", "emission"], orient="row")


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("lightgbm", reason="the extra 'train' is not installed")
    return catalog.load("regulatory", "ets_shortfall")(**FAST).train(made_up())


def test_it_is_in_the_catalog():
    assert "ets_shortfall" in catalog.names("regulatory")
    assert "shortfall" in catalog.describe("regulatory", "ets_shortfall")


def test_a_prediction_is_one_row_an_installation_and_a_year_ahead(model):
    table = made_up(1)
    found = model.predict(table)
    assert found.height == table["installation_id"].n_unique()
    assert found["probability"].is_between(0, 1).all()
    last = table.group_by("installation_id").agg(pl.col("year").max().alias("last"))
    joined = found.join(last, on="installation_id")
    assert (joined["year"] == joined["last"] + 1).all()
    assert (found["years_short"] <= found["years_seen"]).all()


def test_one_row_is_answered_as_among_many(model):
    table = made_up(2, n=30)
    together = dict(model.predict(table).select("installation_id", "probability").iter_rows())
    for name in list(together)[:8]:
        alone = model.predict(table.filter(pl.col("installation_id") == name))
        assert alone["probability"][0] == together[name]


def test_the_order_of_rows_does_not_matter(model):
    table = made_up(3, n=20)
    assert model.predict(table.sample(fraction=1.0, shuffle=True, seed=1)).equals(
        model.predict(table)
    )


def test_features_see_nothing_later():
    table = made_up(4)
    data = Installations.read(table)
    rows, columns, _ = transitions(data)
    full = features(data, rows, columns)
    keep = columns == 2
    cut = data.until(2015)
    again = np.array([cut.names.index(data.names[r]) for r in rows[keep]])
    np.testing.assert_array_equal(full[keep], features(cut, again, columns[keep]))


def test_of_the_year_to_come_only_the_allocation_is_looked_at():
    table = made_up(6)
    data = Installations.read(table)
    rows, columns, _ = transitions(data)
    known = ahead(data, rows, columns)
    assert np.isfinite(known).all() and known.shape[1] == len(AHEAD)
    early = columns == 2
    later = table.with_columns(
        emission=pl.when(pl.col("year") > 2015).then(7.0).otherwise(pl.col("emission"))
    )
    again = Installations.read(later)
    assert again.names == data.names
    np.testing.assert_array_equal(known[early], ahead(again, rows[early], columns[early]))


def test_an_allocation_that_is_known_takes_part_and_is_said(model):
    table = made_up(7, n=40)
    coming = table.group_by("installation_id").agg(
        (pl.col("year").max() + 1), pl.col("free").last() * 0.1
    )
    coming = coming.with_columns(emission=pl.lit(None, pl.Float64)).select(table.columns)
    coming = coming.with_columns(pl.col("year").cast(table.schema["year"]))
    without = model.predict(table)
    known = model.predict(pl.concat([table, coming]))
    assert not without["allocation_known"].any() and known["allocation_known"].all()
    assert (known["year"] == without["year"]).all()
    assert known["probability"].mean() > without["probability"].mean()


def test_an_installation_that_never_reported_is_refused():
    with pytest.raises(HistoryError, match="no emissions at all"):
        Installations.read(row(emission=None))


def test_features_of_a_small_history_by_hand():
    table = pl.DataFrame(
        {"installation_id": ["X"] * 3, "year": [2013, 2014, 2015],
         "free": [900.0, 900.0, 400.0], "emission": [400.0, 1900.0, 900.0]}
    )  # fmt: skip
    row = dict(zip(FEATURES, features(Installations.read(table), np.array([0]), np.array([2]))[0],
                   strict=True))  # fmt: skip
    assert row["log of emissions over free allocation"] == pytest.approx(np.log(2))
    assert row["change of that ratio from the year before"] == pytest.approx(0.0)
    assert row["change of that ratio from two years before"] == pytest.approx(-2 * np.log(2))
    assert row["share of years short"] == pytest.approx(2 / 3)
    assert row["years since the last switch"] == 2
    assert row["years seen"] == 3
    assert row["largest emissions over free allocation"] == pytest.approx(np.log(4))


def test_saved_and_loaded_it_answers_the_same(model, tmp_path):
    model.save(tmp_path / "m")
    again = type(model).load(tmp_path / "m")
    assert again.predict(made_up(5)).equals(model.predict(made_up(5)))
    assert {p.suffix for p in (tmp_path / "m").iterdir()} == {".json", ".safetensors"}
    (tmp_path / "m" / "state.json").write_text("{}")
    with pytest.raises(IntegrityError):
        type(model).load(tmp_path / "m")


def test_trees_that_lead_nowhere_are_refused(model):
    from dataclasses import replace

    from esgml.regulatory.boosted import BoostedTrees

    trees = model.trees_
    for broken in (
        replace(trees, left=np.zeros_like(trees.left)),
        replace(trees, feature=trees.feature + 50),
        replace(trees, threshold=np.full_like(trees.threshold, np.nan)),
        replace(trees, right=trees.right[:, :-1]),
    ):
        with pytest.raises(IntegrityError):
            BoostedTrees.from_bytes(broken.to_bytes(), len(FEATURES))
    with pytest.raises(IntegrityError):
        BoostedTrees.from_bytes(b"nothing", len(FEATURES))


def test_trees_walk_as_those_who_grew_them():
    lightgbm = pytest.importorskip("lightgbm", reason="the extra 'train' is not installed")
    from esgml.regulatory.boosted import BoostedTrees

    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    X[rng.random(X.shape) < 0.2] = np.nan
    y = (np.nan_to_num(X[:, 0]) + rng.normal(size=400) > 0).astype(float)
    params = {"num_leaves": 7, "min_data_in_leaf": 10, "seed": 3}
    quiet = {"objective": "binary", "num_threads": 1, "verbose": -1, "deterministic": True}
    grown = lightgbm.train({**quiet, **params}, lightgbm.Dataset(X, label=y), num_boost_round=15)
    ours = BoostedTrees.grow(X, y, params, 15).log_odds(X)
    np.testing.assert_allclose(ours, grown.predict(X, raw_score=True), rtol=1e-9, atol=1e-12)


def row(**changes):
    base = {"installation_id": "X", "year": 2015, "free": 1.0, "emission": 2.0}
    return pl.DataFrame([{**base, **changes}])


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (row().drop("free"), ColumnError),
        (row(emission="many"), ColumnError),
        (row().clear(), HistoryError),
        (row(free=-1.0), DataError),
        (row(emission=float("nan")), DataError),
        (row(emission=float("inf")), DataError),
        (row(year=3000), DataError),
        (row(year=2015.5), DataError),
        (row(installation_id=None), DataError),
        (pl.concat([row(), row()]), DataError),
    ],
)
def test_a_wrong_table_is_refused(table, kind):
    with pytest.raises(kind):
        Installations.read(table)


def test_too_little_to_learn_from_and_too_early_to_answer(model):
    untrained = type(model)()
    with pytest.raises(NotTrainedError):
        untrained.predict(row())
    with pytest.raises(HistoryError, match="too few"):
        untrained.train(made_up(n=10))
    with pytest.raises(UsageError, match="was learned from"):
        model.evaluate(made_up(), year=2017)
    with pytest.raises(HistoryError, match="no installation reported 2030"):
        model.evaluate(made_up(), year=2030)


def test_scores_against_slow_ones():
    rng = np.random.default_rng(1)
    p, y = rng.random(80).round(1), (rng.random(80) > 0.4).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in p[y == 1] for b in p[y == 0]]
    assert auc(p, y) == pytest.approx(np.mean(pairs))
    parts = reliability(p, y)
    assert sum(part["count"] for part in parts) == 80
    assert calibration_error(y, y) == 0.0
    z = np.log((p + 0.01) / (1.01 - p))
    shifted = 1 / (1 + np.exp(-(z + intercept(z, y))))
    assert shifted.mean() == pytest.approx(y.mean(), abs=1e-9)


@pytest.mark.slow
@pytest.mark.skipif(
    not TABLE.exists(), reason="the real installations are not at hand (ESGML_DATA)"
)
def test_on_real_installations_it_beats_persistence_and_is_honest():
    pytest.importorskip("lightgbm", reason="the extra 'train' is not installed")
    table = pl.read_csv(TABLE)
    model = catalog.load("regulatory", "ets_shortfall")()
    model.train(table.filter(pl.col("year") < 2019))
    for known, accuracy, area in ((True, 0.915, 0.96), (False, 0.91, 0.955)):
        found = model.evaluate(table, year=2019, allocation_known=known)
        assert found["accuracy"] >= accuracy > found["persistence_accuracy"]
        assert found["auc"] >= area
        assert found["ece"] <= 0.03
