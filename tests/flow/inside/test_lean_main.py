"""The lean runner inside a replica: a scripted emulator at one end, a scripted runner class at the other."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import RunnerMethodType
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse, RunnerItem, RunnerItemOutput
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.message import Message

from clarifai_emulator.inside import lean_main
from clarifai_emulator.inside.lean_main import (
    CANCEL,
    CHANNEL,
    DONE,
    END,
    GENUINE,
    HEADER,
    ITEM,
    LAST,
    MORE,
    OUTPUT,
    READY,
)
from clarifai_emulator.inside.zygote_main import import_sdk
from flow.driver import wait_for

UNARY, GENERATE, STREAM = (
    RunnerMethodType.UNARY_UNARY,
    RunnerMethodType.UNARY_STREAMING,
    RunnerMethodType.STREAMING_STREAMING,
)
Frame = tuple[int, int, bytes]


def output(text: str) -> Any:
    made = RunnerItemOutput()
    made.multi_output_response.status.description = text
    return made


class ScriptedRunner:
    """Stands in for the SDK's runner class. Each method is what a test sets."""

    def __init__(self) -> None:
        self.predict: Callable[[Any], Any] = lambda item: output(item.description)
        self.generate: Callable[[Any], Iterator[Any]] = lambda item: iter(())
        self.stream: Callable[[Iterator[Any]], Iterator[Any]] = lambda items: iter(())

    def runner_item_predict(self, item: Any) -> Any:
        return self.predict(item)

    def runner_item_generate(self, item: Any) -> Iterator[Any]:
        return self.generate(item)

    def runner_item_stream(self, items: Iterator[Any]) -> Iterator[Any]:
        return self.stream(items)

    def get_runner_item_output_for_status(self, status: Any) -> Any:
        return RunnerItemOutput(multi_output_response=MultiOutputResponse(status=status))


class Thread:
    """The emulator's end of the socket to one thread of the runner."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        self.sock = sock

    def say(self, kind: int, number: int, item: Message | None = None) -> None:
        payload = item.SerializeToString() if item is not None else b""
        self.sock.sendall(HEADER.pack(len(payload), kind, number) + payload)

    def hear(self) -> Frame:
        length, kind, number = HEADER.unpack(self._read(HEADER.size))
        return kind, number, self._read(length)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.sock.recv(size - len(data))
        return data

    def text(self) -> str:
        """Return the text of the next frame, which is the end of an item."""
        kind, _, payload = self.hear()
        assert kind == LAST
        return MultiOutputResponse.FromString(payload).status.description


class Scene:
    """A lean runner that serves, and the emulator's ends of its sockets."""

    def __init__(self) -> None:
        self.runner = ScriptedRunner()
        self.control, theirs = socket.socketpair()
        self.control.settimeout(10)
        self.lean = lean_main.LeanRunner(self.runner, 3, theirs)
        self.serving = threading.Thread(target=self.lean.serve)
        self.serving.start()
        assert HEADER.unpack(self.control.recv(HEADER.size)) == (0, READY, 3)
        self.threads: list[Thread] = []

    def thread(self) -> Thread:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [HEADER.pack(0, CHANNEL, 0)], [theirs.fileno()])
        self.threads.append(Thread(ours))
        return self.threads[-1]

    def close(self) -> None:
        for thread in self.threads:
            thread.sock.close()
        self.control.close()
        self.serving.join(10)
        assert not self.serving.is_alive(), "the runner serves until the emulator closes its socket"
        self.lean.control.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    import_sdk()
    scene = Scene()
    yield scene
    scene.close()


def item(text: str = "", method_type: int = UNARY) -> Any:
    made = RunnerItem(id=f"item-{text}", description=text)
    made.processing_info.runner_method_type = method_type  # pyright: ignore[reportAttributeAccessIssue]
    return made


