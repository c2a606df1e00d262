"""The page is told what a request was asked and answered, and sends it again."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, Image

from clarifai_emulator.api.kept_calls import MOST_OF_MESSAGE
from clarifai_emulator.control.page.page_admission import NO_COOKIE
from clarifai_emulator.control.page.page_calls import NO_VALUE, NOT_KEPT
from clarifai_emulator.control.thread import EmulatorThread
from flow.control.test_page_site import PAT, SECRET, data, enter, get, serving
from flow.driver import MODELS, Client, inference_request, wait_for, write_model

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with serving(tmp_path_factory.mktemp("run"), pats={PAT: "me", "bobs-token": "bob"}) as thread:
        for model in ("hello", "types", "crash_method"):
            thread.deploy(MODELS / model, min_replicas=1)
        yield thread


@pytest.fixture(scope="module")
def client(emulator: EmulatorThread) -> Iterator[Client]:
    client = Client(emulator.url, PAT)
    yield client
    client.close()


def asked(emulator: EmulatorThread, request_id: str) -> dict[str, Any]:
    found: dict[str, Any] = data(emulator, f"call?id={request_id}")
    return found


def post(emulator: EmulatorThread, path: str, given: Any, cookie: str = "") -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
    headers = {"content-type": "application/json", "cookie": cookie or enter(emulator)}
    connection.request("POST", f"/_page/{path}", json.dumps(given), headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def load(emulator: EmulatorThread, address: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
    connection.request("GET", f"/_page/{address}", headers={"cookie": enter(emulator)})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def typed(method: str, **value: Any) -> Any:
    """Make a request with one argument of any type."""
    request = inference_request("types", method)
    request.inputs[0].data.parts.add(id="value").data.CopyFrom(Data(**value))
    return request


def id_of(response: Any) -> str:
    return str(response.status.req_id)


# ── what was asked and answered ─────────────────────────────────────────────────────────────────────────


def test_a_call_is_told_with_its_values_by_name(emulator: EmulatorThread, client: Client) -> None:
    before = time.time()
    told = asked(emulator, id_of(client.call("PostModelOutputs", inference_request("hello", prompt="you"))))
    assert (told["kind"], told["user"], told["model"], told["method"]) == (
        "unary",
        "me",
        "me/demo/hello",
        "predict",
    )
    assert told["signature"].startswith("predict(prompt: str")
    assert told["place"]["file"] == "1/model.py"
    source = (MODELS / "hello" / "1" / "model.py").read_text().splitlines()
    assert "def predict(" in source[told["place"]["line"] - 1]
    assert len(told["code"]) > 10
    (sent,), (came,) = told["inputs"], told["outputs"]
    assert before <= sent["time"] <= came["time"] <= time.time()
    ((value,),) = sent["values"]
    assert (value["name"], value["kind"], value["text"]) == ("prompt", "text", "you")
    ((value,),) = came["values"]
    assert (value["name"], value["type"], value["text"]) == ("return", "str", "Hello, you!")


def test_each_message_of_a_stream_has_its_time(emulator: EmulatorThread, client: Client) -> None:
    answers = list(client.generate(inference_request("hello", "generate", prompt="you")))
    told = asked(emulator, id_of(answers[0]))
    assert told["kind"] == "server stream"
    assert len(told["outputs"]) == len(answers) > 1
    times = [each["time"] for each in told["outputs"]]
    assert times == sorted(times)


def test_both_ways_of_a_bidirectional_stream_are_told(emulator: EmulatorThread, client: Client) -> None:
    requests = [inference_request("hello", "stream", prompts=text) for text in ("a", "b", "c")]
    answers = list(client.stream(iter(requests)))
    told = asked(emulator, id_of(answers[0]))
    assert told["kind"] == "bidi"
    assert [each["values"][0][0]["text"] for each in told["inputs"]] == ["a", "b", "c"]


def test_a_failure_is_told_with_its_traceback(emulator: EmulatorThread, client: Client) -> None:
    told = asked(emulator, id_of(client.call("PostModelOutputs", inference_request("crash_method", prompt="x"))))
    failed = told["outputs"][0]["failed"]
    assert failed["name"]
    assert "ValueError" in failed["trace"]
    assert "model.py" in failed["trace"]


def test_a_refused_request_has_arguments_and_no_answer(emulator: EmulatorThread, client: Client) -> None:
    response = client.call("PostModelOutputs", inference_request("hello", prompt="you", deployment="none"))
    told = asked(emulator, id_of(response))
    assert told["model"] == "me/demo/hello"
    assert told["inputs"][0]["values"][0][0]["text"] == "you"
    assert told["outputs"] == []


def test_an_image_is_loaded_as_one_and_what_is_none_is_saved(emulator: EmulatorThread, client: Client) -> None:
    told = asked(emulator, id_of(client.call("PostModelOutputs", typed("echo_image", image=Image(base64=PNG)))))
    value = told["outputs"][0]["values"][0][0]
    answer, body = load(emulator, value["whole"])
    assert (answer.status, answer.headers["content-type"], body) == (200, "image/png", PNG)
    assert "sandbox" in str(answer.headers["content-security-policy"])
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    told = asked(emulator, id_of(client.call("PostModelOutputs", typed("echo_image", image=Image(base64=svg)))))
    answer, body = load(emulator, told["outputs"][0]["values"][0][0]["whole"])
    assert (answer.headers["content-type"], body) == ("application/octet-stream", svg)
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_text_of_a_megabyte_is_cut_and_loaded_whole(emulator: EmulatorThread, client: Client) -> None:
    text = "ä<b>" * 250_000
    told = asked(emulator, id_of(client.call("PostModelOutputs", typed("predict", string_value=text))))
    value = told["outputs"][0]["values"][0][0]
    assert (len(value["text"]), value["characters"]) == (64 * 1024, 1_000_000)
    answer, body = load(emulator, value["whole"])
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert body.decode() == text


def test_of_a_message_that_is_too_large_to_keep_the_size_is_told(emulator: EmulatorThread, client: Client) -> None:
    request = typed("echo_bytes", bytes_value=b"\x00" * (50 * 1024 * 1024))
    response = client.call("PostModelOutputs", request)
    told = asked(emulator, id_of(response))
    for message in (*told["inputs"], *told["outputs"]):
        assert not message["is_kept"]
        assert message["size"] > 50 * 1024 * 1024 > MOST_OF_MESSAGE
        assert message["values"] == []
    assert told["cannot_repeat"] == "It sent a message of 50.0 MiB, which is more than is kept."
    status, body = post(emulator, "again", {"id": told["id"]})
    assert status == 400
    assert "Send it from where it came from." in body["status"]["details"]


def test_no_secret_is_sent(emulator: EmulatorThread, client: Client) -> None:
    client.call("PostSecrets", secrets=[{"id": "mine", "value": SECRET}])
    texts = f"{SECRET} and {PAT} and sk-0123456789abcdef"
    request = inference_request("hello", prompt=texts, api_key="nobody-sees-this")
    told = asked(emulator, id_of(client.call("PostModelOutputs", request)))
    _, echoed = get(emulator, f"/_page/call?id={told['id']}", cookie=enter(emulator))
    for secret in (SECRET, PAT, "sk-0123456789abcdef", "nobody-sees-this"):
        assert secret not in echoed
    assert "<hidden> and <hidden> and <hidden>" in echoed
    address = f"value?id={told['id']}&way=input&message=0&input=0&part=parts.1.string_value"
    assert load(emulator, address)[0].status == 404
    _, body = load(emulator, address.replace("parts.1", "parts.0"))
    assert body == b"<hidden> and <hidden> and <hidden>"


def test_a_secret_that_stands_in_the_config_of_a_model_is_hidden_in_its_calls(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    model = write_model(tmp_path, "keeper", (MODELS / "hello" / "1" / "model.py").read_text())
    with (model / "config.yaml").open("a") as config:
        config.write("secrets:\n  - {id: inline, value: in-the-config, env_var: INLINE}\n")
    emulator.deploy(model)
    told = id_of(client.call("PostModelOutputs", inference_request("keeper", prompt="it is in-the-config")))
    _, echoed = get(emulator, f"/_page/call?id={told}", cookie=enter(emulator))
    assert "it is <hidden>" in echoed
    assert "in-the-config" not in echoed


# ── what is not there ───────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_is_not_kept_is_told_so(emulator: EmulatorThread, client: Client) -> None:
    for name in ("gone", id_of(client.call("ListModels")), "%00", "../../x"):
        told = asked(emulator, name)
        assert (told["is_kept"], told["said"]) == (False, NOT_KEPT)
    assert post(emulator, "again", {"id": "gone"})[0] == 404
    assert post(emulator, "again", {"id": 5})[0] == 400
    assert post(emulator, "again", {})[0] == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("way=input&message=9&part=parts.0.string_value", 404),
        ("way=input&message=-1&part=parts.0.string_value", 404),
        ("way=input&input=7&part=parts.0.string_value", 404),
        ("way=input&part=../../etc/passwd", 404),
        ("way=input&message=x&part=parts.0.string_value", 400),
        ("way=around&part=parts.0.string_value", 400),
        ("way=input", 404),
    ],
)
def test_a_value_that_is_not_there_is_told_so(
    emulator: EmulatorThread, client: Client, query: str, status: int
) -> None:
    made = id_of(client.call("PostModelOutputs", inference_request("hello", prompt="x")))
    answer, body = get(emulator, f"/_page/value?id={made}&{query}", cookie=enter(emulator))
    assert answer.status == status
    assert status == 400 or json.loads(body)["status"]["details"] == NO_VALUE


def test_nothing_is_told_or_done_without_the_cookie(emulator: EmulatorThread, client: Client) -> None:
    made = id_of(client.call("PostModelOutputs", inference_request("hello", prompt="x")))
    for path in (f"call?id={made}", f"value?id={made}&way=input&part=parts.0.string_value"):
        answer, body = get(emulator, f"/_page/{path}")
        assert (answer.status, json.loads(body)["status"]["details"]) == (401, NO_COOKIE)
    assert post(emulator, "again", {"id": made}, cookie="x=y")[0] == 401


# ── again ───────────────────────────────────────────────────────────────────────────────────────────────


def finished(emulator: EmulatorThread, request_id: str) -> dict[str, Any]:
    def events() -> list[Any]:
        told = data(emulator, f"request?id={request_id}")["events"]
        return [each for each in told if each["kind"] == "request.finished"]

    return dict(wait_for(events)[0])


@pytest.mark.parametrize("method", ["predict", "generate", "stream"])
def test_a_request_is_sent_again_as_it_was_by_the_same_user(emulator: EmulatorThread, method: str) -> None:
    client = Client(emulator.url, "bobs-token")
    name = "prompts" if method == "stream" else "prompt"
    requests = [inference_request("hello", method, **{name: text}) for text in ("one", "two")]
    if method == "predict":
        first = client.call("PostModelOutputs", requests[0])
    else:
        answers = client.generate(requests[0]) if method == "generate" else client.stream(iter(requests))
        first, *_ = answers
    client.close()
    status, body = post(emulator, "again", {"id": id_of(first)})
    assert status == 200, body
    assert body["id"] != id_of(first)
    ended = finished(emulator, body["id"])
    assert (ended["user_id"], ended["method"]) == ("bob", method)
    before, after = asked(emulator, id_of(first)), asked(emulator, body["id"])
    assert [each["values"] for each in before["inputs"]] == [each["values"] for each in after["inputs"]]
    assert [each["values"] for each in before["outputs"]] == [each["values"] for each in after["outputs"]]


def test_a_request_that_was_refused_is_refused_again(emulator: EmulatorThread, client: Client) -> None:
    response = client.call("PostModelOutputs", inference_request("hello", prompt="you", deployment="none"))
    _, body = post(emulator, "again", {"id": id_of(response)})
    assert finished(emulator, body["id"])["status"] == response.status.code
