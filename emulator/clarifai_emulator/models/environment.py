"""Provides the Python environment a model runs in: the current one if it fits, else one built with uv and kept."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.code import MODEL_FILES
from clarifai_emulator.models.directory import ModelDirectory, read_model_directory
from clarifai_emulator.models.own_sdk import WORKING_RUNNER, reasons_against_own_sdk, sdk_for_models
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import (
    Line,
    UnreadableRequirements,
    names_clarifai,
    read_lines,
    unsatisfied_lines,
    unsatisfied_requirements,
)

_COMPLETE = ".complete"
# FastMCP(…, stateless_http=True), as the SDK's own template has it, is refused by 3.0 and later.
STATELESS_FASTMCP = "fastmcp<3"
_STATELESS = re.compile(r"FastMCP\([^)]*\bstateless_http\s*=")
_LOG_LINES = 20
_CAUSE_LINES = 400  # of the last that are searched for the cause: a build prints much after it
_LOCK_POLL_SECONDS = 0.2
_DOWNLOAD = re.compile(r"Downloading (?P<name>\S+) \((?P<size>[\d.]+)(?P<unit>MiB|GiB)\)")
_MUCH_MEBIBYTES = 500

# What pip reads → what uv reads, used when the user set up pip and not uv.
_PIP_TO_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}


async def prepare_environment(
    directory: ModelDirectory,
    cache_dir: Path,
    progress: Progress,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Prepare the interpreter that runs this model: builds an environment under ``cache_dir/environments`` if
    needed.

    ``progress`` gets one line at a time, in words for a person. ``environ`` is what uv sees (proxies, index
    settings). Raises ``ModelError`` with uv's last lines when the environment cannot be built.
    """
    reasons = reasons_to_build(directory)
    if not reasons:
        return Path(sys.executable)
    lines = _lines(directory)
    target = cache_dir / "environments" / _key(directory, lines)
    if not _is_complete(target):
        async with _only_builder(target, progress):
            if not _is_complete(target):
                progress(f"building a Python environment for {directory.model_id}: {'; '.join(reasons)}")
                if code_pins(lines, directory.path):
                    progress(
                        f"warning: {STATELESS_FASTMCP} is installed: model.py gives FastMCP() the argument "
                        "stateless_http, which later ones refuse. The platform installs the newest: pin it in "
                        "requirements.txt."
                    )
                await _build(directory, lines, target, progress, uv_environment(environ))
    return _python(target)


def find_environment(path: Path, cache_dir: Path) -> Path | None:
    """Return the interpreter that was built for this model directory as it is now; None where there is none."""
    try:
        directory = read_model_directory(path)
        target = cache_dir / "environments" / _key(directory, _lines(directory))
    except ModelError:
        return None
    return _python(target) if _is_complete(target) else None


def own_interpreter(directory: ModelDirectory) -> Path:
    """Return the emulator's own interpreter, for a model that runs in its process. Raises ``ModelError``."""
    reasons = reasons_to_build(directory)
    if reasons:
        raise ModelError(
            f"{directory.model_id} cannot run in the emulator's own process: {'; '.join(reasons)}.",
            hint="Install what it needs beside the emulator, or use the process backend: it builds environments.",
        )
    return Path(sys.executable)


def reasons_to_build(directory: ModelDirectory) -> list[str]:
    """Say why the current interpreter cannot run this model, one sentence each; empty when it can."""
    reasons = unsatisfied_requirements(directory.requirements_file)
    with contextlib.suppress(UnreadableRequirements):
        lines = list(read_lines(directory.requirements_file))
        reasons += unsatisfied_lines([Line(pin) for pin in code_pins(lines, directory.path)])
        reasons += reasons_against_own_sdk(lines)
    if not _is_current(directory.python_version):
        reasons.insert(0, f"Python {directory.python_version} is required, this is {platform.python_version()}")
    return list(dict.fromkeys(reasons))


