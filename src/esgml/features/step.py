"""What a feature step is: it learns on a panel, then turns any panel into columns."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from esgml.core.errors import ColumnError, IntegrityError, NotTrainedError, UsageError
from esgml.core.interfaces import Hyperparameters
from esgml.features.kernels import Grouped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Panel

    Floats = NDArray[np.float64]

#: Name of every shipped step, and where its class lives (imported when it is asked for).
STEPS: dict[str, str] = {
    "calendar": "esgml.features.calendar:Calendar",
    "covariates": "esgml.features.lags:Covariates",
    "degree_days": "esgml.features.degree_days:DegreeDays",
    "differences": "esgml.features.lags:Differences",
    "ewm": "esgml.features.rolling:ExponentialMean",
    "expanding": "esgml.features.rolling:Expanding",
    "lags": "esgml.features.lags:Lags",
    "load_shape": "esgml.features.ratio_steps:LoadShape",
    "ratio": "esgml.features.ratio_steps:Ratio",
    "rolling": "esgml.features.rolling:Rolling",
    "seasonal_rolling": "esgml.features.rolling:SeasonalRolling",
    "seasonality": "esgml.features.seasonality:SeasonalWaves",
}


class FeatureStep(ABC):
    """Base of every feature step.

    A step is set with keyword parameters, learns what it needs with `fit` and gives one
    row of features per row of a panel with `transform`. Training and serving call the same
    `transform`. A subclass defines ``kind``, ``Params``, `names`, `warm_up`, `min_lag` and
    `_columns`, and where it learns something `_fit`, `_state` and `_restore`.

    Attributes
    ----------
    kind : str
        The name it is saved under.
    params : Hyperparameters
    """

    kind: ClassVar[str]
    Params: ClassVar[type[Hyperparameters]] = Hyperparameters

    def __init__(self, **params: Any) -> None:
        self.params: Any = self.Params.checked(f"feature step {self.kind!r}", params)
        self.fitted_ = False

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the features, one per column."""

    @property
    @abstractmethod
    def warm_up(self) -> int | None:
        """How many rows before a row its features may read; None = the whole history.

        With that many earlier rows at hand, features equal those from the whole history.
        """

    @property
    @abstractmethod
    def min_lag(self) -> int | None:
        """Distance in rows to the newest value read that is not known ahead.

        Features with a `min_lag` of at least h can be computed h rows past the last
        observation. None = reads only timestamps and covariates known ahead.
        """

    def fit(self, panel: Panel) -> Self:
        """Learn from the past held in `panel` and return the step itself."""
        self._fit(panel)
        self.fitted_ = True
        return self

    def transform(self, panel: Panel) -> Floats:
        """Return the features of every row.

        Returns
        -------
        array of float, shape (rows, k)
            In the order of `names`; NaN where a feature is not defined.

        Raises
        ------
        NotTrainedError
            Before `fit`.
        ColumnError
            If the panel lacks a covariate the step reads.
        """
        columns = self.columns(panel)
        result = np.empty((len(columns), panel.rows))
        for row, column in zip(result, columns, strict=True):
            row[:] = column
        return result.T

    def columns(self, panel: Panel) -> list[Floats]:
        """Return the features as one array per name, as `transform` stacks them."""
        if not self.fitted_:
            raise NotTrainedError(
                f"feature step {self.kind!r} is not fitted.", remedy="Call fit(panel) first."
            )
        found = self._columns(panel)
        if len(found) != len(self.names) or any(c.shape != (panel.rows,) for c in found):
            raise ValueError(f"{type(self).__name__} returned columns that do not fit its names")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the step, and what it learned, as plain JSON values."""
        return {
            "step": self.kind,
            "params": self.params.model_dump(mode="json"),
            "fitted": self.fitted_,
            "state": self._state() if self.fitted_ else {},
        }

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> FeatureStep:
        """Build the step that `to_dict` described.

        Raises
        ------
        UsageError
            If no step of that name is known.
        IntegrityError
            If the description is incomplete.
        """
        try:
            kind, params = document["step"], document["params"]
            fitted, state = document["fitted"], document["state"]
            step = step_class(kind)(**params)
            if fitted:
                step._restore(state)
                step.fitted_ = True
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"this does not describe a feature step: {error!r}.") from error
        return step

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.params.model_dump().items())
        return f"{type(self).__name__}({settings})"

    @abstractmethod
    def _columns(self, panel: Panel) -> list[Floats]: ...

    def _fit(self, panel: Panel) -> None:  # noqa: B027 - most steps learn nothing
        """Learn from `panel`; most steps have nothing to learn."""

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take back what `_state` returned."""


def register_step(step: type[FeatureStep]) -> type[FeatureStep]:
    """Make a step of your own known, so that saved pipelines that use it can be loaded.

    Usable as a class decorator.

    Raises
    ------
    UsageError
        If another class already has that name.
    """
    place = f"{step.__module__}:{step.__qualname__}"
    if STEPS.get(step.kind, place) != place:
        raise UsageError(f"a feature step named {step.kind!r} already exists.")
    STEPS[step.kind] = place
    return step


def step_class(kind: str) -> type[FeatureStep]:
    """Return the class of the step named `kind`.

    Only names in `STEPS` are looked up, so a saved pipeline cannot make anything else run.
    """
    if kind not in STEPS:
        raise UsageError(
            f"unknown feature step {kind!r}.", remedy=f"Known: {', '.join(sorted(STEPS))}."
        )
    module, _, name = STEPS[kind].partition(":")
    found: type[FeatureStep] = getattr(importlib.import_module(module), name)
    return found


def source_values(panel: Panel, source: str) -> Floats:
    """Return the values a step reads: the target (``""``) or a covariate by name.

    Raises
    ------
    ColumnError
        If the panel has no such covariate.
    """
    if source == "":
        return panel.values
    if source in panel.known_names:
        return panel.known[:, panel.known_names.index(source)]
    if source in panel.past_names:
        return panel.past[:, panel.past_names.index(source)]
    raise ColumnError(
        f"the panel has no covariate {source!r}.",
        code="column_missing",
        remedy=f"It has {[*panel.known_names, *panel.past_names]}; an empty name is the target.",
    )


_SHARED: ContextVar[tuple[Panel, dict[str, Grouped]] | None] = ContextVar("shared", default=None)


@contextmanager
def shared_readers(panel: Panel) -> Iterator[None]:
    """Let the steps that run inside share what they compute about each column of `panel`."""
    token = _SHARED.set((panel, {}))
    try:
        yield
    finally:
        _SHARED.reset(token)


def grouped(panel: Panel, source: str) -> Grouped:
    """Return the compiled statistics over one column of a panel."""
    shared = _SHARED.get()
    if shared is None or shared[0] is not panel:
        return Grouped(source_values(panel, source), panel.indptr)
    readers = shared[1]
    if source not in readers:
        readers[source] = Grouped(source_values(panel, source), panel.indptr)
    return readers[source]


def label(source: str) -> str:
    """Return what a column is called in feature names."""
    return source or "target"


def joint_warm_up(parts: list[int | None]) -> int | None:
    """Return the warm-up of several steps together."""
    known = [part for part in parts if part is not None]
    return None if len(known) < len(parts) else max(known, default=0)


def joint_min_lag(parts: list[int | None]) -> int | None:
    """Return the smallest lag of several steps together."""
    return min((part for part in parts if part is not None), default=None)