def test_an_item_is_answered_by_the_thread_that_it_came_to(scene: Scene) -> None:
    one, two = scene.thread(), scene.thread()
    two.say(ITEM, 2, item("second"))
    one.say(ITEM, 1, item("first"))
    assert (one.text(), two.text()) == ("first", "second")
    one.say(ITEM, 3, item("third"))
    assert one.text() == "third"


@pytest.mark.parametrize("size", [0, 65_000, 65_536, 3_000_000])
def test_large_items_and_answers_go_whole(scene: Scene, size: int) -> None:
    scene.runner.predict = lambda each: output(each.description * 2)
    thread = scene.thread()
    sender = threading.Thread(target=lambda: [thread.say(ITEM, number, item("x" * size)) for number in (1, 2)])
    sender.start()
    assert [len(thread.text()) for _ in range(2)] == [2 * size] * 2
    sender.join()


def test_outputs_come_one_by_one_and_then_the_end(scene: Scene) -> None:
    scene.runner.generate = lambda _: map(output, ["a", "b"])
    thread = scene.thread()
    thread.say(ITEM, 1, item(method_type=GENERATE))
    assert [(kind, number) for kind, number, _ in (thread.hear() for _ in range(3))] == [
        (OUTPUT, 1),
        (OUTPUT, 1),
        (DONE, 1),
    ]


def test_the_first_output_of_a_stream_has_a_moment_for_itself(scene: Scene) -> None:
    written: list[float] = []

    def generate(_: Any) -> Iterator[Any]:
        for each in "abc":
            yield output(each)
            written.append(time.monotonic())

    scene.runner.generate = generate
    thread = scene.thread()
    thread.say(ITEM, 1, item(method_type=GENERATE))
    while thread.hear()[0] != DONE:
        pass
    assert written[1] - written[0] >= lean_main.HEAD_START


def test_a_client_s_further_messages_reach_the_model_until_it_sends_no_more(scene: Scene) -> None:
    scene.runner.stream = lambda items: (output(each.description.upper()) for each in items)
    thread = scene.thread()
    thread.say(ITEM, 1, item("a", STREAM))
    for each in ("b", "c"):
        thread.say(MORE, 1, item(each))
    thread.say(END, 1)
    frames = [thread.hear() for _ in range(4)]
    assert [MultiOutputResponse.FromString(each).status.description for _, _, each in frames] == ["A", "B", "C", ""]
    assert frames[-1][0] == DONE


def test_what_is_left_of_a_client_s_messages_is_passed_over(scene: Scene) -> None:
    scene.runner.stream = lambda items: iter([output(next(items).description)])
    thread = scene.thread()
    thread.say(ITEM, 1, item("a", STREAM))
    for each in ("b", "c"):
        thread.say(MORE, 1, item(each))
    thread.say(END, 1)
    assert [thread.hear()[0] for _ in range(2)] == [OUTPUT, DONE]
    thread.say(ITEM, 2, item("next"))
    assert thread.text() == "next"


def test_a_thread_of_the_model_that_still_reads_does_not_take_the_next_item(scene: Scene) -> None:
    read: list[str] = []

    def stream(items: Iterator[Any]) -> Iterator[Any]:
        reader = threading.Thread(target=lambda: read.extend(each.description for each in items))
        reader.start()
        readers.append(reader)
        yield output("at once")

    readers: list[threading.Thread] = []
    scene.runner.stream = stream
    thread = scene.thread()
    for number in (1, 3):
        thread.say(ITEM, number, item("input", STREAM))
        assert [thread.hear()[0] for _ in range(2)] == [OUTPUT, DONE]
        wait_for(lambda: "input" in read)
        thread.say(ITEM, number + 1, item("next"))
        assert thread.text() == "next"
        readers[-1].join(10)
        assert not readers[-1].is_alive(), "its input has ended"
    assert read == ["input", "input"]


