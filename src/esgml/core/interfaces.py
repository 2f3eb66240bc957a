"""What every model can do: train, predict, evaluate, save, load, say what it is.

The public methods check and then call the underscored ones, so no model can skip a check.
A model is saved as named bytes in formats that carry no code (JSON, safetensors, ONNX,
LightGBM text) and is read back from hash-checked bytes.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic

from esgml.core.errors import (
    ColumnError,
    HistoryError,
    IntegrityError,
    NotTrainedError,
    UsageError,
)
from esgml.core.storage import read_folder, sha256, write_folder_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

Files = dict[str, bytes]
MANIFEST = "manifest.json"


class Hyperparameters(pydantic.BaseModel):
    """Settings of a model: default, bounds and search range, each written once.

    Declare a field with `tunable` to let tuning search it.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def checked(cls, owner: str, given: Mapping[str, Any]) -> Self:
        """Return the settings of `owner`, the name that an error begins with.

        Raises
        ------
        UsageError
            Naming the setting at fault, and those that are known.
        """
        try:
            return cls(**given)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise UsageError(
                f"{owner}: {f'parameter {name!r}' if name else 'parameters'}: {first['msg']}.",
                remedy=f"Known parameters: {', '.join(cls.model_fields) or 'none'}.",
            ) from error

    @classmethod
    def search_space(cls) -> dict[str, dict[str, Any]]:
        """Return the search range of every tunable field."""
        space = {}
        for name, info in cls.model_fields.items():
            extra = info.json_schema_extra
            if isinstance(extra, dict) and "search" in extra:
                space[name] = dict(extra["search"])  # type: ignore[arg-type]
        return space


def tunable(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    log: bool = False,
    choices: list[Any] | None = None,
    description: str = "",
) -> Any:
    """Declare a hyperparameter that tuning may search between `low` and `high`."""
    search: dict[str, Any] = {"choices": choices} if choices else {"low": low, "high": high}
    if log:
        search["log"] = True
    return pydantic.Field(default, description=description, json_schema_extra={"search": search})


@dataclass(frozen=True)
class ModelMetadata:
    """What a model is, for cards and registries."""

    name: str
    class_name: str
    params: dict[str, Any]
    description: str
    trained: bool
    details: dict[str, Any] = field(default_factory=dict)


