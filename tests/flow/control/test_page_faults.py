"""The page adds, previews, removes and puts back faults: what the command line has, and what each field lacks."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.control.test_page_site import data, enter, serving
from flow.driver import MODELS, Client, inference_request


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with serving(tmp_path_factory.mktemp("run")) as thread:
        thread.deploy(MODELS / "hello")
        yield thread


@pytest.fixture(autouse=True)
def no_faults(emulator: EmulatorThread) -> Iterator[None]:
    yield
    emulator.faults.clear()


def act(emulator: EmulatorThread, name: str, given: Any) -> tuple[int, Any]:
    """Send what the page sends."""
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
    headers = {"cookie": enter(emulator), "content-type": "application/json"}
    connection.request("POST", f"/_page/{name}", json.dumps(given), headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


def done(emulator: EmulatorThread, name: str, **given: Any) -> Any:
    status, told = act(emulator, name, given)
    assert status == 200, told
    return told


def refused(emulator: EmulatorThread, name: str, **given: Any) -> tuple[int, str]:
    status, told = act(emulator, name, given)
    return status, told["status"]["details"]


def asked(emulator: EmulatorThread) -> Any:
    client = Client(emulator.url)
    answer = client.call("PostModelOutputs", inference_request("hello", prompt="x"))
    client.close()
    return answer


# ── before one is added ─────────────────────────────────────────────────────────────────────────────────


def test_a_preview_tells_the_rule_in_words_and_changes_nothing(emulator: EmulatorThread) -> None:
    fault = {"model": "me/demo/hello", "status": "MODEL_DEPLOYING", "times": 2}
    told = done(emulator, "fault-preview", fault=fault)
    rule = "inference of model me/demo/hello: status 21351 MODEL_DEPLOYING, 2 times"
    assert told == {"rule": rule, "problems": [], "warnings": []}
    assert data(emulator, "state")["state"]["faults"] == []


def test_a_preview_tells_every_problem_with_its_field(emulator: EmulatorThread) -> None:
    fault = {"status": "MODEL_NOWHERE", "times": 0, "after": -1, "probability": 2, "latency": "soon", "id": "a b"}
    problems = {each["field"]: each["text"] for each in done(emulator, "fault-preview", fault=fault)["problems"]}
    assert problems.keys() == fault.keys()
    assert problems["times"] == "must be at least 1, got 0"


@pytest.mark.parametrize(
    ("fault", "field", "text"),
    [
        ({"throttle": True, "times": "3 or so"}, "times", "expected a whole number, found '3 or so'"),
        ({"throttle": True, "times": 1.5}, "times", "expected a whole number, found 1.5"),
        ({"throttle": "yes"}, "throttle", "expected true or false, found 'yes'"),
        ({"throttle": True, "colour": "red"}, "colour", "is no field of a fault; there are id, rpc, model"),
        ({"throttle": True, "code": 1}, "code", "is no field of a fault; there are id, rpc, model"),
        ({"throttle": True, "model": {"id": "x"}}, "model", "expected a text, found {'id': 'x'}"),
        ({}, "", "does nothing; give one of status"),
    ],
)
def test_whatever_a_browser_sends_is_told_what_is_wrong(
    emulator: EmulatorThread, fault: dict[str, Any], field: str, text: str
) -> None:
    (problem,) = done(emulator, "fault-preview", fault=fault)["problems"]
    assert problem["field"] == field
    assert problem["text"].startswith(text)
    assert text in refused(emulator, "faults", add=fault)[1]


def test_a_name_that_nothing_has_is_a_warning_with_the_nearest(emulator: EmulatorThread) -> None:
    told = done(emulator, "fault-preview", fault={"throttle": True, "model": "helo"})
    assert told["warnings"] == ["There is no model 'helo'. Did you mean 'hello'?"]
    assert done(emulator, "faults", add={"throttle": True, "model": "helo"})["warnings"] == told["warnings"]


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("fault-preview", {"fault": []}, "'fault' is an object with the fields of a fault."),
        ("fault-preview", {}, "'fault' is an object with the fields of a fault."),
        ("faults", {"add": "throttle"}, "'add' is an object with the fields of a fault."),
        ("faults", {"remove": "fault-1"}, "'remove' is a list."),
        ("faults", {"remove": [1]}, "'remove' is a list of ids."),
    ],
)
def test_what_makes_no_sense_is_refused(
    emulator: EmulatorThread, name: str, given: dict[str, Any], text: str
) -> None:
    assert refused(emulator, name, **given) == (400, text)


def test_a_form_can_offer_every_status_but_success(emulator: EmulatorThread) -> None:
    told = data(emulator, "fault-choices")
    assert told["statuses"][0] == {"name": "MODEL_DEPLOYING", "code": 21351, "text": "Model deploying"}
    assert {each["code"] for each in told["statuses"]} == set(StatusCode.values()) - {0, StatusCode.SUCCESS}
    assert told["rpcs"][:3] == ["GenerateModelOutputs", "PostModelOutputs", "StreamModelOutputs"]
    assert "UNAVAILABLE" in told["grpc"]
    for each in told["statuses"]:
        assert done(emulator, "fault-preview", fault={"status": each["name"]})["problems"] == []


# ── adding, removing, putting back ──────────────────────────────────────────────────────────────────────


def test_a_fault_that_is_added_strikes_and_is_counted(emulator: EmulatorThread) -> None:
    added = done(emulator, "faults", add={"id": "busy", "model": "hello", "status": 21351, "times": 1})
    assert [each["id"] for each in added["changed"]] == ["busy"]
    assert asked(emulator).status.code == StatusCode.MODEL_DEPLOYING
    asked(emulator)
    (told,) = data(emulator, "state")["state"]["faults"]
    assert (told["seen"], told["injected"], told["active"]) == (1, 1, False)
    assert told["fault"] == {"id": "busy", "model": "hello", "status": 21351, "times": 1}


def test_what_was_removed_is_put_back_with_its_counts_and_where_it_came_from(emulator: EmulatorThread) -> None:
    def add(each: Any) -> None:
        from clarifai_emulator.faults import Fault

        each.faults.add(Fault(id="of-file", throttle=True, times=2), origin="topology.yaml:3")

    emulator.run(add)
    asked(emulator)
    done(emulator, "faults", add={"id": "other", "latency": "0.001"})
    told = done(emulator, "faults", clear=True)
    assert [each["id"] for each in told["changed"]] == ["of-file", "other"]
    assert told["faults"] == []
    back = done(emulator, "put-back-faults", removal=told["removal"])
    assert [(each["id"], each["injected"], each["origin"]) for each in back["changed"]] == [
        ("of-file", 1, "topology.yaml:3"),
        ("other", 0, ""),
    ]
    assert asked(emulator).status.code == StatusCode.CONN_THROTTLED
    assert refused(emulator, "put-back-faults", removal=told["removal"])[0] == 404


def test_what_cannot_be_put_back_stays_away_as_a_whole(emulator: EmulatorThread) -> None:
    for name in ("one", "two"):
        done(emulator, "faults", add={"id": name, "throttle": True})
    removal = done(emulator, "faults", remove=["one", "two"])["removal"]
    done(emulator, "faults", add={"id": "two", "latency": "0.001"})
    status, text = refused(emulator, "put-back-faults", removal=removal)
    assert status == 400
    assert text.startswith("There is a fault 'two' already")
    done(emulator, "faults", remove=["two"])
    assert len(done(emulator, "put-back-faults", removal=removal)["changed"]) == 2


def test_of_two_pages_the_second_that_removes_one_is_told_that_it_is_gone(emulator: EmulatorThread) -> None:
    done(emulator, "faults", add={"id": "once", "throttle": True})
    done(emulator, "faults", remove=["once"])
    status, text = refused(emulator, "faults", remove=["once"])
    assert (status, text.startswith("There is no fault 'once'. There are: none.")) == (400, True)
    assert done(emulator, "faults", clear=True)["removal"] == ""


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "ünïcode-✓", "\x01\x7f", "x" * 300, "a,b;c=d"])
def test_a_strange_id_and_message_pass_through_to_whom_they_strike(emulator: EmulatorThread, name: str) -> None:
    name = name.replace(" ", "_")
    message = f"line\nof <b>{name}</b>\0"
    done(emulator, "faults", add={"id": name, "status": 21351, "message": message, "times": 1})
    answer = asked(emulator)
    assert answer.status.code == StatusCode.MODEL_DEPLOYING
    done(emulator, "faults", add={"id": f"grpc-{name}", "rpc": "ListModels", "grpc": "ABORTED", "message": message})
    client = Client(emulator.url)
    with pytest.raises(Exception, match="ABORTED"):
        client.call("ListModels")
    client.close()
    done(emulator, "faults", remove=[name, f"grpc-{name}"])


def test_only_what_was_removed_lately_is_kept(emulator: EmulatorThread) -> None:
    removals: list[str] = []
    for _ in range(101):
        done(emulator, "faults", add={"id": "again", "throttle": True})
        removals.append(done(emulator, "faults", remove=["again"])["removal"])
    assert refused(emulator, "put-back-faults", removal=removals[0])[0] == 404
    assert done(emulator, "put-back-faults", removal=removals[-1])["changed"][0]["id"] == "again"
