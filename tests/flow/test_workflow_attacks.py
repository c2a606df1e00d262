"""Workflows under attack: clients that go, nodes that hang, inputs and settings that no person would send."""

from __future__ import annotations

import base64
import concurrent.futures
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai.client.workflow import Workflow
from clarifai_grpc.grpc.api.service_pb2 import PostWorkflowResultsRequest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, running, wait_for
from flow.served_files import serving_files
from flow.workflow_scenes import deploy, make, operator, picture, request, run, text, texts


def ended(emulator: EmulatorThread) -> dict[str, dict[str, Any]]:
    return {each.fields["node"]: each.fields for each in emulator.events("workflow.node")}


def test_a_client_that_does_not_wait_ends_every_node_and_their_replicas_are_free(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "slow", "shout")
    make(
        client,
        {"id": "a", "model": "slow"},
        {"id": "b", "model": "slow"},
        {"id": "c", "model": "shout", "of": "ab"},
    )

    with pytest.raises(grpc.RpcError) as gone:
        client.call("PostWorkflowResults", request(text("sleep 30")), timeout=0.5)

    assert gone.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED  # pyright: ignore[reportAttributeAccessIssue]
    nodes = wait_for(lambda: len(ended(emulator)) == 2 and ended(emulator))
    assert all(each["cancelled"] for each in nodes.values())
    requests = wait_for(
        lambda: len(found := emulator.events("request.finished", rpc="PostModelOutputs")) == 2 and found
    )
    assert all(each.fields["cancelled"] for each in requests)


def test_the_longest_that_a_request_may_take_holds_for_each_node(tmp_path: Path) -> None:
    with running(request_seconds=1) as short:
        client = Client(short.url)
        deploy(short, tmp_path, "slow")
        make(client, {"id": "a", "model": "slow"})
        answer = client.call("PostWorkflowResults", request(text("sleep 30")))
        assert answer.status.code == StatusCode.RPC_REQUEST_TIMEOUT
        assert answer.status.details.startswith(
            "Node 'a' (model me/demo/models/slow): The model had not answered after 1 s"
        )
        client.close()


def test_forty_workflows_at_once_answer_each_with_its_own(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    operator(client, "ask", "prompter", {"prompt_template": "<{data.text.raw}>"})
    make(
        client,
        {"id": "a", "model": "ask"},
        *({"id": f"n{each}", "model": "shout", "of": ["a"]} for each in range(18)),
        {"id": "z", "model": "ask", "of": [f"n{each}" for each in range(18)]},
    )

    def one(number: int) -> list[list[str]]:
        return texts(run(client, text(f"x{number}"), text(f"y{number}")))

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        found = list(pool.map(one, range(40)))
    expected = [
        [[f"<{name}{number}>", *[f"<{name.upper()}{number}>"] * 18, f"<<{name.upper()}{number}>>"] for name in "xy"]
        for number in range(40)
    ]
    assert found == expected


def test_another_user_runs_a_workflow_only_if_it_may_see_it_and_its_models() -> None:
    with running(pats={"ada-token": "ada", "bob-token": "bob"}) as guarded:
        ada, bob = Client(guarded.url, "ada-token"), Client(guarded.url, "bob-token")
        app = {"user_id": "ada", "app_id": "demo"}
        ada.call("PostApps", user_app_id={"user_id": "ada"}, apps=[{"id": "demo", "visibility": {"gettable": 50}}])
        ada.call("PostModels", user_app_id=app, models=[{"id": "ask", "model_type_id": "prompter"}])
        version = {"output_info": {"params": {"prompt_template": "secret {data.text.raw}"}}}
        ada.call("PostModelVersions", user_app_id=app, model_id="ask", model_versions=[version])
        make(ada, {"id": "a", "model": "ask"}, user="ada")
        asked = request(text("x"))
        asked.user_app_id.user_id = "ada"

        assert ada.call("PostWorkflowResults", asked).status.code == StatusCode.SUCCESS
        assert bob.call("PostWorkflowResults", asked).status.code == StatusCode.CONN_DOES_NOT_EXIST

        public = {"id": "flow", "visibility": {"gettable": 50}}
        ada.call("PatchWorkflows", user_app_id=app, action="merge", workflows=[public])
        answer = bob.call("PostWorkflowResults", asked)
        assert answer.status.code != StatusCode.SUCCESS
        assert "secret" not in str(answer)
        ada.close()
        bob.close()


def test_a_workflow_runs_after_a_restart(tmp_path: Path) -> None:
    for again in (False, True):
        with running(data_dir=tmp_path / "state") as kept:
            client = Client(kept.url)
            if not again:
                client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "demo"}])
                operator(client, "ask", "prompter", {"prompt_template": "<{data.text.raw}>"})
                make(client, {"id": "a", "model": "ask"})
            assert texts(run(client, text("x"))) == [["<x>"]]
            client.close()


def test_models_fetch_inputs_by_url_and_the_answer_shows_the_url(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "measure", "shout")
    make(client, {"id": "a", "model": "measure"})
    make(client, {"id": "a", "model": "shout"}, workflow="texts")
    (tmp_path / "image.png").write_bytes(base64.b64decode(picture(7, 5)))
    (tmp_path / "text.txt").write_text("hi")
    with serving_files(tmp_path) as url:
        seen = Workflow(user_id="me", app_id="demo", workflow_id="flow")
        result = seen.predict_by_url(f"{url}/image.png", input_type="image").results[0]
        read = Workflow(user_id="me", app_id="demo", workflow_id="texts")
        said = read.predict_by_url(f"{url}/text.txt", input_type="text").results[0]
        gone = client.call("PostWorkflowResults", request({"image": {"url": f"{url}/nothing.png"}}))
    assert result.input.data.image.url == f"{url}/image.png"
    assert not result.input.data.image.base64
    assert result.outputs[0].data.concepts[0].name == "7x5"
    assert said.outputs[0].data.text.raw == "HI"
    assert gone.status.code != StatusCode.SUCCESS
    assert gone.status.details.endswith("measure): Image has no bytes")


