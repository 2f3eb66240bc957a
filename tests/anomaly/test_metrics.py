"""Metrics against scikit-learn, events against a loop, bad labels refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.anomaly.metrics import alarm_scores, average_precision, events, roc_auc
from esgml.core.errors import DataError

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=3, max_size=60)


@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_ranking_metrics_equal_scikit_learn(pairs):
    from sklearn.metrics import average_precision_score, roc_auc_score

    y = np.array([label for label, _ in pairs], dtype=int)
    score = np.array([value for _, value in pairs], dtype=float)
    if y.min() == y.max():
        assert np.isnan(roc_auc(y, score))
        return
    assert roc_auc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    assert average_precision(y, score) == pytest.approx(average_precision_score(y, score))


@given(st.lists(st.booleans(), max_size=40))
def test_events_are_the_runs(flags):
    covered = np.zeros(len(flags), dtype=bool)
    for a, b in events(np.array(flags, dtype=bool)):
        assert all(flags[a:b]) and not (a and flags[a - 1]) and not (b < len(flags) and flags[b])
        covered[a:b] = True
    assert covered.tolist() == flags


def test_alarm_scores_by_hand():
    y = [0, 1, 1, 0, 0, 1, 0, 0]
    alarm = [0, 1, 0, 0, 1, 0, 0, 0]
    found = alarm_scores(y, alarm)
    assert found == {"fpr": 0.2, "precision": 0.5, "recall": 1 / 3, "event_recall": 0.5}


def test_nothing_to_find_is_not_a_perfect_score():
    assert np.isnan(alarm_scores([0, 0], [0, 0])["recall"])
    assert np.isnan(average_precision([0, 0], [1.0, 2.0]))


@pytest.mark.parametrize(
    ("y", "score", "code"),
    [
        ([0, 2], [1.0, 2.0], "labels"),
        ([0, 1, 1], [1.0, 2.0], "shape"),
        ([0, 1], [1.0, np.nan], "not_finite"),
    ],
)
def test_bad_labels_are_refused(y, score, code):
    with pytest.raises(DataError) as caught:
        roc_auc(y, score)
    assert caught.value.code == code
