"""A replica's credential under attack: other users, other ways in, resets, many calls at once, and its end."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.store import Kind
from flow.driver import MODELS, Client, inference_request, live_replicas, running, text_of, wait_for, write_model
from flow.test_access_control import as_, publish

PATS = """
users: [{id: ada}, {id: eve}]
organisations: [{id: acme, members: [ada]}]
tokens: [{token: ada-token, user: ada}, {token: eve-token, user: eve}, {token: acme-token, organisation: acme}]
"""
ASKER = """
import os
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

class Asker(ModelClass):
    @ModelClass.method
    def predict(self, url: str) -> str:
        if not url:
            return os.environ["CLARIFAI_PAT"]
        try:
            return Model(url=url, base_url=os.environ["CLARIFAI_API_BASE"]).predict(prompt="inner")
        except Exception as error:
            return f"{type(error).__name__}: {error}"
"""
HELLO_OF_ADA = "https://clarifai.com/ada/demo/models/hello"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    """Yield ada's emulator, with hello and a model that asks, which is public."""
    folder = tmp_path_factory.mktemp("attacked")
    pats = folder / "pats.yaml"
    pats.write_text(PATS)
    pats.chmod(0o600)
    with running(user_id="ada", pats_file=pats, num_threads=16, hold_seconds=30) as emulator:
        emulator.deploy(MODELS / "hello", model="ada/demo/models/hello")
        emulator.deploy(write_model(folder, "asker", ASKER), model="ada/demo/models/asker")
        publish(emulator, Kind.APP, ("ada", "demo"))
        publish(emulator, Kind.MODEL, ("ada", "demo", "asker"))
        publish(emulator, Kind.DEPLOYMENT, ("ada", "deploy-asker"))
        yield emulator


def ask(emulator: EmulatorThread, url: str = "", token: str = "ada-token") -> str:
    client = Client(emulator.url, pat=token)
    try:
        request = inference_request("asker", user="ada", url=url)
        request.runner_selector.deployment.id = "deploy-asker"
        request.runner_selector.deployment.user_id = "ada"
        answer: Any = client.call("PostModelOutputs", request, timeout=60)
    finally:
        client.close()
    assert answer.status.code == 10000, answer.status
    return text_of(answer)


