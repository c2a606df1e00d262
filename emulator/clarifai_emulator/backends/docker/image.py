"""Builds a model's image where there is none yet, with progress, and says which step failed and why.

    context ─► is its tag on the engine? ──yes──► done
                       │ no
                       ▼
          classic builder (the engine's API) │ BuildKit (the Docker CLI, for Dockerfiles that need it)

Everything here blocks: it runs in a thread.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clarifai_emulator.backends.docker.cancellation import Cancellation
from clarifai_emulator.backends.docker.context import BuildContext
from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.backends.docker.labels import CONTENT, MODEL
from clarifai_emulator.config import DockerSettings
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.progress import Progress

if TYPE_CHECKING:
    from docker import DockerClient


_LOG_LINES = 20
_KEPT_IMAGES = 3
_STEP = re.compile(r"^Step \d+/\d+ : (?P<what>.*)$")
_BUILDKIT_STEP = re.compile(r"^#(?P<number>\d+) (?P<what>\[.*\d+/\d+\] .*)$")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def ensure_image(
    client: DockerClient,
    engine: Engine,
    context: BuildContext,
    settings: DockerSettings,
    progress: Progress,
    cancellation: Cancellation,
) -> str:
    """Build the model's image unless the engine has it, and return its tag. Raises ``ModelError``, also for a build
    that was cancelled."""
    tag = context.tag(_image_id(client, context.base))
    if context.note:
        progress(context.note)
    if _image_id(client, tag):
        progress(f"unchanged: image {tag}")
        return tag
    whose = "the model's own Dockerfile" if context.is_own else f"a generated Dockerfile, on {context.base}"
    progress(f"building image {tag} from {whose}")
    labels = {MODEL: context.model, CONTENT: context.content}
    if settings.builder == "buildkit" or (
        settings.builder == "auto" and context.needs_buildkit and not engine.is_podman
    ):
        _build_with_cli(engine, context, tag, labels, progress, cancellation)
    else:
        _build_with_api(client, context, tag, labels, progress, cancellation)
    # A base image that the build has pulled gives the tag it will be looked for under from now on.
    now = context.tag(_image_id(client, context.base))
    if now != tag:
        repository, _, name = now.rpartition(":")
        client.api.tag(tag, repository, name)
        tag = now
    progress(f"image {tag} is ready")
    _remove_older(client, context.model, tag)
    return tag


def _image_id(client: DockerClient, name: str) -> str:
    """The id of an image that the engine has; empty when it has none of this name."""
    from docker.errors import APIError

    if not name or name == "scratch":
        return ""
    try:
        return str(client.api.inspect_image(name)["Id"])
    except APIError as error:
        if error.is_server_error():
            raise
        return ""


def _build_with_api(
    client: DockerClient,
    context: BuildContext,
    tag: str,
    labels: Mapping[str, str],
    progress: Progress,
    cancellation: Cancellation,
) -> None:
    from docker.errors import APIError

    with context.archive() as archive, cancellation.stops_call(client):
        try:
            messages: Iterable[Any] = client.api.build(
                fileobj=archive,
                custom_context=True,
                dockerfile=context.dockerfile_name,
                tag=tag,
                labels=dict(labels),
                buildargs=dict(context.build_args),
                rm=True,
                forcerm=True,
                decode=True,
            )
            watched = _Watched(progress)
            for message in messages:
                watched.hear(message)
        except APIError as error:
            raise _failure(context, "", str(error.explanation or error), []) from None
    if watched.error:
        raise _failure(context, watched.step, watched.error, list(watched.last))


class _Watched:
    """The words of the classic builder: its step, its last lines, its error."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._pulling: dict[str, str] = {}
        self.step = ""
        self.error = ""
        self.last: deque[str] = deque(maxlen=_LOG_LINES)

    def hear(self, message: Mapping[str, Any]) -> None:
        if message.get("error"):
            self.error = " ".join(str(message["error"]).split())
        for line in str(message.get("stream") or "").splitlines():
            self._line(_ANSI.sub("", line).rstrip())
        if message.get("status") and message.get("id"):
            self._pull(str(message["id"]), str(message["status"]))

    def _line(self, line: str) -> None:
        if not line or line.startswith(" ---> "):
            if line == " ---> Using cache":
                self._progress("  (as before)")
            return
        match = _STEP.match(line)
        if match:
            self.step = match["what"]
            self.last.clear()
        else:
            self.last.append(line)
        self._progress(line)

    def _pull(self, layer: str, status: str) -> None:
        """A layer that is pulled says so often: what changed is told, not how far."""
        if self._pulling.get(layer) != status:
            self._pulling[layer] = status
            if status in ("Pull complete", "Already exists") or status.startswith("Pulling from"):
                self._progress(f"{layer}: {status}")


