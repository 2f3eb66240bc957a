"""Plain rows of numbers in, plain rows out: how tables and tensors reach any task.

For a forecasting model a row is the most recent history of one series, oldest first, and
the answer is the forecast of the trained horizon. For any other model a row is its feature
vector. A row becomes the same request that the task's own route sends, so that both give
the same answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from esgml.core.errors import UsageError
from esgml.serving.series_request import check_series_request

#: Where a history without timestamps starts: a Monday, so that weekday effects are at least
#: the same in every call. Callers whose model knows weekdays or seasons pass ``start``.
EPOCH = "2001-01-01"

Row = list[float | None]


class Rows(ABC):
    """Turn rows into requests of a task and its answers back into rows."""

    #: Name of the input tensor.
    input_name = "inputs"
    #: Name of the output that ``/v1/predict`` returns.
    main_output = "outputs"

    @abstractmethod
    def outputs(self) -> dict[str, int]:
        """Return the output tensors and their row lengths (-1 = varies)."""

    @abstractmethod
    def request(self, row: Row, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the task's request for one row."""

    @abstractmethod
    def answer(self, answer: Mapping[str, Any]) -> dict[str, list[float]]:
        """Return the output rows of one answer, by tensor name."""


class SeriesRows(Rows):
    """Rows of a forecasting model: history in, mean and bounds out.

    Parameters
    ----------
    schema : dict
        The bundle's: ``horizon, targets, levels``.
    max_rows : int
        Longest history.
    """

    input_name = "history"
    main_output = "mean"
    _parameters = ("start", "target")

    def __init__(self, schema: Mapping[str, Any], max_rows: int = 10_000) -> None:
        self._schema = schema
        self._max_rows = max_rows
        targets = schema.get("targets") or ["value"]
        self._target = str(targets[0])
        self._levels = [int(level) for level in schema.get("levels", [])]

    def outputs(self) -> dict[str, int]:
        """Return mean and one pair of bounds a level, each as long as the horizon."""
        names = ["mean"]
        for level in self._levels:
            names += [f"lower_{level}", f"upper_{level}"]
        return dict.fromkeys(names, int(self._schema["horizon"]))

    def request(self, row: Row, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return a forecast request of one series; ``start`` and ``target`` may be given."""
        series = {
            "entity": "row",
            "target": parameters.get("target", self._target),
            "start": parameters.get("start", EPOCH),
            "values": row,
        }
        return check_series_request({"series": [series]}, self._schema, self._max_rows)

    def answer(self, answer: Mapping[str, Any]) -> dict[str, list[float]]:
        """Return mean and bounds of the one series."""
        forecast = answer["forecasts"][0]
        out = {"mean": forecast["mean"]}
        for level in self._levels:
            out[f"lower_{level}"] = forecast["lower"][str(level)]
            out[f"upper_{level}"] = forecast["upper"][str(level)]
        return out


class FeatureRows(Rows):
    """Rows of any other model: ``{"inputs": [row]}`` in, ``{"outputs": [row]}`` out."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._width = schema.get("features")

    def outputs(self) -> dict[str, int]:
        """Return the one output, of varying length."""
        return {"outputs": -1}

    def request(self, row: Row, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request of one feature vector."""
        if isinstance(self._width, list) and len(row) != len(self._width):
            raise UsageError(
                f"a row has {len(row)} values, this model takes {len(self._width)}.",
                code="wrong_length",
                where="inputs",
                remedy=f"Features, in order: {', '.join(map(str, self._width))}.",
            )
        return {"inputs": [row]}

    def answer(self, answer: Mapping[str, Any]) -> dict[str, list[float]]:
        """Return the one output row."""
        return {"outputs": [float(v) for v in answer["outputs"][0]]}


def rows_for(schema: Mapping[str, Any], max_rows: int) -> Rows:
    """Return how rows reach the model with this schema."""
    if "horizon" in schema:
        return SeriesRows(schema, max_rows)
    return FeatureRows(schema)