def describe_environment(python: Path) -> str:
    """Describe the environment of an interpreter, for people."""
    if python == Path(sys.executable):
        return f"the emulator's own Python {platform.python_version()}"
    return f"built with uv for its requirements.txt: {python.parent.parent}"


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment, with pip's settings also said in uv's words where uv's own are not set."""
    translated = dict(environ)
    for pip_name, uv_name in _PIP_TO_UV.items():
        value = environ.get(pip_name, "").strip()
        if value and not environ.get(uv_name):
            # pip separates links with spaces, uv with commas; both separate indexes with spaces.
            translated[uv_name] = ",".join(value.split()) if uv_name == "UV_FIND_LINKS" else value
    if translated.get("UV_INDEX") and not environ.get("UV_INDEX"):
        # pip takes the best version of all indexes, uv by itself the first index that knows the package.
        translated.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    # Ours is not the environment to install into.
    translated.pop("VIRTUAL_ENV", None)
    translated["PATH"] = os.pathsep.join([translated.get("PATH", os.defpath), *_pyenv_folders(environ)])
    return {**translated, "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}


def _pyenv_folders(environ: Mapping[str, str]) -> list[str]:
    """Return the folders of pyenv's interpreters: its shims show uv only those active in the current folder."""
    root = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME") or os.path.expanduser("~")) / ".pyenv")
    return sorted(str(folder) for folder in root.glob("versions/*/bin"))


def _lines(directory: ModelDirectory) -> list[Line]:
    try:
        return list(read_lines(directory.requirements_file))
    except UnreadableRequirements as error:
        raise ModelError(
            f"The requirements of {directory.path} cannot be read: {error}.",
            hint="Create the file or remove the line.",
        ) from error


def _is_current(python_version: str) -> bool:
    return not python_version or python_version.split(".")[:2] == [str(n) for n in sys.version_info[:2]]


def _wanted_python(directory: ModelDirectory) -> str:
    """Return the current interpreter where it fits: it needs no network."""
    return sys.executable if _is_current(directory.python_version) else directory.python_version


def runner_pins(lines: list[Line], path: Path) -> list[str]:
    """Return the pins of the SDK and its runner, our version where the requirements of the model name none, and of
    what the code of the model directory ``path`` is known to need."""
    sdk = [] if names_clarifai(lines) else [sdk_for_models()]
    return [*sdk, WORKING_RUNNER, *code_pins(lines, path)]


def code_pins(lines: list[Line], path: Path) -> list[str]:
    """Limits on packages that the requirements leave open and that the model's code cannot be run without."""
    if not any(line.text.lower() == "fastmcp" for line in lines):
        return []
    files = (path / name for name in MODEL_FILES)
    with contextlib.suppress(OSError, ValueError):
        if any(_STATELESS.search(file.read_text(encoding="utf-8")) for file in files if file.is_file()):
            return [STATELESS_FASTMCP]
    return []


def _key(directory: ModelDirectory, lines: list[Line]) -> str:
    parts = [f"{line.constraint} {line.text}" for line in lines]
    if any(line.is_direct for line in lines):
        # A requirement may be a folder of the model directory: then its code counts.
        parts.append(directory.content_hash)
    python = directory.python_version or ".".join(str(n) for n in sys.version_info[:2])
    parts += [*runner_pins(lines, directory.path), *directory.requirements, python]
    parts += [sys.platform, platform.machine(), sys.implementation.name]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _python(target: Path) -> Path:
    return target / "bin" / "python"


def _is_complete(target: Path) -> bool:
    return (target / _COMPLETE).is_file() and _python(target).exists()


@contextlib.asynccontextmanager
async def _only_builder(target: Path, progress: Progress) -> AsyncGenerator[None]:
    """Waits until no other process builds this environment. The kernel frees the lock of a killed one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress("waiting for another process that builds the same Python environment")
                    told = True
                await asyncio.sleep(_LOCK_POLL_SECONDS)
        yield


async def _build(
    directory: ModelDirectory, lines: list[Line], target: Path, progress: Progress, environ: dict[str, str]
) -> None:
    """Build in place, because an environment cannot be moved; the marker file makes it usable, and comes last."""
    await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
    uv, python, file = find_uv_bin(), str(_python(target)), str(directory.requirements_file)
    steps = (
        [uv, "venv", "--python", _wanted_python(directory), str(target)],
        [uv, "pip", "install", "--python", python, "-r", file, *runner_pins(lines, directory.path)],
    )
    for command in steps:
        code, output = await _run(command, directory.path, progress, environ)
        if code != 0:
            await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
            raise _failure(directory, output)
    (target / _COMPLETE).touch()
    progress(f"the Python environment for {directory.model_id} is ready: {target}")


async def _run(
    command: Sequence[str], cwd: Path, progress: Progress, environ: dict[str, str]
) -> tuple[int, list[str]]:
    """Run uv; its exit code and last lines. What is large is said at once. A cancelled call leaves no process
    behind."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=1024 * 1024,
    )
    assert process.stdout is not None
    large = _Downloads()
    last: deque[str] = deque(maxlen=_CAUSE_LINES)
    try:
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if line:
                last.append(line)
                progress(line.strip())
                if warning := large.seen(line):
                    progress(warning)
        return await process.wait(), list(last)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


