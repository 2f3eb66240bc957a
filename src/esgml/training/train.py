"""`ModelTrainingPipeline`: every task a table is fit for, trained side by side and registered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esgml.core import tasks as known_tasks
from esgml.core.errors import DataError, EsgmlError, NotFoundError, StorageError, UsageError
from esgml.core.events import EventBus, ModelTrained
from esgml.core.frames import SeriesSpec, Severity
from esgml.core.progress import track
from esgml.core.settings import Settings
from esgml.core.tasks import Task
from esgml.registry.bundle import Bundle
from esgml.registry.fingerprint import code_version
from esgml.registry.registry import ModelRegistry
from esgml.training import dataset
from esgml.training.checkpoints import Checkpoints
from esgml.training.crossval import CrossValidation, cross_validate
from esgml.training.jobs import RESULT, STEPS, Job, explain, spec_to_dict
from esgml.training.parallel import Outcome, cores, run_jobs
from esgml.training.release import Release, release
from esgml.training.report import Failure, TrainedModel, TrainingReport, short
from esgml.training.runs import RunRecord, RunTracker, library_versions, run_key
from esgml.training.tables import Tables
from esgml.training.worker import load_task

if TYPE_CHECKING:
    import polars as pl

    from esgml.data.load import Loaded

ALL = "all"
_MOST_SEED = 2**63 - 1


@dataclass(frozen=True)
class _Planned:
    record: RunRecord
    folder: Path


class ModelTrainingPipeline:
    """Train tasks in parallel processes, track the runs, register and release what came out.

    Parameters
    ----------
    settings : Settings, optional
        Says where the workspace is.
    registry : ModelRegistry, optional
    modules : mapping of task name to module, optional
        Modules that define a task as ``TASK``; all installed ones where left out.
    workers : int, optional
        Most processes at once; as many as there are cores where left out.
    notice : callable, optional
        Told in plain words what is going on.
    bus : EventBus, optional
        Told of every task that was trained.

    Examples
    --------
    >>> pipeline = ModelTrainingPipeline()  # doctest: +SKIP
    >>> report = pipeline.train_all_models("portfolio.csv", seed=7)  # doctest: +SKIP
    >>> report.models[0].beside_naive()[0]  # doctest: +SKIP
    ('wape', 0.081, 0.124)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        registry: ModelRegistry | None = None,
        modules: Mapping[str, str] | None = None,
        workers: int | None = None,
        notice: Callable[[str], None] | None = None,
        bus: EventBus | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be at least 1, got {workers}.")
        self.settings = settings or Settings()
        self.registry = registry or ModelRegistry(self.settings, bus)
        self.tracker = RunTracker(self.settings)
        self.workers = workers
        self._modules = dict(modules) if modules is not None else None
        self._notice = notice or (lambda _: None)
        self._bus = bus

    @property
    def tasks(self) -> dict[str, str]:
        """Tasks that can be trained, and the module each is defined in."""
        if self._modules is not None:
            return self._modules
        return {name: known_tasks.MODULES[name] for name in known_tasks.task_names()}

    def train_all_models(
        self,
        data: Any,
        *,
        spec: SeriesSpec | None = None,
        tasks: str | Sequence[str] = ALL,
        model: str = "auto",
        horizon: int | None = None,
        levels: tuple[int, ...] = (80, 90),
        seed: int = 0,
    ) -> TrainingReport:
        """Train tasks on a table, register each, and release what beats its baseline.

        A task that fails is reported and stops no other. The same call after a kill goes
        on with the steps that were finished; the same call with the same seed gives the
        same bytes, and so the same registered version.

        Parameters
        ----------
        data : path, URL, data frame or Loaded
        spec : SeriesSpec, optional
            Column roles; detected where left out.
        tasks : str or sequence of str
            Names of tasks, or ``all`` that the table is fit for.
        model : str
            Name of the model, or ``auto``.
        horizon : int, optional
            Periods ahead, where the task forecasts.
        levels : tuple of int
            Interval levels in percent.
        seed : int

        Raises
        ------
        NotFoundError
            If there is no such task or model.
        DataError
            If the table cannot be trained on at all.
        StorageError
            If the workspace cannot be written.
        UsageError
            If an option is out of range.
        """
        names, everything = self._chosen(tasks)
        options = _options(model, horizon, levels, seed)
        tables = Tables(data, spec, self.settings, self._notice)
        skipped: dict[str, str] = {}
        failures: list[Failure] = []
        refused: list[EsgmlError] = []
        fit: dict[str, str] = {}
        for name in names:
            try:
                task = load_task(self.tasks[name])
            except (EsgmlError, ImportError) as error:
                failures.append(Failure(name, explain(error)))
                continue
            reason = tables.refusal(task) or _unfit(task, tables.loaded(task), model)
            if reason is None:
                fit[name] = task.reads
            elif everything and len(names) > 1:
                skipped[name] = str(reason)
                refused.append(reason)
            else:
                raise reason
        if refused and not fit and not failures:
            raise refused[0]
        planned: dict[str, _Planned] = {}
        workers = max(1, min(self.workers or cores(), len(fit)))
        for name, reads in fit.items():
            path, found = tables.kept(reads)
            job = Job(
                name,
                self.tasks[name],
                str(path),
                found.as_dict(),
                spec_to_dict(tables.spec(reads)),
                options,
                # all cores for each: a task that ends early leaves its own to the others
                cores(),
            )
            plan = self._plan(job)
            planned[plan.record.key] = plan
        models: list[TrainedModel] = []
        for ended in self._run(planned, workers):
            if isinstance(ended, Failure):
                failures.append(ended)
            else:
                models.append(ended)
        order = {name: i for i, name in enumerate(names)}
        return TrainingReport(
            tuple(sorted(models, key=lambda m: order[m.task])),
            tuple(sorted(failures, key=lambda f: order[f.task])),
            skipped,
            tables.fingerprint(),
        )

    def cross_validate(
        self,
        data: Any,
        task: str,
        *,
        spec: SeriesSpec | None = None,
        model: str = "auto",
        horizon: int | None = None,
        folds: int = 3,
        seed: int = 0,
    ) -> CrossValidation:
        """Train a task on growing parts of the past and score what came after each.

        See `esgml.training.crossval.cross_validate`.
        """
        names, _ = self._chosen(task)
        subject = load_task(self.tasks[names[0]])
        loaded = dataset.prepare(data, spec, subject.reads)
        options = known_tasks.TaskOptions(
            model=model, horizon=horizon, seed=seed, threads=max(1, cores())
        )
        return cross_validate(subject, loaded.frame, loaded.spec, options, folds=folds)

    # Inside -----------------------------------------------------------------------------

    def _chosen(self, tasks: str | Sequence[str]) -> tuple[list[str], bool]:
        names = tasks.split(",") if isinstance(tasks, str) else list(tasks)
        names = list(dict.fromkeys(name.strip() for name in names if name.strip()))
        known = self.tasks
        if names == [ALL]:
            return list(known), True
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise NotFoundError(
                f"no task {', '.join(map(repr, unknown)) or 'named'}.",
                code="task_unknown",
                remedy=f"Known: {', '.join(known) or 'none'}, or {ALL}.",
            )
        return names, False

    def _plan(self, job: Job) -> _Planned:
        """Open the run of a job: a new one, or one that was interrupted."""
        code = code_version()
        sha = str(job.fingerprint["sha256"])
        key = run_key(job.task, sha, job.spec, job.options, code)
        record = self.tracker.find(key)
        if record is None:
            data = {k: v for k, v in job.fingerprint.items() if k != "columns"}
            seed = int(job.options["seed"])
            record = RunRecord(
                key, job.task, seed, job.options, job.spec, data, code, library_versions()
            )
        elif record.status == "interrupted":
            self._notice(f"{job.task}: goes on with run {key}, which was interrupted.")
        record = self.tracker.write(record.begin())
        folder = self.tracker.folder(key)
        job.write(folder)
        return _Planned(record, folder.absolute())

    def _run(self, planned: dict[str, _Planned], workers: int) -> Iterator[TrainedModel | Failure]:
        """Run the planned processes and close each run as its process ends."""

        def tell(key: str, message: dict[str, Any]) -> None:
            how = "taken over" if message["reused"] else f"{message['seconds']:.1f} s"
            self._notice(f"{planned[key].record.task}: {message['step']} ({how})")

        folders = [plan.folder for plan in planned.values()]
        left = {key: plan.record for key, plan in planned.items()}
        try:
            with contextlib.closing(
                run_jobs(folders, workers=workers, threads=cores(), notice=tell)
            ) as outcomes:
                # a single process draws bars of its own
                seen = outcomes if len(folders) == 1 else track(outcomes, "training", len(folders))
                for outcome in seen:
                    record = planned[outcome.folder.name].record
                    try:
                        ended = self._end(record, outcome)
                    except EsgmlError as error:  # registering is this run's own failure
                        ended = self._fail(record, explain(error))
                    del left[record.key]
                    yield ended
        finally:
            for record in left.values():  # Ctrl-C: what did not end was interrupted
                with contextlib.suppress(StorageError):  # the first error is the one to tell
                    self.tracker.write(record.end("interrupted"))

    def _end(self, record: RunRecord, outcome: Outcome) -> TrainedModel | Failure:
        if outcome.error:
            return self._fail(record, outcome.error)
        done = outcome.done
        bundle = Bundle.read(outcome.folder / RESULT, done["digest"])
        version = self.registry.register(bundle, name=record.task)
        verdict: Release = release(self.registry, record.task, version)
        metrics = short(bundle.metrics)
        result = {
            "name": record.task,
            "version": version,
            "digest": done["digest"],
            "model": bundle.model_name,
            "metrics": metrics,
            "champion": verdict.promoted,
            "reason": verdict.reason,
        }
        ended = record.end("done", **{k: v for k, v in done.items() if k != "digest"})
        self.tracker.write(RunRecord(**{**vars(ended), "result": result}))
        for leftover in (STEPS, RESULT):  # what they held is in the registry now
            Checkpoints(outcome.folder / leftover).clear()
        if self._bus is not None:
            self._bus.publish(ModelTrained(record.task, record.task, metrics))
        return TrainedModel(
            record.task,
            record.task,
            version,
            bundle.model_name,
            metrics,
            float(done["seconds"]),
            record.key,
            verdict.promoted,
            verdict.reason,
            tuple(name for name, step in done["steps"].items() if step["reused"]),
        )

    def _fail(self, record: RunRecord, error: dict[str, str]) -> Failure:
        self.tracker.write(record.end("failed", error=error))
        return Failure(record.task, error, record.key)


