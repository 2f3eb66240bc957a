"""`MLPipeline`: the road from a source to predictions as one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from esgml.core.errors import NotFoundError, NotTrainedError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.settings import Settings
from esgml.core.tasks import Predictor
from esgml.features.data_pipeline import DataPipeline, Processed
from esgml.features.store import FeatureStore
from esgml.features.validation import validate_features
from esgml.registry.registry import CHAMPION, ModelRegistry
from esgml.training.observations import keep_observations
from esgml.training.report import TrainingReport
from esgml.training.requests import table_request
from esgml.training.train import ALL, ModelTrainingPipeline
from esgml.training.worker import load_task

if TYPE_CHECKING:
    from esgml.data.load import Loaded


class PipelineConfig(pydantic.BaseModel):
    """How an `MLPipeline` is set up.

    Attributes
    ----------
    workspace : Path
        Folder that holds everything.
    entity, time : str
        Columns that name the series and the start of the period.
    targets, known, hierarchy : tuple of str
        Columns to forecast, covariates known ahead, columns above the entity.
    tasks : str
        Names of tasks, comma-separated, or ``all``.
    model : str
    horizon : int or None
    levels : tuple of int
        Interval levels in percent.
    seed : int
    scaling : {"standard", "robust", "minmax"}
    repair : tuple of str
        Suspicious values to mend, as in `esgml.data.cleaning.clean`.
    workers : int or None
        Most training processes at once.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    workspace: Path = Path(".esgml")
    entity: str = "entity"
    time: str = "timestamp"
    targets: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    hierarchy: tuple[str, ...] = ()
    tasks: str = ALL
    model: str = "auto"
    horizon: int | None = pydantic.Field(default=None, ge=1)
    levels: tuple[int, ...] = (80, 90)
    seed: int = pydantic.Field(default=0, ge=0)
    scaling: Literal["standard", "robust", "minmax"] = "standard"
    repair: tuple[str, ...] = ()
    workers: int | None = pydantic.Field(default=None, ge=1)

    @property
    def spec(self) -> SeriesSpec:
        """Column roles."""
        return SeriesSpec(self.entity, self.time, self.targets, self.known, self.hierarchy)


