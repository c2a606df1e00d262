"""The official `clarifai model serve --mode container` builds an image and runs the model in a container.

The container pulls its work from the emulator.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from docker.errors import NotFound

from clarifai_emulator.control.thread import EmulatorThread
from docker import DockerClient
from docker_containers import container_of
from docker_engine import TestEngine
from flow.driver import MODELS, text_of, wait_for
from flow.official_cli import Official, model_directory, request, served_by

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="the command calls `docker`")


@pytest.fixture
def image(emulator: EmulatorThread, docker: DockerClient) -> str:
    """Return an image with the SDK in it: a user names one like it where the platform's base images are not to be
    had."""
    emulator.deploy(MODELS / "hello")
    return container_of(docker, emulator, "deploy-hello").attrs["Config"]["Image"]


@pytest.mark.timeout(240)
def test_the_model_runs_in_a_container_that_pulls_its_work_and_goes_with_the_command(
    emulator: EmulatorThread, engine: TestEngine, docker: DockerClient, image: str, tmp_path: Path
) -> None:
    model = model_directory(tmp_path / "boxed")
    for name, old, new in (
        ("config.yaml", "id: hello", "id: boxed"),
        ("1/model.py", 'f"Hello, {prompt}', 'f"Hello from {__file__}, {prompt}'),
    ):
        text = (model / name).read_text()
        assert old in text
        (model / name).write_text(text.replace(old, new))
    (model / "Dockerfile").write_text(f"FROM {image}\n")
    for path in (tmp_path, model, *model.rglob("*")):
        path.chmod(0o755)  # the container's user is another
    cli = Official(emulator.url, tmp_path, pat=emulator.pat)
    address = {"DOCKER_HOST": engine.address} if engine.address else {}
    with cli.serving(model, "--mode", "container", **address):
        with served_by(emulator.url, seconds=90, model_id="boxed") as client:
            answer = text_of(client.call("PostModelOutputs", request("boxed")))
        assert answer == "Hello from /home/nonroot/main/1/model.py, you!"
        assert docker.containers.get("boxed").attrs["HostConfig"]["NetworkMode"] == "host"

    def is_gone() -> bool:
        try:
            docker.containers.get("boxed")
        except NotFound:
            return True
        return False

    wait_for(is_gone, seconds=20)
