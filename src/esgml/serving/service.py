"""One version of one model, ready to answer: decode, features, predict, encode."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from esgml.core.errors import DataError
from esgml.core.events import EventBus, PredictionMade
from esgml.core.tasks import Predictor, Task, get_task
from esgml.registry.bundle import Bundle
from esgml.registry.fingerprint import code_version
from esgml.serving.batching import Batcher
from esgml.serving.cache import ResultCache
from esgml.serving.rows import Row, SeriesRows, rows_for
from esgml.serving.series_request import TooManyRowsError, check_series_request

#: A made-up history with a rhythm, to exercise models that bring no example.
_HISTORY = tuple(100.0 + 10.0 * (i % 7) + i % 3 for i in range(240))


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer and the id it can be traced by."""

    prediction_id: str
    answer: dict[str, Any]


class Service:
    """A bundle behind four verbs.

    `decode` checks a request, `features` fills in what the recipe needs, `predict` answers
    a batch, `encode` turns an answer into what the caller gets. `answer` walks the four,
    joining whatever else waits for the same model.

    Parameters
    ----------
    bundle : Bundle
        As a registry returns it, with name and version.
    task_of : callable
        Finds the task by its name.
    max_rows : int
        Most rows (values of series) in one request.
    cache : ResultCache, optional
    bus : EventBus, optional
        Told of every prediction.
    observe : callable, optional
        Told the size of every batch.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        task_of: Callable[[str], Task] = get_task,
        max_rows: int = 10_000,
        cache: ResultCache | None = None,
        bus: EventBus | None = None,
        observe: Callable[[int], None] | None = None,
        max_waiting: int = 1024,
    ) -> None:
        self.bundle = bundle
        self.name = bundle.name
        self.version = str(bundle.version)
        self.schema = dict(bundle.schema)
        self.rows = rows_for(self.schema, max_rows)
        self.digest = bundle.digest
        data = bundle.data_fingerprint
        self.data_fingerprint = data.sha256 if data else ""
        self._code = code_version()
        self._max_rows = max_rows
        self._cache = cache if cache is not None else ResultCache(0)
        self._bus = bus
        self._predictor: Predictor = task_of(bundle.task).predictor(bundle.files)
        self._exercise()
        self._batcher = Batcher(
            self.predict,
            name=f"{self.name}-{self.version}",
            observe=observe,
            max_waiting=max_waiting,
        )

    def _exercise(self) -> None:
        """Answer one request, so that a broken version never goes live and the first is fast.

        The bundle's own example must be answered. Where it brings none, a made-up history
        may be refused as unfit, but must not break the model.
        """
        example = self.schema.get("example")
        if example is not None:
            self.predict([self.features(self.decode(example))])
        elif isinstance(self.rows, SeriesRows):
            with contextlib.suppress(DataError):
                self.predict([self.features(self.rows.request(list(_HISTORY), {}))])

    def decode(self, document: Any) -> dict[str, Any]:
        """Check a decoded JSON body; raises where it is not fit for this model."""
        if "horizon" in self.schema:
            return check_series_request(document, self.schema, self._max_rows)
        if not isinstance(document, dict):
            raise DataError("the body must be a JSON object.", where="body")
        return document

    def decode_rows(self, rows: list[Row], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Turn rows of numbers into one request each."""
        values = sum(map(len, rows))
        if max(values, len(rows)) > self._max_rows:
            raise TooManyRowsError(
                f"{values} values in one request; at most {self._max_rows} are allowed.",
                where="inputs",
                remedy="Send several smaller requests.",
            )
        return [self.rows.request(row, parameters) for row in rows]

    def features(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the request with what the recipe takes and nothing else.

        Lags, calendars and scaling belong to the recipe inside the bundle, the same code as
        in training; what is left to do here is to leave out covariates without any value.
        """
        for series in request.get("series", ()):
            for kind in ("known", "past"):
                if kind in series:
                    series[kind] = {
                        name: values
                        for name, values in series[kind].items()
                        if any(v is not None for v in values)
                    }
        return request

    def predict(self, requests: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer a batch; equal to answering each request alone."""
        return self._predictor.predict_batch(requests)

    def encode(self, answered: Answered) -> dict[str, Any]:
        """Return the answer as the caller gets it, with its id and version."""
        return {
            **answered.answer,
            "model_version": self.version,
            "prediction_id": answered.prediction_id,
        }

    async def answer(self, request: dict[str, Any], tenant: str = "") -> Answered:
        """Answer one decoded request, from the cache or from the model, and tell of it.

        Raises
        ------
        OverloadedError, RetiredError
            If the request cannot be taken.
        EsgmlError
            If the model refuses it, or the prediction cannot be recorded.
        """
        started = time.perf_counter()
        request = self.features(request)
        key = self._cache.key(self.digest, request)
        answer = self._cache.get(key)
        if answer is None:
            answer = await self._batcher.submit(request)
            self._cache.put(key, answer)
        answered = Answered(os.urandom(16).hex(), answer)
        if self._bus is not None:
            seconds = time.perf_counter() - started
            self._bus.publish(self.event(answered.prediction_id, request, answer, seconds, tenant))
        return answered

    def event(
        self,
        prediction_id: str,
        request: dict[str, Any],
        answer: dict[str, Any],
        seconds: float,
        tenant: str = "",
    ) -> PredictionMade:
        """Return what is told of a prediction: all that is needed to compute it again."""
        return PredictionMade(
            prediction_id=prediction_id,
            model=self.name,
            version=self.version,
            request=request,
            response=answer,
            seconds=seconds,
            tenant=tenant,
            bundle_digest=self.digest,
            data_fingerprint=self.data_fingerprint,
            code_version=self._code,
        )

    @property
    def waiting(self) -> int:
        """Number of requests waiting for the worker."""
        return self._batcher.waiting

    @property
    def busy_seconds(self) -> float:
        """How long the worker has been at its current batch."""
        return self._batcher.busy_seconds

    async def probe(self) -> None:
        """Pass through the worker: returns only if it is alive and moving."""
        await self._batcher.probe()

    def retire(self) -> None:
        """Take no more requests; those waiting are still answered."""
        self._batcher.close()

    def join(self, seconds: float) -> bool:
        """Wait until everything waiting is answered."""
        return self._batcher.join(seconds)
