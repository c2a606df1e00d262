"""A workflow runs: the unmodified SDK asks it, and models deployed here, and operators, answer its nodes."""

from __future__ import annotations

import io
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from clarifai.client import App
from clarifai.client.input import Inputs
from clarifai.client.workflow import Workflow
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from PIL import Image

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client
from flow.workflow_scenes import deploy, make, operator, picture, request, run, text, texts

GREETING = """
workflow:
  id: greeting
  nodes:
    - id: ask
      model:
        model_id: my-prompter
        model_type_id: prompter
        output_info:
          params:
            prompt_template: 'dear {data.text.raw}'
    - id: greet
      model: {model_id: hello}
      node_inputs: [{node_id: ask}]
    - id: shout
      model: {model_id: shout}
      node_inputs: [{node_id: greet}]
"""


@pytest.fixture
def greeting(emulator: EmulatorThread, tmp_path: Path) -> Workflow:
    emulator.deploy(MODELS / "hello")
    deploy(emulator, tmp_path, "shout")
    file = tmp_path / "workflow.yml"
    file.write_text(GREETING)
    App(app_id="demo", user_id="me").create_workflow(config_filepath=str(file), display=False)
    return Workflow(url="https://clarifai.com/me/demo/workflows/greeting")


def test_the_sdk_gets_one_output_for_each_node_with_its_model_and_version(greeting: Workflow) -> None:
    answer = greeting.predict_by_bytes(b"Ada", input_type="text")

    assert texts(answer) == [["dear Ada", "Hello, dear Ada!", "HELLO, DEAR ADA!"]]
    outputs = answer.results[0].outputs
    assert [each.model.id for each in outputs] == ["my-prompter", "hello", "shout"]
    assert all(each.model.model_version.status.code == StatusCode.MODEL_TRAINED for each in outputs)
    assert all(len(each.id) == 32 and each.created_at.seconds for each in outputs)
    assert {each.status.code for each in (answer.results[0], *outputs)} == {StatusCode.SUCCESS}
    assert answer.workflow.id == "greeting"
    assert answer.workflow.version.id


def test_the_sdk_predicts_by_file_by_bytes_and_by_inputs_with_the_id_or_the_url(
    greeting: Workflow, tmp_path: Path
) -> None:
    by_id = Workflow(user_id="me", app_id="demo", workflow_id="greeting")
    file = tmp_path / "name.txt"
    file.write_text("Bob")
    assert texts(by_id.predict_by_filepath(str(file), input_type="text"))[0][-1] == "HELLO, DEAR BOB!"
    inputs = [Inputs.get_input_from_bytes("", text_bytes=each) for each in (b"a", b"b", b"c")]
    assert [each[-1] for each in texts(by_id.predict(inputs))] == [f"HELLO, DEAR {each}!" for each in "ABC"]


def test_each_input_is_shown_with_an_id_and_its_data(greeting: Workflow) -> None:
    inputs = [
        Inputs.get_input_from_bytes("mine", text_bytes=b"a"),
        Inputs.get_input_from_bytes("", text_bytes=b"b"),
    ]
    shown = [each.input for each in greeting.predict(inputs).results]
    assert shown[0].id == "mine"
    assert len(shown[1].id) == 32
    assert [each.data.text.raw for each in shown] == ["a", "b"]


def test_a_node_is_asked_once_for_all_inputs_as_any_client_would_ask_its_model(
    greeting: Workflow, emulator: EmulatorThread
) -> None:
    greeting.predict([Inputs.get_input_from_bytes("", text_bytes=b"x") for _ in range(32)])

    requests = emulator.events("request.finished", rpc="PostModelOutputs")
    assert [each.fields["workflow_node"] for each in requests] == ["greet", "shout"]
    assert {each.fields["rule"] for each in requests} == {"owner_default"}
    nodes = [each.fields for each in emulator.events("workflow.node")]
    assert [each["node"] for each in nodes] == ["ask", "greet", "shout"]
    assert [each["requests"] for each in nodes] == [[], *([each.fields["request_id"]] for each in requests)]
    assert nodes[2]["begun"] >= nodes[1]["begun"] + nodes[1]["milliseconds"]
    [outer] = emulator.events("request.finished", rpc="PostWorkflowResults")
    assert {each["request_id"] for each in nodes} == {outer.fields["request_id"]}
    assert {(each.fields["parent_id"], each.fields["depth"]) for each in requests} == {(nodes[0]["request_id"], 1)}


