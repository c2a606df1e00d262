"""A client, a model and a reader of logs see the same with the lean and with the genuine runner: one model is run
with each, and what both tell is compared. docs/runners.md lists what is."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import (
    MODELS,
    Client,
    inference_request,
    live_replicas,
    logged,
    running,
    text_of,
    wait_for,
    write_model,
)

pytestmark = pytest.mark.of_processes("the lean runner is not for containers")

MODEL = """
import atexit, contextvars, gc, json, logging, os, resource, signal, sys, threading, time
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass
from clarifai.utils.logging import get_logger_context, logger
from clarifai_protocol import get_item_id

atexit.register(lambda: print("at the exit"))


def name(function):
    return function if not callable(function) else f"{function.__module__}.{function.__qualname__}"


def surroundings():
    umask = os.umask(0o22)
    os.umask(umask)
    main = sys.modules["__main__"]
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return {
        "argv": sys.argv,
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "path": sys.path,
        "flags": str(sys.flags),
        "main": [main.__name__, main.__file__],
        "bytecode": sys.dont_write_bytecode,
        "umask": umask,
        "limits": [resource.getrlimit(getattr(resource, each)) for each in dir(resource) if "RLIMIT_" in each],
        "nice": os.nice(0),
        "affinity": sorted(os.sched_getaffinity(0)),
        "leads": [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()],
        "streams": [(s.encoding, s.errors, s.line_buffering, s.isatty()) for s in streams],
        "input": os.readlink("/proc/self/fd/0"),
        "cmdline": open("/proc/self/cmdline").read().split("\\0")[:3],
        "comm": open("/proc/self/comm").read(),
        "hooks": [name(each) for each in (sys.excepthook, sys.unraisablehook, sys.breakpointhook)],
        "signals": [name(signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)],
        "garbage": [gc.get_threshold(), gc.isenabled()],
        "switch": sys.getswitchinterval(),
        "handlers": [type(each).__name__ for each in logger.handlers + logging.getLogger().handlers],
        "modules": sorted(each for each in sys.modules if not each.startswith("clarifai_emulator_")),
    }


class Seen(ModelClass):
    def load_model(self):
        print("loading")
        self.loaded = {**surroundings(), "thread": threading.current_thread().name}

    @ModelClass.method
    def look(self, at: str = "") -> str:
        thread = threading.current_thread()
        child = threading.Thread(target=print)
        return json.dumps(
            {
                "loaded": self.loaded,
                "now": surroundings(),
                "thread": [thread.name.partition("_")[0], thread.daemon, child.daemon],
                "item": bool(get_item_id()),
                "context": sorted(each for each in get_logger_context() if each != "orig_req_id"),
                "variables": sorted(each.name for each in contextvars.copy_context()),
                "traced": [sys.getprofile(), sys.gettrace()],
                "stack": threading.stack_size(),
            }
        )

    @ModelClass.method
    def predict(self, prompt: str = "") -> str:
        print("printed")
        print("to the other stream", file=sys.stderr)
        logger.info("logged")
        sys.stdout.write("without an end")
        if prompt == "raise":
            raise ValueError("on purpose")
        return prompt

    @ModelClass.method
    def generate(self, prompt: str = "") -> Iterator[str]:
        for each in prompt.split():
            print("chunk", each)
            if each == "raise":
                raise ValueError("on purpose")
            yield each

    @ModelClass.method
    def stream(self, prompts: Iterator[str]) -> Iterator[str]:
        for each in prompts:
            yield each.upper()

    @ModelClass.method
    def leave(self, how: str = "") -> str:
        if how == "exception":
            raise BaseException("no Exception")
        if how == "exit":
            print("leaves", flush=True)
            os._exit(4)
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(10)
        return how
"""
# What is another value for each replica, or each emulator.
OF_ONE = ("CLARIFAI_API_BASE", "CLARIFAI_PAT", "CLARIFAI_RUNNER_ID", "CLARIFAI_RUNNER_REPLICA_ID")
# Lines in which the genuine runner tells of its own connections.
OF_CONNECTIONS = re.compile(r"process cleanup|[Cc]ontrol connection|Starting \d+ threads")


@dataclass
class Side:
    """An emulator with one of the runners."""

    emulator: EmulatorThread
    client: Client

    def predict(self, method: str = "predict", **arguments: Any) -> Any:
        response = self.client.call("PostModelOutputs", inference_request("seen", method, **arguments))
        response.status.req_id = ""
        return response

    def look(self) -> dict[str, Any]:
        seen = json.loads(text_of(self.predict("look", at="everything")))
        for when in ("loaded", "now"):
            for name in OF_ONE:
                assert seen[when]["environ"].pop(name), name
        return seen

    def replica(self) -> dict[str, Any]:
        return wait_for(lambda: live_replicas(self.emulator, "deploy-seen"))[0]


@contextmanager
def _side(runner: str, model: Path) -> Generator[Side]:
    with running(runner=runner, backend="process") as emulator:
        emulator.deploy(model, max_replicas=1)
        client = Client(emulator.url)
        yield Side(emulator, client)
        client.close()


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Run the same model with the lean runner and with the genuine one."""
    model = write_model(tmp_path_factory.mktemp("models"), "seen", MODEL)
    with _side("lean", model) as lean, _side("genuine", model) as genuine:
        yield [lean, genuine]


