"""The scenarios of the SDK's `test_secrets.py` that a platform has a part in: secrets of a user, and of a request.

Upstream a runner's methods are called with made-up requests; here the requests come through the emulator.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai.client import Model
from clarifai.client.user import User
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, running, text_of, write_model

TELLS = """
import os
from clarifai.runners.models.model_class import ModelClass

class Tells(ModelClass):
    @ModelClass.method
    def predict(self, name: str) -> str:
        if name == "fail":
            raise ValueError("as it should")
        return os.environ.get(name, "not set")
"""
WANTED = "\nsecrets: [{id: kept, type: env, env_var: KEPT_OF_TEST}]\n"


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    directory = write_model(tmp_path_factory.mktemp("tells"), "tells", TELLS)
    config = directory / "config.yaml"
    config.write_text(config.read_text() + WANTED)
    with running() as emulator:
        User(user_id="me", base_url=emulator.url, pat="any").create_secrets(
            [{"id": "kept", "value": "of-the-user", "description": "d"}]
        )
        emulator.deploy(directory)
        yield emulator


@pytest.fixture
def caller(telling: EmulatorThread) -> Iterator[Client]:
    client = Client(telling.url)
    yield client
    client.close()


def asking(name: str, *secrets: dict[str, str]) -> Any:
    """Return a request for a variable, with secrets of its own."""
    request = inference_request("tells", name=name)
    params = request.model.model_version.output_info.params
    if secrets:
        params.update({"secrets": [{"secret_type": "req", **each} for each in secrets]})
    return request


def told(caller: Client, request: Any) -> str:
    return text_of(caller.call("PostModelOutputs", request))


def test_a_user_s_secret_is_in_the_model_s_environment(caller: Client) -> None:
    assert told(caller, asking("KEPT_OF_TEST")) == "of-the-user"


@pytest.mark.parametrize(
    ("name", "secret", "answered"),
    [
        ("SENT_OF_TEST", {"env_var": "SENT_OF_TEST", "value": "for-now"}, "for-now"),
        ("KEPT_OF_TEST", {"env_var": "KEPT_OF_TEST", "value": "for-now"}, "for-now"),
        ("SENT_OF_TEST", {"env_var": "SENT_OF_TEST", "value": "x", "secret_type": "env"}, "not set"),
        ("SENT_OF_TEST", {"env_var": "", "value": "nameless"}, "not set"),
        ("SENT_OF_TEST", {"value": "nameless"}, "not set"),
    ],
    ids=["new", "in place of the user's", "of another type", "blank name", "no name"],
)
def test_a_secret_of_a_request_holds_for_that_request(
    caller: Client, name: str, secret: dict[str, str], answered: str
) -> None:
    before = told(caller, asking(name))
    assert told(caller, asking(name, secret)) == answered
    assert told(caller, asking(name)) == before


def test_it_is_gone_after_a_request_that_failed(caller: Client) -> None:
    secret = {"env_var": "SENT_OF_TEST", "value": "for-now"}
    answer = caller.call("PostModelOutputs", asking("fail", secret))
    assert answer.status.code != StatusCode.SUCCESS
    assert told(caller, asking("SENT_OF_TEST")) == "not set"


def test_the_sdk_lists_changes_and_deletes_secrets(telling: EmulatorThread) -> None:
    user = User(user_id="me", base_url=telling.url, pat="any")
    user.create_secrets([{"id": "second", "value": "one", "description": "first"}])
    user.patch_secrets([{"id": "second", "value": "two", "description": "then"}], action="overwrite")
    assert user.get_secret("second")["description"] == "then"
    listed = str(list(user.list_secrets()))
    assert "'kept'" in listed
    assert "'second'" in listed
    user.delete_secrets(["second"])
    assert "'second'" not in str(list(user.list_secrets()))


def test_what_a_request_sends_is_in_no_log(telling: EmulatorThread, caller: Client, tmp_path: Path) -> None:
    told(caller, asking("OTHER", {"env_var": "SENT_OF_TEST", "value": "planted-in-request"}))
    model = Model(url="https://clarifai.com/me/demo/models/tells", base_url=telling.url, pat="any")
    assert model.predict(name="SENT_OF_TEST") == "not set"
    events = "\n".join(str(each) for each in telling.events())
    assert "planted-in-request" not in events
