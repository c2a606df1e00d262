"""Attacks on what users have: strangers that ask for everything, equal ids, keys that reach for more, secrets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from attack.measured import Measure, NotTried, attack, count
from attack.scene import Scene
from attack.victims import EmulatorVictim
from clarifai_emulator.api.rpc import Rpc, rpc_table
from clarifai_emulator.control.service import SERVICE, TOKEN_HEADER
from clarifai_emulator.control.verb_table import VERBS
from clarifai_emulator.messages.descriptors import is_repeated
from flow.driver import Client
from flow.test_runner_ids import User
from flow.test_secrets import Up, test_no_secret_comes_out_of_anything

_PATS = """
users: [{id: ada, visibility: private}, {id: bob}, {id: eve}]
tokens:
  - {token: ada-token, user: ada}
  - {token: bob-token, user: bob}
  - {token: eve-token, user: eve}
"""
# The stem of an id by what has it: what ends with -real is there, and what ends with -fake is not.
_STEMS = {
    "App": "app", "Model": "model", "ModelVersion": "version", "ComputeCluster": "cluster", "Nodepool": "pool",
    "Deployment": "deployment", "Runner": "runner", "Key": "key", "Secret": "secret",
}  # fmt: skip
_NAMED = {
    "app_id": "app", "model_id": "model", "version_id": "version", "compute_cluster_id": "cluster",
    "nodepool_id": "pool", "deployment_id": "deployment", "runner_id": "runner", "key_id": "key",
}  # fmt: skip
# Asks nothing of a user, or stays open until somebody has something to say.
_OTHERS = ("ProcessRunnerItems", "StreamLogEntries")


@contextmanager
def _shared(scene: Scene, pats: str = _PATS) -> Iterator[EmulatorVictim]:
    folder = scene.new_folder()
    file = folder / "pats.yaml"
    file.write_text(pats)
    file.chmod(0o600)
    with scene.own("--pats", str(file), "--user-id", "ada", "--hold-seconds", "0", folder=folder) as victim:
        yield victim


def _furnish(client: Client) -> None:
    """Make one of everything, private to ada."""
    app: dict[str, Any] = {"user_app_id": {"user_id": "ada", "app_id": "app-real"}}
    cluster = {
        "id": "cluster-real", "cloud_provider": {"id": "aws"}, "region": "us-east-1", "cluster_type": "dedicated",
        "managed_by": "clarifai",
    }  # fmt: skip
    pool = {"id": "pool-real", "instance_types": [{"id": "t3a.medium"}], "max_instances": 1}
    worker = {"model": {"id": "model-real", "app_id": "app-real", "user_id": "ada"}}
    place = {"id": "pool-real", "compute_cluster": {"id": "cluster-real", "user_id": "ada"}}
    where = {"compute_cluster_id": "cluster-real", "nodepool_id": "pool-real"}
    for name, fields in {
        "PostApps": {"apps": [{"id": "app-real"}]},
        "PostModels": {**app, "models": [{"id": "model-real"}]},
        "PostModelVersions": {**app, "model_id": "model-real", "model_versions": [{"id": "versionreal"}]},
        "PostComputeClusters": {"compute_clusters": [cluster]},
        "PostNodepools": {"compute_cluster_id": "cluster-real", "nodepools": [pool]},
        "PostDeployments": {"deployments": [{"id": "deployment-real", "worker": worker, "nodepools": [place]}]},
        "PostRunners": {**where, "runners": [{"id": "runner-real", "worker": worker}]},
        "PostKeys": {"keys": [{"id": "key-real"}]},
        "PostSecrets": {"secrets": [{"id": "secret-real", "value": "v"}]},
    }.items():
        status = client.call(name, **fields).status
        assert status.code == StatusCode.SUCCESS, (name, status)


def _fill(message: Any, ending: str, of: str, depth: int = 0) -> None:
    """Name what belongs to ada in every field of a request; ``of``: the kind that an ``id`` without more is of."""
    for field in message.DESCRIPTOR.fields:
        if field.cpp_type == field.CPPTYPE_STRING and field.type == field.TYPE_STRING:
            stem = _NAMED.get(field.name) or (of if field.name in ("id", "ids") else "")
            text = "ada" if field.name == "user_id" else f"{stem}-{ending}" if stem else ""
            if text and is_repeated(field):
                getattr(message, field.name).append(text)
            elif text and field.containing_oneof is None:
                setattr(message, field.name, text)
        elif field.message_type is not None and depth < 4 and field.containing_oneof is None:
            named = field.message_type.name
            if named == "UserAppIDSet" or named in _STEMS:
                inner = getattr(message, field.name)
                inner = inner.add() if is_repeated(field) else inner
                _fill(inner, ending, _STEMS.get(named, ""), depth + 1)


def _request(rpc: Rpc, ending: str) -> Any:
    request = rpc.request_type()
    stem = next((stem for kind, stem in reversed(_STEMS.items()) if kind in rpc.name), "")
    _fill(request, ending, stem)
    action = request.DESCRIPTOR.fields_by_name.get("action")
    if action is not None and action.cpp_type == action.CPPTYPE_STRING:
        request.action = "overwrite"
    return request


def _said(channel: grpc.Channel, rpc: Rpc, token: str, ending: str) -> str:
    """Return the answer to a request, without what differs between two requests: ids of requests, and endings."""
    shape = f"{'stream' if rpc.client_streaming else 'unary'}_{'stream' if rpc.server_streaming else 'unary'}"
    method = getattr(channel, shape)(
        rpc.path,
        request_serializer=rpc.request_type.SerializeToString,
        response_deserializer=rpc.response_type.FromString,
    )
    request = _request(rpc, ending)
    sent = iter([request]) if rpc.client_streaming else request
    try:
        answer = method(sent, metadata=[("authorization", f"Key {token}")], timeout=10)
        answers = list(answer) if rpc.server_streaming else [answer]
    except grpc.RpcError as error:
        return f"{error.code()}: {error.details()}"  # pyright: ignore[reportAttributeAccessIssue]
    said = re.sub(r"req_id: \"\w*\"", "", "".join(map(str, answers)))
    said = re.sub(r"(seconds|nanos): \d+", "", said)
    return said.replace(f"-{ending}", "-x")


@attack("tenancy.strangers", short=True)
def strangers(scene: Scene) -> list[Measure]:
    """Every RPC by two strangers, with ids of a user that are there and ids that are not: the answers must be the
    same, and nothing may succeed."""
    differing, succeeded, owners = list[str](), list[str](), 0
    with _shared(scene) as victim, grpc.insecure_channel(f"127.0.0.1:{victim.port}") as channel:
        owner = victim.client("ada-token")
        _furnish(owner)
        rpcs = [rpc for name, rpc in sorted(rpc_table().items()) if _is_there(channel, rpc) and name not in _OTHERS]
        for rpc in rpcs:
            for token in ("eve-token",) if scene.short else ("eve-token", "bob-token"):
                real, fake = _said(channel, rpc, token, "real"), _said(channel, rpc, token, "fake")
                if real != fake:
                    differing.append(rpc.name)
                if "-x" in real and "code: SUCCESS" in real:
                    succeeded.append(rpc.name)
        for rpc in rpcs:  # that there is a difference to see at all
            if rpc.name.startswith("Get"):
                owners += _said(channel, rpc, "ada-token", "real") != _said(channel, rpc, "ada-token", "fake")
        missing = _missing(owner)
        owner.close()
    return [
        count("answers that tell what is there", differing),
        count("successes", succeeded),
        count("lost to the owner", missing),
        Measure("RPCs", len(rpcs), most=None),
        Measure("reads that differ for the owner", owners, most=None),
        Measure("the owner saw no difference either", owners == 0),
    ]


def _is_there(channel: grpc.Channel, rpc: Rpc) -> bool:
    return "UNIMPLEMENTED" not in _said(channel, rpc, "no token at all", "none")


def _missing(owner: Client) -> list[str]:
    """Return which of the owner's resources are not there any more."""
    app = {"user_id": "ada", "app_id": "app-real"}
    asked: dict[str, dict[str, Any]] = {
        "GetApp": {"user_app_id": app},
        "GetModel": {"user_app_id": app, "model_id": "model-real"},
        "GetComputeCluster": {"compute_cluster_id": "cluster-real"},
        "GetNodepool": {"compute_cluster_id": "cluster-real", "nodepool_id": "pool-real"},
        "GetDeployment": {"deployment_id": "deployment-real"},
        "GetSecret": {"id": "secret-real"},
    }
    return [name for name, fields in asked.items() if owner.call(name, **fields).status.code != StatusCode.SUCCESS]


