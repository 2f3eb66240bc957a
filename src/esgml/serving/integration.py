"""Predictions inside another program: the service without HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esgml.core.events import EventBus
from esgml.core.settings import Settings
from esgml.core.tasks import Task, get_task, task_names
from esgml.serving.hub import Hub, Registry
from esgml.serving.operations import BuiltIn, Operations
from esgml.serving.series_request import check_numbers
from esgml.serving.service import Service


class PredictionService:
    """Answer requests in this process, with the checks and answers of the HTTP service.

    Parameters
    ----------
    hub : Hub
        The models in service.
    bus : EventBus, optional
        Told of every prediction.
    tasks : sequence of Task
        Whose operations `ask` answers.
    """

    def __init__(self, hub: Hub, bus: EventBus | None = None, tasks: Sequence[Task] = ()) -> None:
        self._hub = hub
        self._bus = bus
        self._operations = Operations(hub, tasks, bus)

    def forecast(self, request: Mapping[str, Any], model: str | None = None) -> dict[str, Any]:
        """Answer a forecast request, as ``POST /v1/emissions/forecast`` does.

        Parameters
        ----------
        request : dict
            ``{"series": [...], "horizon": ..., "levels": [...]}``.
        model : str, optional
            Name of the registered model; the one that serves emissions where omitted.

        Returns
        -------
        dict
            ``forecasts``, ``model``, ``horizon``, ``model_version``, ``prediction_id``.

        Raises
        ------
        UsageError, DataError
            If the request is not fit for the model.
        NotFoundError
            If no model serves it.
        """
        service = self._hub.service(model) if model else self._hub.for_task("emissions")
        answer, prediction_id = self._answer(service, service.decode(dict(request)))
        return {**answer, "model_version": service.version, "prediction_id": prediction_id}

    def ask(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer an operation of any task, as its route does.

        Parameters
        ----------
        operation : str
            Its name or route, such as ``solve_optimization`` or ``/v1/optimization/solve``.
        request : dict

        Raises
        ------
        NotFoundError
            If there is no such operation, or only a model could answer it and none is there.
        UsageError, DataError
            If the request is not fit for it.
        """
        path = operation if operation in self._operations else self._operations.path_of(operation)
        service = self._operations.answering(path)
        document = service.decode(dict(request))
        if isinstance(service, BuiltIn):
            return service.encode(service.tell(document, service.predict([document])[0], 0.0))
        answer, prediction_id = self._answer(service, document)
        return {**answer, "model_version": service.version, "prediction_id": prediction_id}

    def predict(
        self,
        model: str,
        inputs: Sequence[Sequence[float | None]],
        parameters: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Answer rows of numbers, as ``POST /v1/predict/{model}`` does."""
        rows = [check_numbers(list(row), f"inputs[{i}]") for i, row in enumerate(inputs)]
        service = self._hub.service(model)
        answers = [self._answer(service, r) for r in service.decode_rows(rows, parameters or {})]
        main = service.rows.main_output
        return {
            "outputs": [service.rows.answer(answer)[main] for answer, _ in answers],
            "model_version": service.version,
            "prediction_ids": [prediction_id for _, prediction_id in answers],
        }

    def close(self) -> None:
        """End the workers."""
        self._operations.close()
        self._hub.close()

    def _answer(self, service: Service, request: dict[str, Any]) -> tuple[dict[str, Any], str]:
        request = service.features(request)
        answer = service.predict([request])[0]
        prediction_id = uuid.uuid4().hex
        if self._bus is not None:
            self._bus.publish(service.event(prediction_id, request, answer, 0.0))
        return answer, prediction_id


class ModelIntegration:
    """Bring registered models into a program: in process, or as an ASGI application.

    Parameters
    ----------
    settings : Settings, optional
        From the environment where omitted.
    registry : Registry, optional
        The workspace's where omitted.
    bus : EventBus, optional
        Told of every prediction.
    task_of : callable
        Finds a task by its name.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        registry: Registry | None = None,
        *,
        bus: EventBus | None = None,
        task_of: Callable[[str], Task] = get_task,
    ) -> None:
        self.settings = settings or Settings()
        if registry is None:
            from esgml.registry.registry import ModelRegistry

            registry = ModelRegistry(self.settings)
        self.registry: Registry = registry
        self._bus = bus
        self._task_of = task_of

    def create_prediction_api(self) -> PredictionService:
        """Return a service that answers in this process, its champions loaded."""
        hub = Hub(self.registry, task_of=self._task_of, max_rows=self.settings.max_rows)
        hub.refresh()
        tasks = [self._task_of(name) for name in task_names()]
        return PredictionService(hub, self._bus, tasks)

    def create_app(self) -> Any:
        """Return the HTTP service as an ASGI application."""
        from esgml.serving.app import create_app

        return create_app(self.settings, self.registry, bus=self._bus, task_of=self._task_of)
