"""Any anomaly model of the catalog as a scikit-learn estimator."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.anomaly.base import AnomalyModel
from esgml.core.errors import MissingExtraError

try:
    from sklearn.base import BaseEstimator, OutlierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:
    raise MissingExtraError.of("scikit-learn", "train") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class SklearnDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """An anomaly model of the catalog with the interface of scikit-learn's outlier detectors.

    When to use it: in pipelines and searches of scikit-learn, in the place of its
    ``IsolationForest`` or ``LocalOutlierFactor(novelty=True)``. Scores have scikit-learn's sign:
    **lower is stranger**, the opposite of `score` of the models. Weakness: a fixed share of the
    training rows is called strange, as in all of scikit-learn's detectors.

    Parameters
    ----------
    model : str
        Name in the catalog, such as ``ensemble``, ``isolation_forest`` or ``pca``.
    contamination : float
        Share of the training rows below the threshold, in (0, 0.5].
    params : mapping, optional
        Hyperparameters of the model.
    random_state : int, RandomState or None

    Attributes
    ----------
    model_ : AnomalyModel
    offset_ : float
        ``decision_function`` is ``score_samples`` less this; negative = strange.
    n_features_in_ : int
    feature_names_in_ : array of str, shape (n_features_in_,)
        Where it was fitted on a frame whose column names are all text.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(300, 2))
    >>> detector = SklearnDetector(model="pca", contamination=0.02).fit(rows)
    >>> detector.predict([[0.0, 0.0], [9.0, 9.0]]).tolist()
    [1, -1]
    """

    model_: AnomalyModel
    offset_: float

    def __init__(
        self,
        model: str = "ensemble",
        *,
        contamination: float = 0.1,
        params: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.model = model
        self.contamination = contamination
        self.params = params
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Say that missing values are borne."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows of `X`, shape (n, d); `y` is not looked at.

        Raises
        ------
        ValueError
            If `X` is no table of numbers, or the contamination is not in (0, 0.5].
        NotFoundError
            If there is no such model.
        """
        from esgml.core import catalog

        share: Any = self.contamination
        if not isinstance(share, numbers.Real) or not 0 < float(share) <= 0.5:
            raise ValueError(f"contamination must lie in (0, 0.5], got {share!r}.")
        kind = catalog.load("anomaly", self.model)
        assert issubclass(kind, AnomalyModel)
        table = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2
        )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.model_ = kind(**dict(self.params or {})).train(table, seed=seed)
        # shifted by the share itself, not by a rank: ties at the edge stay ordinary
        self.offset_ = float(np.percentile(-self.model_.score(table), 100.0 * float(share)))
        return self

    def score_samples(self, X: Any) -> Floats:
        """Return how ordinary each row is, shape (n,); lower is stranger."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return np.negative(self.model_.score(table))

    def decision_function(self, X: Any) -> Floats:
        """Return `score_samples` less the threshold, shape (n,); negative = strange."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return -1 for strange rows and 1 for others, shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)
