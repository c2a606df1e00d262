"""A browser calls methods of models: the calls go the way of any client's, and answers come as they are made."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.page.open_tries import MOST_OPEN
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.faults import Fault
from flow.control.test_page_site import data, enter, get, serving
from flow.driver import MODELS, Client, wait_for, write_model

SECRET = "a-secret-of-this-test"
FILE = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
BROKEN = f"""
from clarifai.runners.models.model_class import ModelClass

class Broken(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        raise ValueError("cannot <b>" + prompt + "</b> {SECRET}")

    @ModelClass.method
    def nothing(self) -> str:
        return "no arguments, and {SECRET}"
"""

VERSION = """
from clarifai.runners.models.model_class import ModelClass

class Changed(ModelClass):
    @ModelClass.method
    def {name}(self, prompt: str) -> str:
        return prompt
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    folder = tmp_path_factory.mktemp("run")
    with serving(folder, pats={"token-of-me": "me"}) as thread:
        for model in ("hello", "types", "slow", "aborting"):
            thread.deploy(MODELS / model)
        thread.deploy(write_model(folder, "broken", BROKEN))
        yield thread


class Try:
    """Reads the lines of one call, one at a time."""

    def __init__(self, emulator: EmulatorThread, **given: Any) -> None:
        self._emulator = emulator
        self.connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
        headers = {"cookie": enter(emulator), "content-type": "application/json"}
        body = json.dumps({"model": "me/demo/hello", "method": "predict", **given})
        self.connection.request("POST", "/_page/try", body=body, headers=headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def line(self) -> dict[str, Any]:
        return dict(json.loads(self.answer.readline()))

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines after the first one."""
        found = [json.loads(each) for each in self.answer.read().decode().splitlines()]
        self.leave()
        return found

    def refused(self) -> str:
        """Return why the call was not made."""
        assert self.status in (400, 404, 429), self.status
        details = str(json.loads(self.answer.read())["status"]["details"])
        self.leave()
        return details

    def leave(self) -> None:
        self.answer.close()
        self.connection.close()


def called(emulator: EmulatorThread, **given: Any) -> list[dict[str, Any]]:
    attempt = Try(emulator, **given)
    assert attempt.status == 200, attempt.answer.read()
    return attempt.lines()


def texts(lines: list[dict[str, Any]]) -> list[Any]:
    return [line["answer"][0].get("text") for line in lines if "answer" in line]


def more(emulator: EmulatorThread, **given: Any) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
    headers = {"cookie": enter(emulator), "content-type": "application/json"}
    connection.request("POST", "/_page/try-more", body=json.dumps(given), headers=headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


def finished(emulator: EmulatorThread, request_id: str) -> dict[str, Any]:
    def look(each: Emulator) -> list[dict[str, Any]]:
        events = each.events.recent(request_id=request_id)
        return [event.as_dict() for event in events if event.kind == "request.finished"]

    wait_for(lambda: emulator.run(look))
    return dict(emulator.run(look)[0])


# ── what there is to call ───────────────────────────────────────────────────────────────────────────────


def test_the_methods_of_a_model_are_told_as_a_form_needs_them(emulator: EmulatorThread) -> None:
    told = data(emulator, "methods?model=me/demo/types")
    methods = {each["name"]: each for each in told["methods"]}
    prompt, temperature, tokens, style = methods["echo_params"]["arguments"]
    assert (prompt["type"], prompt["required"], "default" in prompt) == ("str", True, False)
    assert (temperature["low"], temperature["high"], temperature["default"]) == (pytest.approx(0.1), 1.0, 0.5)
    assert (tokens["description"], tokens["label"], tokens["required"]) == ("How much to say", "int", False)
    assert (style["choices"], style["default"]) == (["plain", "fancy"], "plain")
    named = methods["echo_named_fields"]["arguments"][0]
    assert [(each["name"], each["type"]) for each in named["parts"]] == [("name", "str"), ("count", "int")]
    hello = {each["name"]: each for each in data(emulator, "methods?model=me/demo/hello")["methods"]}
    assert [(name, each["kind"], each["stream"]) for name, each in hello.items()] == [
        ("predict", "unary", ""),
        ("generate", "server_stream", ""),
        ("stream", "stream", "prompts"),
    ]
    assert hello["predict"]["description"].startswith("One input, one output: greets")


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("model=hello", 400, "'hello' is no model's name: USER/APP/MODEL, as the list of models has it."),
        ("model=me/demo/none", 404, "There is no model 'me/demo/none': it was deleted, or has another name."),
        ("model=me/demo/hello&version=9", 404, "Model 'me/demo/hello' has no version '9'."),
    ],
)
def test_a_model_that_is_not_there_is_told_so(emulator: EmulatorThread, query: str, status: int, said: str) -> None:
    answer, body = get(emulator, f"/_page/methods?{query}", cookie=enter(emulator))
    assert (answer.status, json.loads(body)["status"]["details"]) == (status, said)


def test_each_version_has_its_own_methods(emulator: EmulatorThread, tmp_path: Path) -> None:
    path = write_model(tmp_path, "changed", VERSION.format(name="before"))
    first = emulator.deploy(path).version_id
    (path / "1" / "model.py").write_text(VERSION.format(name="after"))
    second = emulator.deploy(path).version_id
    told = data(emulator, "methods?model=me/demo/changed")
    assert (told["versions"], told["version"]) == ([second, first], second)
    assert [each["name"] for each in told["methods"]] == ["after"]
    told = data(emulator, f"methods?model=me/demo/changed&version={first}")
    assert (told["versions"], told["version"]) == ([second, first], first)
    assert [each["name"] for each in told["methods"]] == ["before"]


def test_a_model_without_a_version_has_no_methods(emulator: EmulatorThread) -> None:
    client = Client(emulator.url, "token-of-me")
    client.call(
        "PostModels",
        user_app_id={"user_id": "me", "app_id": "demo"},
        models=[{"id": "empty", "model_type_id": "text-to-text"}],
    )
    client.close()
    told = data(emulator, "methods?model=me/demo/empty")
    assert (told["version"], told["methods"], told["chat"]) == ("", [], "")


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_goes_the_way_of_any_clients(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, arguments={"prompt": "you", "n": 3})
    first = attempt.line()
    lines = attempt.lines()
    assert lines[0]["answer"][0]["text"] == "Hello, you!!!"
    assert lines[-1]["done"] == {"code": StatusCode.SUCCESS, "description": "Ok", "answers": 1}
    event = finished(emulator, first["request_id"])
    assert (event["rpc"], event["method"], event["rule"]) == ("PostModelOutputs", "predict", "owner_default")
    assert (event["user_id"], event["status"]) == ("me", StatusCode.SUCCESS)
    kept = emulator.run(lambda each: each.api.kept_calls.find(first["request_id"]))
    assert kept is not None
    assert len(kept.outputs) == 1


def test_answers_of_a_stream_come_one_by_one(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, model="me/demo/slow", method="generate", arguments={"chunks": 3, "delay": 0.3})
    attempt.line()
    times = [attempt.line()["milliseconds"] for _ in range(3)]
    assert times[1] - times[0] > 200
    assert times[2] - times[1] > 200
    assert "done" in attempt.lines()[0]


@pytest.mark.parametrize(
    ("method", "value", "shown"),
    [
        ("predict", "grüß <b>", ("text", "grüß <b>")),
        ("echo_int", "9007199254740993", ("number", "9007199254740993")),
        ("echo_float", 0.5, ("number", "0.5")),
        ("echo_bool", True, ("bool", "True")),
        ("echo_bytes", {"text": "ab"}, ("bytes", "ab")),
        ("echo_text", "text", ("text", "text")),
    ],
)
def test_each_type_goes_there_and_back(
    emulator: EmulatorThread, method: str, value: Any, shown: tuple[str, str]
) -> None:
    lines = called(emulator, model="me/demo/types", method=method, arguments={"value": value})
    found = lines[1]["answer"][0]
    assert (found["kind"], found["text"]) == shown


@pytest.mark.parametrize(
    ("method", "value", "kind"),
    [
        ("echo_dict", {"a": [1, None]}, "json"),
        ("echo_list", [1, {"b": 2}], "json"),
        ("echo_strings", ["a", ""], "list"),
        ("echo_tuple", ["a", 1], "list"),
        ("echo_named_fields", {"name": "a", "count": 2}, "fields"),
        ("echo_image", {"base64": FILE}, "media"),
        ("echo_audio", {"url": "http://127.0.0.1:9/x.wav"}, "media"),
        ("echo_video", {"base64": FILE}, "media"),
        ("echo_frame", {"image": {"base64": FILE}, "time": 1}, "list"),
        ("echo_ndarray", [[1, 2], [3, 4]], "array"),
        ("echo_concept", "cat", "json"),
        ("echo_concepts", [{"name": "cat", "value": 0.5}], "json"),
        ("echo_region", {"box": [0, 0, 1, 1]}, "json"),
    ],
)
def test_what_json_has_no_form_for_goes_there_and_back(
    emulator: EmulatorThread, method: str, value: Any, kind: str
) -> None:
    lines = called(emulator, model="me/demo/types", method=method, arguments={"value": value})
    assert lines[1].get("answer"), lines
    assert lines[1]["answer"][0]["kind"] == kind


def test_an_image_of_an_answer_is_loaded_from_where_it_says(emulator: EmulatorThread) -> None:
    arguments = {"value": {"base64": FILE}, "n": 2}
    lines = called(emulator, model="me/demo/types", method="generate_images", arguments=arguments)
    addresses = [line["answer"][0]["whole"] for line in lines if "answer" in line]
    assert len(set(addresses)) == 2
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
    connection.request("GET", f"/_page/{addresses[1]}", headers={"cookie": enter(emulator)})
    answer = connection.getresponse()
    assert (answer.headers["content-type"], answer.read()) == ("image/png", base64.b64decode(FILE))
    connection.close()


def test_a_method_without_arguments_is_called(emulator: EmulatorThread) -> None:
    lines = called(emulator, model="me/demo/slow", method="counts")
    assert '"started"' in texts(lines)[0]


def test_items_are_sent_while_answers_come(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, model="me/demo/slow", method="stream", arguments={"delay": 0.05})
    first = attempt.line()
    for text in ("one", "two"):
        assert more(emulator, **{"try": first["try"]}, value=text) == (200, {})
        assert attempt.line()["answer"][0]["text"] == text
    assert more(emulator, **{"try": first["try"]}, value=3)[1]["status"]["details"] == (
        "Argument 'prompts' needs text; the number 3 was given."
    )
    more(emulator, **{"try": first["try"]}, end=True)
    assert attempt.lines()[0]["done"]["answers"] == 2
    status, told = more(emulator, **{"try": first["try"]}, value="late")
    assert (status, told["status"]["details"]) == (404, "This call is over: send it again to open another one.")


def test_a_stream_can_end_before_its_first_item(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, method="stream")
    more(emulator, **{"try": attempt.line()["try"]}, end=True)
    assert attempt.lines()[0]["done"]["answers"] == 0


def test_two_streams_are_kept_apart(emulator: EmulatorThread) -> None:
    first, second = Try(emulator, method="stream"), Try(emulator, method="stream")
    ids = [each.line()["try"] for each in (first, second)]
    more(emulator, **{"try": ids[1]}, value="second")
    more(emulator, **{"try": ids[0]}, value="first")
    assert first.line()["answer"][0]["text"] == "Hello, first!"
    assert second.line()["answer"][0]["text"] == "Hello, second!"
    first.leave()
    second.leave()


def test_a_call_names_where_it_goes(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, arguments={"prompt": "x"}, deployment="me/deploy-hello")
    assert finished(emulator, attempt.line()["request_id"])["rule"] == "explicit_deployment"
    attempt.leave()
    attempt = Try(emulator, arguments={"prompt": "x"}, nodepool="me/local/cpu")
    assert finished(emulator, attempt.line()["request_id"])["rule"] == "explicit_nodepool"
    attempt.leave()
    lines = called(emulator, arguments={"prompt": "x"}, deployment="me/none")
    assert "Deployment with ID 'none'" in lines[1]["error"]["details"]


def test_a_call_is_made_in_the_name_of_any_user(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, arguments={"prompt": "x"}, user="bob")
    first = attempt.line()
    assert "error" in attempt.lines()[0], "bob may not call a model of another user"
    assert finished(emulator, first["request_id"])["user_id"] == "bob"


# ── calls that go wrong ─────────────────────────────────────────────────────────────────────────────────


def test_a_failure_comes_with_its_traceback_and_without_secrets(emulator: EmulatorThread) -> None:
    client = Client(emulator.url, "token-of-me")
    client.call("PostSecrets", secrets=[{"id": "mine", "value": SECRET}])
    client.close()
    error = called(emulator, model="me/demo/broken", arguments={"prompt": "x"})[1]["error"]
    assert "ValueError: cannot <b>x</b>" in error["stack_trace"]
    assert "model.py" in error["stack_trace"]
    lines = called(emulator, model="me/demo/broken", method="nothing")
    assert texts(lines)[0].startswith("no arguments, and ")
    assert SECRET not in json.dumps([error, lines])


def test_a_fault_meets_it_as_it_meets_any_call(emulator: EmulatorThread) -> None:
    with emulator.faults.add(Fault(model="hello", grpc="UNAVAILABLE", times=1)):
        error = called(emulator, arguments={"prompt": "x"})[1]["error"]
    assert error["description"] == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "predic"}, "The model has no method 'predic'; it has predict, generate, stream. Did you mean"),
        ({"arguments": {"prompt": 3}}, "Argument 'prompt' needs text; the number 3 was given."),
        ({"arguments": {}}, "predict: argument 'prompt' (str) is required and not given."),
        ({"arguments": {"prompt": "x", "m": 1}}, "predict: there is no argument 'm'; it takes prompt, n."),
        ({"arguments": {"prompt": "x", "n": 1.5}}, "Argument 'n' needs a whole number; the number 1.5 was given."),
        ({"arguments": []}, "predict: argument 'prompt' (str) is required and not given."),
        ({"arguments": "x"}, "'arguments' is an object with a value for each argument."),
        ({"nodepool": "cpu"}, "'cpu' is no nodepool's name: USER/CLUSTER/NODEPOOL, as the map has it."),
        ({"model": "me/demo/slow", "method": "stream", "arguments": {"delay": "x"}}, "Argument 'delay' needs"),
    ],
)
def test_what_cannot_be_sent_is_told_before_anything_is(
    emulator: EmulatorThread, given: dict[str, Any], said: str
) -> None:
    before = emulator.run(lambda each: len(each.api.kept_calls.all()))
    assert Try(emulator, **given).refused().startswith(said)
    assert emulator.run(lambda each: len(each.api.kept_calls.all())) == before


@pytest.mark.parametrize("body", ["[" * 100_000, "{", '{"n": NaN}', "[]", "\xff"])
def test_what_is_no_object_of_json_is_refused(emulator: EmulatorThread, body: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
    headers = {"cookie": enter(emulator), "content-type": "application/json"}
    connection.request("POST", "/_page/try", body=body.encode("latin-1"), headers=headers)
    answer = connection.getresponse()
    assert (answer.status, "status" in json.loads(answer.read())) == (400, True)
    connection.close()


# ── calls that are given up ─────────────────────────────────────────────────────────────────────────────


def test_a_browser_that_leaves_cancels_its_call(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, model="me/demo/aborting", method="generate", arguments={"chunks": 400})
    request = attempt.line()["request_id"]
    attempt.line()
    attempt.leave()
    event = finished(emulator, request)
    assert event["cancelled"] is True
    assert event["milliseconds"] < 15_000

    def aborted() -> int:
        lines = called(emulator, model="me/demo/aborting", method="finished_items")
        return int(texts(lines)[0])

    wait_for(lambda: aborted() == 1)


def test_a_stream_that_nobody_feeds_ends_with_its_browser(emulator: EmulatorThread) -> None:
    attempt = Try(emulator, method="stream")
    first = attempt.line()
    attempt.leave()
    wait_for(lambda: more(emulator, **{"try": first["try"]}, value="x")[0] == 404)
    assert finished(emulator, first["request_id"])["cancelled"] is True


def test_there_is_an_end_to_how_many_are_open(emulator: EmulatorThread) -> None:
    opened = [Try(emulator, method="stream") for _ in range(MOST_OPEN)]
    for each in opened:
        each.line()
    said = f"{MOST_OPEN} calls of the page are open: let one end, or cancel it, and send again."
    assert Try(emulator, arguments={"prompt": "x"}).refused() == said
    for each in opened:
        each.leave()

    def is_free() -> bool:
        attempt = Try(emulator, arguments={"prompt": "x"})
        attempt.leave()
        return attempt.status == 200

    wait_for(is_free)


def test_names_of_models_are_taken_as_they_are(emulator: EmulatorThread) -> None:
    hostile = quote("me/demo/<script>alert(1)</script>")
    answer, body = get(emulator, f"/_page/methods?model={hostile}", cookie=enter(emulator))
    assert answer.status in (400, 404)
    assert answer.headers["content-type"] == "application/json"
    assert "script" in body
