"""Running the service: on one process or several, and ending without dropping a request.

On SIGTERM the service stops being ready, goes on serving while load balancers notice, then
closes its socket, finishes what is in progress and flushes what it recorded. uvicorn alone
would refuse new connections at once. Ctrl-C skips the grace; a second signal skips the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

from esgml.core.errors import MissingExtraError, StorageError
from esgml.core.settings import Settings
from esgml.serving.app import App
from esgml.serving.security import check_bind

try:
    import uvicorn
except ModuleNotFoundError as error:
    raise MissingExtraError.of("uvicorn", "serve") from error

_log = logging.getLogger("esgml.serving")


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains before it closes.

    Parameters
    ----------
    app : App
    drain_seconds : float
        How long to go on serving, not ready, after SIGTERM.
    finish_seconds : float
        How long requests in progress may take after that.
    on_ready : callable, optional
        Called once the service listens.
    """

    def __init__(
        self,
        app: App,
        *,
        drain_seconds: float = 5.0,
        finish_seconds: float = 10.0,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="none",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, round(finish_seconds)),
            backlog=2048,
        )
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._on_ready = on_ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain on the first signal; close at once on the next.

        Signals are not raised again afterwards, as uvicorn does: what was recorded must
        still be flushed.
        """
        if sig == signal.SIGTERM and not self._app.serving.draining and self._drain_seconds > 0:
            self._app.serving.draining = True
            timer = threading.Timer(self._drain_seconds, self._close)
            timer.daemon = True
            timer.start()
            return
        self._app.serving.draining = True
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self._close()

    def _close(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell that the service listens."""
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()


def open_socket(settings: Settings) -> socket.socket:
    """Return a listening socket, refused where other machines would get in without a token.

    Raises
    ------
    NotAllowedError
        If the address is not loopback and there is no token.
    StorageError
        If the address is taken or not this machine's.
    """
    check_bind(settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        listener.close()
        raise StorageError(
            f"cannot serve on {settings.host}:{settings.port}: {error.strerror or error}.",
            code="bind_failed",
            where="--port",
            remedy="Stop what uses the port, or choose another with --port (0 = any free one).",
        ) from error
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address a listening socket answers on."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    app: App,
    listener: socket.socket,
    *,
    drain_seconds: float = 5.0,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve on a socket until a signal ends it."""
    server = DrainingServer(
        app,
        drain_seconds=drain_seconds,
        finish_seconds=app.serving.settings.request_timeout,
        on_ready=on_ready,
    )
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        server.run(sockets=[listener])


def serve_many(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    workers: int,
    *,
    stop_seconds: float = 30.0,
) -> None:
    """Run `work(*arguments)` in several processes, replacing those that die.

    `work` must be importable by name; the arguments are sent to the new processes. SIGTERM
    and Ctrl-C are passed on, and the processes are waited for.
    """
    context = multiprocessing.get_context("spawn")
    processes: list[BaseProcess] = []
    stopping = threading.Event()

    def start() -> BaseProcess:
        process = context.Process(target=work, args=arguments)
        process.start()
        return process

    def stop(sig: int, _frame: FrameType | None) -> None:
        stopping.set()
        for process in processes:
            if process.is_alive():
                process.terminate()

    previous = {sig: signal.signal(sig, stop) for sig in (signal.SIGTERM, signal.SIGINT)}
    try:
        processes.extend(start() for _ in range(workers))
        while not stopping.wait(0.5):
            for i, process in enumerate(processes):
                if not process.is_alive() and not stopping.is_set():
                    _log.error("worker %s ended with %s", process.pid, process.exitcode)
                    time.sleep(0.5)  # a worker that cannot start must not spin
                    processes[i] = start()
        deadline = time.monotonic() + stop_seconds
        for process in processes:
            process.join(max(0.1, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
    finally:
        for sig, handler in previous.items():
            signal.signal(sig, handler)
    sys.stderr.flush()
