"""Anomaly models as scikit-learn estimators: its own checks, its sign, its tools."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.ensemble import IsolationForest as Theirs
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from esgml import SklearnDetector
from esgml.core.errors import EsgmlError

#: Checks of scikit-learn it does not pass, each with its reason. There is none.
EXPECTED_FAILURES: dict[str, str] = {}


def rows(n=300, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def run_checks(name, **params):
    """Return the names of scikit-learn's checks that passed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(
            SklearnDetector(name, **params), expected_failed_checks=EXPECTED_FAILURES, on_fail=None
        )
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    skipped = [r["check_name"] for r in results if r["status"] == "skipped"]
    assert skipped in ([], ["check_array_api_input"])  # needs SCIPY_ARRAY_API=1
    return [r["check_name"] for r in results if r["status"] == "passed"]


def test_it_passes_the_checks_of_scikit_learn():
    assert len(run_checks("pca")) >= 45


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ensemble", "isolation_forest", "sampled_neighbours"])
def test_other_models_pass_the_checks_of_scikit_learn(name):
    assert len(run_checks(name)) >= 45


def test_signs_are_those_of_scikit_learn():
    X = rows()
    detector = SklearnDetector(contamination=0.05).fit(X)
    score = detector.score_samples(X)
    np.testing.assert_array_equal(score, -detector.model_.score(X))
    np.testing.assert_array_equal(detector.decision_function(X), score - detector.offset_)
    assert (detector.predict(X) == -1).mean() == pytest.approx(0.05, abs=0.005)
    assert detector.predict([[9.0, 9.0, 9.0]]).tolist() == [-1]
    np.testing.assert_array_equal(detector.fit_predict(X), detector.predict(X))


def test_as_a_forest_it_ranks_like_the_one_of_scikit_learn():
    X = rows()
    far = np.concatenate([rows(seed=1), 4 * rows(seed=2)])
    ours = SklearnDetector("isolation_forest").fit(X).score_samples(far)
    theirs = Theirs(random_state=0).fit(X).score_samples(far)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


def test_it_works_in_a_pipeline_a_clone_and_a_search():
    X = rows()
    chain = make_pipeline(StandardScaler(), SklearnDetector("pca", random_state=3)).fit(X)
    assert set(chain.predict(X)) == {-1, 1}
    twin = clone(chain).fit(X)
    np.testing.assert_array_equal(twin.score_samples(X), chain.score_samples(X))
    y = np.where(np.abs(X).max(axis=1) > 2.3, -1, 1)
    search = GridSearchCV(
        SklearnDetector("pca"),
        {"contamination": [0.02, 0.2], "model": ["pca", "sampled_neighbours"]},
        scoring="accuracy",
        cv=2,
    ).fit(X, y)
    assert search.best_score_ > 0.7


def test_names_of_columns_are_kept_and_held_against():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows(), columns=["a", "b", "c"])
    detector = SklearnDetector("pca").fit(frame)
    assert list(detector.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(frame[["c", "b", "a"]])


def test_missing_values_are_borne_and_infinite_ones_refused():
    X = rows()
    X[::5, 1] = np.nan
    assert np.isfinite(SklearnDetector().fit(X).score_samples(X)).all()
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        SklearnDetector().fit(X)


@pytest.mark.parametrize("share", [0, -0.1, 0.6, "auto", None])
def test_wrong_contamination_is_refused(share):
    with pytest.raises(ValueError, match="contamination"):
        SklearnDetector(contamination=share).fit(rows())


def test_unknown_models_and_parameters_are_refused():
    with pytest.raises(EsgmlError, match="no anomaly model"):
        SklearnDetector("crystal_ball").fit(rows())
    with pytest.raises(EsgmlError, match="no_such"):
        SklearnDetector("pca", params={"no_such": 1}).fit(rows())


def test_parameters_reach_the_model():
    detector = SklearnDetector("isolation_forest", params={"trees": 7}).fit(rows())
    assert len(detector.model_.forest_.roots) == 7
