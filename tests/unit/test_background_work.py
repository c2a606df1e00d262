"""Everything in the background is started in one place; what waits for it ends when it fails, and that is told."""

from __future__ import annotations

import ast
import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import (
    MultiOutputResponse,
    PostModelOutputsRequest,
    PostRunnerItemOutputsRequest,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.runner_items import Admission, RunnerItems
from clarifai_emulator.api.transport import grpc_web
from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.grpc_web import GrpcWeb
from clarifai_emulator.api.transport.http2 import Connection
from clarifai_emulator.api.transport.http2_frames import ErrorCode
from clarifai_emulator.api.transport.http_server import HttpConnection
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.api.transport.request_buffers import Buffers
from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.backends.docker.container_hosts import HostedReplica
from clarifai_emulator.backends.docker.container_replica import ContainerProcess
from clarifai_emulator.backends.function_replica import FunctionReplica
from clarifai_emulator.backends.health_watch import HealthWatch
from clarifai_emulator.backends.inprocess import InProcessReplica
from clarifai_emulator.backends.inprocess_items import LeanThreads
from clarifai_emulator.backends.process.process_backend import SpawnedProcess
from clarifai_emulator.backends.reload_link import CannotSwap, ReloadLink
from clarifai_emulator.background_work import (
    PartFailure,
    PartFailures,
    begin,
    begin_thread,
    beside,
    nobody_waits,
    submit,
)
from clarifai_emulator.cli.dev_clients import Clients
from clarifai_emulator.cli.dev_loop import DevLoop
from clarifai_emulator.clock import SystemClock
from clarifai_emulator.deploy.upload_builds import UploadBuilds
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.dispatch.lean import LeanReplica
from clarifai_emulator.dispatch.work import STREAMING_STREAMING, UNARY_STREAMING, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.inside import functions_main, lean_main
from clarifai_emulator.models.version_source import Watched
from clarifai_emulator.reload.file_poller import FileLooks
from clarifai_emulator.reload.watcher import Watcher
from scripted_replicas import Stage, settle

ROOT = Path(__file__).parents[2]
PACKAGES = ("emulator/clarifai_emulator", "pytest_plugin/pytest_clarifai_emulator")
BUFFERS = Buffers(1 << 20, 1 << 20).connection()

# Threads that need nobody to hear of their end, and why.
BY_THEMSELVES = {
    "contracts/values/fuzz.py": "whoever starts it waits for it, and it notes what a method raises",
    "shared/host.py": "a worker of pytest sees its connection end",
}
# Every part of the emulator that goes on in the background while somebody waits, and the test that breaks it.
BROKEN = {
    "api/runner_items.py: pump of a client's messages": "test_a_client_s_messages_to_a_runner",
    "api/transport/grpc_web.py: body of a gRPC-Web request": "test_the_body_of_a_grpc_web_request",
    "api/transport/http2.py: gRPC call": "test_a_call_over_http2",
    "api/transport/http2.py: request over HTTP/2": "test_a_call_over_http2",
    "api/transport/http_server.py: request over HTTP/1.1": "test_a_request_over_http1",
    "backends/docker/container_hosts.py: end of a replica in a container": "test_the_end_of_a_hosted_replica",
    "backends/docker/container_replica.py: follower of container": "test_a_container",
    "backends/function_replica.py: functions for": "test_the_functions_of_a_test",
    "backends/health_watch.py: health of": "test_a_container",
    "backends/inprocess.py: replica": "test_a_replica_in_this_process",
    "backends/inprocess_items.py: admission of a replica": "test_a_thread_of_a_replica_in_this_process",
    "backends/inprocess_items.py: thread of a replica": "test_a_thread_of_a_replica_in_this_process",
    "backends/process/process_backend.py: watch of a spawned replica": "test_the_watch_of_a_spawned_replica",
    "backends/reload_link.py: reader of a reloadable replica": "test_the_reader_of_a_reloadable_replica",
    "cli/dev_clients.py: checks of clients": "test_what_dev_does_in_threads",
    "cli/dev_loop.py: part of the dev loop": "test_what_dev_does_in_threads",
    "cli/dev_loop.py: reload of a save": "test_what_dev_does_in_threads",
    "deploy/upload_builds.py: build of version": "test_a_build",
    "dispatch/lean.py: hold of a replica's outputs": "test_what_a_lean_replica_is_sent_and_says",
    "dispatch/lean.py: pump of a client's messages": "test_what_a_lean_replica_is_sent_and_says",
    "nodepools/replicas.py: attaching of a debugger": "test_what_makes_a_replica_ready",
    "nodepools/replicas.py: end of replica": "test_the_end_of_a_replica",
    "nodepools/replicas.py: release of a replica": "test_what_makes_a_replica_ready",
    "nodepools/replicas.py: replica": "test_the_life_of_a_replica",
    "nodepools/supervisor.py: supervisor": "test_the_supervisor",
    "reload/file_poller.py: poller of files": "test_what_dev_does_in_threads",
    "reload/watcher.py: watcher of": "test_what_dev_does_in_threads",
}


# What is there.


def test_tasks_and_threads_are_started_in_one_place() -> None:
    starts = {"create_task", "ensure_future", "Thread"}
    strays: list[str] = []
    for name, node in _calls():
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in starts and name != "background_work.py" and name not in BY_THEMSELVES:
            strays.append(f"{name}:{node.lineno}: {called}")
    assert not strays, "Start it with background_work.py, and say what ends whoever waits for it"


def test_each_part_that_somebody_waits_for_is_broken_by_a_test() -> None:
    found = {f"{name}: {part}" for name, part, waits in _parts() if waits}
    assert found == set(BROKEN), "Break it on purpose in a test, and name that above"
    here = {name for name in globals() if name.startswith("test_")}
    assert set(BROKEN.values()) <= here


def _parts() -> Iterator[tuple[str, str, bool]]:
    """Yield what is begun: the module, its name up to what varies, and whether anybody waits for it."""
    for name, node in _calls():
        if isinstance(node.func, ast.Name) and node.func.id in ("begin", "begin_thread", "submit"):
            at = 2 if node.func.id == "submit" else 1
            if len(node.args) > at + 1:
                last = node.args[at + 1]
                waits = not (isinstance(last, ast.Name) and last.id == "nobody_waits")
                yield name, _text(node, node.args[at]), waits


def _text(call: ast.Call, node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return str(getattr(node.values[0], "value", "")).strip()
    function: Any = call
    while not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        function = _PARENTS[function]
    for each in ast.walk(function):
        if isinstance(each, ast.Assign) and isinstance(node, ast.Name):
            for target, value in _pairs(each.targets[0], each.value):
                if isinstance(target, ast.Name) and target.id == node.id:
                    return _text(call, value)
    raise AssertionError(f"a name that cannot be read: {ast.dump(node)}")


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


_PARENTS: dict[ast.AST, ast.AST] = {}


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT / package).as_posix()
            if name.startswith(("inside/", "topology/stand_ins/templates/", "cli/template/")):
                continue  # runs in a model's interpreter
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                for child in ast.iter_child_nodes(node):
                    _PARENTS[child] = node
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    yield name, node


# How a failure is told.


@pytest.fixture
async def told() -> Any:
    """Hear of failures in this event loop."""
    new: list[PartFailure] = []
    failures = PartFailures(new.append)
    failures.watch(asyncio.get_running_loop())
    yield failures
    failures.stop()


async def broken(*_: Any, **__: Any) -> None:
    raise AttributeError("module 'resources_pb2' has no attribute 'NEW'")


REASON = "AttributeError: module 'resources_pb2' has no attribute 'NEW'"


async def test_a_task_that_fails_ends_what_waits_for_it_and_is_told_with_its_trace(
    told: PartFailures, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []
    begin(broken(), "part", ended.append)
    await settle()
    assert ended == [REASON]
    assert [(each.part, each.reason, each.count) for each in told.kept] == [("part", REASON, 1)]
    assert "part failed\nTraceback (most recent call last):" in caplog.text


async def test_a_thread_that_fails_is_told_in_the_event_loop(told: PartFailures) -> None:
    ended: list[int] = []
    loop = asyncio.get_running_loop()
    begin_thread(lambda: 1 / 0, "part", lambda reason: ended.append(threading.get_ident()), loop=loop)
    while not ended:
        await asyncio.sleep(0)
    assert ended == [threading.get_ident()]
    assert [each.reason for each in told.kept] == ["ZeroDivisionError: division by zero"]


def test_a_thread_without_an_event_loop_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []
    begin_thread(lambda: 1 / 0, "part", ended.append).join(5)
    with ThreadPoolExecutor(1) as executor:
        submit(executor, lambda: 1 / 0, "other part", ended.append)
    assert ended == ["ZeroDivisionError: division by zero"] * 2
    assert [record.getMessage() for record in caplog.records] == ["part failed", "other part failed"]


async def test_what_fails_again_and_again_is_counted_and_logged_once(
    told: PartFailures, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        begin(broken(), "part", nobody_waits)
        await settle()
    assert [each.count for each in told.kept] == [3]
    assert len(caplog.records) == 1
    shown = told.kept[0].as_dict()
    assert (shown["part"], shown["reason"], shown["count"]) == ("part", REASON, 3)


async def test_an_end_that_fails_itself_is_told_too(told: PartFailures) -> None:
    begin(broken(), "part", lambda reason: 1 / 0)
    await settle()
    assert [each.reason for each in told.kept] == [REASON, "ZeroDivisionError: division by zero"]


async def test_what_is_cancelled_has_not_failed(told: PartFailures) -> None:
    begin(asyncio.Event().wait(), "part", nobody_waits).cancel()  # pyright: ignore[reportArgumentType]
    await settle()
    assert told.kept == []


async def test_what_others_do_in_the_event_loop_is_none_of_the_emulators_failures() -> None:
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(str(context["exception"])))
    told = PartFailures(nobody_waits)  # pyright: ignore[reportArgumentType]
    told.watch(loop)
    loop.call_soon(lambda: 1 / 0)
    await settle()
    assert (told.kept, heard) == ([], ["division by zero"])
    told.stop()
    assert loop.get_exception_handler() is not None
    loop.set_exception_handler(None)


async def test_what_is_awaited_raises_there(told: PartFailures) -> None:
    with pytest.raises(AttributeError):
        await beside(broken())
    assert told.kept == []


# Each part, broken on purpose.


async def failure(work: Work) -> str:
    """Return what whoever waits is told."""
    with pytest.raises(CallerError) as raised:
        async for _ in work.outputs():
            pass
    return raised.value.message


@pytest.fixture
async def stage() -> Any:
    stage = Stage()
    stage.prepare()
    yield stage
    await stage.close()


async def test_the_supervisor(stage: Stage, monkeypatch: pytest.MonkeyPatch, told: PartFailures) -> None:
    await stage.deploy(0)
    for name in ("_reconcile", "_bring_up_to"):
        monkeypatch.setattr(stage.supervisor, name, lambda *_: 1 / 0)
        stage.supervisor._stale.add(("ada", "deployment"))  # pyright: ignore[reportPrivateUsage]
        assert await failure(await stage.ask()) == (
            "The emulator failed while it saw to the replicas of deployment 'deployment': ZeroDivisionError: "
            "division by zero. This is a bug of the emulator, or versions of its packages do not fit each other: "
            "its log has the trace, and `clarifai-emulator status` lists it. The next request lets it be tried "
            "again."
        )
        monkeypatch.undo()
    monkeypatch.setattr(stage.supervisor, "_failed", lambda *_: 1 / 0)
    monkeypatch.setattr(stage.supervisor, "_reconcile", lambda *_: 1 / 0)
    assert "division by zero" in await failure(await stage.ask())
    assert [each.part for each in told.kept] == ["supervisor"]
    monkeypatch.undo()
    work = await stage.ask()
    await stage.answer(await stage.ready(), work)
    assert not work.is_open, "it goes on with the next request"


async def test_the_life_of_a_replica(stage: Stage, monkeypatch: pytest.MonkeyPatch, told: PartFailures) -> None:
    await stage.deploy(1)
    work = await stage.ask()
    await stage.ready()
    (process,) = stage.backend.running
    monkeypatch.setattr(stage.replicas, "_give_back", lambda *_: 1 / 0)
    await stage.crash()
    assert "the emulator failed over it: ZeroDivisionError: division by zero" in await failure(work)
    assert told.kept[0].part == f"replica {process.spec.replica_id[:8]}"
    monkeypatch.undo()
    await stage.later(5)
    assert len(stage.backend.running) == 1, "another one takes its place"


async def test_the_end_of_a_replica(stage: Stage, monkeypatch: pytest.MonkeyPatch, told: PartFailures) -> None:
    await stage.deploy(1)
    await stage.ready()
    monkeypatch.setattr(stage.replicas, "_finish", broken)
    await stage.delete()
    assert stage.backend.running == []
    assert told.kept[0].part.startswith("end of replica ")


@pytest.mark.parametrize("part", ["attaching of a debugger", "release of a replica"])
async def test_what_makes_a_replica_ready(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, told: PartFailures, part: str
) -> None:
    start = stage.backend.start

    async def started(*arguments: Any) -> Any:
        process: Any = await start(*arguments)
        if part.startswith("attaching"):
            process.debugger = asyncio.get_running_loop().create_future()
        else:
            process.reloads = SimpleNamespace(close=lambda: None)
        return process

    monkeypatch.setattr(stage.backend, "start", started)
    monkeypatch.setattr(stage.nodepools.debuggers, "attach", broken)
    monkeypatch.setattr(stage.replicas._loaded_code, "release", broken)  # pyright: ignore[reportPrivateUsage]
    await stage.deploy(1)
    assert f"the emulator failed to make it ready: {REASON}" in stage.said("replica.crashed")[0]
    assert told.kept[0].part == part


class Ends:
    """Stands in for what leads to a lean replica, and its one channel."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_: self.said.append(name)

    def open_channel(self) -> Ends:
        return self

    async def more(self, number: int, work: Work, request: Any) -> None:
        await broken()


def lean_replica(more: Any = None) -> tuple[LeanReplica, Ends, Work]:
    """Return a replica that works on a request."""
    events = EventBus(SystemClock())
    dispatcher = Dispatcher(events=events, clock=SystemClock(), queue_size=1)
    pool = ("ada", "cluster", "pool")
    lane, ends = dispatcher.lane(LaneKey("ada", "deployment", "v1")), Ends()
    replica = LeanReplica(dispatcher, dispatcher.add_runner((*pool, "runner"), lane), "replica", ends)
    replica.ready(1)
    kind = STREAMING_STREAMING if more else UNARY_STREAMING
    work = Work(PostModelOutputsRequest(), method_type=kind, events=events, nodepools=(pool,), more=more)
    lane.submit(work)
    return replica, ends, work


async def _one_message() -> Any:
    yield PostModelOutputsRequest()


async def test_what_a_lean_replica_is_sent_and_says(told: PartFailures, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ends, work = lean_replica(_one_message())
    monkeypatch.setattr(ends, "end", lambda *_: 1 / 0, raising=False)
    assert "carried this request to replica replica and back: ZeroDivisionError" in await failure(work)
    monkeypatch.setattr(Work, "is_ahead", True)
    monkeypatch.setattr(Work, "caught_up", broken)
    replica, ends, work = lean_replica()
    replica.output(1, MultiOutputResponse(), 10)
    assert f"and back: {REASON}." in await failure(work)
    assert ends.said[-2:] == ["hold", "go"]
    assert [each.part for each in told.kept] == ["pump of a client's messages", "hold of a replica's outputs"]


async def test_a_thread_of_a_replica_in_this_process(told: PartFailures) -> None:
    def begin_broken() -> None:
        raise AttributeError("begin")

    threads = LeanThreads(begin_broken)
    lost: list[str] = []
    replica: Any = SimpleNamespace(lost=lambda: lost.append("lost"), ready=lambda count, is_asked: None)
    runner: Any = SimpleNamespace(threads=1, is_asked=False)
    threads._runner = runner  # pyright: ignore[reportPrivateUsage]
    threads.listen(replica)
    threads.open_channel()
    while not lost:
        await asyncio.sleep(0)
    runner.is_asked = True
    threads.listen(replica)
    while len(lost) < 2:
        await asyncio.sleep(0)
    assert [each.part for each in told.kept] == ["thread of a replica", "admission of a replica"]


async def test_the_functions_of_a_test(told: PartFailures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions_main, "make_runner", lambda *args, **options: None)
    monkeypatch.setattr(lean_main, "ItemRunner", lambda runner, threads: None)

    def serve(_threads: LeanThreads, _runner: Any) -> None:
        raise AttributeError("serve")

    monkeypatch.setattr(LeanThreads, "serve", serve)
    lost: list[str] = []
    runners: Any = SimpleNamespace(
        issue_credential=lambda key: SimpleNamespace(token="t", replica_id="r1"),
        lose=lambda link, replica_id, why: lost.append(why),
        revoke=lambda credential: None,
    )
    replica = FunctionReplica(("me", "main", "echo"), {"predict": str}, runners, SystemClock())
    replica.serve({}, {}, "http://127.0.0.1:9")
    while not lost:
        await asyncio.sleep(0)
    (failure,) = told.kept
    assert failure.part == "functions for echo"
    assert lost == [failure.reason]


def bare(kind: type, **attributes: Any) -> Any:
    """Make an object of a class without what its constructor starts."""
    made = object.__new__(kind)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


async def test_a_replica_in_this_process() -> None:
    exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    parts: dict[str, Any] = {"_watch": SimpleNamespace(end=lambda: None), "_killed_because": ""}
    replica = bare(InProcessReplica, exited=exited, _lines=SimpleNamespace(close=lambda: None), **parts)
    replica._life_failed(REASON)
    assert str(exited.result()) == f"the emulator lost sight of it: {REASON}"


async def test_the_watch_of_a_spawned_replica(told: PartFailures) -> None:
    process = SpawnedProcess(SimpleNamespace(close=lambda: None))  # pyright: ignore[reportArgumentType]
    waited: Any = SimpleNamespace(wait=broken, pid=0, returncode=0)
    begin(process._watch(waited), "watch", process._watch_failed)  # pyright: ignore[reportPrivateUsage]
    await settle()
    assert str(process.exited.result()) == f"the emulator lost sight of it: {REASON}"


async def test_the_end_of_a_hosted_replica(told: PartFailures) -> None:
    child: Any = SimpleNamespace(exited=asyncio.get_running_loop().create_future(), kill=lambda: None)
    replica = HostedReplica(child, SimpleNamespace(end_of=broken))  # pyright: ignore[reportArgumentType]
    child.exited.set_result(Exit(0))
    await settle()
    assert str(replica.exited.result()) == f"the emulator lost sight of it: {REASON}"


async def test_a_container(told: PartFailures) -> None:
    loop, lines = asyncio.get_running_loop(), list[str]()
    watch = HealthWatch(broken, every=0, on_line=lines.append, kill=nobody_waits)
    watch.begin("container abc")
    await settle()
    assert lines == [f"[emulator] its health is not looked after any more, because the emulator failed: {REASON}"]
    container = bare(ContainerProcess, exited=loop.create_future(), _watch=watch, _killed_because="")
    container._follow_failed(REASON)
    assert str(container.exited.result()) == f"the emulator lost sight of its container: {REASON}"


async def test_the_reader_of_a_reloadable_replica(told: PartFailures) -> None:
    link = ReloadLink(SimpleNamespace(close=lambda: None))  # pyright: ignore[reportArgumentType]
    reader: Any = SimpleNamespace(readline=broken)
    link._task = begin(link._read(reader), "reader", link._read_failed)  # pyright: ignore[reportPrivateUsage]
    await settle()
    with pytest.raises(CannotSwap, match="the replica has ended"):
        await link.commit("code")


async def test_a_client_s_messages_to_a_runner(told: PartFailures) -> None:
    events = EventBus(SystemClock())
    dispatcher = Dispatcher(events=events, clock=SystemClock(), queue_size=1)
    pool = ("ada", "cluster", "pool")
    lane = dispatcher.lane(LaneKey("ada", "deployment", "v1"))
    link = dispatcher.add_runner((*pool, "runner"), lane)
    work = Work(
        PostModelOutputsRequest(), method_type=STREAMING_STREAMING, events=events, nodepools=(pool,), more=_cut()
    )
    first = PostRunnerItemOutputsRequest(runner_id="runner").SerializeToString()
    stream: Any = SimpleNamespace(
        metadata={},
        peer=NO_PEER,
        closed=False,
        take_up_to=nobody_waits,
        begin=nobody_waits,
        flush=lambda: None,
        write=accept,
    )
    messages = iter([first])
    never = asyncio.Event()

    async def read() -> bytes:
        for message in messages:
            return message
        await never.wait()
        return b""

    stream.read = read
    serving = beside(RunnerItems(dispatcher, lambda *_: Admission(link, "r1"), lambda *_: 0)._serve(stream))
    await settle()
    lane.submit(work)
    assert "carried this request to replica r1 and back: _Cut" in await failure(work)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert told.kept[0].part == "pump of a client's messages"


async def accept(*_: Any) -> None:
    """Take what is written."""


async def _cut() -> Any:
    raise _Cut
    yield


class _Cut(BaseException):
    """Raised where not even a handler of every error hears of it."""


async def test_the_body_of_a_grpc_web_request(told: PartFailures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_web, "_feed", broken)
    told_client: list[str] = []
    monkeypatch.setattr(GrpcStream, "break_off", lambda self, error: told_client.append(str(error)))

    async def run(self: GrpcStream, serve: Any) -> None:
        await settle()

    monkeypatch.setattr(GrpcStream, "run", run)
    content_type = {"content-type": "application/grpc-web"}
    written = SimpleNamespace(
        started=True, write=accept, method="POST", path="/x", headers=content_type, peer=NO_PEER, buffers=BUFFERS
    )
    with pytest.raises(AttributeError):
        await GrpcWeb(lambda path: None, max_bytes=10).serve(written)  # pyright: ignore[reportArgumentType]
    assert told_client == [f"INTERNAL: The emulator failed while it read the body: {REASON}."]


async def test_a_call_over_http2(told: PartFailures, monkeypatch: pytest.MonkeyPatch) -> None:
    resets: list[tuple[int, int]] = []
    session = SimpleNamespace(reset=lambda stream_id, code: resets.append((stream_id, code)), fields_cost=0)
    connection = bare(
        Connection,
        _session=session,
        _calls={},
        _peer=NO_PEER,
        _max_bytes=1,
        _buffers=BUFFERS,
        _flushing=True,
        _take_request=lambda *_: SimpleNamespace(run=broken),
        _find=lambda path: None,
        _short={},
        _leaving=set(),
        _loop=asyncio.get_running_loop(),
    )
    monkeypatch.setattr(GrpcStream, "run", broken)
    monkeypatch.setattr(GrpcStream, "end", lambda *_: None)
    connection.request_came(1, {"content-type": "application/grpc", ":path": "/x"})
    connection.request_came(3, {"content-type": "application/json", ":path": "/x"})
    await settle()
    assert resets == [(1, ErrorCode.INTERNAL_ERROR), (3, ErrorCode.INTERNAL_ERROR)]
    assert [each.part for each in told.kept] == ["gRPC call", "request over HTTP/2"]


async def test_a_request_over_http1(told: PartFailures) -> None:
    ended: list[str] = []
    transport = SimpleNamespace(abort=lambda: ended.append("aborted"))
    connection = bare(HttpConnection, _transport=transport, _connections=set(), _task=None)
    begin(broken(), "request", connection._run_failed)
    await settle()
    assert ended == ["aborted"]


async def test_a_build(told: PartFailures, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    status: list[Any] = []
    builds = bare(UploadBuilds, _tasks={}, _suspect=asyncio.Lock(), files=SimpleNamespace(starts=lambda key: 1 / 0))
    monkeypatch.setattr(builds, "_say", lambda key: said.append)
    monkeypatch.setattr(builds, "_fail", lambda *fields: status.append(fields))
    builds.start(("ada", "app", "model", "v1"))
    await settle()
    why = "ZeroDivisionError: division by zero"
    text = f"The emulator failed while it built this version: {why}. Its log has the trace."
    assert said == [text]
    assert status == [(("ada", "app", "model", "v1"), StatusCode.MODEL_BUILD_UNEXPECTED_ERROR, text)]


def test_what_dev_does_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: queue.Queue[str] = queue.Queue()

    def fails(*_: Any, **__: Any) -> Any:
        raise AttributeError("broken")

    monkeypatch.setattr(Watcher, "_poll", fails)
    watcher = Watcher(tmp_path, Watched(), nobody_waits, shown.put, poll=True)  # pyright: ignore[reportArgumentType]
    watcher._stopping = SimpleNamespace(is_set=lambda: False, wait=lambda seconds: None, set=lambda: None)  # type: ignore[assignment]
    watcher.start()
    said = shown.get(timeout=5)
    assert said.startswith(f"Saves in {tmp_path} are not noticed any more: AttributeError: broken. Start `clarifai")
    looks = FileLooks(list, nobody_waits, shown.put, every=0)  # pyright: ignore[reportArgumentType]
    looks.start()
    monkeypatch.setattr(FileLooks, "_has_changed", fails)
    assert shown.get(timeout=5) == "AttributeError: broken"

    events: queue.Queue[dict[str, Any]] = queue.Queue()
    clients = Clients([tmp_path], [], tmp_path, events.put, tmp_path)
    monkeypatch.setattr(clients, "_tell", fails)
    clients._failed = shown.put  # type: ignore[method-assign]
    clients.start()
    assert shown.get(timeout=5) == "AttributeError: broken"

    loop = bare(DevLoop, _stop=threading.Event(), _shown=events)
    with ThreadPoolExecutor(1) as workers:
        loop._submit(workers, fails)
    assert events.get(timeout=5)["message"] == (
        "A save could not be reloaded: AttributeError: broken. This is a bug of the emulator."
    )
    loop._failed("The dev loop cannot go on", "why", ends=True)
    assert loop._stop.is_set()
