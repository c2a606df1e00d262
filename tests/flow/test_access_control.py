"""Several users share one emulator: whose model, deployment and key is whose; and what a replica's credential
opens.

``ada`` owns the emulator and is, like ``bob``, a member of ``acme``; ``eve`` is in no organisation.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai.client import Model
from clarifai_grpc.grpc.api.resources_pb2 import Visibility
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.store import Kind
from flow.driver import MODELS, Client, inference_request, running, wait_for

PATS = """
users: [{id: ada, first_name: Ada}, {id: bob}, {id: eve}]
organisations: [{id: acme, members: [ada, bob]}]
tokens:
  - {token: ada-token, user: ada}
  - {token: bob-token, user: bob}
  - {token: eve-token, user: eve}
  - {token: acme-token, organisation: acme}
  - {token: eve-reads, user: eve, scopes: [Apps_Get, Concepts_Get, Models_Get]}
  - {token: eve-expired, user: eve, expires_at: 2001-01-01}
"""

NOSY = """
import json, os

import grpc
from clarifai.runners.models.model_class import ModelClass
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from clarifai_grpc.grpc.api.status import status_pb2

def get_model(user):
    app = resources_pb2.UserAppIDSet(user_id=user, app_id="demo")
    return service_pb2.GetModelRequest(user_app_id=app, model_id="hello")

class Nosy(ModelClass):
    @ModelClass.method
    def predict(self, other_runner: str, runner_url: str) -> str:
        token, found = os.environ["CLARIFAI_PAT"], {"token": os.environ["CLARIFAI_PAT"]}
        metadata = [("authorization", "Key " + token)]
        me = resources_pb2.UserAppIDSet(user_id="me")
        with grpc.insecure_channel(os.environ["CLARIFAI_API_BASE"].removeprefix("http://")) as channel:
            stub = service_pb2_grpc.V2Stub(channel)
            requests = {
                "GetUser": service_pb2.GetUserRequest(user_app_id=me),
                "ListSecrets": service_pb2.ListSecretsRequest(user_app_id=me),
                "PostKeys": service_pb2.PostKeysRequest(user_app_id=me, keys=[resources_pb2.Key()]),
                "DeleteDeployments": service_pb2.DeleteDeploymentsRequest(user_app_id=me, ids=["deploy-hello"]),
                "ListLogEntries": service_pb2.ListLogEntriesRequest(user_app_id=me, log_type="runner"),
                "PostLogEntries": service_pb2.PostLogEntriesRequest(),
                "GetModel": get_model("me"),
                "of eve": get_model("eve"),
            }
            for name, request in requests.items():
                rpc = "GetModel" if name == "of eve" else name
                status = getattr(stub, rpc)(request, metadata=metadata, timeout=10).status
                found[name] = [status.code, status.details]
        for address in (os.environ["CLARIFAI_API_BASE"], runner_url):
            first = service_pb2.PostRunnerItemOutputsRequest(
                user_app_id=me, runner_id=other_runner, compute_cluster_id="local", nodepool_id="cpu",
                status=status_pb2.Status(code=25605),
            )
            with grpc.insecure_channel(address.removeprefix("http://")) as channel:
                answers = service_pb2_grpc.V2Stub(channel).ProcessRunnerItems(
                    iter([first]), metadata=metadata, timeout=10
                )
                found[address] = [answer.status.code for answer in answers]
        return json.dumps(found)