class _Downloads:
    """Adds up what uv is about to download, and says once that it is much, with the way to less."""

    def __init__(self) -> None:
        self._mebibytes = 0.0
        self._is_said = False

    def seen(self, line: str) -> str:
        """Say what there is to say about a line of uv's, mostly nothing."""
        match = _DOWNLOAD.match(line.strip())
        if match is None:
            return ""
        self._mebibytes += float(match["size"]) * (1024 if match["unit"] == "GiB" else 1)
        if self._is_said or self._mebibytes < _MUCH_MEBIBYTES:
            return ""
        self._is_said = True
        cpu = ""
        if not os.environ.get("UV_TORCH_BACKEND"):
            cpu = " Without a GPU, UV_TORCH_BACKEND=cpu for `clarifai-emulator up` installs torch without CUDA."
        return (
            f"warning: these packages are large ({match['name']} alone {match['size']}{match['unit']}): this takes "
            f"minutes, once; Ctrl-C ends it.{cpu}"
        )


# What uv prints → the cause and what to do. The first that matches wins.
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"No interpreter found|Failed to inspect Python|python-build-standalone|Invalid version request",
        "Python {python} is neither on this machine nor could it be downloaded",
        "Install Python {python}, or remove build_info.python_version from config.yaml to use {current}.",
    ),
    (
        r"network was disabled|Failed to fetch:? *`?(?P<what>\S+?)`?$|error sending request|dns error",
        "the package index cannot be reached ({what})",
        "Check the network, the proxy (HTTPS_PROXY) and the index (UV_DEFAULT_INDEX or PIP_INDEX_URL).",
    ),
    (
        r"(?P<what>\S+) was not found in the (?:package registry|provided package locations)",
        "the package index has no {what}",
        "Check its spelling in requirements.txt; for a private index set UV_INDEX or PIP_EXTRA_INDEX_URL.",
    ),
    (  # a reason that begins with a list of versions is put into words by its last line
        r"No solution found.*\n[^\n]*:\n(?:.*\n)*\s*And because (?P<what>you require.*)",
        "no set of versions fits all requirements. Because {what}",
        "Relax the versions in requirements.txt, or set build_info.python_version in config.yaml.",
    ),
    (
        r"No solution found.*\n(?:.*cause: )?(?P<what>.*)",
        "no set of versions fits all requirements. {what}",
        "Relax the versions in requirements.txt, or set build_info.python_version in config.yaml.",
    ),
    (
        r"Failed to build:? *`?(?P<what>(?:nvidia|tensorrt|pycuda|cupy|flash[-_]attn|vllm|apex)[^`\s]*)`?",
        "{what} is for machines with an NVIDIA GPU and its CUDA toolkit, and could not be built here",
        "Deploy it where there is one, in a container whose image has it (`clarifai-emulator up --backend "
        "docker`), or leave it out of requirements.txt on this machine.",
    ),
    (
        r"Couldn't parse requirement|Failed to parse",
        "it has a line that cannot be read",
        "Correct that line.",
    ),
    (
        r"Failed to build:? *`?(?P<what>[^`\s]+)`?",
        "{what} has no ready-made build for this machine and could not be compiled",
        "Use a version that has a wheel for this Python, or install what the build asks for.",
    ),
)


def _failure(directory: ModelDirectory, output: list[str]) -> ModelError:
    cause, hint = "uv failed", "Read uv's last lines above."
    for pattern, known_cause, known_hint in _CAUSES:
        match = re.search(pattern, "\n".join(output), re.MULTILINE)
        if match:
            facts = {
                "python": directory.python_version or platform.python_version(),
                "current": platform.python_version(),
                "what": match.groupdict().get("what") or "no network",
            }
            cause, hint = known_cause.format(**facts), known_hint.format(**facts)
            break
    return ModelError(
        f"The Python environment for {directory.requirements_file} cannot be built: {cause.rstrip('.')}.",
        hint=hint,
        log="\n".join(output[-_LOG_LINES:]),
    )
