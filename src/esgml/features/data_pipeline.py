"""From a raw table to scaled features: validate, clean, engineer, scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import NotTrainedError
from esgml.features.defaults import default_steps
from esgml.features.pipeline import FeaturePipeline, series_labels
from esgml.features.scaling import Method, Scaler
from esgml.features.validation import FeatureProfile, validate_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from esgml.core.frames import CheckReport, Fault, SeriesSpec
    from esgml.core.panel import Future, Panel
    from esgml.data.load import Loaded
    from esgml.features.step import FeatureStep

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Engineered:
    """A panel and its features.

    Attributes
    ----------
    panel : Panel
    future : Future or None
        Known covariates after the last observation, where the table has them.
    names : tuple of str
    values : array, shape (rows, k)
        Features in their own units.
    """

    panel: Panel
    future: Future | None
    names: tuple[str, ...]
    values: Floats


@dataclass(frozen=True)
class Processed:
    """What came out of a raw table, and the story of how.

    Attributes
    ----------
    loaded : Loaded
        Clean table, its report, log and quarantine.
    panel : Panel
    future : Future or None
    names : tuple of str
        Names of the features.
    features : array, shape (rows, k)
        Scaled features, one row per row of the panel.
    faults : tuple of Fault
        What is wrong with the features, compared with training where there was one.
    """

    loaded: Loaded
    panel: Panel
    future: Future | None
    names: tuple[str, ...]
    features: Floats
    faults: tuple[Fault, ...]

    @property
    def frame(self) -> pl.DataFrame:
        """The clean table."""
        return self.loaded.frame

    @property
    def report(self) -> CheckReport:
        """What was found in the table as it came."""
        return self.loaded.report


class DataPipeline:
    """The first half of the road in one object: ``process(raw)``.

    The first call of `process` learns features and scales from its table; later calls apply
    what was learned, so new data is treated as the training data was.

    Parameters
    ----------
    spec : SeriesSpec, optional
        Column roles; detected where omitted.
    steps : sequence of FeatureStep, optional
        Chosen by `default_steps` for the data where omitted.
    scaling : {"standard", "robust", "minmax"}
    per_entity : bool
        Whether each series is scaled on its own.
    country : str, optional
        ISO code whose public holidays become a feature.
    repair : str or tuple of str
        Suspicious values to mend as well, as in `esgml.data.cleaning.clean`.

    Attributes
    ----------
    features_ : FeaturePipeline
    scaler_ : Scaler
    profile_ : FeatureProfile
        All three once something was processed.
    """

    def __init__(
        self,
        spec: SeriesSpec | None = None,
        *,
        steps: Sequence[FeatureStep] | None = None,
        scaling: Method = "standard",
        per_entity: bool = True,
        country: str | None = None,
        repair: str | tuple[str, ...] = (),
    ) -> None:
        self.spec = spec
        self.steps = None if steps is None else tuple(steps)
        self.scaling: Method = scaling
        self.per_entity = per_entity
        self.country = country
        self.repair = (repair,) if isinstance(repair, str) else tuple(repair)
        self.features_: FeaturePipeline | None = None
        self.scaler_: Scaler | None = None
        self.profile_: FeatureProfile | None = None

    def validate(self, raw: Any) -> CheckReport:
        """Return every fault of a raw table; raises only if it cannot be read at all."""
        from esgml.core.frames import SeriesSpec
        from esgml.data.checks import check
        from esgml.data.sources import read

        return check(read(raw), self.spec or SeriesSpec())

    def clean(self, raw: Any) -> Loaded:
        """Return the clean table with its report, log and quarantine.

        Raises
        ------
        DataError
            If the table has a fault that cleaning cannot mend.
        """
        from esgml.data.load import load

        return load(raw, self.spec, repair=self.repair)

    def engineer(self, table: Any, *, refit: bool = False) -> Engineered:
        """Lay a clean table out as a panel and compute its features.

        Parameters
        ----------
        table : Loaded, or a raw table
            What `clean` returned; anything else is cleaned first.
        refit : bool
            Learn anew although something was learned before.
        """
        from esgml.data.load import Loaded
        from esgml.data.panels import to_panel

        loaded = table if isinstance(table, Loaded) else self.clean(table)
        panel, future = to_panel(loaded.frame, loaded.spec)
        if self.features_ is None or refit:
            steps = self.steps or default_steps(panel, country=self.country)
            self.features_ = FeaturePipeline(steps).fit(panel)
            self.scaler_ = None
        return Engineered(panel, future, self.features_.names, self.features_.transform(panel))

    def scale(self, table: Any) -> Floats:
        """Return the features on one scale, shape (rows, k); the first call learns it.

        Parameters
        ----------
        table : Engineered, Loaded, or a raw table
            What `engineer` returned; anything else is engineered first.
        """
        engineered = table if isinstance(table, Engineered) else self.engineer(table)
        labels = series_labels(engineered.panel) if self.per_entity else None
        if self.scaler_ is None:
            self.scaler_ = Scaler(self.scaling, per_entity=self.per_entity)
            self.scaler_.fit(engineered.values, labels)
            self.profile_ = FeatureProfile.of(engineered.values, engineered.names)
        return self.scaler_.transform(engineered.values, labels)

    def process(self, raw: Any, *, refit: bool = False) -> Processed:
        """Validate, clean, engineer and scale a raw table.

        Parameters
        ----------
        raw : path, URL or data frame
            As `esgml.data.sources.read` takes it.
        refit : bool
            Learn features and scales anew although they were learned before.

        Raises
        ------
        DataError
            If the table has a fault that cleaning cannot mend; the message names them all.
        """
        loaded = self.clean(raw)
        engineered = self.engineer(loaded, refit=refit)
        scaled = self.scale(engineered)
        faults = validate_features(engineered.values, engineered.names, reference=self.profile_)
        return Processed(
            loaded, engineered.panel, engineered.future, engineered.names, scaled, tuple(faults)
        )

    def pipeline(self) -> FeaturePipeline:
        """Return the learned features and scale as one pipeline that can be saved.

        Raises
        ------
        NotTrainedError
            Before anything was processed.
        """
        if self.features_ is None or self.scaler_ is None:
            raise NotTrainedError("nothing was processed yet.", remedy="Call process(raw) first.")
        whole = FeaturePipeline(self.features_.steps, self.scaler_, self.features_.keep)
        whole.fitted_ = True
        return whole
