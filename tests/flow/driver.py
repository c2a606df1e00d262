"""Drives the emulator in flow tests: by the unmodified SDK, by raw calls, and with a wait that fails in time.

The SDK reads its base URL when it is imported, so the session's address is fixed, and set, before that.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

import docker_engine  # before HOME changes, see below
from clarifai_emulator.api.call import Step
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from pytest_clarifai_emulator.temp_homes import make_home, remove_home
from pytest_clarifai_emulator.test_environment import reserve_port

MODELS = Path(__file__).parents[2] / "fixtures" / "models"


_held = ExitStack()
atexit.register(_held.close)


def free_port() -> int:
    """Return a port nobody listens on now. On Linux nobody else is given it meanwhile."""
    probe = reserve_port()
    port = probe.getsockname()[1]
    if sys.platform == "linux":
        _held.enter_context(probe)
    else:
        probe.close()
    return port


PORT = free_port()
# HOME is about to be an empty folder: what is found below the real one is said here.
os.environ.setdefault("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
os.environ.update(
    CLARIFAI_API_BASE=f"http://127.0.0.1:{PORT}",
    CLARIFAI_PAT="0123456789abcdef0123456789abcdef",
    CLARIFAI_USER_ID="me",
    HOME=make_home(),
)
atexit.register(remove_home, os.environ["HOME"])

from clarifai.client import Model  # noqa: E402 - after the address is set, see above


class Client:
    """Makes raw calls without the SDK's retries and checks: their answers are what the platform itself answers."""

    def __init__(self, url: str, pat: str = "any-token") -> None:
        self._channel = grpc.insecure_channel(
            url.removeprefix("http://"),
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.use_local_subchannel_pool", 1),  # each client has a connection of its own
                ("grpc.max_reconnect_backoff_ms", 500),
            ],
        )
        self._pat = pat

    def call(
        self, name: str, request: Any = None, *, metadata: Any = None, timeout: float = 30, **fields: Any
    ) -> Any:
        """Make a unary RPC by name; the request is given, or made of ``fields``."""
        rpc = rpc_table()[name]
        method = self._channel.unary_unary(
            rpc.path,
            request_serializer=rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )
        sent = [("authorization", f"Key {self._pat}")] if metadata is None else metadata
        return method(
            request if request is not None else rpc.request_type(**fields), metadata=sent, timeout=timeout
        )

    def call_with_trailers(self, name: str, request: Any) -> tuple[Any, dict[str, str]]:
        """Make the RPC as ``call`` does; return its trailing metadata, too."""
        rpc = rpc_table()[name]
        method = self._channel.unary_unary(
            rpc.path,
            request_serializer=rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )
        response, call = method.with_call(request, metadata=[("authorization", f"Key {self._pat}")], timeout=30)
        return response, {str(key): str(value) for key, value in call.trailing_metadata()}

    def generate(self, request: Any, *, timeout: float = 30) -> Any:
        """Return the answers of GenerateModelOutputs, as a call that can be cancelled."""
        rpc = rpc_table()["GenerateModelOutputs"]
        method = self._channel.unary_stream(
            rpc.path,
            request_serializer=rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )
        return method(request, metadata=[("authorization", f"Key {self._pat}")], timeout=timeout)

    def stream(self, requests: Iterator[Any], *, timeout: float = 30) -> Any:
        """Return the answers of StreamModelOutputs."""
        rpc = rpc_table()["StreamModelOutputs"]
        method = self._channel.stream_stream(
            rpc.path,
            request_serializer=rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )
        return method(requests, metadata=[("authorization", f"Key {self._pat}")], timeout=timeout)

    def close(self) -> None:
        self._channel.close()