"""


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[EmulatorThread]:
    """Yield the emulator of ada, with hello deployed."""
    path = tmp_path / "pats.yaml"
    path.write_text(PATS)
    path.chmod(0o600)
    with running(user_id="ada", pats_file=path) as emulator:
        emulator.deploy(MODELS / "hello", model="ada/demo/models/hello")
        yield emulator


def as_(emulator: EmulatorThread, token: str, rpc: str, **fields: Any) -> Any:
    """Return the answer of an RPC to whoever has this token."""
    client = Client(emulator.url, pat=token)
    try:
        return client.call(rpc, **fields)
    finally:
        client.close()


def predict(emulator: EmulatorThread, token: str, **selector: str) -> Any:
    client = Client(emulator.url, pat=token)
    request = inference_request("hello", user="ada", prompt="you")
    if selector:
        request.runner_selector.deployment.id = selector["deployment"]
        request.runner_selector.deployment.user_id = selector.get("of", "ada")
    try:
        return client.call("PostModelOutputs", request)
    finally:
        client.close()


def publish(emulator: EmulatorThread, kind: Kind, key: tuple[str, ...], level: int = Visibility.PUBLIC) -> None:
    """Give a resource another visibility."""

    def change(inside: Any) -> None:
        item = inside.resources.row(kind).message(id=key[-1])
        item.visibility.gettable = level
        inside.resources.patch(kind, key[0], key[1:-1], [item], "overwrite")

    emulator.run(change)


def sdk(emulator: EmulatorThread, token: str, **options: Any) -> Any:
    return Model(url="https://clarifai.com/ada/demo/models/hello", pat=token, base_url=emulator.url, **options)


def test_another_users_private_model_is_as_if_it_did_not_exist(shared: EmulatorThread) -> None:
    with pytest.raises(Exception, match="Model does not exist") as raised:
        sdk(shared, "eve-token").predict(prompt="you")
    assert "code: MODEL_DOES_NOT_EXIST" in str(raised.value)
    status = predict(shared, "eve-token").status
    assert (status.code, status.description) == (StatusCode.MODEL_DOES_NOT_EXIST, "Model does not exist")
    assert status.details == "Model 'ada/demo/hello' does not exist. App ada/demo has no model."
    note = shared.events("route.refused")[-1].fields["note"]
    assert note.endswith("is not visible to 'eve': it belongs to 'ada' and its visibility is PRIVATE.")


def test_another_users_public_model_is_called_with_ones_own_token(shared: EmulatorThread) -> None:
    publish(shared, Kind.APP, ("ada", "demo"))
    publish(shared, Kind.MODEL, ("ada", "demo", "hello"))
    # Its deployment is private: for eve there is none.
    assert predict(shared, "eve-token").status.code == StatusCode.MODEL_NOT_DEPLOYED
    assert "deploy-hello" not in predict(shared, "eve-token").status.details
    with pytest.raises(Exception, match="Deployment 'deploy-hello' not found for user_id 'ada'"):
        sdk(shared, "eve-token", deployment_id="deploy-hello", deployment_user_id="ada")
    status = predict(shared, "eve-token", deployment="deploy-hello").status
    assert status.code == StatusCode.CONN_DOES_NOT_EXIST
    publish(shared, Kind.DEPLOYMENT, ("ada", "deploy-hello"))
    model = sdk(shared, "eve-token", deployment_id="deploy-hello", deployment_user_id="ada")
    assert model.predict(prompt="eve") == "Hello, eve!"
    assert sdk(shared, "eve-token").predict(prompt="you") == "Hello, you!"
    status = predict(shared, "eve-token", deployment="deploy-hello", of="eve").status
    assert status.code == StatusCode.CONN_DOES_NOT_EXIST
    assert "pass deployment_user_id='ada'" in status.details
    # A private app hides what is in it.
    publish(shared, Kind.APP, ("ada", "demo"), Visibility.PRIVATE)
    assert predict(shared, "eve-token").status.code == StatusCode.MODEL_DOES_NOT_EXIST


def test_what_is_for_the_organisation_is_for_its_members(shared: EmulatorThread) -> None:
    for kind, key in (
        (Kind.APP, ("ada", "demo")),
        (Kind.MODEL, ("ada", "demo", "hello")),
        (Kind.DEPLOYMENT, ("ada", "deploy-hello")),
    ):
        assert predict(shared, "bob-token").status.code != StatusCode.SUCCESS
        publish(shared, kind, key, Visibility.ORG)
    assert sdk(shared, "bob-token").predict(prompt="bob") == "Hello, bob!"
    assert predict(shared, "acme-token").status.code == StatusCode.SUCCESS
    assert predict(shared, "eve-token").status.code == StatusCode.MODEL_DOES_NOT_EXIST


def test_users_and_organisations_of_the_file_exist_and_a_member_writes_for_its_organisation(
    shared: EmulatorThread,
) -> None:
    user = as_(shared, "eve-token", "GetUser", user_app_id={"user_id": "ada"}).user
    assert (user.id, user.first_name) == ("ada", "Ada")
    assert as_(shared, "acme-token", "GetUser", user_app_id={"user_id": "me"}).user.id == "acme"
    acme, app = {"user_id": "acme"}, {"apps": [{"id": "ours"}]}
    refused = as_(shared, "eve-token", "PostApps", user_app_id=acme, **app).status
    assert refused.code == StatusCode.CONN_INSUFFICIENT_SCOPES
    assert refused.details.startswith("User 'eve' may not change resources of user 'acme'.")
    assert as_(shared, "bob-token", "PostApps", user_app_id=acme, **app).apps[0].user_id == "acme"
    assert as_(shared, "acme-token", "ListApps", user_app_id={"user_id": "me"}).apps[0].id == "ours"


def test_an_expired_token_and_one_without_the_scope_are_refused_with_what_to_do(shared: EmulatorThread) -> None:
    status = as_(shared, "eve-expired", "GetUser").status
    assert status.code == StatusCode.CONN_KEY_INVALID
    assert status.details.startswith("The key has expired, at 2001-01-01T00:00:00Z.")
    assert as_(shared, "eve-reads", "ListModels", user_app_id={"user_id": "me"}).status.code == StatusCode.SUCCESS
    status = predict(shared, "eve-reads").status
    assert status.code == StatusCode.CONN_INSUFFICIENT_SCOPES
    assert status.details.startswith("PostModelOutputs needs the scope Predict, which this key of user 'eve'")
    assert set(as_(shared, "eve-reads", "MyScopes").scopes) == {"Apps_Get", "Concepts_Get", "Models_Get"}


def test_a_key_calls_with_its_own_scopes_until_it_is_deleted_or_expires(shared: EmulatorThread) -> None:
    scopes = ["Predict", "Apps_Get", "Concepts_Get", "Models_Get"]
    posted = as_(shared, "ada-token", "PostKeys", keys=[
        {"type": "personal_access_token", "scopes": scopes},
        {"type": "personal_access_token", "expires_at": {"seconds": int(time.time()) + 2}},
    ])  # fmt: skip
    limited, short = (key.id for key in posted.keys)
    assert predict(shared, limited).status.code == StatusCode.SUCCESS
    assert "needs the scopes" in as_(shared, limited, "ListDeployments").status.details
    assert as_(shared, short, "ListDeployments").status.code == StatusCode.SUCCESS
    as_(shared, "ada-token", "DeleteKey", key_id=limited)
    assert predict(shared, limited).status.code == StatusCode.CONN_KEY_NOT_FOUND
    wait_for(lambda: "has expired" in as_(shared, short, "ListDeployments").status.details)


def test_organisations_are_listed_to_those_who_are_in_them(shared: EmulatorThread) -> None:
    assert organisations(shared, "bob-token", "me") == (200, [{"organization": {"id": "acme", "name": "acme"}}])
    assert (
        organisations(shared, "acme-token", "ada")[1] == "User 'acme' may not list the organisations of user 'ada'."
    )
    assert organisations(shared, "eve-token", "me") == (200, [])
    assert organisations(shared, "eve-token", "bob")[0] == 403
    assert organisations(shared, "no-token", "me")[0] == 401
    assert organisations(shared, "eve-token", "nobody")[0] == 404
    assert organisations(shared, "eve-token", "me", method="POST")[0] == 405


def organisations(emulator: EmulatorThread, token: str, user: str, method: str = "GET") -> tuple[int, Any]:
    """Return the HTTP status, and the organisations or the reason."""
    url = f"{emulator.url}/v2/users/{user}/organizations"
    request = urllib.request.Request(url, headers={"authorization": f"Key {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)["organizations"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["status"]["details"].partition(" Ask for")[0]


@pytest.mark.of_processes("what a container reaches: tests/docker/test_container.py")
def test_a_replicas_credential_opens_its_own_items_and_what_its_owner_may_ask(
    shared: EmulatorThread, tmp_path: Path
) -> None:
    directory = tmp_path / "nosy"
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "model.py").write_text(NOSY)
    config = (MODELS / "hello" / "config.yaml").read_text().replace("id: hello", "id: nosy")
    (directory / "config.yaml").write_text(config)
    (directory / "requirements.txt").write_text((MODELS / "hello" / "requirements.txt").read_text())
    shared.deploy(directory, model="ada/demo/models/nosy")
    as_(shared, "eve-token", "PostApps", user_app_id={"user_id": "eve"}, apps=[{"id": "demo"}])
    of_eve = {"user_app_id": {"user_id": "eve", "app_id": "demo"}, "models": [{"id": "hello"}]}
    assert as_(shared, "eve-token", "PostModels", **of_eve).status.code == StatusCode.SUCCESS
    runners = as_(shared, "ada-token", "ListRunners", user_app_id={"user_id": "me"}).runners
    other = next(each.id for each in runners if each.worker.model.id == "hello")
    runner_url = shared.run(lambda emulator: emulator.api.runner_url)
    client = Client(shared.url, pat="ada-token")
    answer = client.call(
        "PostModelOutputs",
        inference_request("nosy", user="ada", other_runner=other, runner_url=runner_url),
        timeout=60,
    )
    client.close()
    assert answer.status.code == StatusCode.SUCCESS, answer.status
    found = json.loads(answer.outputs[0].data.parts[0].data.string_value)
    token = found.pop("token")
    for address in (shared.url, runner_url):
        assert set(found.pop(address)) == {StatusCode.RUNNER_PERMISSION_DENIED}
    assert found.pop("GetModel") == [StatusCode.SUCCESS, ""]
    assert found.pop("of eve")[0] == StatusCode.MODEL_DOES_NOT_EXIST, "another user's private model"
    refused = {"GetUser", "ListSecrets", "PostKeys", "DeleteDeployments", "ListLogEntries", "PostLogEntries"}
    assert set(found) == refused
    for rpc, (code, details) in found.items():
        assert code == StatusCode.CONN_INSUFFICIENT_SCOPES
        assert details.startswith(f"{rpc} ")
        assert details.endswith(
            " A model may ask models and workflows of its owner and read about them. For more, give it a token "
            "of its own, from a secret."
        )
    assert predict(shared, "ada-token").status.code == StatusCode.SUCCESS
    # It stays a replica's after its replica has ended.
    as_(shared, "ada-token", "DeleteDeployments", ids=["deploy-nosy"])
    wait_for(lambda: not shared.run(lambda emulator: emulator.dispatcher.credential(token)))
    assert as_(shared, token, "GetUser").status.code == StatusCode.CONN_INSUFFICIENT_SCOPES


def test_a_replicas_credential_is_no_other_token_where_every_token_is_accepted(emulator: EmulatorThread) -> None:
    runner = ("me", "local", "cpu", "runner")
    credential = emulator.run(lambda each: each.dispatcher.issue_credential(runner))
    for expected in (StatusCode.SUCCESS, StatusCode.CONN_INSUFFICIENT_SCOPES):
        assert as_(emulator, credential.token, "GetUser").status.code == StatusCode.CONN_INSUFFICIENT_SCOPES
        assert as_(emulator, credential.token, "ListApps", user_app_id={"user_id": "me"}).status.code == expected
        emulator.run(lambda each: each.dispatcher.revoke(credential))
