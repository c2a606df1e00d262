"""Models use the platform with the CLARIFAI_PAT that they find in their environment, as on the platform: they ask
other models, and read about them, in their owner's name. It is their replica's own, or one that they are given.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import (
    MODELS,
    RUNNER,
    Client,
    inference_request,
    logged,
    running,
    text_of,
    write_model,
)

IN_PROCESS = RUNNER.get("backend") == "inprocess"
ASKS = """
import json, os, urllib.error, urllib.request
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

def hello(**given):
    base = os.environ["CLARIFAI_API_BASE"]
    return Model(url="https://clarifai.com/me/demo/models/hello", base_url=base, **given)

class Asks(ModelClass):
    @ModelClass.method
    def predict(self, pat: str) -> str:
        try:
            return hello(**({"pat": pat} if pat else {})).predict(prompt="inner")
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    @ModelClass.method
    def streams(self, prompt: str) -> str:
        asked = hello()
        generated = list(asked.generate(prompt=prompt))
        streamed = list(asked.stream(prompts=iter(["a", "b"])))
        return json.dumps([generated, streamed])

    @ModelClass.method
    def fetch(self, path: str, body: str, token: str) -> str:
        headers = {"Authorization": "Bearer " + (token or os.environ["CLARIFAI_PAT"])}
        headers["Content-Type"] = "application/json"
        url = os.environ["CLARIFAI_API_BASE"] + path
        request = urllib.request.Request(url, headers=headers, data=body.encode() or None)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.dumps([answer.status, json.load(answer)])
        except urllib.error.HTTPError as error:
            return json.dumps([error.code, json.load(error)])

    @ModelClass.method
    def variable(self, name: str) -> str:
        return os.environ.get(name, "not set")
