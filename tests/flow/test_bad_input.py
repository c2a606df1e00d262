"""Bad input of every kind gets an answer that says what happened and what to do, and loses nothing."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError, ConfigError, ModelError
from flow.driver import IN_CONTAINERS, MODELS, Client, inference_request, running, sdk_model, wait_for, write_model

# Model directories ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("config.yaml", "config.yaml"),
        ("requirements.txt", "requirements.txt"),
        ("1/model.py", "1/model.py"),
    ],
)
def test_a_model_directory_with_a_file_missing_is_told_which(
    emulator: EmulatorThread, tmp_path: Path, missing: str, says: str
) -> None:
    directory = _copy("hello", tmp_path)
    (directory / missing).unlink()
    with pytest.raises(ModelError) as raised:
        emulator.deploy(directory)
    assert says in str(raised.value)
    assert emulator.status()["deployments"] == []


def test_broken_yaml_is_shown_with_its_line(emulator: EmulatorThread, tmp_path: Path) -> None:
    directory = _copy("hello", tmp_path)
    (directory / "config.yaml").write_text("model:\n  id: [hello\n  app_id: demo\n")
    with pytest.raises(ModelError, match=r"config\.yaml.*line 3"):
        emulator.deploy(directory)


def test_a_pipe_and_a_device_in_a_model_directory_are_left_out(emulator: EmulatorThread, tmp_path: Path) -> None:
    directory = write_model(tmp_path, "piped", (MODELS / "hello" / "1" / "model.py").read_text())
    os.mkfifo(directory / "1" / "pipe")
    (directory / "1" / "zero").symlink_to("/dev/zero")
    emulator.deploy(directory)
    assert sdk_model("piped").predict(prompt="x") == "Hello, x!"


@pytest.mark.parametrize(
    ("model", "says", "hint"),
    [
        ("crash_syntax", "SyntaxError", "Mend the line above"),
        ("crash_import", "model.py cannot be used", "mend it and deploy again"),
        ("crash_exit_import", "ended the interpreter while it was being imported", "os._exit()"),
        ("missing_dependency", "ModuleNotFoundError", "Add the package to requirements.txt"),
        ("crash_unsignable", "Unsupported type", "mend it and deploy again"),
    ],
)
def test_a_model_that_cannot_be_imported_shows_its_own_error(
    emulator: EmulatorThread, model: str, says: str, hint: str
) -> None:
    with pytest.raises(ModelError) as raised:
        emulator.deploy(MODELS / model)
    assert says in str(raised.value)
    assert hint in str(raised.value)
    assert emulator.status()["deployments"] == []


def test_the_traceback_of_a_failed_import_begins_in_the_model(emulator: EmulatorThread) -> None:
    with pytest.raises(ModelError) as raised:
        emulator.deploy(MODELS / "crash_import")
    first_frame = next(line for line in raised.value.log.splitlines() if line.strip().startswith("File"))
    assert ("/1/model.py" if IN_CONTAINERS else "crash_import/1/model.py") in first_frame


def test_a_model_without_methods_is_told_how_to_mark_them(emulator: EmulatorThread, tmp_path: Path) -> None:
    directory = _copy("hello", tmp_path)
    source = directory / "1" / "model.py"
    source.write_text(source.read_text().replace("    @ModelClass.method\n", ""))
    with pytest.raises(ModelError) as raised:
        emulator.deploy(directory)
    assert "model.py cannot be used" in str(raised.value)
    assert "class Hello has no method that a client could call." in str(raised.value)
    assert "Mark the methods of your ModelClass subclass with @ModelClass.method." in str(raised.value)
    assert emulator.status()["deployments"] == []


# Names ------------------------------------------------------------------------------------------------------


def test_an_unknown_nodepool_is_answered_with_those_there_are(emulator: EmulatorThread) -> None:
    with pytest.raises(CallerError, match=r"There is no nodepool 'cpuu'.*There are: local/cpu"):
        emulator.deploy(MODELS / "hello", nodepool_id="cpuu")


def test_an_unknown_deployment_is_refused_by_the_sdk_before_the_call(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    with pytest.raises(Exception, match="Deployment 'nope' not found for user_id 'me'"):
        sdk_model("hello", deployment_id="nope")


def test_an_unknown_deployment_is_answered_with_the_nearest_name(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    response = client.call("PostModelOutputs", inference_request("hello", deployment="deploy-hallo", prompt="x"))
    assert response.status.code == StatusCode.CONN_DOES_NOT_EXIST
    assert "deploy-hallo" in response.status.details
    assert "deploy-hello" in response.status.details


def test_an_unknown_model_is_answered_as_the_platform_does(client: Client) -> None:
    response = client.call("PostModelOutputs", inference_request("nope", prompt="x"))
    assert response.status.code == StatusCode.MODEL_DOES_NOT_EXIST
    assert response.status.description == "Model does not exist"


def test_a_user_uploaded_model_without_a_deployment_gets_no_shared_compute(
    emulator: EmulatorThread, client: Client
) -> None:
    emulator.deploy(MODELS / "hello")
    client.call("DeleteDeployments", ids=["deploy-hello"])
    response = client.call("PostModelOutputs", inference_request("hello", prompt="x"))
    assert response.status.code == StatusCode.MODEL_NOT_DEPLOYED
    assert "shared compute runs only models that Clarifai uploaded and owns" in response.status.details
    assert "clarifai-emulator deploy" in response.status.details


# Credentials ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metadata", [[], [("authorization", "key abc")], [("authorization", "abc")], [("authorization", "Key ")]]
)
def test_a_missing_or_malformed_credential_is_refused_as_the_platform_does(client: Client, metadata: Any) -> None:
    status = client.call("GetUser", metadata=metadata).status
    assert status.code == StatusCode.CONN_INVALID_REQUEST
    assert status.description == "Invalid request"
    expected = "Empty or malformed authorization header. Please provide an API key or session token."
    assert status.details == expected


def test_a_token_no_key_can_look_like_is_refused(client: Client) -> None:
    status = client.call("GetUser", metadata=[("authorization", "Key not a key")]).status
    assert status.code == StatusCode.CONN_KEY_INVALID
    assert status.details == "Invalid format of key."


def test_a_wrong_pat_is_refused_where_only_some_are_accepted() -> None:
    with running(pats={"right": "alice"}) as emulator:
        wrong = Client(emulator.url, pat="wrong")
        status = wrong.call("GetUser").status
        assert status.code == StatusCode.CONN_KEY_NOT_FOUND
        assert status.details.startswith("invalid key(None).")
        assert "set CLARIFAI_PAT to one" in status.details
        right = Client(emulator.url, pat="right")
        request_fields: dict[str, Any] = {"user_app_id": {"user_id": "me"}}
        assert right.call("GetUser", **request_fields).user.id == "alice"
        wrong.close()
        right.close()


@pytest.mark.parametrize("header", ["Key abc", "Bearer abc"])
def test_both_schemes_and_a_session_token_are_accepted(client: Client, header: str) -> None:
    for metadata in ([("authorization", header)], [("x-clarifai-session-token", "abc")]):
        assert client.call("GetUser", metadata=metadata).status.code == StatusCode.SUCCESS


# The wire ---------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with running() as emulator:
        port = int(emulator.url.rpartition(":")[2])
        with pytest.raises(ConfigError) as raised:
            EmulatorThread(EmulatorConfig(port=port)).start()
        assert f"Port {port} of 127.0.0.1 is in use." in str(raised.value)
        assert "clarifai-emulator down" in str(raised.value)


def test_garbage_on_the_port_is_answered_in_one_line_and_noted(emulator: EmulatorThread) -> None:
    assert _say(emulator, b"\x00\x01garbage\xff\xfe and more\n").startswith(b"This is the Clarifai emulator")
    assert emulator.events("connection.garbage")[0].fields["what"].startswith("b'\\x00\\x01garbage")
    emulator.deploy(MODELS / "hello")
    assert sdk_model("hello").predict(prompt="still here") == "Hello, still here!"


def test_a_client_that_tries_tls_is_noted_with_what_to_use(emulator: EmulatorThread) -> None:
    _say(emulator, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client hello")
    assert "http://" in wait_for(lambda: emulator.events("connection.tls"))[0].fields["what"]


def test_a_browser_learns_what_answers_here(emulator: EmulatorThread) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(emulator.url)
    with raised.value as answer:
        assert answer.status == 404
        assert "GET /v2/openapi.json lists all that there are." in answer.read().decode()


def test_an_rpc_that_is_not_there_yet_is_unimplemented_by_name(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        client.call("PostWorkflowVersionEvaluations")
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED  # pyright: ignore[reportAttributeAccessIssue]
    says = "PostWorkflowVersionEvaluations is an RPC of the platform that the emulator does not have yet"
    assert says in str(raised.value)


def test_a_message_that_is_too_large_is_refused_with_both_sizes(emulator: EmulatorThread) -> None:
    with running(max_message_bytes=1024 * 1024) as small:
        client = Client(small.url)
        with pytest.raises(grpc.RpcError) as raised:
            client.call("PostModelOutputs", inference_request("hello", data=b"x" * (4 * 1024 * 1024)))
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED  # pyright: ignore[reportAttributeAccessIssue]
        assert "4194" in str(raised.value)
        assert client.call("GetUser").status.code == StatusCode.SUCCESS
        client.close()


def test_binary_data_that_is_too_large_for_an_answer_fails_in_the_platforms_words(
    emulator: EmulatorThread,
) -> None:
    with running(max_message_bytes=1024 * 1024) as small:
        small.deploy(MODELS / "large")
        client = Client(small.url)
        said = "Image/audio/video data was removed because response exceeded size limit"
        answer = client.call("PostModelOutputs", inference_request("large", size=3 * 1024 * 1024))
        assert (answer.status.code, answer.status.details) == (StatusCode.FAILURE, said)
        assert answer.outputs[0].status.description == "Binary data cleared due to size limit"
        streamed = list(client.generate(inference_request("large", "generate", size=3 * 1024 * 1024, chunks=2)))
        assert [each.outputs[0].status.details for each in streamed] == [said, said]
        assert len(client.call("PostModelOutputs", inference_request("large", size=1000)).outputs) == 1
        client.close()


def test_metadata_that_is_no_text_changes_nothing(client: Client) -> None:
    metadata = [
        ("authorization", "Key abc"),
        ("some-bin", b"\xff\xfe\x00"),
        ("x-clarifai-request-id-prefix", "../../etc passwd %"),
    ]
    status = client.call("GetUser", metadata=metadata).status
    assert status.code == StatusCode.SUCCESS
    assert status.req_id.startswith("....etcpasswd-")


def test_bytes_that_are_no_message_are_refused_by_name(emulator: EmulatorThread) -> None:
    rpc = rpc_table()["GetModel"]
    with grpc.insecure_channel(emulator.url.removeprefix("http://")) as channel:
        call = channel.unary_unary(rpc.path, response_deserializer=rpc.response_type.FromString)
        status = call(b"\xff\xff\xff not protobuf", metadata=(("authorization", "Key abc"),), timeout=5).status
    assert status.code == StatusCode.CONN_BAD_REQUEST_FORMAT
    assert "The request of GetModel cannot be read as clarifai.api.GetModelRequest" in status.details


def test_a_client_that_vanishes_in_mid_stream_leaves_the_replica_usable(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "slow")
    leaving = Client(emulator.url)
    answers = leaving.generate(inference_request("slow", "generate", chunks=5, delay=0.2))
    next(answers)
    leaving.close()
    wait_for(lambda: emulator.events("work.cancelled"))
    assert sdk_model("slow").predict(seconds=0.0) == "slept 0 s"


def test_a_stream_without_a_message_ends_without_an_answer(client: Client) -> None:
    assert list(client.stream(iter(()))) == []


def _copy(model: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / model, tmp_path / model))


def _say(emulator: EmulatorThread, data: bytes) -> bytes:
    host, _, port = emulator.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(data)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    return answer