def fetched(emulator: EmulatorThread, path: str, headers: dict[str, str], body: bytes | None = None) -> int:
    request = urllib.request.Request(emulator.url + path, headers=headers, data=body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_acts_for_its_owner_whoever_asks_its_model(shared: EmulatorThread) -> None:
    """Say so: it is the key of the cluster, as on the platform. A model that others may ask is their way in."""
    assert ask(shared, HELLO_OF_ADA, token="eve-token") == "Hello, inner!"
    client = Client(shared.url, pat="eve-token")
    status = client.call("PostModelOutputs", inference_request("hello", user="ada", prompt="x")).status
    client.close()
    assert status.code != 10000, "which eve herself may not ask"


def test_it_sees_nothing_of_other_users_that_its_owner_does_not(shared: EmulatorThread) -> None:
    for user, token in (("eve", "eve-token"), ("acme", "acme-token")):
        app = {"user_id": user, "app_id": "hers"}
        as_(shared, token, "PostApps", user_app_id={"user_id": user}, apps=[{"id": "hers"}])
        as_(shared, token, "PostModels", user_app_id=app, models=[{"id": "private"}])
    pat = ask(shared)
    assert as_(shared, pat, "ListModels", user_app_id={"user_id": "eve", "app_id": "hers"}).status.code != 10000
    found = as_(shared, pat, "ListModels", user_app_id={"user_id": "acme", "app_id": "hers"})
    owners = as_(shared, "ada-token", "ListModels", user_app_id={"user_id": "acme", "app_id": "hers"})
    assert [each.id for each in found.models] == [each.id for each in owners.models]
    assert "Model does not exist" in ask(shared, "https://clarifai.com/eve/hers/models/private")


def test_every_way_in_has_the_same_bounds(shared: EmulatorThread) -> None:
    pat = ask(shared)
    for headers in (
        {"Authorization": f"Key {pat}"},
        {"Authorization": f"Bearer {pat}"},
        {"X-Clarifai-Session-Token": pat},
    ):
        assert fetched(shared, "/v2/users/ada/apps/demo/models", headers) == 200
        for path in ("/v2/users/ada/secrets", "/v2/users/ada/keys", "/v2/users/me", "/v2/users/ada/organizations"):
            assert fetched(shared, path, headers) == 403, (path, headers)
        body = json.dumps({"apps": [{"id": "made"}]}).encode()
        assert fetched(shared, "/v2/users/ada/apps", {**headers, "Content-Type": "application/json"}, body) == 403
    for rpc in ("/clarifai.api.V2/ListSecrets", "/clarifai.api.V2/DeleteApp"):
        web = {"Authorization": f"Key {pat}", "Content-Type": "application/grpc-web+proto"}
        request = urllib.request.Request(shared.url + rpc, headers=web, data=b"\0\0\0\0\0")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert b"API key has insufficient scopes" in answer.read()
    for token in (pat.upper(), pat[:-1], pat + "0", f"{pat}:"):
        assert fetched(shared, "/v2/users/ada/apps/demo/models", {"Authorization": f"Key {token}"}) in (401, 403)


def test_keys_and_runners_cannot_be_made_of_it(shared: EmulatorThread) -> None:
    pat = ask(shared)
    me = {"user_id": "ada"}
    fields: dict[str, dict[str, Any]] = {
        "PostKeys": {"keys": [{"type": "personal_access_token"}]},
        "PostRunners": {"runners": [{"id": "mine"}]},
        "PatchDeployments": {"deployments": [{"id": "deploy-hello"}], "action": "overwrite"},
        "PostComputeClusters": {"compute_clusters": [{"id": "mine"}]},
    }
    for rpc, given in fields.items():
        assert as_(shared, pat, rpc, user_app_id=me, **given).status.code == 11007, rpc


def test_many_replicas_calls_at_once_are_answered(shared: EmulatorThread) -> None:
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(partial(ask, shared), [HELLO_OF_ADA] * 200))
    assert set(answers) == {"Hello, inner!"}


def replica_of(emulator: Any, pat: str) -> str:
    return emulator.dispatcher.credential(pat).replica_id


@pytest.mark.of_processes("it ends a process")
def test_its_end_is_the_end_of_its_credential_and_the_next_one_has_another(shared: EmulatorThread) -> None:
    pat = ask(shared)
    own: str = shared.run(lambda emulator: replica_of(emulator, pat))
    if shared.config.backend == "inprocess":
        pytest.skip("its process is that of this test")
    pids = [each["pid"] for each in live_replicas(shared, "deploy-asker") if each["replica_id"] == own]
    os.kill(pids[0], signal.SIGKILL)
    wait_for(lambda: as_(shared, pat, "ListApps", user_app_id={"user_id": "ada"}).status.code == 11007)
    following = ask(shared)
    assert following.startswith("replica-")
    assert following != pat
    assert ask(shared, HELLO_OF_ADA) == "Hello, inner!"


def test_a_replica_that_outlives_a_reset_goes_on_with_its_own(tmp_path: Path) -> None:
    with running(hold_seconds=30) as emulator:
        directory = write_model(tmp_path, "asker", ASKER)

        def asked(url: str) -> str:
            client = Client(emulator.url)
            answer: Any = client.call("PostModelOutputs", inference_request("asker", url=url), timeout=60)
            client.close()
            return text_of(answer)

        emulator.deploy(directory)
        pat = asked("")
        emulator.reset(keep_warm=True)
        emulator.deploy(MODELS / "hello")
        emulator.deploy(directory)
        assert asked("") == pat, "it is the same replica"
        assert asked("https://clarifai.com/me/demo/models/hello") == "Hello, inner!"
