"""The dev loop works in containers: swaps and forks happen inside one, over mounted sources, and build no image.

The tests in tests/flow/test_reload.py check that edits behave there as everywhere, with
CLARIFAI_TEST_RUNNER=docker.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.backends.docker.labels import CONTENT, INSTANCE
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from clarifai_emulator.reload.plan import ReloadKind
from docker import DockerClient
from docker_containers import container_of, containers, look, write_looks
from docker_engine import SETTINGS
from flow.driver import MODELS, Client, inference_request, live_replicas, text_of, wait_for

DOCKERFILE = """
FROM {built}
ENV KIND=first
COPY . /model
WORKDIR /model
ENTRYPOINT ["python", "-m", "clarifai.runners.server"]
CMD ["--model_path", "/model"]
"""


def edit(directory: Path, old: str, new: str, file: str = "1/model.py") -> None:
    text = (directory / file).read_text()
    assert old in text
    (directory / file).write_text(text.replace(old, new))


def images(docker: DockerClient) -> set[str]:
    return {str(each.id) for each in docker.images.list(filters={"label": CONTENT})}


def only_container(docker: DockerClient) -> Any:
    """Return the only container, once what was replaced is gone."""
    return wait_for(lambda: found[0] if len(found := containers(docker)) == 1 else None)


def test_a_swap_and_a_fork_happen_in_the_container_and_build_no_image(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    emulator.dev(directory)
    container, built = only_container(docker).id, images(docker)
    assert look(client, "__file__") == "/home/nonroot/main/1/model.py"
    for new, kind in (
        ("json.dumps([eval(expression)])", ReloadKind.SWAP),
        ("json.dumps(eval('2'))\n\nTOP = 1", ReloadKind.FORK),
    ):
        edit(directory, (directory / "1/model.py").read_text().split("return ")[1].rstrip(), new)
        outcome = emulator.reload(directory)
        assert (outcome.state, outcome.plan.kind) == ("ready", kind)
        assert look(client, "1") == ([1] if kind is ReloadKind.SWAP else 2)
    assert only_container(docker).id == container
    assert images(docker) == built


def test_it_runs_as_the_platforms_user_with_its_variables_and_may_read_the_sources_only(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    emulator.dev(directory)
    assert look(client, "[os.getuid(), os.getcwd(), os.environ['CLARIFAI_NODEPOOL_ID'], os.environ['HOME']]") == [
        65532,
        "/home/nonroot/main",
        "cpu",
        "/tmp",
    ]
    (replica,) = live_replicas(emulator, "deploy-looks")
    assert look(client, "os.environ['CLARIFAI_RUNNER_REPLICA_ID']") == replica["replica_id"]
    assert look(client, "os.access('1/model.py', os.W_OK) or os.access('.', os.W_OK)") is False
    status = Path(f"/proc/{replica['pid']}/status").read_text()
    assert f"\t{look(client, 'os.getpid()')}\n" in status.partition("NSpid:")[2], "its number on this machine"
    mounts = {each["Destination"]: each["RW"] for each in only_container(docker).attrs["Mounts"]}
    assert mounts == {"/home/nonroot/main": False, "/run/clarifai-emulator": False}


def test_a_broken_edit_names_the_file_as_its_author_has_it(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    emulator.dev(directory)
    container = only_container(docker).id
    for broken in (
        "class Looks(ModelClass):\n    TOP = nope",
        "class Looks(ModelClass):\n    def load_model(self):\n        nope",
    ):
        before = (directory / "1/model.py").read_text()
        edit(directory, "class Looks(ModelClass):", broken)
        outcome = emulator.reload(directory)
        assert outcome.failure is not None
        assert outcome.failure.message.endswith("NameError: name 'nope' is not defined")
        assert f'File "{directory}/1/model.py"' in outcome.failure.trace
        assert outcome.failure.frame.partition("> ")[2].partition("\n")[0].endswith("nope")
        assert look(client, "1") == 1
        (directory / "1/model.py").write_text(before)
        emulator.reload(directory)
    assert only_container(docker).id == container


def test_other_methods_are_read_in_the_container_that_runs(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    first = emulator.dev(directory).version_id
    container, built = only_container(docker).id, images(docker)
    edit(directory, "expression: str)", "expression: str, more: str = '')")
    outcome = emulator.reload(directory)
    assert (outcome.state, outcome.version_id != first) == ("ready", True)
    assert [len(each.input_fields) for each in outcome.new] == [2]
    assert only_container(docker).id == container
    assert images(docker) == built


def test_another_dockerfile_is_another_image_and_container(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    emulator.deploy(directory)
    built = container_of(docker, emulator).attrs["Config"]["Image"]
    client.call("DeleteDeployments", user_app_id={"user_id": "me"}, ids=["deploy-looks"])
    wait_for(lambda: not containers(docker))
    docker.images.get(built).tag("looks-of-mine")  # a name that is not the emulator's to remove
    (directory / "Dockerfile").write_text(DOCKERFILE.format(built="looks-of-mine"))
    emulator.dev(directory)
    container = only_container(docker).id
    assert look(client, "[__file__, os.environ['KIND']]") == ["/model/1/model.py", "first"]
    edit(directory, "json.dumps(eval(expression))", "json.dumps([eval(expression)])")
    assert emulator.reload(directory).plan.kind is ReloadKind.SWAP
    assert look(client, "1") == [1]
    edit(directory, "KIND=first", "KIND=second", "Dockerfile")
    outcome = emulator.reload(directory)
    assert (outcome.state, outcome.plan.kind) == ("ready", ReloadKind.IMAGE), outcome.failure
    assert look(client, "os.environ['KIND']") == ["second"]
    assert only_container(docker).id != container


def test_where_containers_cannot_see_the_sources_each_save_is_an_image_and_it_is_said(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    (directory / "1" / "model.py").chmod(0o600)
    told: list[str] = []
    emulator.dev(directory, progress=told.append)
    why = f"the user of its containers may not read {directory}/1/model.py (chmod -R o+rX {directory})"
    assert f"each save will be a new image: {why}" in told
    (directory / "1" / "model.py").chmod(0o644)
    edit(directory, "json.dumps(eval(expression))", "json.dumps([eval(expression)])")
    outcome = emulator.reload(directory)
    assert outcome.state == "ready"
    assert look(client, "1") == [1]


def test_a_model_that_cannot_be_imported_leaves_no_container(
    emulator: EmulatorThread, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    edit(directory, "import json", "import nowhere_to_be_found")
    with pytest.raises(ModelError, match="No module named 'nowhere_to_be_found'"):
        emulator.dev(directory)
    wait_for(lambda: not docker.containers.list(all=True, filters={"label": INSTANCE}, ignore_removed=True))


def test_a_deployment_that_is_deleted_takes_its_container_along(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.dev(write_looks(tmp_path))
    only_container(docker)
    client.call("DeleteDeployments", user_app_id={"user_id": "me"}, ids=["deploy-looks"])
    wait_for(lambda: not containers(docker))


def test_a_replica_that_takes_too_much_memory_is_told_so_and_comes_back_with_the_code_it_had(
    tmp_path: Path, engine: object
) -> None:
    settings = EmulatorConfig(port=0, backend="docker", docker=replace(SETTINGS, limits=True), stop_seconds=0.5)
    with EmulatorThread(settings) as emulator:
        directory = write_looks(tmp_path)
        emulator.dev(directory)
        caller = Client(emulator.url)
        caller.call("PostModelOutputs", inference_request("looks", expression="len(bytearray(1_200_000_000))"))
        (crashed,) = wait_for(lambda: emulator.events("replica.crashed"))
        assert "its container used more memory than its limit of 512Mi and was killed" in str(crashed.fields)
        wait_for(lambda: live_replicas(emulator, "deploy-looks"), seconds=30)
        assert look(caller, "1 + 1") == 2
        caller.close()


def test_the_hello_model_is_the_same_in_the_loop(emulator: EmulatorThread, client: Client) -> None:
    emulator.dev(MODELS / "hello")
    assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="you"))) == "Hello, you!"
