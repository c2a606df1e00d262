"""Images are built from the model directory, by content, with progress; a failure says which step and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.image import buildkit_command
from clarifai_emulator.config import DockerSettings, EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from docker import DockerClient
from docker_containers import log, look, write_looks
from docker_engine import SETTINGS
from flow.driver import Client


def deploy(emulator: EmulatorThread, directory: Path) -> list[str]:
    """Deploy; return what was said meanwhile."""
    lines: list[str] = []
    emulator.deploy(directory, progress=lines.append)
    return lines


def test_an_unchanged_model_needs_no_build_and_an_edit_of_its_code_one_step(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path, config=f"# not built before: {tmp_path}\n")
    first = deploy(emulator, directory)
    assert any(line.startswith("building image clarifai-emulator/looks:") for line in first)
    again = deploy(emulator, directory)
    assert [line for line in again if "image" in line] == [
        line.replace(" is ready", "").replace("image", "unchanged: image") for line in first if "is ready" in line
    ]

    model = directory / "1" / "model.py"
    model.write_text(model.read_text().replace("json.dumps(eval(expression))", "json.dumps('edited')"))
    edited = deploy(emulator, directory)
    steps = [line for line in edited if line.startswith("Step ")]
    done = [number for number, line in enumerate(edited) if line == "  (as before)"]
    assert len(done) >= len(steps) - 4, "all but FROM, the copy of the model's files and two labels are as before"
    assert look(client, "''") == "edited"


def test_of_a_models_older_images_only_the_names_made_here_are_removed(
    emulator: EmulatorThread, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path, "kept", f"# {tmp_path}\n")
    model = directory / "1" / "model.py"
    own = [line.split()[1] for line in deploy(emulator, directory) if line.endswith(" is ready")]
    docker.images.get(own[0]).tag("kept-of-mine")
    for edit in range(3):
        model.write_text(f"{model.read_text()}# {edit}\n")
        own += [line.split()[1] for line in deploy(emulator, directory) if line.endswith(" is ready")]
    there = {tag for image in docker.images.list() for tag in image.tags}
    assert len(own) == 4
    assert own[-1] in there
    assert own[0] not in there
    assert "kept-of-mine:latest" in there


def test_the_build_is_the_builder_log_of_the_version(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path, "logged", f"# {tmp_path}\n"))
    entries = client.call("ListLogEntries", log_type="builder", page=1, per_page=1000).log_entries
    messages = [entry.message for entry in entries if entry.meta.model_id == "logged"]
    assert any(message.startswith("Step 1/") for message in messages)
    assert messages[-1].startswith("image clarifai-emulator/logged:")


def test_a_base_image_of_another_python_than_config_yaml_asks_for_is_said(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    same = look_at_python(emulator, client, tmp_path / "same", "")
    said = look_at_python(emulator, client, tmp_path / "other", '\nbuild_info: {python_version: "3.8"}\n')
    (line,) = [each for each in said if each.startswith("config.yaml asks for Python 3.8, and the image has 3.")]
    assert "--docker-base-image with {python_version}" in line
    assert not any(each.startswith("config.yaml asks for Python") for each in same)
    assert ", whose Python is 3." in emulator.deploy(tmp_path / "other" / "looks").environment


def look_at_python(emulator: EmulatorThread, client: Client, folder: Path, config: str) -> list[str]:
    lines = deploy(emulator, write_looks(folder, config=config))
    assert look(client, "'answers'") == "answers"
    return lines


def test_a_failed_build_says_the_step_and_its_last_lines(emulator: EmulatorThread, tmp_path: Path) -> None:
    directory = write_looks(tmp_path, "unbuildable")
    (directory / "requirements.txt").write_text("clarifai\nno-such-package-here==9.9.9\n")
    with pytest.raises(ModelError) as caught:
        emulator.deploy(directory)
    assert "The image of unbuildable cannot be built: it failed at the step `RUN cd " in caught.value.summary
    assert "No matching distribution found for no-such-package-here==9.9.9" in str(caught.value)
    assert "Look at the name and version in requirements.txt" in caught.value.hint
    assert "No matching distribution found" in log(emulator, "builder")


def test_a_base_image_that_cannot_be_fetched_is_named_with_a_way_out(tmp_path: Path, engine: object) -> None:
    settings = DockerSettings(base_image="127.0.0.1:9/nothing:here")
    with EmulatorThread(EmulatorConfig(port=0, backend="docker", docker=settings)) as emulator:
        with pytest.raises(ModelError) as caught:
            emulator.deploy(write_looks(tmp_path))
        assert "it failed at the step `FROM 127.0.0.1:9/nothing:here`" in caught.value.summary
        assert "choose another with --docker-base-image" in caught.value.hint
        directory = write_looks(tmp_path / "own")
        (directory / "Dockerfile").write_text("FROM 127.0.0.1:9/nothing:here\n")
        with pytest.raises(ModelError) as caught:
            emulator.deploy(directory)
        assert "An image that the model's Dockerfile names (after FROM" in caught.value.hint


def own_dockerfile(docker: DockerClient, *more: str) -> str:
    """Return a Dockerfile as users write it, on an image that has the requirements already."""
    (shared,) = [image.tags[0] for image in docker.images.list() if image.tags and "/hello:" in image.tags[0]][:1]
    lines = [
        f"FROM {shared}",
        "USER root",
        "ARG GREETING=unset",
        "ENV GREETING=$GREETING",
        *more,
        "COPY . /home/nonroot/main",
        "USER 65532",
    ]
    return "\n".join(lines) + "\n"


def test_a_dockerfile_of_the_model_is_used_as_it_is_with_build_arguments(
    docker: DockerClient, tmp_path: Path, engine: object
) -> None:
    directory = write_looks(tmp_path)
    (directory / "Dockerfile").write_text(own_dockerfile(docker, "RUN echo from-own > /etc/own"))
    (directory / ".dockerignore").write_text("*.secret\n")
    (directory / "my.secret").write_text("not for the image")
    settings = replace(SETTINGS, build_args={"GREETING": "hello"})
    config = EmulatorConfig(port=0, backend="docker", docker=settings, stop_seconds=0.5)
    with EmulatorThread(config) as emulator:
        lines = deploy(emulator, directory)
        assert any(line.endswith("from the model's own Dockerfile") for line in lines)
        client = Client(emulator.url)
        assert look(client, "Path('/etc/own').read_text()") == "from-own\n"
        assert look(client, "[os.environ['GREETING'], os.getuid(), os.path.exists('my.secret')]") == [
            "hello",
            65532,
            False,
        ]
        client.close()
        (directory / "Dockerfile").write_text(own_dockerfile(docker, "RUN echo changed > /etc/own"))
        assert not any("unchanged: version" in line for line in deploy(emulator, directory))


def history(docker: DockerClient, lines: list[str]) -> str:
    """Return all that an engine tells about the image that was built: its history, and how it is run."""
    (tag,) = [line.split()[1] for line in lines if line.endswith(" is ready")]
    return str(docker.api.history(tag)) + str(docker.api.inspect_image(tag))


def test_a_credential_among_the_build_arguments_is_not_in_the_image_or_its_history(
    docker: DockerClient, tmp_path: Path, engine: object
) -> None:
    settings = replace(SETTINGS, build_args={"NPM_TOKEN": "planted-token", "GREETING": "hello"})
    config = EmulatorConfig(port=0, backend="docker", docker=settings, stop_seconds=0.5)
    with EmulatorThread(config) as emulator:
        lines = deploy(emulator, write_looks(tmp_path, "generated", f"# {tmp_path}\n"))
        assert "COPY --from=packages /venv /venv" in "\n".join(lines)
        assert "planted-token" not in history(docker, lines) + "\n".join(lines)

        own = write_looks(tmp_path, "own", f"# {tmp_path}\n")
        text = own_dockerfile(docker)
        (own / "Dockerfile").write_text(text.replace("USER root", "USER root\nARG NPM_TOKEN"))
        with pytest.raises(ModelError, match="The history of the image would have the value of NPM_TOKEN"):
            emulator.deploy(own)
        base = text.splitlines()[0]
        made = "RUN test ${#NPM_TOKEN} = 13 && echo ok > /made"
        stage = f"{base} AS packages\nUSER root\nARG NPM_TOKEN\n{made}\n"
        (own / "Dockerfile").write_text(
            stage + text.replace("USER root", "USER root\nCOPY --from=packages /made /made")
        )
        lines = deploy(emulator, own)
        assert "planted-token" not in history(docker, lines) + "\n".join(lines)


def test_buildkit_builds_what_needs_it_and_fails_with_step_and_lines(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    if buildkit_command() is None:
        pytest.fail("no Docker CLI with BuildKit: docker.io brings one")
    directory = write_looks(tmp_path)
    mounted = "RUN --mount=type=cache,target=/root/.cache echo built-by-buildkit > /etc/own"
    platforms_file = "COPY downloader/unused.yaml /etc/unused.yaml"  # as the SDK's Dockerfile has it
    (directory / "Dockerfile").write_text(own_dockerfile(docker, mounted, platforms_file))
    emulator.deploy(directory)
    assert look(client, "Path('/etc/own').read_text()") == "built-by-buildkit\n"

    (directory / "Dockerfile").write_text(own_dockerfile(docker, mounted, "RUN echo about-to-fail && exit 7"))
    with pytest.raises(ModelError) as caught:
        emulator.deploy(directory)
    assert "RUN echo about-to-fail && exit 7" in caught.value.summary
    assert "about-to-fail" in caught.value.log


def test_an_image_that_was_removed_is_built_again_for_the_next_replica(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path, "removed"), min_replicas=0)
    for image in docker.images.list(filters={"label": ["io.clarifai-emulator.model=removed"]}):
        docker.images.remove(image.tags[0], force=True)
    assert look(client, "40 + 2", "removed") == 42
    assert "was removed: building it again" in log(emulator)


def test_the_certificates_that_were_given_are_trusted_in_the_container(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    assert SETTINGS.ca_file is not None
    emulator.deploy(write_looks(tmp_path))
    trusted = look(client, "Path(os.environ['SSL_CERT_FILE']).read_text()")
    assert SETTINGS.ca_file.read_text().strip() in trusted
