"""The process backend with the genuine SDK, both ways to start a replica: forked and spawned."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2

from clarifai_emulator.api.runner_items import Admission, RunnerItems
from clarifai_emulator.backends.backend import Exit, ReplicaProcess, ReplicaSpec
from clarifai_emulator.backends.process import process_backend as process_module
from clarifai_emulator.backends.process.process_backend import ProcessBackend
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.dispatch.work import UNARY_UNARY, Work
from clarifai_emulator.errors import ModelError
from clarifai_emulator.events import EventBus
from clarifai_emulator.models.version_source import ModelSource
from grpc_port import grpc_port
from resource_api import StillClock

MODELS = Path(__file__).parents[4] / "fixtures" / "models"
POOL = ("ada", "cluster", "pool")
NOWHERE = "http://127.0.0.1:9"


def source(path: Path, python: Path | None = None) -> ModelSource:
    return ModelSource(path, python or Path(sys.executable), "hash", "this interpreter")


def spec(path: Path, base_url: str = NOWHERE, **environ: str) -> ReplicaSpec:
    return ReplicaSpec(replica_id="r1", source=source(path), base_url=base_url, environ=environ, num_threads=1)


async def gone(pid: int) -> None:
    """Wait until the process has ended; a zombie has."""
    for _ in range(1000):
        if not _is_running(pid):
            return
        await asyncio.sleep(0.002)
    raise AssertionError(f"{pid} still runs")


def _is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def ended(process: ReplicaProcess) -> Exit:
    return await asyncio.wait_for(asyncio.shield(process.exited), 20)


@pytest.fixture(params=["fork", "spawn"])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[ProcessBackend]:
    backend = ProcessBackend(api_base=lambda: NOWHERE, start_method=request.param)
    yield backend
    await backend.close()


@pytest.fixture
async def forking() -> AsyncIterator[ProcessBackend]:
    backend = ProcessBackend(api_base=lambda: NOWHERE, start_method="fork")
    yield backend
    await backend.close()


@asynccontextmanager
async def control_plane() -> AsyncIterator[tuple[str, Dispatcher, EventBus]]:
    """Yield the address that a replica connects back to, and the dispatcher behind it."""
    events = EventBus(StillClock())
    dispatcher = Dispatcher(events=events, clock=StillClock(), queue_size=5)
    link = dispatcher.add_runner((*POOL, "runner"), dispatcher.lane(LaneKey("ada", "deploy-hello", "v1")))
    items = RunnerItems(dispatcher, lambda *_: Admission(link, "r1"), lambda *_: 0)
    async with grpc_port(items.find) as address:
        yield f"http://{address}", dispatcher, events


async def test_signatures_are_read_and_a_replica_serves(backend: ProcessBackend) -> None:
    signatures = await backend.signatures(source(MODELS / "hello"))
    assert sorted(signature.name for signature in signatures) == ["generate", "predict", "stream"]

    async with control_plane() as (url, dispatcher, events):
        request = service_pb2.PostModelOutputsRequest(model_id="hello")
        data = request.inputs.add().data
        data.metadata["_method_name"] = "predict"
        data.parts.add(id="prompt").data.string_value = "world"
        work = Work(request, method_type=UNARY_UNARY, events=events, nodepools=(POOL,))
        dispatcher.lane(LaneKey("ada", "deploy-hello", "v1")).submit(work)
        names = {
            "CLARIFAI_USER_ID": "ada",
            "CLARIFAI_COMPUTE_CLUSTER_ID": "cluster",
            "CLARIFAI_NODEPOOL_ID": "pool",
            "CLARIFAI_RUNNER_ID": "runner",
            "CLARIFAI_API_BASE": NOWHERE,
            "CLARIFAI_PAT": "replica-1",
            "CLARIFAI_RUNNER_REPLICA_ID": "r1",
        }
        lines: list[str] = []
        replica = await backend.start(spec(MODELS / "hello", url, **names), lines.append)
        assert replica.pid > 0
        output = await asyncio.wait_for(anext(work.outputs()), 20)
        assert output.outputs[0].data.parts[0].data.string_value == "Hello, world!", (output, lines)
        replica.kill()
        assert await ended(replica) == Exit(signal=9)


async def test_a_model_that_cannot_be_read_is_refused_with_the_line_and_the_mending(
    backend: ProcessBackend,
) -> None:
    with pytest.raises(ModelError) as raised:
        await backend.signatures(source(MODELS / "crash_import"))
    assert raised.value.summary == (
        "model.py cannot be used: RuntimeError: this model cannot be imported: the vocabulary file is missing"
    )
    first, where, *_, last = raised.value.log.splitlines()
    assert first == "Traceback (most recent call last):"
    assert f'File "{MODELS}/crash_import/1/model.py", line 5' in where
    assert last == "RuntimeError: this model cannot be imported: the vocabulary file is missing"

    with pytest.raises(ModelError) as raised:
        await backend.signatures(source(MODELS / "crash_exit_import"))
    assert raised.value.summary == (
        "model.py ended the interpreter while it was being imported (its process exited with code 3)."
    )
    assert "crash_exit_import: leaving with code 3" in raised.value.log
    assert raised.value.hint.startswith("Look for os._exit()")


async def test_the_hint_fits_the_kind_of_error(forking: ProcessBackend, tmp_path: Path) -> None:
    for code, error, hint in [
        ("import not_installed", "ModuleNotFoundError: No module named 'not_installed'", "Add the package to"),
        ("def broken(:", "SyntaxError: invalid syntax", "Mend the line above and deploy again."),
        ("import sys\nsys.exit(4)", "SystemExit: 4", "The platform would refuse or fail this model"),
    ]:
        with pytest.raises(ModelError) as raised:
            await forking.signatures(source(_model(tmp_path, code)))
        assert raised.value.summary == f"model.py cannot be used: {error}"
        assert raised.value.hint.startswith(hint)


async def test_a_model_that_takes_for_ever_to_import_is_ended(
    forking: ProcessBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "INSPECT_SECONDS", 0.4)
    model = _model(tmp_path, "print('downloading', flush=True)\nimport time; time.sleep(60)")
    with pytest.raises(ModelError) as raised:
        await forking.signatures(source(model))
    assert raised.value.summary == "model.py was still being imported after 0 s."
    assert raised.value.hint == "Move slow work from the module's top level into load_model()."
    (child,) = forking._zygotes[Path(sys.executable)]._children.values()
    assert await ended(child) == Exit(signal=9)


async def test_an_interpreter_that_is_gone_is_named(backend: ProcessBackend, tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "python"
    for _ in range(2):
        with pytest.raises(ModelError) as raised:
            await backend.signatures(source(MODELS / "hello", gone))
        assert raised.value.summary == (
            f"A model's interpreter could not be started: {gone}: No such file or directory."
        )


async def test_a_start_that_is_called_off_leaves_no_process_behind(forking: ProcessBackend) -> None:
    """A deployment may be deleted in the moment in which its replica starts."""
    await forking.warm()
    zygote = forking._zygotes[Path(sys.executable)]
    starting = asyncio.ensure_future(forking.start(spec(MODELS / "hello"), lambda line: None))
    for _ in range(10):
        await asyncio.sleep(0)
    (child,) = zygote._children.values()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert await ended(child) == Exit(signal=9)


# An interpreter that is a shell script stands for a replica: these need no SDK.


async def test_closing_ends_spawned_replicas_and_all_they_started(tmp_path: Path) -> None:
    lines: list[str] = []
    backend = ProcessBackend(api_base=lambda: NOWHERE, start_method="spawn")
    replica = await backend._begin(_script(tmp_path, "sleep 60 & echo $!; wait"), _JOB, lines.append)
    for _ in range(1000):
        if lines:
            break
        await asyncio.sleep(0.002)
    await backend.close()
    assert replica.exited.result() == Exit(signal=9)
    await gone(int(lines[0]))


async def test_what_a_spawned_replica_started_ends_with_it(tmp_path: Path) -> None:
    lines: list[str] = []
    backend = ProcessBackend(api_base=lambda: NOWHERE, start_method="spawn")
    replica = await backend._begin(_script(tmp_path, "sleep 60 & echo $!; exit 3"), _JOB, lines.append)
    assert await ended(replica) == Exit(3)
    await gone(int(lines[0]))
    await backend.close()


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "time.sleep(60)"])
async def test_a_daemon_in_a_session_of_its_own_ends_with_its_replica(
    backend: ProcessBackend, tmp_path: Path, end: str
) -> None:
    lines: list[str] = []
    model = _model(tmp_path, DAEMON.replace("END", end))
    replica = await backend.start(spec(model), lines.append)
    for _ in range(10_000):
        if any(line.startswith("daemon ") for line in lines):
            break
        await asyncio.sleep(0.002)
    daemon = next(int(line.split()[1]) for line in lines if line.startswith("daemon "))
    if "sleep(" in end:
        replica.kill()
    expected = Exit(3) if "_exit" in end else Exit(signal=9)
    assert await ended(replica) == expected
    await gone(daemon)


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sh", ["sh", "-c", "echo daemon $$; exec sleep 60"])
    os._exit(0)
os.wait()
time.sleep(0.2)
END
"""


def _model(directory: Path, code: str) -> Path:
    """Write a model directory with this model.py."""
    model = directory / "model"
    shutil.copytree(MODELS / "hello", model, dirs_exist_ok=True)
    (model / "1" / "model.py").write_text(code)
    return model


_JOB: dict[str, Any] = {"op": "run", "environ": {"PATH": "/usr/bin:/bin"}}


def _script(directory: Path, commands: str) -> Path:
    script = directory / "python"
    script.write_text(f"#!/bin/sh\n{commands}\n")
    script.chmod(0o755)
    return script