def test_nodes_run_at_once_where_the_graph_allows(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    deploy(emulator, tmp_path, "slow", "shout")
    make(
        client,
        {"id": "a", "model": "slow"},
        {"id": "b", "model": "shout"},
        {"id": "c", "model": "shout", "of": "ab"},
    )

    answer = run(client, text("x"))

    assert texts(answer) == [["x", "X", "X"]]
    begun = {each.fields["node"]: each.fields["begun"] for each in emulator.events("workflow.node")}
    assert begun["b"] - begun["a"] < 400 <= begun["c"]


def test_a_node_takes_what_several_nodes_gave(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    deploy(emulator, tmp_path, "detector", "measure")
    counter = operator(client, "count", "object-counter", {})
    make(
        client,
        {"id": "find", "model": "detector"},
        {"id": "size", "model": "measure"},
        {"id": "count", "model": counter, "of": ["find", "size"]},
    )
    outputs = run(client, {"image": {"base64": picture()}}).results[0].outputs
    assert outputs[2].data.metadata["object_count"] == 2


def test_a_detector_a_threshold_a_cropper_and_a_reader_work_together(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "detector", "measure")
    thresholds = {"data": {"concepts": [{"id": "left", "value": 0.5}, {"id": "right", "value": 0.5}]}}
    operator(client, "sure", "region-thresholder", {"concept_threshold_type": "GREATER_THAN"}, **thresholds)
    make(
        client,
        {"id": "find", "model": "detector"},
        {"id": "sure", "model": "sure", "of": ["find"], "suppress_output": True},
        {"id": "crop", "model": {"id": "margin-100-image-crop"}, "of": ["sure"]},
        {"id": "read", "model": "measure", "of": ["crop"]},
    )

    answer = run(client, {"image": {"base64": picture()}}, output_config={"max_concepts": 1})

    find, crop, read = answer.results[0].outputs  # the suppressed one is not there
    assert [each.data.concepts[0].name for each in find.data.regions] == ["left", "right"]
    assert [Image.open(io.BytesIO(each.data.image.base64)).size for each in crop.data.regions] == [(20, 20)]
    assert crop.model.user_id == "clarifai"
    # A model that follows a cropper looks at each piece, and answers in its region.
    assert [[each.name for each in region.data.concepts] for region in read.data.regions] == [["20x20"]]
    assert read.data.regions[0].region_info == find.data.regions[0].region_info


def test_what_a_filter_lets_not_through_goes_no_further(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    operator(client, "none", "random-sample", {"keep_fraction": 0})
    make(client, {"id": "none", "model": "none"}, {"id": "shout", "model": "shout", "of": ["none"]})
    outputs = run(client, text("x")).results[0].outputs
    assert [each.data.ListFields() for each in outputs] == [[], []]
    assert [each.model.id for each in outputs] == ["none", "shout"]
    assert not emulator.events("request.finished", rpc="PostModelOutputs")


def test_an_older_version_of_a_workflow_can_be_asked(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    emulator.deploy(MODELS / "hello")
    make(client, {"id": "one", "model": "hello"})
    first = run(client, text("x")).workflow.version.id
    patch = {
        "user_app_id": {"user_id": "me", "app_id": "demo"},
        "action": "overwrite",
        "workflows": [{"id": "flow", "nodes": [{"id": "two", "model": {"id": "shout"}}]}],
    }
    assert client.call("PatchWorkflows", **patch).status.code == StatusCode.SUCCESS

    assert texts(run(client, text("x"))) == [["X"]]
    old = run(client, text("x"), version_id=first)
    assert texts(old) == [["Hello, x!"]]
    assert old.workflow.version.id == first


def test_without_an_id_the_apps_default_workflow_is_asked(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "one", "model": "shout"})
    without = request(text("x"), workflow="")
    refused = client.call("PostWorkflowResults", without)
    assert refused.status.code == StatusCode.CONN_DOES_NOT_EXIST
    patch = {"id": "demo", "default_workflow": {"id": "flow"}}
    client.call("PatchApps", user_app_id={"user_id": "me"}, action="merge", apps=[patch])
    assert texts(client.call("PostWorkflowResults", without)) == [["X"]]


def test_a_node_goes_where_its_runner_selector_says(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "one", "model": "shout"}, {"id": "two", "model": "shout", "of": ["one"]})
    selector = {"deployment": {"id": "deploy-shout", "user_id": "me"}}

    run(client, text("x"), node_runner_selectors={"one": selector})

    rules = {
        each.fields["workflow_node"]: each.fields["rule"]
        for each in emulator.events("request.finished", rpc="PostModelOutputs")
    }
    assert rules == {"one": "explicit_deployment", "two": "owner_default"}

    wrong = client.call("PostWorkflowResults", request(text("x"), node_runner_selectors={"tow": selector}))
    assert wrong.status.code == StatusCode.WORKFLOW_INVALID_REQUEST
    assert wrong.status.details == (
        "node_runner_selectors names the node 'tow', which the workflow does not have; did you mean 'two'?"
    )
    missing = {"deployment": {"id": "nowhere", "user_id": "me"}}
    refused = client.call("PostWorkflowResults", request(text("x"), node_runner_selectors={"two": missing}))
    assert refused.status.details.startswith("Node 'two' (model me/demo/models/shout): ")
    assert "nowhere" in refused.status.details


def test_a_node_that_fails_with_one_input_is_the_status_of_the_request(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "fail", "slow")
    make(client, {"id": "bad", "model": "fail"}, {"id": "long", "model": "slow"})

    answer = client.call("PostWorkflowResults", request(text("this")))

    assert answer.status.code == StatusCode.FAILURE
    assert answer.status.details.startswith("Node 'bad' (model me/demo/models/fail): cannot take this")
    assert not answer.results
    ended = {each.fields["node"]: each.fields for each in emulator.events("workflow.node")}
    assert ended["bad"]["status"] == StatusCode.FAILURE
    assert ended["long"]["cancelled"] is True  # the rest is not waited for


def test_a_model_without_a_deployment_is_refused_as_routing_does_with_the_node(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "one", "model": "shout"})
    client.call("DeleteDeployments", user_app_id={"user_id": "me"}, ids=["deploy-shout"])
    alone = client.call("PostModelOutputs", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="shout",
                        inputs=[{"data": text("x")}])  # fmt: skip

    answer = client.call("PostWorkflowResults", request(text("x")))

    assert answer.status.code == alone.status.code != StatusCode.SUCCESS
    assert answer.status.details == f"Node 'one' (model me/demo/models/shout): {alone.status.details}"


def test_an_image_for_a_node_of_text_is_an_unsupported_format(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "one", "model": "shout"})
    answer = client.call("PostWorkflowResults", request({"image": {"base64": picture()}}))
    assert answer.status.code == StatusCode.INPUT_UNSUPPORTED_FORMAT
    assert answer.status.description == "Input format unsupported"
    assert answer.status.details.startswith(
        "Node 'one' (model me/demo/models/shout): `text` of its method predict takes text, and it was given image."
    )


