"""Serves a model as its user's own runner does, in a nodepool of a local-dev cluster, with written answers.

It speaks ``ProcessRunnerItems``: so routing, dispatch, streams, cancellation and statuses are observed at no cost.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.background_work import begin_thread, nobody_waits
from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.scenes import MadeModel, MadeNodepool

_READY_SECONDS = 20.0
_RETRY_SECONDS = 0.05
_HEARD_SECONDS = 0.02
_CONTROL = "control-"


class ScriptedItem:
    """Holds a request that came to the runner. ``cancelled`` is set when the platform takes it back."""

    def __init__(self, message: Any, more: Iterator[Any]) -> None:
        self.id: str = message.id
        self.request: Any = message.post_model_outputs_request
        info = message.processing_info
        methods = info.DESCRIPTOR.fields_by_name["runner_method_type"].enum_type.values_by_number
        self.method: str = methods[info.runner_method_type].name
        self.cancelled = threading.Event()
        self._more = more

    @property
    def text(self) -> str:
        """Return the text of its first input."""
        return scenes.text_of(self.request.inputs[0].data) if self.request.inputs else ""

    def further(self) -> Iterator[Any]:
        """Yield the client's further messages, of a call that streams both ways."""
        for response in self._more:
            if response.status.code == StatusCode.RUNNER_STREAM_END:
                return
            yield response.runner_items[0].post_model_outputs_request


# Gives what is answered, in order: texts, or whole ``MultiOutputResponse`` messages as dicts.
Script = Callable[[ScriptedItem], Iterable[str | dict[str, Any]]]


def echo(item: ScriptedItem) -> Iterable[str]:
    """Answer with what was asked."""
    return [f"echo {item.text}"]


class ScriptedRunner:
    """Runs ``threads`` streams, each of which takes one item at a time, and a control stream."""

    def __init__(
        self, client: PlatformClient, runner_id: str, place: MadeNodepool, script: Script, threads: int
    ) -> None:
        self.id = runner_id
        self.place = place
        self.items: list[ScriptedItem] = []
        self.mistakes: list[Exception] = []
        self.replica_id = uuid.uuid4().hex
        self._client = client
        self._script = script
        self._threads = threads
        self._ended = threading.Event()
        self._calls: set[Any] = set()
        self._lock = threading.Lock()
        self._idle = 0
        self._running: list[threading.Thread] = []

    @property
    def texts(self) -> list[str]:
        """Return the texts of the items that came, in order."""
        return [item.text for item in self.items]

    def start(self) -> None:
        """Open its streams."""
        for work in (self._control, *[self._work] * self._threads):
            thread = begin_thread(partial(self._repeat, work), "stream of a scripted runner", nobody_waits)
            self._running.append(thread)

    def wait_until_idle(self) -> None:
        """Wait until each of its streams can take an item, and the platform has had a moment to hear of it."""
        until = time.monotonic() + _READY_SECONDS
        while self._idle < self._threads and time.monotonic() < until:
            time.sleep(_HEARD_SECONDS)
        time.sleep(_HEARD_SECONDS)

    def break_off(self) -> None:
        """Close its streams at once, as those of a runner are that is killed. Its scripts may go on."""
        self._ended.set()
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()

    def stop(self) -> None:
        """Close its streams, and wait for its scripts."""
        self.break_off()
        for thread in self._running:
            thread.join(timeout=5)

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._ended.is_set():
            try:
                work()
            except grpc.RpcError:
                self._ended.wait(_RETRY_SECONDS)
            except Exception as error:  # of the script: the block that runs the runner raises it
                self.mistakes.append(error)
                return

    def _stream(self, runner_id: str) -> tuple[Any, queue.Queue[Any]]:
        """Open a stream, and say that it is idle. What is put into the queue is sent; None half-closes."""
        method = rpc_table()["ProcessRunnerItems"]
        channel: Any = self._client.scope.connections.channel
        sent: queue.Queue[Any] = queue.Queue()
        sent.put(self._message(runner_id, status={"code": StatusCode.RUNNER_STREAM_START}))
        pat, request_id = self._client.account.pat, f"runner-{uuid.uuid4().hex}"
        metadata = [
            ("authorization", f"Key {pat}"),
            ("x-request-id", request_id),
        ]
        invoke = channel.stream_stream(
            method.path, method.request_type.SerializeToString, method.response_type.FromString
        )
        call = invoke(iter(sent.get, None), metadata=metadata)
        with self._lock:
            self._calls.add(call)
            if self._ended.is_set():
                call.cancel()
        return call, sent

    def _message(self, runner_id: str, **fields: Any) -> Any:
        return service_pb2.PostRunnerItemOutputsRequest(
            user_app_id={"user_id": self._client.user_id},  # pyright: ignore[reportArgumentType]
            compute_cluster_id=self.place.cluster,
            nodepool_id=self.place.id,
            runner_id=runner_id,
            runner_replica_id=self.replica_id,
            **fields,
        )

    def _control(self) -> None:
        call, sent = self._stream(f"{_CONTROL}{self.id}")
        try:
            for response in call:
                for item in response.runner_items:
                    if item.processing_info.status.code == StatusCode.RUNNER_ITEM_CANCELLED:
                        self._cancel(item.id)
        finally:
            self._drop(call, sent)

    def _cancel(self, item_id: str) -> None:
        for item in self.items:
            if item.id == item_id:
                item.cancelled.set()

    def _work(self) -> None:
        call, sent = self._stream(self.id)
        try:
            response = self._first(call)
            if response is None:
                return
            if response.runner_items:
                self._serve(response.runner_items[0], call, sent)
            else:
                self._ended.wait(_RETRY_SECONDS)
        finally:
            self._drop(call, sent)

    def _first(self, call: Any) -> Any | None:
        """Return the first answer that is an item, or a refusal; None at the end of the stream."""
        with self._lock:
            self._idle += 1
        try:
            for response in call:
                if response.runner_items or response.status.code != StatusCode.SUCCESS:
                    return response
            return None
        finally:
            with self._lock:
                self._idle -= 1

    def _serve(self, message: Any, call: Any, sent: queue.Queue[Any]) -> None:
        item = ScriptedItem(message, call)
        self.items.append(item)
        for answer in self._script(item):
            output = _output(answer)
            sent.put(
                self._message(
                    self.id,
                    runner_item_id=item.id,
                    status={"code": StatusCode.SUCCESS},
                    runner_item_outputs=[{"multi_output_response": output}],
                )
            )
        sent.put(None)
        for _ in call:  # until the platform has closed its half, too
            pass

    def _drop(self, call: Any, sent: queue.Queue[Any]) -> None:
        sent.put(None)
        call.cancel()
        with self._lock:
            self._calls.discard(call)


