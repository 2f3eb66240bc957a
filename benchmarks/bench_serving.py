"""Requests a second of the batched service beside a bare ASGI echo, in the same run.

64 callers post single rows over keep-alive connections to a server in a process of its own,
for a few seconds each: an echo without framework (the ceiling of the server), and
``/v1/predict`` of a small forecasting model with the result cache off and a different row in
every request. The callers share the machine with the server.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from typing import Any

CALLERS = 64
SECONDS = 5.0
ROWS = 512


def _echo() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        message = await receive()
        length = str(len(message["body"])).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"]})

    return app


def _service() -> Any:
    import numpy as np

    from esgml.core.settings import Settings
    from esgml.core.tasks import Predictor, Trained
    from esgml.registry.bundle import Bundle
    from esgml.registry.versions import VersionInfo
    from esgml.serving.app import create_app

    schema = {"frequency": "D", "horizon": 7, "targets": ["value"], "levels": [80]}

    class Linear(Predictor):
        """A linear map of the last 28 values: one matrix product a batch."""

        def __init__(self, files: Any) -> None:
            self.weights = np.array(json.loads(files["weights.json"]))
            self.times = [f"2001-02-{day:02d}T00:00:00" for day in range(1, 8)]

        def predict(self, request: Any) -> dict[str, Any]:
            return self.predict_batch([request])[0]

        def predict_batch(self, requests: Any) -> list[dict[str, Any]]:
            rows = np.array([r["series"][0]["values"][-28:] for r in requests])
            means = rows @ self.weights
            spread = rows.std(axis=1, keepdims=True)
            return [
                {
                    "forecasts": [
                        {
                            "entity": r["series"][0]["entity"],
                            "target": r["series"][0]["target"],
                            "timestamps": self.times,
                            "mean": mean,
                            "lower": {"80": low},
                            "upper": {"80": high},
                        }
                    ],
                    "model": "linear",
                    "horizon": 7,
                }
                for r, mean, low, high in zip(
                    requests,
                    means.tolist(),
                    (means - spread).tolist(),
                    (means + spread).tolist(),
                    strict=True,
                )
            ]

    class Task:
        def predictor(self, files: Any) -> Linear:
            return Linear(files)

    weights = np.random.default_rng(0).normal(size=(28, 7)) / 28
    files = {"weights.json": json.dumps(weights.tolist()).encode()}
    trained = Trained("emissions", "linear", files, {}, schema=schema)
    bundle = Bundle.from_trained(trained).registered("emissions", "1", "")

    class Registry:
        def get(self, name: str, version_or_alias: str = "champion") -> Bundle:
            return bundle

        def list(self) -> tuple[VersionInfo, ...]:
            b = bundle
            item = VersionInfo(b.name, "1", b.digest, b.task, b.model_name, "")
            return (VersionInfo(**{**item.__dict__, "aliases": ("champion",)}),)

    return create_app(
        Settings(),
        Registry(),
        task_of=lambda name: Task(),  # type: ignore[arg-type,return-value]
        tasks=(),
        cache_size=0,
    )


def _serve(kind: str, listener: socket.socket, pipe: Connection) -> None:
    import uvicorn

    app = _echo() if kind == "echo" else _service()
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
    server = uvicorn.Server(config)

    async def run() -> None:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        pipe.send("ready")
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        batches = getattr(getattr(app, "serving", None), "metrics", None)
        pipe.send(batches.render() if batches else "")
        server.should_exit = True
        await task

    try:
        import uvloop

        uvloop.run(run())
    except ModuleNotFoundError:
        asyncio.run(run())


async def _caller(
    port: int, requests: list[bytes], offset: int, until: float, seconds: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    i = offset
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(requests[i % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        low = head.lower()
        at = low.index(b"content-length:") + 15
        await reader.readexactly(int(low[at : low.index(b"\r\n", at)]))
        seconds.append(time.perf_counter() - started)
        i += 1
    writer.close()


def _load(port: int, requests: list[bytes], callers: int, duration: float) -> dict[str, float]:
    async def run() -> tuple[list[float], float]:
        seconds: list[float] = []
        begun = time.perf_counter()
        jobs = [_caller(port, requests, k * 37, begun + duration, seconds) for k in range(callers)]
        await asyncio.gather(*jobs)
        return seconds, time.perf_counter() - begun

    seconds, wall = asyncio.run(run())
    seconds.sort()
    return {
        "requests_per_second": round(len(seconds) / wall, 1),
        "p50_ms": round(1000 * seconds[len(seconds) // 2], 3),
        "p99_ms": round(1000 * seconds[int(len(seconds) * 0.99)], 3),
        "requests": len(seconds),
    }


def _requests() -> list[bytes]:
    import numpy as np

    rng = np.random.default_rng(1)
    out = []
    for _ in range(ROWS):
        body = json.dumps({"inputs": [rng.normal(100, 10, 30).round(3).tolist()]}).encode()
        out.append(
            b"POST /v1/predict/emissions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
    return out


def _mean_batch(text: str) -> float:
    found = {
        line.split("{")[0].split(" ")[0]: float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith(("esgml_batch_size_sum", "esgml_batch_size_count"))
    }
    count = found.get("esgml_batch_size_count", 0.0)
    return round(found["esgml_batch_size_sum"] / count, 2) if count else 0.0


def _measure(kind: str, callers: tuple[int, ...], duration: float) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(kind, listener, theirs))
    process.start()
    try:
        if not ours.poll(60):
            raise RuntimeError("the server did not start")
        ours.recv()
        requests = _requests()
        _load(listener.getsockname()[1], requests, 8, 0.5)  # warm-up
        found: dict[str, Any] = {
            f"{n}_callers": _load(listener.getsockname()[1], requests, n, duration) for n in callers
        }
        ours.send("stop")
        text = ours.recv()
        if text:
            found["mean_batch"] = _mean_batch(text)
        return found
    finally:
        process.join(15)
        if process.is_alive():
            process.kill()
        listener.close()


def run() -> dict[str, Any]:
    """Measure echo and service, about 20 seconds in all."""
    echo = _measure("echo", (CALLERS,), SECONDS)
    service = _measure("service", (CALLERS, 1), SECONDS)
    rate = f"{CALLERS}_callers"
    share = service[rate]["requests_per_second"] / echo[rate]["requests_per_second"]
    return {"echo": echo, "service": service, "share_of_echo": round(share, 3)}


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
