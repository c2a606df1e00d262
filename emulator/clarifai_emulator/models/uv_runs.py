"""Runs uv for a model's environment, with the user's settings for pip: told line by line, failures explained."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import re
import shutil
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.progress import Progress

_LOG_LINES = 20
_CAUSE_LINES = 400  # of the last that are searched for the cause: a build prints much after it
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


def uv_program() -> str:
    """Return uv's program: that of its package, else the one on the path. Raises ``ModelError``."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ModuleNotFoundError, FileNotFoundError):  # the light distribution comes without
        found = shutil.which("uv")
    if found is None:
        raise ModelError(
            "A Python environment has to be built for the model, and uv, which builds it, is not installed.",
            hint="pip install uv",
        )
    return found


async def run_uv(
    arguments: Sequence[str], cwd: Path, progress: Progress, environ: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Run uv; return its exit code and last lines. What is large is said at once. A cancelled call leaves no
    process behind."""
    process = await asyncio.create_subprocess_exec(
        uv_program(),
        *arguments,
        cwd=cwd,
        env=dict(environ),
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


def uv_failure(what: str, python_version: str, output: Sequence[str], note: str = "") -> ModelError:
    """Explain why uv failed. ``what`` could not be built, for which Python; ``note``: what else may be why."""
    cause, hint = "uv failed", "Read uv's last lines above."
    for pattern, known_cause, known_hint in _CAUSES:
        match = re.search(pattern, "\n".join(output), re.MULTILINE)
        if match:
            facts = {
                "python": python_version or platform.python_version(),
                "current": platform.python_version(),
                "what": match.groupdict().get("what") or "no network",
            }
            cause, hint = known_cause.format(**facts), known_hint.format(**facts)
            break
    return ModelError(
        f"The Python environment for {what} cannot be built: {cause.rstrip('.')}.",
        hint=f"{hint} {note}".strip(),
        log="\n".join(output[-_LOG_LINES:]),
    )
