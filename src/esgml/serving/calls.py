"""A request and its answer without a framework around them: what the hot routes work on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from esgml.serving.problems import HttpError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"


class ClientGone(Exception):  # noqa: N818 - not an error of ours
    """The caller hung up before its request was read."""


@dataclass(slots=True)
class Call:
    """One request to a hot route.

    Attributes
    ----------
    model : str
        From the path; empty where the path names none.
    version : str or None
        From the path.
    headers : dict of lower-case name to value
    body : bytes
    """

    model: str
    version: str | None
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """What is sent back.

    Attributes
    ----------
    body : bytes
    headers : tuple of pairs
        Besides content length and those that every answer carries.
    status : int
    """

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", JSON),)
    status: int = 200


def read_headers(scope: Scope) -> dict[str, str]:
    """Return the headers by lower-case name; of repeated ones the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(headers: dict[str, str], receive: Receive, limit: int) -> bytes:
    """Read a body while it streams in, stopping as soon as it is too large.

    Raises
    ------
    HttpError
        413 if it is larger than `limit` bytes, 415 if it is compressed (a small body could
        unpack to a huge one).
    ClientGone
        If the caller hangs up.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "content_encoding", "Send the body uncompressed.")
    too_large = HttpError(
        413, "body_too_large", f"The body is larger than the {limit} bytes allowed."
    )
    declared = headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:19]) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