def test_a_method_that_raises_is_answered_with_its_traceback(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    def predict(_: Any) -> Any:
        raise ValueError("on purpose")

    scene.runner.predict = predict
    thread = scene.thread()
    thread.say(ITEM, 1, item())
    kind, _, payload = thread.hear()
    status = MultiOutputResponse.FromString(payload).status
    assert (kind, status.code, status.details) == (LAST, StatusCode.RUNNER_PROCESSING_FAILED, "on purpose")
    assert "ValueError: on purpose" in status.stack_trace
    assert "ValueError: on purpose" in capsys.readouterr().err


def test_an_exception_that_is_none_ends_its_item_without_an_output_and_no_other(scene: Scene) -> None:
    def predict(each: Any) -> Any:
        if each.description == "bad":
            raise BaseException("no Exception")
        return output(each.description)

    scene.runner.predict = predict
    thread = scene.thread()
    thread.say(ITEM, 1, item("bad"))
    assert thread.hear() == (DONE, 1, b"")
    thread.say(ITEM, 2, item("good"))
    assert thread.text() == "good"


def test_a_client_that_goes_away_is_told_to_the_model_and_hears_of_no_more_than_ten_outputs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def abort(runner: Any, item_id: str) -> None:
        told.append(item_id)

    monkeypatch.setattr(scene.lean, "abort", abort)
    gone = threading.Event()

    def generate(_: Any) -> Iterator[Any]:
        yield output("first")
        assert gone.wait(10)
        for _ in range(100):
            yield output("more")

    scene.runner.generate = generate
    thread = scene.thread()
    thread.say(ITEM, 7, item("x", GENERATE))
    assert thread.hear()[0] == OUTPUT
    for number in (8, 7):  # the first of them has ended long ago
        scene.control.sendall(HEADER.pack(0, CANCEL, number))
    wait_for(lambda: told)
    gone.set()
    kinds: list[int] = []
    while not kinds or kinds[-1] != DONE:
        kinds.append(thread.hear()[0])
    assert told == ["item-x"]
    assert len(kinds) <= 10


def test_an_item_has_its_id_and_its_request_s_in_its_context(scene: Scene) -> None:
    seen: list[Any] = []
    variable: Any = scene.lean.current

    def predict(each: Any) -> Any:
        from clarifai.utils.logging import get_req_id_from_context

        seen.append((variable.get(), get_req_id_from_context()))
        return output("")

    scene.runner.predict = predict
    thread = scene.thread()
    thread.say(ITEM, 1, item("request"))
    thread.text()
    assert seen == [("item-request", "request")]


def test_the_threads_are_named_as_the_genuine_runners(scene: Scene) -> None:
    for _ in range(2):
        thread = scene.thread()
        thread.say(ITEM, 1, item())
        thread.text()
    names = {each.name for each in threading.enumerate()}
    assert {"ThreadPoolExecutor-2_0", "ThreadPoolExecutor-2_1"} <= names


def test_an_sdk_that_lacks_what_the_lean_runner_stands_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import_sdk()
    from clarifai.runners.models import model_runner

    assert lean_main.why_not() == ""
    monkeypatch.setattr(model_runner, "ModelRunner", ScriptedRunner)
    monkeypatch.delattr(ScriptedRunner, "runner_item_generate")
    assert lean_main.why_not() == "the SDK in the model's environment has no ModelRunner.runner_item_generate"
    monkeypatch.setitem(sys.modules, "clarifai.runners.models.model_runner", None)
    assert lean_main.why_not().startswith("the SDK in the model's environment cannot be fed: ")


def test_why_the_genuine_runner_serves_is_told_to_the_emulator() -> None:
    ours, theirs = socket.socketpair()
    lean_main.decline(theirs.detach(), "of the SDK")
    with ours:
        assert ours.recv(100) == HEADER.pack(10, GENUINE, 0) + b"of the SDK"
        assert ours.recv(1) == b""


def test_an_older_protobuf_is_given_bytes() -> None:
    given: list[Any] = []

    def parse(data: Any) -> Any:
        if not isinstance(data, bytes):
            raise TypeError
        given.append(data)

    lean_main.parser_of(SimpleNamespace(FromString=parse))(bytearray(b"data"))
    assert given == [b"data"]