class MLPipeline:
    """Ingest, process, train, predict: the parts of the package joined into one road.

    Parameters
    ----------
    config : PipelineConfig or mapping, optional
    modules : mapping of task name to module, optional
        As `ModelTrainingPipeline` takes it.
    notice : callable, optional
        Told in plain words how training goes.

    Attributes
    ----------
    feature_store : FeatureStore
        Holds every ingested row in the view ``observations``, corrections included.
    model_registry : ModelRegistry
    data_pipeline : DataPipeline
    training : ModelTrainingPipeline
    models : dict of task name to Predictor
        Champions that were trained or asked for so far.

    Raises
    ------
    UsageError
        If the configuration has an unknown field or a bad value.

    Examples
    --------
    >>> pipeline = MLPipeline({"workspace": "work", "horizon": 14})  # doctest: +SKIP
    >>> table = pipeline.ingest("portfolio.csv")  # doctest: +SKIP
    >>> report = pipeline.train()  # doctest: +SKIP
    >>> pipeline.predict()["forecasts"][0]["mean"]  # doctest: +SKIP
    """

    def __init__(
        self,
        config: PipelineConfig | Mapping[str, Any] | None = None,
        *,
        modules: Mapping[str, str] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        if not isinstance(config, PipelineConfig):
            try:
                config = PipelineConfig(**(config or {}))
            except pydantic.ValidationError as error:
                first = error.errors()[0]
                raise UsageError(
                    f"configuration: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
                    remedy=f"Known fields: {', '.join(PipelineConfig.model_fields)}.",
                ) from error
        self.config = config
        self.settings = Settings(workspace=config.workspace)
        self.feature_store = FeatureStore(self.settings)
        self.model_registry = ModelRegistry(self.settings)
        self.data_pipeline = DataPipeline(config.spec, scaling=config.scaling, repair=config.repair)
        self.training = ModelTrainingPipeline(
            self.settings,
            registry=self.model_registry,
            modules=modules,
            workers=config.workers,
            notice=notice,
        )
        self.models: dict[str, Predictor] = {}
        self._loaded: Loaded | None = None

    @property
    def table(self) -> Loaded:
        """The clean table that was ingested last.

        Raises
        ------
        NotTrainedError
            Before anything was ingested.
        """
        if self._loaded is None:
            raise NotTrainedError(
                "nothing was ingested yet.", code="no_data", remedy="Call ingest(source) first."
            )
        return self._loaded

    def ingest(self, source: Any) -> Loaded:
        """Read, check and clean a table, and store its rows as features.

        Parameters
        ----------
        source : path, URL or data frame

        Returns
        -------
        Loaded
            Clean table with its check report, log and quarantine.

        Raises
        ------
        ReadError, DataError
            If the table cannot be read, or has a fault that cleaning cannot mend.
        StorageError
            If the workspace cannot be written.
        """
        loaded = self.data_pipeline.clean(source)
        keep_observations(self.feature_store, loaded)
        self._loaded = loaded
        return loaded

    def process(self, source: Any = None) -> Processed:
        """Engineer and scale the features of a table: `source`, or what was ingested.

        The first call learns features and scales; later ones apply what was learned.
        """
        loaded = self.table if source is None else self.ingest(source)
        steps = self.data_pipeline
        made = steps.engineer(loaded)
        scaled = steps.scale(made)
        faults = validate_features(made.values, made.names, reference=steps.profile_)
        return Processed(loaded, made.panel, made.future, made.names, scaled, tuple(faults))

    def train(self, source: Any = None) -> TrainingReport:
        """Train, register and release the configured tasks on `source`, or what was ingested.

        Raises
        ------
        EsgmlError
            If nothing could be trained: the error of the first task.
        """
        loaded = self.table if source is None else self.ingest(source)
        config = self.config
        report = self.training.train_all_models(
            loaded,
            tasks=config.tasks,
            model=config.model,
            horizon=config.horizon,
            levels=config.levels,
            seed=config.seed,
        )
        report.raise_on_failures()
        for model in report.models:
            self.models.pop(model.task, None)
            if model.champion:
                self.predictor(model.task)
        return report

    def predictor(self, task: str) -> Predictor:
        """Return what answers requests for a task: its champion, loaded once.

        Raises
        ------
        NotFoundError
            If there is no such task, or none of its versions was released.
        """
        if task not in self.training.tasks:
            raise NotFoundError(
                f"no task {task!r}.",
                code="task_unknown",
                remedy=f"Known: {', '.join(self.training.tasks)}.",
            )
        if task not in self.models:
            bundle = self.model_registry.get(task, CHAMPION)
            subject = load_task(self.training.tasks[bundle.task])
            self.models[task] = subject.predictor(bundle.files)
        return self.models[task]

    def predict(
        self,
        source: Any = None,
        *,
        task: str = "",
        horizon: int | None = None,
        levels: tuple[int, ...] | None = None,
    ) -> dict[str, Any]:
        """Answer with the champion of a task.

        Parameters
        ----------
        source : mapping, path, URL or data frame, optional
            A request of the task; or a table to go on from the end of; what was ingested
            where left out.
        task : str
            May be left out where only one was trained or can be.
        horizon : int, optional
            Periods ahead; the trained horizon where left out.
        levels : tuple of int, optional
            Interval levels in percent; all calibrated ones where left out.

        Raises
        ------
        NotFoundError
            If nothing was released yet.
        UsageError
            If it is not clear which task is meant.
        """
        name = task or self._only_task()
        predictor = self.predictor(name)
        if isinstance(source, Mapping):
            return predictor.predict(source)
        loaded = self.table if source is None else self.data_pipeline.clean(source)
        schema = self.model_registry.get(name, CHAMPION).schema
        request = table_request(loaded.frame, loaded.spec, schema, horizon=horizon, levels=levels)
        return predictor.predict(request)

    # Inside -----------------------------------------------------------------------------

    def _only_task(self) -> str:
        names = list(self.models) or list(self.training.tasks)
        if len(names) != 1:
            raise UsageError(
                f"it is not clear which task is meant: {', '.join(names) or 'there is none'}.",
                remedy="Name it with task=...",
            )
        return names[0]
