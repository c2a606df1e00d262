"""A deployment goes on serving until what replaces it does: a new version, another nodepool, by whichever way."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.deploy.deploy_request import DeployRequest
from clarifai_emulator.errors import CallerError, EmulatorError
from flow.driver import (
    MODELS,
    Client,
    inference_request,
    live_replicas,
    logged,
    running,
    sdk_model,
    text_of,
    wait_for,
)

FAILS = "    def load_model(self):\n        weights = {}\n        weights['missing'].load()\n\n"
SLOW = "    def load_model(self):\n        import time\n        time.sleep(1.5)\n\n"


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    directory = tmp_path / "hello"
    shutil.copytree(MODELS / "hello", directory)
    return directory


def edit(directory: Path, *changes: tuple[str, str], file: str = "1/model.py") -> None:
    """Replace these texts of a file, each of which must be there."""
    text = (directory / file).read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (directory / file).write_text(text)


def goodbye(directory: Path, load: str = "") -> None:
    edit(directory, ("Hello, {prompt}", "Goodbye, {prompt}"), ("(ModelClass):\n", f"(ModelClass):\n{load}"))


class Asker:
    """Asks all the while, one request after the other; keeps each answer, and each that failed."""

    def __init__(self, url: str, **request: Any) -> None:
        self.answers: list[str] = []
        self.failures: list[Any] = []
        self._client = Client(url)
        self._request = request
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        while not self._over.is_set():
            response = self._client.call(
                "PostModelOutputs", inference_request("hello", prompt="x", **self._request)
            )
            if response.status.code == StatusCode.SUCCESS:
                self.answers.append(text_of(response))
            else:
                self.failures.append(response.status)
            time.sleep(0.002)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(30)
        self._client.close()

    def more(self, count: int = 5) -> None:
        """Wait until so many more requests have been answered; fail where one was not."""
        wanted = len(self.answers) + count
        wait_for(lambda: len(self.answers) >= wanted or self.failures, seconds=60)
        assert self.failures == []


@contextmanager
def asking(emulator: EmulatorThread, **request: Any) -> Iterator[Asker]:
    """Run a client that calls all the while; fail where one of its calls does."""
    asker = Asker(emulator.url, **request)
    asker.start()
    try:
        asker.more()
        yield asker
        asker.more()
    finally:
        asker.stop()


def refused(act: Callable[[], object]) -> EmulatorError:
    with pytest.raises(EmulatorError) as raised:
        act()
    return raised.value


def versions(client: Client) -> list[str]:
    listed = client.call("ListModelVersions", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="hello")
    return [each.id for each in listed.model_versions]


def nodepool(client: Client, nodepool_id: str, instance_type: str = "t3a.2xlarge", **fields: Any) -> None:
    response = client.call(
        "PostNodepools",
        compute_cluster_id="local",
        nodepools=[
            {
                "id": nodepool_id,
                "instance_types": [{"id": instance_type}],
                "node_capacity_type": {"capacity_types": [1]},
                "max_instances": 1,
                **fields,
            }
        ],
    )
    assert response.status.code == StatusCode.SUCCESS, response.status


# The door `deploy`: the command line, EmulatorThread, the plugin.


def test_no_request_fails_while_a_new_version_loads_and_takes_over(emulator: EmulatorThread, hello: Path) -> None:
    emulator.deploy(hello)
    goodbye(hello, SLOW)
    with asking(emulator) as asker:
        emulator.deploy(hello)
        asker.more()
    turned = asker.answers.index("Goodbye, x!")
    assert set(asker.answers[:turned]) == {"Hello, x!"}
    assert set(asker.answers[turned:]) == {"Goodbye, x!"}
    wait_for(lambda: len(live_replicas(emulator, "deploy-hello")) == 1)


@pytest.mark.parametrize("least", [0, 1])
def test_a_version_that_cannot_load_fails_its_deploy_with_the_line_and_what_served_goes_on(
    emulator: EmulatorThread, client: Client, hello: Path, least: int
) -> None:
    first = emulator.deploy(hello, min_replicas=least)
    assert sdk_model("hello").predict(prompt="x") == "Hello, x!"
    goodbye(hello, FAILS)
    with asking(emulator) as asker:
        error = refused(lambda: emulator.deploy(hello, min_replicas=least))
    assert "KeyError: 'missing'" in str(error)
    assert "weights['missing'].load()" in str(error), "the line of the user's code"
    assert f"Deployment 'deploy-hello' goes on with version {first.version_id[:8]}, which serves as before." in str(
        error
    )
    assert set(asker.answers) == {"Hello, x!"}
    assert versions(client) == [first.version_id], "what never served is not the newest version"
    deployed = client.call("GetDeployment", deployment_id="deploy-hello").deployment
    assert deployed.desired_worker.model.model_version.id == first.version_id
    # Mended, it takes over.
    edit(hello, (FAILS, ""))
    emulator.deploy(hello, min_replicas=least)
    assert sdk_model("hello").predict(prompt="x") == "Goodbye, x!"


def test_a_version_that_no_longer_fits_is_refused_and_what_served_goes_on(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    nodepool(client, "small", "t3a.medium")
    first = emulator.deploy(hello, nodepool_id="small")
    goodbye(hello)
    edit(hello, ('cpu_memory: "256Mi"', 'cpu_memory: "900Gi"'), file="config.yaml")
    with asking(emulator) as asker:
        error = refused(lambda: emulator.deploy(hello, nodepool_id="small"))
    assert "900Gi" in str(error)
    assert f"goes on with version {first.version_id[:8]}" in str(error)
    assert set(asker.answers) == {"Hello, x!"}


def test_another_nodepool_serves_before_the_first_one_ends(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    nodepool(client, "other")
    first = emulator.deploy(hello)
    with asking(emulator):
        moved = emulator.deploy(hello, nodepool_id="other")
        assert (moved.version_id, moved.is_new_version) == (first.version_id, False)
    places = wait_for(
        lambda: {each["nodepool"] for each in live_replicas(emulator, "deploy-hello")} - {"me/local/cpu"}
    )
    assert places == {"me/local/other"}


def test_a_nodepool_that_cannot_run_it_is_refused_and_the_one_that_can_goes_on(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    edit(hello, ('cpu_memory: "256Mi"', 'cpu_memory: "900Mi"'), file="config.yaml")
    nodepool(
        client,
        "tiny",
        "own-tiny",
        instance_types=[{"id": "own-tiny", "compute_info": {"cpu_limit": "100m", "cpu_memory": "10Mi"}}],
    )
    emulator.deploy(hello)
    with asking(emulator):
        error = refused(lambda: emulator.deploy(hello, nodepool_id="tiny"))
    assert "own-tiny" in str(error)
    deployed = client.call("GetDeployment", deployment_id="deploy-hello").deployment
    assert [each.id for each in deployed.nodepools] == ["cpu"]
    assert emulator.status()["deployments"][0]["versions"][0]["state"] == "ready"


def test_a_nodepool_with_room_for_one_has_both_while_one_takes_over_from_the_other(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    edit(hello, ('cpu_memory: "256Mi"', 'cpu_memory: "2Gi"'), file="config.yaml")
    nodepool(client, "one", "t3a.medium")
    emulator.deploy(hello, nodepool_id="one")
    goodbye(hello)
    with asking(emulator):
        emulator.deploy(hello, nodepool_id="one")
    assert sdk_model("hello").predict(prompt="x") == "Goodbye, x!"
    wait_for(lambda: len(live_replicas(emulator, "deploy-hello")) == 1)
    # The old one's room was given back once: another model that asks for as much has none, and waits.
    full = emulator.deploy(hello, nodepool_id="one", deployment_id="second", wait=False)
    assert full.deployment_id == "second"
    wait_for(lambda: emulator.events("deployment.pending"))


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("1/model.py", "def broken(:\n", "model.py cannot be used"),
        ("requirements.txt", "clarifai\nno-such-package-of-anyone==1.0\n", "cannot be built"),
    ],
    ids=["code", "environment"],
)
def test_what_cannot_even_be_built_leaves_what_serves(
    emulator: EmulatorThread, hello: Path, file: str, text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    first = emulator.deploy(hello)
    (hello / file).write_text(text)
    with asking(emulator) as asker:
        error = refused(lambda: emulator.deploy(hello))
    assert says in str(error)
    assert f"goes on with version {first.version_id[:8]}" in str(error)
    assert set(asker.answers) == {"Hello, x!"}


@pytest.mark.slow
def test_a_start_that_takes_too_long_is_given_up_and_what_served_goes_on(hello: Path) -> None:
    with running(request_seconds=8.0) as emulator:
        emulator.deploy(hello, wait_seconds=60)
        goodbye(hello, SLOW.replace("1.5", "300"))
        with asking(emulator) as asker:
            error = refused(lambda: emulator.deploy(hello))
        assert "No replica of 'deploy-hello' was ready within 8 s." in str(error)
        assert "goes on with version" in str(error)
        assert set(asker.answers) == {"Hello, x!"}
        wait_for(lambda: len(emulator.status()["deployments"][0]["versions"]) == 1)


def test_a_deploy_that_is_broken_off_leaves_what_served(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    first = emulator.deploy(hello)
    goodbye(hello, SLOW.replace("1.5", "300"))
    began = threading.Event()

    def begin(line: str) -> None:
        if line.startswith("deployment "):
            began.set()

    async def deploy(emulator: Any) -> None:
        task = asyncio.ensure_future(emulator.deployer.deploy(DeployRequest(path=hello), begin))
        while not began.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])

    with asking(emulator) as asker:
        emulator.wait(deploy)
    assert set(asker.answers) == {"Hello, x!"}
    assert versions(client) == [first.version_id]


def test_of_three_versions_in_a_row_the_last_takes_over_from_the_first(
    emulator: EmulatorThread, hello: Path
) -> None:
    emulator.deploy(hello)
    slow = SLOW.replace("time.sleep(1.5)", "print('begins')\n        time.sleep(300)")
    goodbye(hello, slow)
    errors: list[EmulatorError] = []
    overtaken = threading.Thread(target=lambda: errors.append(refused(lambda: emulator.deploy(hello))), daemon=True)
    with asking(emulator) as asker:
        overtaken.start()
        # Its replica has read the code: an edit before that would be its code.
        wait_for(lambda: "begins" in logged(emulator))
        edit(hello, (slow, ""), ("Goodbye", "Welcome"))
        emulator.deploy(hello)
        overtaken.join(30)
    assert set(asker.answers) == {"Hello, x!", "Welcome, x!"}
    assert "was given another one" in str(errors[0])


# A first deploy: nothing served before.


def test_a_first_deploy_that_cannot_load_says_what_is_left(emulator: EmulatorThread, hello: Path) -> None:
    goodbye(hello, FAILS)
    error = refused(lambda: emulator.deploy(hello))
    assert isinstance(error, CallerError)
    assert "weights['missing'].load()" in str(error)
    left = (
        "Deployment 'deploy-hello' is left in place and serves nothing; `clarifai-emulator undeploy deploy-hello`"
    )
    assert left in str(error)


@pytest.mark.parametrize("how", [{"min_replicas": 0}, {"wait": False}], ids=["on demand", "no wait"])
def test_a_first_deploy_that_fits_nowhere_fails_also_where_nothing_was_to_be_started(
    emulator: EmulatorThread, client: Client, hello: Path, how: dict[str, Any]
) -> None:
    nodepool(client, "small", "t3a.medium")
    edit(hello, ('cpu_memory: "256Mi"', 'cpu_memory: "900Gi"'), file="config.yaml")
    error = refused(lambda: emulator.deploy(hello, nodepool_id="small", **how))
    assert "No replica can be placed for hello" in str(error)
    assert client.call("ListDeployments").deployments == [], "and nothing is left"


def test_a_second_deployment_that_cannot_load_takes_nothing_from_the_first(
    emulator: EmulatorThread, hello: Path
) -> None:
    emulator.deploy(hello)
    goodbye(hello, FAILS)
    with asking(emulator) as asker:
        refused(lambda: emulator.deploy(hello, deployment_id="second"))
    assert set(asker.answers) == {"Hello, x!"}


# The API's own doors: a version of its own, then PatchDeployments.


def test_a_patch_to_a_version_that_cannot_load_leaves_what_serves(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    first = emulator.deploy(hello)
    goodbye(hello, FAILS)
    published = _publish(emulator, hello)
    with asking(emulator, deployment="deploy-hello") as asker:
        _patch_version(client, published)
        wait_for(lambda: emulator.events("deployment.failed"), seconds=60)
        shown = client.call("GetDeployment", deployment_id="deploy-hello").deployment
        assert shown.worker.model.model_version.id == first.version_id, "what serves"
        assert shown.desired_worker.model.model_version.id == published, "what was asked for"
    assert set(asker.answers) == {"Hello, x!"}
    # Who names no version means the newest one, which the deployment is on its way to: what serves answers.
    with asking(emulator) as unnamed:
        pass
    assert set(unnamed.answers) == {"Hello, x!"}
    request = inference_request("hello", prompt="x")
    request.version_id = published
    response = client.call("PostModelOutputs", request)
    assert response.status.code == StatusCode.MODEL_DEPLOYMENT_FAILED, "who names the version is told why"
    assert "KeyError: 'missing'" in response.status.details


def test_a_patch_to_another_version_rolls_out_without_a_request_that_fails(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    emulator.deploy(hello)
    goodbye(hello, SLOW)
    with asking(emulator, deployment="deploy-hello") as asker:
        _patch_version(client, _publish(emulator, hello))
        wait_for(lambda: "Goodbye, x!" in asker.answers, seconds=60)
    turned = asker.answers.index("Goodbye, x!")
    assert set(asker.answers[turned:]) == {"Goodbye, x!"}


def test_a_deployment_that_follows_the_newest_version_serves_the_old_one_until_then(
    emulator: EmulatorThread, client: Client, hello: Path
) -> None:
    emulator.deploy(hello)
    client.call(
        "PatchDeployments", deployments=[{"id": "deploy-hello", "deploy_latest_version": True}], action="overwrite"
    )
    goodbye(hello, SLOW)
    with asking(emulator) as asker:
        _publish(emulator, hello)
        wait_for(lambda: "Goodbye, x!" in asker.answers, seconds=60)


def _publish(emulator: EmulatorThread, directory: Path) -> str:
    """Publish the directory as a new version that no deployment is told of; return the version's id."""
    return emulator.wait(lambda each: each.deployer.publisher.publish(directory, "", lambda line: None)).version_id


def _patch_version(client: Client, version_id: str) -> None:
    model = {"id": "hello", "app_id": "demo", "user_id": "me", "model_version": {"id": version_id}}
    patch = {"id": "deploy-hello", "desired_worker": {"model": model}}
    response = client.call("PatchDeployments", deployments=[patch], action="overwrite")
    assert response.status.code == StatusCode.SUCCESS, response.status


# Accelerators are never counted twice.


@pytest.mark.of_processes("its accelerators are simulated beside real ones that nobody has")
def test_simulated_accelerators_are_those_of_both_while_one_takes_over(hello: Path) -> None:
    edit(
        hello,
        ('cpu_memory: "256Mi"', 'cpu_memory: "256Mi"\n  accelerator_type: [NVIDIA-*]'),
        ("num_accelerators: 0", "num_accelerators: 1"),
        file="config.yaml",
    )
    with running(accelerators="simulated:1xNVIDIA-A10G") as emulator:
        emulator.deploy(hello, nodepool_id="gpu")
        goodbye(hello)
        with asking(emulator):
            emulator.deploy(hello, nodepool_id="gpu")
        wait_for(lambda: len(live_replicas(emulator, "deploy-hello")) == 1)