def test_a_missing_workflow_is_11101_for_the_sdk_and_over_the_wire(
    emulator: EmulatorThread, client: Client
) -> None:
    emulator.deploy(MODELS / "hello")
    answer = client.call("PostWorkflowResults", request(text("x"), workflow="nothing"))
    assert answer.status.code == StatusCode.CONN_DOES_NOT_EXIST
    with pytest.raises(Exception, match="CONN_DOES_NOT_EXIST"):
        Workflow(user_id="me", app_id="demo", workflow_id="nothing").predict_by_bytes(b"x", input_type="text")


@pytest.mark.parametrize(
    ("inputs", "code", "details"),
    [
        ([], "WORKFLOW_INVALID_REQUEST", "The request has 0 inputs; it must have 1 to 32. Give inputs."),
        ([text("x")] * 100, "WORKFLOW_INVALID_REQUEST",
         "The request has 100 inputs; it must have 1 to 32. Send more of them in several requests."),
        ([text("x"), {}], "INPUT_INVALID_ARGUMENT",
         "Input 2 has no data. Send the text, the image or whatever it is in its data."),
    ],
)  # fmt: skip
def test_inputs_that_cannot_be_taken_are_refused_at_once(
    emulator: EmulatorThread, client: Client, tmp_path: Path, inputs: list[dict[str, Any]], code: str, details: str
) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "one", "model": "shout"})
    answer = client.call("PostWorkflowResults", request(*inputs))
    assert (StatusCode.Name(answer.status.code), answer.status.details) == (code, details)
    assert not emulator.events("workflow.node")


