"""The service on a real socket: public clients, signals, ports."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import serving_doubles as doubles

from esgml.core.errors import StorageError
from esgml.core.settings import Settings
from esgml.serving.app import create_app
from esgml.serving.server import DrainingServer, open_socket, url_of


@pytest.fixture
def live():
    """Serve the double on a free port of the loopback address; yields the URL."""
    registry = doubles.Registry()
    registry.register(doubles.trained())
    registry.promote("emissions", "1")
    task = doubles.SeasonalMeanTask()
    settings = Settings(port=0)
    app = create_app(settings, registry, task_of=lambda name: task, tasks=("emissions",))
    listener = open_socket(settings)
    listening = threading.Event()
    server = DrainingServer(app, on_ready=listening.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    assert listening.wait(20)
    yield url_of(listener)
    server.should_exit = True
    thread.join(20)
    listener.close()
    assert not thread.is_alive()


@pytest.mark.parametrize("binary", [False, True])
def test_the_public_triton_client_works_unchanged(live, binary):
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(live.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("emissions") and client.is_model_ready("emissions", "1")
    assert client.get_server_metadata()["name"] == "esgml"
    metadata = client.get_model_metadata("emissions")
    rows = np.array([doubles.history(21, seed=s) for s in range(3)])
    tensor = http.InferInput(metadata["inputs"][0]["name"], list(rows.shape), "FP64")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    wanted = [http.InferRequestedOutput("mean", binary_data=binary)]
    chosen = client.infer("emissions", [tensor], outputs=wanted, request_id="7")
    assert chosen.get_response()["id"] == "7"
    every = client.infer("emissions", [tensor], model_version="1")  # asks for bytes by itself
    expected = httpx.post(f"{live}/v1/predict/emissions", json={"inputs": rows.tolist()}).json()
    assert chosen.as_numpy("mean").tolist() == expected["outputs"]
    assert every.as_numpy("mean").tolist() == expected["outputs"]
    assert every.as_numpy("upper_90").shape == (3, 7)
    with pytest.raises(Exception, match="model_unknown"):
        client.infer("nothing", [tensor])
    client.close()


def test_a_taken_port_is_told():
    first = open_socket(Settings(port=0))
    with pytest.raises(StorageError) as caught:
        open_socket(Settings(port=first.getsockname()[1]))
    assert caught.value.code == "bind_failed"
    first.close()


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import doubles
from esgml.core.settings import Settings
from esgml.serving.app import create_app
from esgml.serving.server import open_socket, serve, url_of
registry = doubles.Registry()
registry.register(doubles.trained(delay=0.3))
registry.promote("emissions", "1")
task = doubles.SeasonalMeanTask()
settings = Settings(port=0)
app = create_app(settings, registry, task_of=lambda name: task, tasks=("emissions",), cache_size=0)
listener = open_socket(settings)
serve(app, listener, drain_seconds=3.0, on_ready=lambda: print(url_of(listener), flush=True))
print("ended", flush=True)
"""


def test_sigterm_drains_unready_but_serving_and_answers_what_is_in_progress():
    script = textwrap.dedent(SCRIPT).format(folder=str(Path(__file__).parent))
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), process.stderr.read()
        forecast = f"{url}/v1/emissions/forecast"
        assert httpx.get(f"{url}/v2/health/ready").status_code == 200
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while httpx.get(f"{url}/v2/health/ready").status_code != 503:
            assert time.monotonic() < deadline
        answers = []
        late = threading.Thread(
            target=lambda: answers.append(httpx.post(forecast, json=doubles.forecast_request()))
        )
        late.start()
        # New connections are still taken while load balancers notice.
        assert httpx.post(forecast, json=doubles.forecast_request(20)).status_code == 200
        late.join(10)
        assert answers[0].status_code == 200
        out, err = process.communicate(timeout=20)
        assert "Traceback" not in err, err
        assert process.returncode == 0
        assert out == "ended\n"  # what follows the service still runs
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
