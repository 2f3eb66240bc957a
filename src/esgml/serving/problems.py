"""Errors as HTTP answers: a status, a stable code, a sentence; never a stack trace."""

from __future__ import annotations

from typing import Any

from esgml.core.errors import (
    DataError,
    EsgmlError,
    GateError,
    MissingExtraError,
    NotAllowedError,
    NotFoundError,
    NotTrainedError,
    StorageError,
    UsageError,
)
from esgml.serving.batching import OverloadedError, RetiredError
from esgml.serving.series_request import TooManyRowsError

#: First match wins.
_STATUS: tuple[tuple[type[EsgmlError], int], ...] = (
    (TooManyRowsError, 413),
    (OverloadedError, 503),
    (RetiredError, 503),
    (UsageError, 400),
    (DataError, 422),
    (NotFoundError, 404),
    (NotAllowedError, 403),
    (GateError, 409),
    (NotTrainedError, 503),
    (MissingExtraError, 503),
    (StorageError, 503),
)


class HttpError(Exception):
    """An answer that is an error, made by the service itself.

    Parameters
    ----------
    status : int
    code, message : str
    headers : sequence of pairs
        Sent with the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def as_http(error: BaseException) -> HttpError:
    """Return how an error is told to a caller.

    What is not an error raised on purpose becomes status 500 without details: they are in
    the log under the request id, where callers cannot read them.
    """
    if isinstance(error, HttpError):
        return error
    if isinstance(error, TimeoutError):
        return HttpError(504, "timeout", "The request took too long.", (("Retry-After", "1"),))
    for kind, status in _STATUS:
        if isinstance(error, kind):
            retry = (("Retry-After", "1"),) if status == 503 else ()
            return HttpError(status, error.code, str(error), retry)
    return HttpError(500, "internal", "The service failed; its log holds the reason.")


def wants_text(path: str, agent: str) -> bool:
    """Whether a caller can only read errors that are plain text.

    The Open Inference Protocol has ``{"error": "text"}``, and the public Triton client
    fails on anything else when it prints the error; every other caller gets the object.
    """
    return path.startswith("/v2") and agent.startswith("python/gevent-http-client")


def body(error: HttpError, request_id: str, *, text: bool = False) -> dict[str, Any]:
    """Return the error as the JSON document every route answers with."""
    if text:
        return {"error": f"{error.code}: {error.message}", "request_id": request_id}
    return {
        "error": {"code": error.code, "message": error.message, "request_id": request_id},
    }