def inference_request(
    model_id: str,
    method: str = "predict",
    *,
    deployment: str = "",
    user: str = "me",
    app: str = "demo",
    **parts: Any,
) -> Any:
    """Make a request as the SDK does, with ``parts`` of str and int arguments."""
    request = rpc_table()["PostModelOutputs"].request_type(model_id=model_id)
    request.user_app_id.user_id, request.user_app_id.app_id = user, app
    data = request.inputs.add().data
    data.metadata["_method_name"] = method
    for name, value in parts.items():
        part = data.parts.add(id=name)
        if isinstance(value, str):
            part.data.string_value = value
        elif isinstance(value, float):
            part.data.float_value = value
        elif isinstance(value, bytes):
            part.data.bytes_value = value
        else:
            part.data.int_value = value
    if deployment:
        request.runner_selector.deployment.id = deployment
        request.runner_selector.deployment.user_id = "me"
    return request


# `make test` runs the flow tests with the lean runner; the same tests hold for the other ways to run a model.
RUNNERS: dict[str, dict[str, Any]] = {
    "lean": {"runner": "lean"},
    "genuine": {"runner": "genuine"},
    "inprocess": {"backend": "inprocess"},
    "docker": {"backend": "docker", "docker": docker_engine.SETTINGS},
}
_NAME = os.environ.get("CLARIFAI_TEST_RUNNER", "lean")
# Another name is that of a backend that a plugin adds (test_a_new_backend.py).
RUNNER: dict[str, Any] = RUNNERS.get(_NAME, {"backend": _NAME})
# The same for `clarifai-emulator up`.
OPTIONS = [f"--{name}={value}" for name, value in RUNNER.items() if name != "docker"]
if "docker" in RUNNER:
    OPTIONS += [f"--docker-base-image={docker_engine.BASE_IMAGE}", "--no-docker-limits"]
    OPTIONS += [f"--docker-ca={docker_engine.SETTINGS.ca_file}"] if docker_engine.SETTINGS.ca_file else []

IN_CONTAINERS = "docker" in RUNNER
# How much longer a replica takes to start than a fork.
START_SECONDS = 4.0 if IN_CONTAINERS else 0.0


def wait_for(condition: Callable[[], Any], *, seconds: float = 15.0) -> Any:
    """Poll until ``condition`` returns something true; fail the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{condition} did not become true within {seconds} s")


@contextmanager
def running(*, steps: Sequence[Step] = (), **settings: Any) -> Iterator[EmulatorThread]:
    """Run a further emulator with settings of its own. Its requests take ``steps``, too."""
    config = EmulatorConfig(**{"port": 0, "stop_seconds": 0.5, **RUNNER, **settings})
    with EmulatorThread(config, steps=steps) as emulator:
        yield emulator


def figure(text: str) -> None:
    """Print a measured figure; `make reliability` shows it."""
    print(f"[figure] {text}")


def text_of(response: Any) -> str:
    """Return the text of a response with one output."""
    assert response.outputs, response
    return response.outputs[0].data.parts[0].data.string_value


def logged(emulator: EmulatorThread, log_type: str = "runner") -> list[str]:
    """Return every line that the emulator keeps of one type of log, oldest first."""
    return emulator.run(lambda each: [entry.message for entry in each.logbook.entries(log_type)])


def live_replicas(emulator: EmulatorThread, deployment: str) -> list[dict[str, Any]]:
    """Return the replicas of a deployment that take work, as `status` shows them."""
    found = next(d for d in emulator.status()["deployments"] if d["deployment_id"] == deployment)
    replicas = [replica for version in found["versions"] for replica in version["replicas"]]
    return [replica for replica in replicas if replica["state"] == "live"]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs (one that has ended and was not waited for does not)."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def write_model(folder: Path, model_id: str, source: str) -> Path:
    """Write a model directory with this ``model.py``."""
    directory = folder / model_id
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "model.py").write_text(source)
    (directory / "requirements.txt").write_text("clarifai\n")
    config = (MODELS / "hello" / "config.yaml").read_text()
    (directory / "config.yaml").write_text(config.replace("id: hello", f"id: {model_id}"))
    return directory


def sdk_model(name: str, **options: Any) -> Any:
    """Return the SDK's ``Model`` for a sample model."""
    return Model(url=f"https://clarifai.com/me/demo/models/{name}", **options)