@contextmanager
def scripted_runner(
    client: PlatformClient,
    model: MadeModel,
    script: Script = echo,
    *,
    place: MadeNodepool | None = None,
    threads: int = 2,
    started: bool = True,
) -> Generator[ScriptedRunner]:
    """Run a runner of the model's version in ``place``, a nodepool of a local-dev cluster, while the block runs.
    Without ``started`` it is registered, and ``runner.start()`` starts it.

    A request reaches it with ``runner_selector=runner.place.selector(client)``.
    """
    served_in: MadeNodepool = place or client.shared(scenes.nodepool)
    served = {"id": model.id, "app_id": model.app, "user_id": client.user_id}
    worker = {"model": {**served, "model_version": {"id": model.version}}}
    made = client.do("PostRunners", **served_in.place, runners=[{"worker": worker, "num_replicas": 1}])
    runner = ScriptedRunner(client, made.message.runners[0].id, served_in, script, threads)
    if started:
        runner.start()
    try:
        yield runner
    finally:
        runner.stop()
    if runner.mistakes:
        raise runner.mistakes[0]


def asked(client: PlatformClient, runner: ScriptedRunner, model: MadeModel, text: str = "hi") -> Any:
    """Call the model in the runner's nodepool; the answer. Waits while the runner is not yet known there."""
    request: dict[str, Any] = {
        **model.address_of_version,
        "inputs": [scenes.said(text)],
        "runner_selector": runner.place.selector(client),
    }
    waiting = {StatusCode.MODEL_DEPLOYING, StatusCode.MODEL_BUSY_PLEASE_RETRY}

    def look() -> Any:
        answer = client.call("PostModelOutputs", **request)
        return None if answer.code in waiting else answer

    return client.wait(look, seconds=_READY_SECONDS, what="an answer of the runner")


def _output(answer: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(answer, dict):
        return answer
    success = {"code": StatusCode.SUCCESS, "description": "Ok"}
    return {"status": success, "outputs": [{"status": success, "data": {"text": {"raw": answer}}}]}