@attack("tenancy.equal-runner-ids", short=True)
def equal_runner_ids(scene: Scene) -> list[Measure]:
    """Two runners of one id in two nodepools of a user, and one of another user with that id in its own."""
    wrong = 0
    with _shared(scene) as victim:
        ada, bob = User(victim, "ada"), User(victim, "bob")  # pyright: ignore[reportArgumentType] - it has a url
        one = ada.serve("one", nodepool="first", runner_id="laptop")
        two = ada.serve("two", nodepool="second", runner_id="laptop")
        his = bob.serve("one", nodepool="first", runner_id="laptop")
        with ada.runner(one, "one"), ada.runner(two, "two"), bob.runner(his, "his"):
            for user, model, says in ((ada, "one", "one"), (ada, "two", "two"), (bob, "one", "his")):
                answers = user.answers(model)
                assert answers[says], "its runner answers"
                # Between two items its runner is away, and nobody waits for it.
                others = [text for text in answers if text != says and not text.startswith("No replica of ")]
                wrong += sum(answers[text] for text in others)
        for user in (ada, bob):
            user.client.close()
    return [Measure("wrong answers of 60", wrong)]


@attack("tenancy.narrow-keys", short=True)
def narrow_keys(scene: Scene) -> list[Measure]:
    """A key that may only look at keys: it looks for wider ones, and makes, changes and uses them."""
    got: list[str] = []
    with _shared(scene) as victim:
        owner = victim.client("ada-token")
        wide = owner.call("PostKeys", keys=[{"description": "wide", "scopes": ["All"]}]).keys[0]
        narrow = owner.call("PostKeys", keys=[{"description": "narrow", "scopes": ["Keys_Get"]}]).keys[0]
        client = victim.client(narrow.id)
        for name, fields in (
            ("ListKeys", {}),
            ("GetKey", {"key_id": wide.id}),
            ("PostKeys", {"keys": [{"description": "mine", "scopes": ["All"]}]}),
            ("PatchKeys", {"keys": [{"id": narrow.id, "scopes": ["All"]}], "action": "overwrite"}),
            ("DeleteKey", {"key_id": wide.id}),
            ("ListSecrets", {}),
            ("PostApps", {"apps": [{"id": "mine"}]}),
        ):
            answer = client.call(name, **fields)  # pyright: ignore[reportArgumentType]
            if wide.id in str(answer).replace(str(answer.status), "") or (
                name != "ListKeys" and answer.status.code == StatusCode.SUCCESS
            ):
                got.append(name)
        client.close()
        owner.close()
    return [count("more than it may", got)]