class BaseModel(ABC):
    """Base of every model.

    Subclasses define ``Params``, `_train`, `_predict`, `_dump`, `_restore`, and take their
    name from their file. What `train`, `predict` and `evaluate` take is narrowed by the base
    class of each capability, as `TimeSeriesModel` does.
    """

    Params: ClassVar[type[Hyperparameters]] = Hyperparameters

    def __init__(self, **params: Any) -> None:
        self.params: Any = self.Params.checked(type(self).__name__, params)
        self.trained_ = False

    @classmethod
    def model_name(cls) -> str:
        """Return the name the catalog knows the model by: that of its file."""
        return cls.__module__.rsplit(".", 1)[-1]

    @classmethod
    def description(cls) -> str:
        """Return the first sentence of the class docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    def metadata(self) -> ModelMetadata:
        """Return what the model is and how it is set."""
        return ModelMetadata(
            self.model_name(),
            type(self).__name__,
            self.params.model_dump(mode="json"),
            self.description(),
            self.trained_,
            self._details(),
        )

    def _details(self) -> dict[str, Any]:
        return {}

    def summary(self) -> str:
        """Return a drawing of the model a person can read."""
        lines = [f"{type(self).__name__} ({self.model_name()})", f"  {self.description()}"]
        for name, value in self.params.model_dump().items():
            lines.append(f"  {name} = {value}")
        lines.append(f"  {'trained' if self.trained_ else 'not trained'}")
        return "\n".join(lines)

    def _require_trained(self) -> None:
        if not self.trained_:
            raise NotTrainedError(
                f"{type(self).__name__} is not trained.", remedy="Call train(...) first."
            )

    # What each capability narrows: its own arguments, checked, then the underscored method.

    def train(self, *args: Any, **kwargs: Any) -> Self:
        """Learn from data; a model that has nothing to learn is ready afterwards too."""
        self._train(*args, **kwargs)
        self.trained_ = True
        return self

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Answer with what was learned.

        Raises
        ------
        NotTrainedError
            Before `train` or `load`.
        UsageError
            If this kind of model answers in another way.
        """
        self._require_trained()
        return self._predict(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Return scores by name of predictions against what happened.

        Raises
        ------
        NotTrainedError
            Before `train` or `load`.
        UsageError
            If this kind of model is scored in another way.
        """
        self._require_trained()
        return self._evaluate(*args, **kwargs)

    def _train(self, *args: Any, **kwargs: Any) -> None:  # noqa: B027 - not every model learns
        """Learn; nothing where a model has nothing to learn."""

    def _predict(self, *args: Any, **kwargs: Any) -> Any:
        raise UsageError(
            f"{type(self).__name__} answers no predict().", remedy="See its documentation."
        )

    def _evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        raise UsageError(
            f"{type(self).__name__} answers no evaluate().", remedy="See its documentation."
        )

    # Saving ---------------------------------------------------------------------------

    @abstractmethod
    def _dump(self) -> Files:
        """Return what was learned as named bytes (empty where nothing is learned)."""

    @abstractmethod
    def _restore(self, files: Mapping[str, bytes]) -> None:
        """Take back what `_dump` returned."""

    def to_files(self) -> Files:
        """Return the model as named bytes, with a manifest of hashes."""
        self._require_trained()
        files = self._dump()
        manifest = {
            "schema": "esgml.model/1",
            "model": self.model_name(),
            "class": type(self).__name__,
            "params": self.params.model_dump(mode="json"),
            "files": {name: sha256(data) for name, data in sorted(files.items())},
        }
        return {**files, MANIFEST: json.dumps(manifest, indent=1, sort_keys=True).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Build a trained model from the named bytes that `to_files` returned.

        Raises
        ------
        IntegrityError
            If a file is missing, changed, or not in the manifest.
        """
        try:
            manifest = json.loads(files[MANIFEST])
            expected: dict[str, str] = manifest["files"]
            params: dict[str, Any] = manifest["params"]
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(
                "this is not a saved model: its manifest is unreadable."
            ) from error
        if manifest.get("class") != cls.__name__:
            raise IntegrityError(f"saved as {manifest.get('class')!r}, loaded as {cls.__name__!r}.")
        content = {name: data for name, data in files.items() if name != MANIFEST}
        if set(content) != set(expected):
            raise IntegrityError("the files do not match the manifest.")
        for name, data in content.items():
            if sha256(data) != expected[name]:
                raise IntegrityError("content does not match its recorded SHA-256.", where=name)
        model = cls(**params)
        model._restore(content)
        model.trained_ = True
        return model

    def save(self, folder: str | Path) -> None:
        """Write the model into a new folder, whole or not at all."""
        write_folder_atomic(Path(folder), self.to_files())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model back from the folder `save` wrote, verifying every hash."""
        return cls.from_files(read_folder(Path(folder)))


class TimeSeriesModel(BaseModel):
    """Base of every forecaster of panels.

    A model is trained on one panel and forecasts any panel with the same covariates: its
    history is given at prediction time, so the same trained model walks forward through a
    backtest and serves fresh data later.
    """

    #: How many windows a backtest goes on with one fit before it fits again.
    refit_every: ClassVar[int] = 1

    horizon_: int
    known_names_: tuple[str, ...]
    past_names_: tuple[str, ...]

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate for a panel; empty where it is one."""
        return ""

    def train(self, panel: Panel, *, horizon: int, seed: int = 0) -> Self:
        """Learn from the history of all series in `panel` to forecast `horizon` periods.

        Raises
        ------
        HistoryError
            If no series has a single observed value.
        """
        if horizon < 1:
            raise UsageError(f"horizon must be at least 1, got {horizon}.")
        if len(panel) == 0 or not np.isfinite(panel.values).any():
            raise HistoryError("there is no observed value to learn from.", code="no_values")
        self.horizon_ = horizon
        self.known_names_ = panel.known_names
        self.past_names_ = panel.past_names
        self._train(panel, horizon, seed)
        self.trained_ = True
        return self

    def predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        """Forecast the periods of `future` from `history`.

        Returns
        -------
        array, shape (n, horizon)
            Finite point forecasts in the unit of the target.
        """
        self._require_trained()
        if history.known_names != self.known_names_ or future.known_names != self.known_names_:
            raise ColumnError(
                f"trained with known covariates {list(self.known_names_)},"
                f" got {list(future.known_names)}.",
                remedy="Give the same covariates as in training.",
            )
        if future.horizon > self.horizon_:
            raise UsageError(
                f"trained for a horizon of {self.horizon_}, asked for {future.horizon}.",
                remedy="Train with a longer horizon.",
            )
        result = np.asarray(self._predict(history, future), dtype=np.float64)
        if result.shape != (len(history), future.horizon):
            raise ValueError(f"{type(self).__name__} returned shape {result.shape}")
        return result

    def evaluate(
        self, history: Panel, future: Future, actual: NDArray[np.float64]
    ) -> dict[str, float]:
        """Return WAPE and mean absolute error of a forecast against what happened."""
        error = np.abs(self.predict(history, future) - actual)
        seen = np.isfinite(actual)
        total = float(np.abs(actual[seen]).sum())
        return {
            "wape": float(error[seen].sum()) / total if total else float("nan"),
            "mae": float(error[seen].mean()) if seen.any() else float("nan"),
        }

    @abstractmethod
    def _train(self, panel: Panel, horizon: int, seed: int) -> None: ...

    @abstractmethod
    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]: ...