def test_an_operator_that_does_not_run_here_is_named_with_its_node(
    emulator: EmulatorThread, client: Client
) -> None:
    emulator.deploy(MODELS / "hello")
    operator(client, "rag", "rag-prompter", {"prompt_template": "{data.hits} {data.text.raw}"})
    make(client, {"id": "first", "model": "rag"})
    answer = client.call("PostWorkflowResults", request(text("x")))
    assert answer.status.code == StatusCode.NOT_IMPLEMENTED == 10040
    assert answer.status.details.startswith("Node 'first': The emulator does not run the operator rag-prompter: ")


def test_a_node_overrides_the_settings_of_its_model(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    operator(client, "ask", "prompter", {"prompt_template": "a {data.text.raw}"})
    override = {"params": {"prompt_template": "b {data.text.raw}"}}
    make(
        client,
        {"id": "own", "model": "ask"},
        {"id": "other", "model": "ask", "output_info_override": override},
    )
    assert texts(run(client, text("x"))) == [["a x", "b x"]]


@pytest.fixture
def classifying(emulator: EmulatorThread, client: Client) -> Client:
    emulator.deploy(MODELS / "hello")
    return client


def classified(client: Client, pattern: str, *given: str) -> Any:
    concepts = {"data": {"concepts": [{"id": "cat", "name": "cat"}]}}
    operator(client, "pattern", "regex-based-classifier", {"regex": pattern}, **concepts)
    make(client, {"id": "one", "model": "pattern"})
    return client.call("PostWorkflowResults", request(*map(text, given)))


def test_a_text_with_the_pattern_has_the_concepts(classifying: Client) -> None:
    answer = classified(classifying, r"\bcat\b", "a cat", "a category")
    found = [[(each.name, each.value) for each in result.outputs[0].data.concepts] for result in answer.results]
    assert found == [[("cat", 1)], []]


def test_a_pattern_that_takes_for_ever_is_ended_and_nobody_waits_for_it(
    classifying: Client, emulator: EmulatorThread
) -> None:
    answer = classified(classifying, "(a+)+$", "a" * 60 + "!")
    assert answer.status.code == StatusCode.RPC_REQUEST_TIMEOUT
    assert answer.status.details == (
        "Node 'one' (operator regex-based-classifier): Operator regex-based-classifier: the pattern '(a+)+$' was "
        "still at work on the text after 2 s. Nested repetition such as (a+)+ takes for ever on a text that does "
        "not match; write it without."
    )


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(", "is no pattern that works: missing ), unterminated subpattern at position 0, got '('"),
        ("x" * 10_001, "has 10001 characters; it may have 10000"),
        (7, "must be a text that is not empty, got 7.0"),
    ],
)
def test_a_pattern_that_is_none_is_refused(classifying: Client, pattern: Any, problem: str) -> None:
    answer = classified(classifying, pattern, "x")
    assert answer.status.code == StatusCode.MODEL_INVALID_ARGUMENT
    assert f"output_info.params.regex {problem}." in answer.status.details


def test_a_workflow_answers_over_rest_as_over_grpc(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "one", "model": "shout"})
    version = run(client, text("x")).workflow.version.id
    for path in ("workflows/flow/results", f"workflows/flow/versions/{version}/results"):
        body = json.dumps({"inputs": [{"data": text("hi")}]}).encode()
        headers = {"authorization": "Key any-token", "content-type": "application/json"}
        url = f"{emulator.url}/v2/users/me/apps/demo/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
            answer = json.load(response)
        assert answer["status"]["code"] == StatusCode.SUCCESS
        output = answer["results"][0]["outputs"][0]
        assert output["data"]["text"]["raw"] == "HI"
        assert output["model"]["model_version"]["status"]["code"] == StatusCode.MODEL_TRAINED


def test_a_state_goes_on_with_the_id_of_the_answer(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    make(client, {"id": "one", "model": "shout"})
    workflow = Workflow(user_id="me", app_id="demo", workflow_id="flow")
    inputs = [Inputs.get_input_from_bytes("", text_bytes=b"x")]

    state = workflow.predict(inputs, workflow_state_id="init").workflow_state.id
    assert workflow.predict(inputs, workflow_state_id=state).workflow_state.id == state
    assert not workflow.predict(inputs).HasField("workflow_state")
    refused = client.call("PostWorkflowResults", request(text("x"), workflow_state={"id": "other"}))
    assert refused.status.code == StatusCode.WORKFLOW_INVALID_REQUEST
