"""`AnomalyDetector`: forest and autoencoder, threshold, reasons, verdicts, files."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from esgml.anomaly import conformal, contamination
from esgml.anomaly.detector import AnomalyDetector
from esgml.core.errors import (
    ColumnError,
    DataError,
    IntegrityError,
    NotTrainedError,
    UsageError,
)

NAMES = ["energy", "water", "gas", "waste"]


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(500, 4))


@pytest.fixture(scope="module")
def forest(rows):
    """Return a detector with a forest only, trained once."""
    detector = AnomalyDetector()
    detector.train_isolation_forest(pl.DataFrame(rows, schema=NAMES), seed=1)
    return detector


@pytest.fixture(scope="module")
def both(rows):
    pytest.importorskip("torch")
    return AnomalyDetector(epochs=3).train(rows, seed=1)


def test_defaults_are_those_of_the_mission(forest):
    params = AnomalyDetector().params
    assert (params.trees, params.samples, params.contamination) == (100, 256, 0.1)
    assert len(forest.forest.forest_.roots) == 100
    pytest.importorskip("torch")
    network = AnomalyDetector().build_autoencoder()
    assert [layer.in_features for layer in network.layers] == [100, 64, 32, 16, 32, 64]
    assert AnomalyDetector().build_autoencoder(7).layers[-1].out_features == 7


def test_both_members_are_trained_and_asked(both, rows):
    assert list(both.ensemble_.members_) == ["isolation_forest", "autoencoder"]
    far = rows[:1] + np.array([[0, 9, 0, 0]])
    found = both.detect(np.concatenate([rows[:100], far]))
    assert found.alarm[-1]
    assert found.alarm[:-1].mean() < 0.25
    assert found.p_value[-1] == pytest.approx(1 / (len(both.held_back_) + 1))
    assert found.to_frame().columns == ["row", "score", "p_value", "alarm"]


def test_reasons_are_computed_and_add_up(both, rows):
    far = rows[:1] + np.array([[0, 9, 0, 0]])
    (reasons,) = both.explain(far, top=4)
    assert reasons[0].feature == "x1"
    assert reasons[0].share > 0.8
    assert reasons[0].value == far[0, 1]
    assert reasons[0].usual == pytest.approx(np.median(rows[:, 1]))
    assert np.isfinite(reasons[0].reproduced)
    assert sum(r.contribution for r in reasons) == pytest.approx(both.score(far)[0])
    assert both.explain(np.median(rows, axis=0, keepdims=True)) == [[]]


def test_a_member_that_was_not_trained_is_said(forest):
    with pytest.raises(NotTrainedError, match="autoencoder"):
        _ = forest.autoencoder
    for call in ("score", "detect", "explain"):
        with pytest.raises(NotTrainedError):
            getattr(AnomalyDetector(), call)([[1.0]])
    with pytest.raises(NotTrainedError):
        AnomalyDetector().tune_contamination()


@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame], ids=["polars", "pandas"])
def test_frames_are_read_by_name(forest, rows, kind):
    frame = kind(dict(zip(NAMES, rows.T, strict=True)))
    turned = frame[NAMES[::-1]]
    np.testing.assert_array_equal(forest.score(turned), forest.score(rows))
    assert forest.features_ == tuple(NAMES)
    reasons = forest.explain(turned)
    assert {r.feature for row in reasons for r in row} == set(NAMES)


def test_frames_with_gaps_and_whole_numbers_are_read(rows):
    frame = pl.DataFrame({"a": [1, None, 3] * 40, "b": np.arange(120.0), "c": [True, False] * 60})
    detector = AnomalyDetector()
    detector.train_isolation_forest(frame)
    assert np.isfinite(detector.score(frame)).all()
    same = frame.to_pandas().convert_dtypes()
    np.testing.assert_array_equal(detector.score(same), detector.score(frame))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.drop("gas"), "missing"),
        (lambda f: f.with_columns(steam=1), "not known"),
        (lambda f: f.with_columns(gas=pl.lit("much")), "numbers"),
        (lambda f: f.to_pandas().rename(columns={"gas": "water"}), "twice"),
    ],
)
def test_wrong_frames_are_refused(forest, rows, change, match):
    with pytest.raises(ColumnError, match=match):
        forest.score(change(pl.DataFrame(rows, schema=NAMES)))


@pytest.mark.parametrize("X", [[[np.inf, 0, 0, 0]], [["a", "b", "c", "d"]], [1.0], [[1.0]], [[]]])
def test_wrong_rows_are_refused(forest, X):
    with pytest.raises(DataError):
        forest.score(X)


@pytest.mark.parametrize("n", [2, 3, 5, 12])
@pytest.mark.parametrize("d", [1, 3])
def test_few_rows_are_learned_from_and_the_threshold_says_what_it_cannot(n, d):
    detector = AnomalyDetector()
    detector.train_isolation_forest(np.random.default_rng(0).normal(size=(n, d)))
    assert np.isfinite(detector.score(np.zeros((2, d)))).all()
    with pytest.raises(UsageError, match="held back"):
        detector.detect(np.zeros((2, d)), alarm_rate=0.001)


@pytest.mark.parametrize("column", [np.zeros(80), np.repeat([1.0, 2.0], 40)], ids=["same", "two"])
def test_columns_of_few_values_and_duplicates_are_borne(column):
    X = np.column_stack([column, np.full(80, np.nan), np.ones(80)])
    detector = AnomalyDetector()
    detector.train_isolation_forest(X)
    assert np.isfinite(detector.score(X)).all()
    assert not detector.detect(X, alarm_rate=0.1).alarm.all()


def test_saved_and_loaded_it_says_the_same(both, forest, rows, tmp_path):
    for i, detector in enumerate((both, forest)):
        detector.save(tmp_path / str(i))
        again = AnomalyDetector.load(tmp_path / str(i))
        np.testing.assert_array_equal(again.score(rows), detector.score(rows))
        a, b = again.detect(rows), detector.detect(rows)
        np.testing.assert_array_equal(a.p_value, b.p_value)
        np.testing.assert_array_equal(a.alarm, b.alarm)
        assert str(again.explain(rows)) == str(detector.explain(rows))
        assert again.features_ == detector.features_


def test_files_that_do_not_belong_together_are_refused(forest, rows):
    other = AnomalyDetector()
    other.train_isolation_forest(rows[:, :2])
    files = forest.to_files()
    mixed = {k: other.to_files()[k] if k.startswith("members/") else v for k, v in files.items()}
    with pytest.raises(IntegrityError):
        AnomalyDetector.from_files(mixed)


def test_time_ordered_rows_are_calibrated_on_the_last_ones(rows):
    drifting = rows + np.linspace(0, 6, len(rows))[:, None]
    detector = AnomalyDetector(time_ordered=True)
    detector.train_isolation_forest(drifting)
    mixed = AnomalyDetector()
    mixed.train_isolation_forest(drifting)
    assert detector.held_back_.mean() > mixed.held_back_.mean()


# Thresholds ------------------------------------------------------------------------------


def test_conformal_threshold_agrees_with_p_values():
    rng = np.random.default_rng(0)
    for m in (1, 9, 10, 99, 100, 257):
        held_back = np.sort(np.round(rng.normal(size=m), 1))
        score = np.round(rng.normal(size=300), 1)
        for rate in (0.01, 0.05, 0.1, 0.5):
            limit = conformal.threshold(held_back, rate)
            below = conformal.p_values(held_back, score) <= rate + 1e-12
            np.testing.assert_array_equal(score > limit, below)


def test_conformal_rate_holds_for_exchangeable_rows_however_few_are_held_back():
    rng = np.random.default_rng(1)
    for m in (9, 19, 50):
        alarms = [
            conformal.p_values(np.sort(rng.normal(size=m)), rng.normal(size=1))[0] <= 0.1
            for _ in range(4000)
        ]
        assert 0.05 < np.mean(alarms) < 0.115


def test_rate_outside_its_bounds_is_refused(forest, rows):
    for rate in (0, 1, -0.1, float("nan")):
        with pytest.raises(UsageError, match="rate"):
            forest.detect(rows, alarm_rate=rate)


# Verdicts --------------------------------------------------------------------------------


def scores(seed=0, n=1000):
    return np.random.default_rng(seed).gamma(2.0, size=n)


def test_without_verdicts_the_fence_is_taken():
    reference = scores()
    tuned = contamination.tune(reference)
    low, high = np.percentile(reference, (25, 75))
    assert tuned.threshold == tuned.guess == pytest.approx(high + 1.5 * (high - low))
    assert tuned.contamination == pytest.approx((reference > tuned.threshold).mean())
    assert tuned.verdicts == 0


def test_few_verdicts_move_the_threshold_a_little_and_many_decide():
    reference = scores()
    start = contamination.guess(reference)
    at = start + 2.0
    moved = []
    for n in (1, 3, 10, 100, 1000):
        near = np.linspace(at - 3, at + 3, n + 1)
        moved.append(contamination.tune(reference, near, near > at).threshold - start)
    assert 0 < moved[0] < moved[2] < moved[4]
    assert moved[4] == pytest.approx(2.0, abs=0.1)


def test_all_alarms_false_raises_and_missed_ones_lower_the_threshold():
    reference = scores()
    start = contamination.guess(reference)
    false_alarms = contamination.tune(reference, [start + 0.5] * 5, [0] * 5)
    missed = contamination.tune(reference, [start - 0.5] * 5, [1] * 5)
    assert missed.threshold < start < false_alarms.threshold
    assert false_alarms.contamination < missed.contamination


def test_contradicting_verdicts_are_counted_and_cancel():
    reference = scores()
    start = contamination.guess(reference)
    tuned = contamination.tune(reference, [start] * 6, [0, 1, 0, 1, 0, 1])
    assert tuned.contradictions == 3
    assert (tuned.right, tuned.wrong, tuned.verdicts) == (3, 3, 6)
    assert tuned.threshold == pytest.approx(start, abs=0.05)


def test_rows_without_verdict_do_not_count(forest, rows):
    verdicts = np.full(len(rows), np.nan)
    assert forest.tune_contamination(rows, verdicts).verdicts == 0
    verdicts[:2] = 0, 1
    assert forest.tune_contamination(rows, verdicts).verdicts == 2


@pytest.mark.parametrize("verdicts", [[2, 0], ["yes", "no"], [0], [[0, 1]], [-1, 1]])
def test_wrong_verdicts_are_refused(forest, rows, verdicts):
    with pytest.raises(DataError):
        forest.tune_contamination(rows[:2], verdicts)


def test_tuning_sets_what_detect_uses(rows):
    detector = AnomalyDetector()
    detector.train_isolation_forest(rows)
    before = detector.detect(rows).alarm.sum()
    score = detector.score(rows)
    strict = (score > np.quantile(score, 0.99)).astype(float)
    tuned = detector.tune_contamination(rows, strict)
    after = detector.detect(rows)
    assert after.threshold == tuned.threshold == detector.threshold_
    assert after.alarm.sum() < before / 3