@attack("tenancy.planted-secrets")
def planted_secrets(scene: Scene) -> list[Measure]:
    """Tokens, values of secrets and variables, planted everywhere, then looked for in answers, logs, files, command
    lines and environments."""
    folder, told = scene.new_folder(), list[str]()
    up = Up(folder)
    try:
        test_no_secret_comes_out_of_anything(up, folder)
    except AssertionError as error:
        told.append(str(error)[:80])
    finally:
        if up.process.poll() is None:
            up.stop()
    return [count("found again", told)]


@attack("tenancy.other-local-user", short=True)
def other_local_user(scene: Scene) -> list[Measure] | NotTried:
    """Another user of this machine, over loopback, with a token that nobody gave it."""
    if os.geteuid() != 0 or not (shutil.which("setpriv") and shutil.which("curl")):
        return NotTried("It needs root, setpriv and curl, to become another user.")
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    asked = ["curl", "-s", "-m", "10", "-H", "authorization: Key any-token", f"{scene.emulator.url}/v2/users/me"]
    done = subprocess.run([*as_nobody, *asked], capture_output=True, text=True, check=False)
    own = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert '"code":10000' in own.stdout, own.stdout
    return [Measure("answered", '"code":10000' in done.stdout)]


@attack("tenancy.control-without-token", short=True)
def control_without_token(scene: Scene) -> list[Measure]:
    """Each verb of the controls (deploy, reset, run and so on), without the token of the run and with another."""
    answered, refused = list[str](), 0
    with grpc.insecure_channel(f"127.0.0.1:{scene.emulator.port}") as channel:
        for verb in VERBS:
            method = channel.stream_stream(f"/{SERVICE}/{verb}")
            for said in ([], [("authorization", "Key any-token")], [(TOKEN_HEADER, "0" * 48)]):
                try:
                    list(method(iter([b"{}"]), metadata=said, timeout=10))
                    answered.append(verb)
                except grpc.RpcError as error:
                    refused += error.code() is grpc.StatusCode.PERMISSION_DENIED  # pyright: ignore[reportAttributeAccessIssue]
    return [
        count("answered", answered),
        Measure("refused", refused, most=None),
        Measure("none was refused", not refused),
    ]