def _options(model: str, horizon: int | None, levels: tuple[int, ...], seed: int) -> dict[str, Any]:
    if horizon is not None and horizon < 1:
        raise UsageError(f"horizon must be at least 1, got {horizon}.")
    if not levels or any(not 1 <= level <= 99 for level in levels):
        raise UsageError(
            f"interval levels must be 1 to 99 percent, got {list(levels)}.",
            remedy="Use e.g. --levels 80,90.",
        )
    if not 0 <= seed <= _MOST_SEED:
        raise UsageError(f"a seed is a whole number from 0 to {_MOST_SEED}, got {seed}.")
    return {
        "model": model,
        "horizon": horizon,
        "levels": sorted(set(levels)),
        "seed": seed,
    }


def _unfit(task: Task, loaded: Loaded, model: str) -> EsgmlError | None:
    """Say why a task cannot learn from a table with a model; None where it can."""
    known = task.models()
    if model != "auto" and model not in known:
        return NotFoundError(
            f"task {task.name!r} has no model {model!r}.",
            code="model_unknown",
            remedy=f"Known: auto, {', '.join(known)}.",
        )
    faults = task.frame.faults(_by_role(loaded.frame, loaded.spec))
    errors = [f for f in faults if f.severity is Severity.ERROR]
    if errors:
        words = "; ".join(f.message for f in errors)
        return DataError(
            f"the table is not what task {task.name!r} learns from: {words}",
            code=errors[0].code,
            remedy=errors[0].remedy,
        )
    return None


def _by_role(frame: pl.DataFrame, spec: SeriesSpec) -> pl.DataFrame:
    """Return the table with entity and time under the names that contracts use."""
    usual = SeriesSpec()
    names = {spec.entity: usual.entity, spec.time: usual.time}
    taken = {new for old, new in names.items() if old != new and new in frame.columns}
    return frame.drop(*taken).rename({k: v for k, v in names.items() if k in frame.columns})