def test_a_model_finds_the_same_when_it_loads_and_when_it_answers(sides: list[Side]) -> None:
    lean, genuine = (side.look() for side in sides)
    assert lean == genuine
    assert lean["now"]["argv"][0] == "clarifai.runners.server"


def test_status_tells_the_runner_and_why_it_is_not_the_lean_one(sides: list[Side]) -> None:
    assert [(side.replica()["runner"], side.replica()["runner_because"]) for side in sides] == [
        ("lean", ""),
        ("genuine", "the settings ask for it (--runner genuine)"),
    ]
    lean, genuine = (side.emulator.events("replica.live")[0].fields["message"] for side in sides)
    assert re.fullmatch(r"ready after [\d.]+ s", lean)
    assert re.fullmatch(r"ready after [\d.]+ s, with the genuine runner: the settings ask for it .*", genuine)


@pytest.mark.parametrize("prompt", ["x", "", "raise"])
def test_answers_of_predict_are_the_same(sides: list[Side], prompt: str) -> None:
    lean, genuine = (side.predict(prompt=prompt) for side in sides)
    assert lean == genuine


@pytest.mark.parametrize("prompt", ["one two three", "", "one raise", "raise"])
def test_answers_of_generate_are_the_same(sides: list[Side], prompt: str) -> None:
    request = inference_request("seen", "generate", prompt=prompt)
    lean, genuine = (_stream(side.client.generate(request)) for side in sides)
    assert lean == genuine


@pytest.mark.parametrize("texts", [["a"], ["a", "b", "c"]])
def test_answers_of_stream_are_the_same(sides: list[Side], texts: list[str]) -> None:
    lean, genuine = (
        _stream(side.client.stream(inference_request("seen", "stream", prompts=each) for each in texts))
        for side in sides
    )
    assert lean == genuine


def test_a_method_that_is_not_there_is_answered_the_same(sides: list[Side]) -> None:
    lean, genuine = (side.predict("absent") for side in sides)
    assert lean == genuine


def test_an_item_of_another_type_than_its_method_is_answered_the_same(sides: list[Side]) -> None:
    lean, genuine = (side.predict("generate", prompt="a b") for side in sides)
    assert lean.status.code == genuine.status.code


def _stream(call: Any) -> list[Any]:
    responses = list(call)
    for response in responses:
        response.status.req_id = ""
    return responses


def test_the_log_has_the_same_lines_in_the_same_order(sides: list[Side]) -> None:
    for side in sides:
        side.predict(prompt="x")
        side.predict(prompt="raise")
        _stream(side.client.generate(inference_request("seen", "generate", prompt="one raise")))
    lean, genuine = (_log(side) for side in sides)
    assert lean == genuine
    assert "loading" in lean
    assert "without an end" in "".join(lean)


def _log(side: Side) -> list[str]:
    """Return its lines, without times and ids."""

    def is_whole() -> bool:
        there = logged(side.emulator)
        time.sleep(0.5)  # what was printed last may still be on its way
        return "chunk raise" in "".join(there) and logged(side.emulator) == there

    wait_for(is_whole)
    lines = (re.sub(r"\x1b\[\d+m", "", line) for line in logged(side.emulator))
    varying = r"\d\d:\d\d:\d\d\.\d+|thread=\d+|[0-9a-f]{16,}|[\d.]+ ?ms"
    return [re.sub(varying, "#", line) for line in lines if not OF_CONNECTIONS.search(line)]


@pytest.mark.parametrize("how", ["exception", "exit", "SIGKILL", "SIGINT", "SIGSEGV"])
def test_an_item_that_ends_without_an_answer_is_told_the_same(sides: list[Side], how: str) -> None:
    lean, genuine = (_details(side, how) for side in sides)
    assert lean == genuine


def _details(side: Side, how: str) -> tuple[int, str, str]:
    before = side.replica()["replica_id"]
    response = side.predict("leave", how=how)
    if how != "exception":
        wait_for(lambda: side.replica()["replica_id"] != before, seconds=30)
    assert response.status.code == StatusCode.RUNNER_PROCESSING_FAILED
    details = re.sub(r"Replica [0-9a-f]{8}", "Replica #", response.status.details)
    return response.status.code, response.status.description, details


def test_a_model_takes_as_many_requests_at_once(sides: list[Side]) -> None:
    counts: list[dict[str, float]] = []
    for side in sides:
        side.emulator.deploy(MODELS / "slow", max_replicas=1)
        request = inference_request("slow", seconds=1.5)
        calls = [
            threading.Thread(target=side.client.call, args=("PostModelOutputs", request), kwargs={"timeout": 60})
            for _ in range(24)
        ]
        for each in calls:
            each.start()
        for each in calls:
            each.join()
        response = side.client.call("PostModelOutputs", inference_request("slow", "counts"))
        counts.append(dict(response.outputs[0].data.struct_value))
    assert [each["most_running"] for each in counts] == [16, 16]


def test_a_model_is_told_of_a_client_that_goes_away(sides: list[Side]) -> None:
    for side in sides:
        side.emulator.deploy(MODELS / "aborting", max_replicas=1)
        call = side.client.generate(inference_request("aborting", "generate", chunks=200))
        next(call)
        call.cancel()
        finished = inference_request("aborting", "finished_items")
        wait_for(lambda: side.client.call("PostModelOutputs", finished).outputs[0].data.int_value == 1)  # noqa: B023


def test_functions_of_atexit_do_not_run(sides: list[Side]) -> None:
    assert not any("at the exit" in line for side in sides for line in logged(side.emulator))