def test_a_hundred_mebibytes_of_inputs_are_held_within_the_size_of_an_answer(tmp_path: Path) -> None:
    with running(max_message_bytes=4 * 1024 * 1024) as small:
        client = Client(small.url)
        deploy(small, tmp_path, "shout")
        nodes = [{"id": f"n{each}", "model": "shout"} for each in range(20)]
        make(client, *nodes)
        answer = client.call("PostWorkflowResults", request(*[text("x" * 50_000)] * 32))
        assert answer.status.code == StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED
        assert "set suppress_output on nodes" in answer.status.details
        client.close()


HOSTILE = [
    {"prompt_template": {"a": [None]}},
    {"prompt_template": "{data.text.raw}" * 100_000},
    {"prompt_template": "{data.text.raw} {data.text.raw!r:>1000000000}"},
    {},
]


@pytest.mark.parametrize("params", HOSTILE)
def test_settings_that_no_person_would_give_are_answered_quickly(
    emulator: EmulatorThread, client: Client, params: dict[str, Any]
) -> None:
    emulator.deploy(MODELS / "hello")
    operator(client, "ask", "prompter", params)
    make(client, {"id": "a", "model": "ask"})
    began = time.monotonic()
    answer = client.call("PostWorkflowResults", request(text("y" * 10_000)))
    assert answer.status.code in (
        StatusCode.SUCCESS,
        StatusCode.MODEL_INVALID_ARGUMENT,
        StatusCode.MODEL_INVALID_REQUEST,
    )
    assert time.monotonic() - began < 5


def test_while_images_and_patterns_are_at_work_others_are_answered(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(MODELS / "hello")
    pattern = {"data": {"concepts": [{"id": "c"}]}}
    operator(client, "pattern", "regex-based-classifier", {"regex": "(a+)+$"}, **pattern)
    operator(client, "tile", "image-tiling-operator", {"tile_size": 200})
    make(client, {"id": "a", "model": "pattern"})
    make(client, {"id": "a", "model": "tile"}, workflow="tiles")
    image = {"image": {"base64": picture(6000, 6000)}}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [request(text("a" * 60 + "!"))] * 4 + [request(image, workflow="tiles")] * 4
        running_now = [pool.submit(client.call, "PostWorkflowResults", each) for each in asked]
        time.sleep(0.2)
        slowest = 0.0
        while not all(each.done() for each in running_now):
            began = time.monotonic()
            client.call("ListApps", user_app_id={"user_id": "me"})
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.02)
    assert {each.result().status.code for each in running_now} == {
        StatusCode.RPC_REQUEST_TIMEOUT,
        StatusCode.SUCCESS,
    }
    assert slowest < 1.5


def test_an_input_of_everything_at_once_is_taken_by_what_takes_it(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout", "measure")
    make(client, {"id": "a", "model": "shout"}, {"id": "b", "model": "measure"})
    both = {"text": {"raw": "x"}, "image": {"base64": picture()}, "metadata": {"k": "v"}}
    outputs = run(client, both).results[0].outputs
    assert outputs[0].data.text.raw == "X"
    assert outputs[1].data.concepts[0].name == "40x20"


def test_a_request_with_parts_is_asked_as_it_is(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "a", "model": "shout"}, {"id": "b", "model": "shout", "of": ["a"]})
    asked = PostWorkflowResultsRequest(workflow_id="flow", user_app_id={"user_id": "me", "app_id": "demo"})
    asked.inputs.add().data.parts.add(id="text", data={"string_value": "x"})
    outputs = client.call("PostWorkflowResults", asked).results[0].outputs
    assert outputs[0].data.parts[0].data.string_value == "X"
    assert outputs[1].data.text.raw == "X"


def test_bytes_that_are_no_image_are_refused_by_the_cropper(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "detector")
    make(client, {"id": "find", "model": "detector"}, {"id": "crop", "model": {"id": "image-crop"}, "of": ["find"]})
    broken = base64.b64encode(b"GIF89a" + bytes(50)).decode()
    answer = client.call("PostWorkflowResults", request({"image": {"base64": broken}}))
    assert answer.status.code == StatusCode.ALL_INPUT_INVALID_BYTES
    assert answer.status.details.startswith(
        "Node 'crop' (operator image-crop): The image of input 1 cannot be read: "
    )


def test_contracts_hold_nodes_to_their_signatures_and_refuse_no_plain_data(tmp_path: Path) -> None:
    with running(contract="strict") as strict:
        client = Client(strict.url)
        deploy(strict, tmp_path, "shout", "detector", "measure")
        make(client, {"id": "a", "model": "shout"}, {"id": "b", "model": "shout", "of": ["a"]})
        crop = {"id": "crop", "model": {"id": "image-crop"}, "of": ["find"]}
        make(client, {"id": "find", "model": "detector"}, crop, {"id": "c", "model": "measure", "of": ["crop"]},
             workflow="eyes")  # fmt: skip
        assert texts(run(client, text("x"), text("y"))) == [["X", "X"], ["Y", "Y"]]
        regions = run(client, {"image": {"base64": picture()}}, workflow="eyes").results[0].outputs[2].data.regions
        assert len(regions) == 2
        # Inputs without parts are the runner's to convert: that is told once, and is no error.
        assert {each.fields["rule"] for each in strict.events("contract.finding")} <= {"unchecked-request"}
        client.close()