def _build_with_cli(
    engine: Engine,
    context: BuildContext,
    tag: str,
    labels: Mapping[str, str],
    progress: Progress,
    cancellation: Cancellation,
) -> None:
    """BuildKit speaks a protocol of its own, which the Docker CLI has."""
    command = buildkit_command()
    if command is None:
        raise ModelError(
            f"The Dockerfile of {context.model} needs BuildKit, and no Docker CLI with BuildKit was found.",
            hint="Install docker-buildx (Debian, Ubuntu: `apt-get install docker-buildx`, or the plugin "
            "docker-buildx-plugin), or write the Dockerfile without `--link`, `RUN --mount` and `# syntax=`.",
        )
    words = [*command, "--progress=plain", "--file", context.dockerfile_name, "--tag", tag]
    for name, value in labels.items():
        words += ["--label", f"{name}={value}"]
    for name in context.build_args:
        words += ["--build-arg", name]  # values come from the environment: a command line is for all to see
    environ = {**os.environ, **context.build_args, "DOCKER_HOST": engine.url, "DOCKER_BUILDKIT": "1"}
    environ.pop("DOCKER_CONTEXT", None)
    if engine.is_named_by_context and not engine.ssh and not engine.is_local:  # which has its certificates
        del environ["DOCKER_HOST"]
        environ["DOCKER_CONTEXT"] = engine.address
    with context.archive() as archive:
        # Not every tar in memory has a descriptor that a process could read.
        with (
            subprocess.Popen(
                [*words, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ
            ) as process,
            cancellation.stops_with(process.terminate),
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                shutil.copyfileobj(archive, process.stdin)
                process.stdin.close()
            except BrokenPipeError:
                pass  # what it complains of is read below
            steps: dict[str, str] = {}
            last: deque[str] = deque(maxlen=_LOG_LINES)
            failed = _read_buildkit(process.stdout, progress, steps, last)
            code = process.wait()
    if code:
        raise _failure(context, steps.get(failed, ""), f"BuildKit ended with exit code {code}", list(last))


def _read_buildkit(output: Iterable[bytes], progress: Progress, steps: dict[str, str], last: deque[str]) -> str:
    """Pass the lines on; the number of the step that failed."""
    failed = ""
    for raw in output:
        line = _ANSI.sub("", raw.decode(errors="replace")).rstrip()
        if not line:
            continue
        match = _BUILDKIT_STEP.match(line)
        if match:
            steps[match["number"]] = match["what"]
        error = re.match(r"^#(\d+) ERROR", line)
        if error:
            failed = error[1]
        last.append(line)
        progress(line)
    return failed


def buildkit_command(path: str | None = None) -> list[str] | None:
    """The first Docker CLI on the PATH that has BuildKit, as a command to build with."""
    for folder in (path if path is not None else os.environ.get("PATH", "")).split(os.pathsep):
        docker = Path(folder) / "docker"
        if not folder or not os.access(docker, os.X_OK):
            continue
        if _answers([str(docker), "buildx", "version"]):
            return [str(docker), "buildx", "build", "--load"]
        said = subprocess.run([docker, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"version (\d+)\.", said)
        if version and 19 <= int(version[1]) < 23:  # these have it built in
            return [str(docker), "build"]
    return None


def _answers(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _remove_older(client: DockerClient, model: str, tag: str) -> None:
    """Remove all but the newest few images of a model: going back stays quick, and the disk does not fill. An image
    that somebody builds on such a one has its labels, too: only names that are made here are removed."""
    from docker.errors import APIError

    repository, _, _ = tag.rpartition(":")
    try:
        images: list[dict[str, Any]] = client.api.images(
            name=repository, filters={"label": [f"{MODEL}={model}", CONTENT]}
        )
        newest_first = sorted(images, key=_created, reverse=True)
        for image in newest_first[_KEPT_IMAGES:]:
            for name in image.get("RepoTags") or ():
                if name != tag and name.startswith(f"{repository}:"):
                    client.api.remove_image(name, force=False)
    except APIError:
        pass  # one that a container uses stays


def _created(image: Mapping[str, Any]) -> int:
    return int(image["Created"])


_NOT_FETCHED = (
    "The base image could not be fetched: look at the network, the proxy and `docker login`, or choose another "
    "with --docker-base-image (one that is on this machine needs no network)."
)
_NOT_FETCHED_BY_OWN = (
    "An image that the model's Dockerfile names (after FROM, or in a `# syntax=` line) could not be fetched: look "
    "at the network, the proxy and `docker login`, or name another there. With --docker-base-image, an unchanged "
    "Dockerfile of the SDK is not used: that image alone is needed, and one on this machine needs no network."
)
# What builds say → what to do. The first that matches wins.
_CAUSES = (
    (
        r"no space left on device",
        "The engine's disk is full: `docker system df` shows what fills it, `docker builder prune` and "
        "`docker image prune` make room.",
    ),
    (
        r"pull access denied|manifest unknown|repository does not exist|not found: manifest|no such host|"
        r"Client\.Timeout|i/o timeout|connection refused|TLS handshake|x509|dial tcp",
        _NOT_FETCHED,
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "A certificate on the way is not trusted in the container: give its issuer with --docker-ca FILE.",
    ),
    (
        r"No matching distribution found|Could not find a version",
        "Look at the name and version in requirements.txt and the Python version; for a private index set "
        "PIP_INDEX_URL, or --docker-build-arg PIP_INDEX_URL=….",
    ),
    (
        r"Temporary failure in name resolution|Network is unreachable|ConnectTimeout|NewConnectionError|ProxyError",
        "Builds have no way to the package index: set HTTPS_PROXY, or PIP_INDEX_URL to an index they reach.",
    ),
    (
        r"--mount option requires BuildKit|the --\S+ option requires BuildKit|unknown flag",
        "The Dockerfile needs BuildKit: start with --docker-builder buildkit.",
    ),
)


def _failure(context: BuildContext, step: str, error: str, last: Sequence[str]) -> ModelError:
    text = "\n".join([*last, error])
    hint = next((advice for pattern, advice in _CAUSES if re.search(pattern, text, re.IGNORECASE)), "")
    if hint == _NOT_FETCHED and context.is_own:
        hint = _NOT_FETCHED_BY_OWN
    where = f" at the step `{step}`" if step else ""
    return ModelError(
        f"The image of {context.model} cannot be built: it failed{where}.",
        hint=hint
        or "Read the builder's last lines above; `clarifai-emulator logs --type builder` has all of them.",
        log="\n".join([*last, error] if error not in last else last),
    )