"""


@contextmanager
def asking(tmp_path: Path, emulator: EmulatorThread, config: str = "", verb: str = "deploy") -> Generator[Any]:
    """Deploy hello and the model that asks; yield what asks a method of it."""
    directory = write_model(tmp_path, "asks", ASKS)
    written = directory / "config.yaml"
    written.write_text(written.read_text() + config)
    client = Client(emulator.url)
    try:
        emulator.deploy(MODELS / "hello")
        getattr(emulator, verb)(directory)

        def ask(method: str = "predict", **parts: str) -> str:
            answer = client.call("PostModelOutputs", inference_request("asks", method, **parts), timeout=60)
            assert answer.status.code == 10000, answer.status
            return text_of(answer)

        yield ask
    finally:
        client.close()


def test_a_model_asks_another_with_the_pat_of_its_replica(emulator: EmulatorThread, tmp_path: Path) -> None:
    with asking(tmp_path, emulator) as ask:
        assert ask(pat="") == "Hello, inner!"
        assert json.loads(ask("streams", prompt="you")) == [["Hello,", "you!"], ["Hello, a!", "Hello, b!"]]
        status, models = json.loads(ask("fetch", path="/v2/users/me/apps/demo/models", body="", token=""))
        assert (status, {each["id"] for each in models["models"]}) == (200, {"asks", "hello"})
        for path in ("/v2/users/me", "/v2/users/me/secrets", "/v2/users/me/keys", "/v2/users/me/organizations"):
            status, refused = json.loads(ask("fetch", path=path, body="", token=""))
            assert (status, refused["status"]["code"]) == (403, 11007), path
        body = json.dumps({"apps": [{"id": "made"}]})
        status, refused = json.loads(ask("fetch", path="/v2/users/me/apps", body=body, token=""))
        assert (status, refused["status"]["code"]) == (403, 11007)


def test_a_model_asks_with_a_token_that_its_code_names(emulator: EmulatorThread, tmp_path: Path) -> None:
    with asking(tmp_path, emulator) as ask:
        assert ask(pat="local-emulator-token") == "Hello, inner!"


def test_openai_and_mcp_are_below_its_base_url(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.deploy(MODELS / "openai")
    with asking(tmp_path, emulator) as ask:
        chat = {"model": "me/demo/models/openai", "messages": [{"role": "user", "content": "hi"}]}
        path = "/v2/ext/openai/v1/chat/completions"
        status, answer = json.loads(ask("fetch", path=path, body=json.dumps(chat), token=""))
        assert (status, answer["choices"][0]["message"]["content"]) == (200, "You said: hi")
        status, listed = json.loads(ask("fetch", path="/v2/ext/openai/v1/models", body="", token=""))
        assert (status, bool(listed["data"])) == (200, True)
        # What a model that is no MCP server answers, once it was found and asked.
        hello = "/v2/ext/mcp/v1/users/me/apps/demo/models/hello"
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert json.loads(ask("fetch", path=hello, body=body, token=""))[0] not in (401, 403, 404)


SECRET = "secrets: [{id: my-pat, env_var: CLARIFAI_PAT, type: env}]\n"


@pytest.mark.parametrize("verb", ["deploy", "dev"])
def test_a_secret_named_clarifai_pat_is_the_models_and_the_runner_keeps_its_own(
    emulator: EmulatorThread, client: Client, tmp_path: Path, verb: str
) -> None:
    secrets = [{"id": "my-pat", "value": "a-token-of-mine"}]
    client.call("PostSecrets", user_app_id={"user_id": "me"}, secrets=secrets)
    with asking(tmp_path, emulator, SECRET, verb) as ask:
        assert ask("variable", name="CLARIFAI_PAT") == "a-token-of-mine"
        assert ask(pat="") == "Hello, inner!"
        status, user = json.loads(ask("fetch", path="/v2/users/me", body="", token=""))
        assert (status, user["user"]["id"]) == (200, "me"), "it may do what its owner may"
    assert "a-token-of-mine" not in "\n".join(logged(emulator))


def test_a_secret_that_is_not_there_leaves_the_replicas_own(emulator: EmulatorThread, tmp_path: Path) -> None:
    with asking(tmp_path, emulator, SECRET) as ask:
        assert ask("variable", name="CLARIFAI_PAT").startswith("replica-")
        assert ask(pat="") == "Hello, inner!"
    assert any(
        "config.yaml wants secret 'my-pat' as CLARIFAI_PAT: user 'me' has no" in each for each in logged(emulator)
    )


def test_a_secret_that_would_take_the_place_of_another_variable_of_the_platform_is_told_by_name(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    client.call("PostSecrets", user_app_id={"user_id": "me"}, secrets=[{"id": "who", "value": "somebody"}])
    with asking(tmp_path, emulator, "secrets: [{id: who, env_var: CLARIFAI_USER_ID, type: env}]\n") as ask:
        assert ask("variable", name="CLARIFAI_USER_ID") == "me"
    assert (
        "[emulator] config.yaml wants secret 'who' as CLARIFAI_USER_ID, which is set for each replica: the "
        "secret is not used. Give it another name, and read that in the model"
    ) in logged(emulator)


@pytest.mark.parametrize("env", ["CLARIFAI_PAT=named-token", "CLARIFAI_PAT"])
def test_a_pat_that_the_settings_name_is_the_models(
    env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARIFAI_PAT", "named-token")
    with running(env=(env,)) as emulator, asking(tmp_path, emulator) as ask:
        assert ask("variable", name="CLARIFAI_PAT") == "named-token"
        assert ask(pat="") == "Hello, inner!"


def test_with_work_only_a_replica_fetches_its_work_and_nothing_else(tmp_path: Path) -> None:
    with running(replica_access="work-only") as emulator, asking(tmp_path, emulator) as ask:
        said = ask(pat="")
        assert "This credential belongs to a replica and is good for ProcessRunnerItems only" in said
        assert "start the emulator with --replica-access owner" in said
        assert ask(pat="local-emulator-token") == "Hello, inner!"


def test_the_pat_of_a_replica_that_has_ended_opens_nothing(emulator: EmulatorThread, tmp_path: Path) -> None:
    with asking(tmp_path, emulator) as ask:
        token = ask("variable", name="CLARIFAI_PAT")
    emulator.undeploy("deploy-asks")
    client = Client(emulator.url, pat=token)
    try:
        status = client.call("ListModels", user_app_id={"user_id": "me"}).status
    finally:
        client.close()
    assert status.code == 11007
    assert status.details.startswith("This credential belonged to a replica that has ended.")
