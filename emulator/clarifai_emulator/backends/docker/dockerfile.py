"""Writes the Dockerfile of a model that brings none: pure text, what changes most comes last.

    base image ─► certificates ─► Python environment ─► requirements ─► settings ─► the model's own files

Editing model.py rebuilds the last step only. What the container runs, as whom and where, is what the platform's
own images do (docs/fidelity.md).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from clarifai_emulator.backends.docker.build_credentials import PROXIES, is_credential

MODEL_PATH = "/home/nonroot/main"
USER = "65532:65532"
DEFAULT_PYTHON = "3.12"
HEALTH_PORT = 8080

CA_IN_CONTEXT = ".clarifai-emulator-ca.pem"
_BUNDLE = "/etc/ssl/certs/clarifai-emulator.pem"
_TRUST = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The parts of a generated image.

    ``base``: the image to begin with. ``requirement_files``: relative to the context; empty means that
    installing needs the whole context. ``pins``: requirements besides. ``replaced``: packages that take the
    place of those that all this leads to. ``follows_api_base``: the SDK looks at CLARIFAI_API_BASE.
    ``build_args``: names and values. ``has_ca``: the context has certificates to trust. ``build_info``,
    ``checkpoints``: sections of config.yaml. ``is_mounted``: the model's own files come with each container.
    """

    base: str
    requirement_files: Sequence[str]
    pins: Sequence[str] = ()
    replaced: Sequence[str] = ()
    follows_api_base: bool = True
    build_args: Mapping[str, str]
    has_ca: bool = False
    build_info: Mapping[str, Any]
    checkpoints: Mapping[str, Any]
    is_mounted: bool = False


def dockerfile(recipe: Recipe) -> str:
    """The Dockerfile. Understood by the classic builder, BuildKit and Podman alike."""
    platform = str(recipe.build_info.get("platform") or "")
    source = f"--platform={platform} {recipe.base}" if platform else recipe.base
    declared = [f"ARG {name}" for name in sorted(recipe.build_args) if name not in PROXIES]
    prelude = ["USER root", *_certificates(recipe), *_node(recipe)]
    installed = [*declared, _RUN_VENV, *_copy_requirements(recipe), _install(recipe)]
    if any(is_credential(*each) for each in recipe.build_args.items() if each[0] not in PROXIES):
        # A step's arguments are in the history of its image: so these steps are in one that nobody gets.
        lines = [f"FROM {source} AS packages", *prelude, *installed, f"FROM {source}", *prelude]
        lines.append("COPY --from=packages /venv /venv")
    else:
        lines = [f"FROM {source}", *prelude, *installed]
    lines += [_PASSWD, *_settings()]
    if not recipe.is_mounted:
        lines += [*_checkpoints(recipe), f"COPY --chown={USER} . {MODEL_PATH}"]
    return "\n".join(lines) + "\n"


_RUN_VENV = (
    "RUN [ -x /venv/bin/python ] || python3 -m venv --system-site-packages /venv || "
    "{ apt-get update && apt-get install -y --no-install-recommends python3 python3-pip python3-venv && "
    "rm -rf /var/lib/apt/lists/* && python3 -m venv --system-site-packages /venv; }"
)
# An SDK that has the platform's address in its code gets the emulator's there. (Some of those also ask, before they
# run a model, whether its app is there, with rights that a runner does not have.)
_FOLLOW_API_BASE = (
    "find /venv -path '*/clarifai/*.py' -exec sed -i "
    """-e 's#"https://api.clarifai.com"#__import__("os").environ.get("CLARIFAI_API_BASE", "")#' """
    "-e 's#ModelBuilder(parsed_args.model_path)#"
    "ModelBuilder(parsed_args.model_path, download_validation_only=True)#' {} +"
)
# Agents look for MCP servers at the platform's address, which every SDK that has them has in its code.
_FOLLOW_IN_TOOLS = (
    "find /venv -path '*/clarifai/runners/models/agentic_class.py' -exec sed -i "
    """-e 's#f"https://api.clarifai.com/v2/ext/mcp/#"""
    """__import__("os").environ.get("CLARIFAI_API_BASE", "https://api.clarifai.com") + f"/v2/ext/mcp/#' {} +"""
)
# Some libraries ask who they run as.
_PASSWD = (
    "RUN grep -q ':65532:' /etc/passwd || "
    "echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/usr/sbin/nologin' >> /etc/passwd"
)


def _certificates(recipe: Recipe) -> list[str]:
    """Join what the image trusts already, and the given certificates, in one file that everything is told of."""
    if not recipe.has_ca:
        return []
    given = "/usr/local/share/ca-certificates/clarifai-emulator.crt"
    trusted = "/etc/ssl/certs/ca-certificates.crt"
    return [
        f"COPY {CA_IN_CONTEXT} {given}",
        f"RUN mkdir -p /etc/ssl/certs && {{ cat {trusted} 2>/dev/null; cat {given}; }} > {_BUNDLE}",
        "ENV " + " ".join(f"{name}={_BUNDLE}" for name in _TRUST),
    ]


def _node(recipe: Recipe) -> list[str]:
    version = str(recipe.build_info.get("node_version") or "").removeprefix("v")
    if not version:
        return []
    machine = "$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')"
    archive = f"https://nodejs.org/dist/v{version}/node-v{version}-linux-{machine}.tar.xz"
    return [
        "RUN apt-get update && apt-get install -y --no-install-recommends curl xz-utils && "
        f'rm -rf /var/lib/apt/lists/* && curl -fsSL "{archive}" | '
        "tar -xJ -C /usr/local --strip-components=1 && node -v && npm -v"
    ]


def _copy_requirements(recipe: Recipe) -> list[str]:
    if not recipe.requirement_files:
        return ["COPY . /home/nonroot/requirements/"]
    folders: dict[str, list[str]] = {}
    for name in recipe.requirement_files:
        folders.setdefault(str(PurePosixPath(name).parent), []).append(name)
    return [
        f"COPY {' '.join(names)} {PurePosixPath('/home/nonroot/requirements') / folder}/"
        for folder, names in sorted(folders.items())
    ]


def _install(recipe: Recipe) -> str:
    """With pip where the environment has it, else with uv, which the platform's own images bring."""
    steps = [shlex.join(["-r", "requirements.txt", *recipe.pins])]
    if recipe.replaced:
        steps.append(shlex.join(["--no-deps", *recipe.replaced]))
    with_pip = "/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --progress-bar off"
    with_uv = "uv pip install --no-cache --python /venv/bin/python"
    pip, uv = (" && ".join(f"{command} {step}" for step in steps) for command in (with_pip, with_uv))
    choose = f"if /venv/bin/python -m pip --version >/dev/null 2>&1; then {pip}; else {uv}; fi"
    then = _FOLLOW_IN_TOOLS if recipe.follows_api_base else _FOLLOW_API_BASE
    return f"RUN cd /home/nonroot/requirements && {choose} && {then}"


def _settings() -> list[str]:
    environ = {
        "VIRTUAL_ENV": "/venv",
        "PATH": "/venv/bin:$PATH",
        "HOME": "/tmp",  # noqa: S108 - the container's own
        "NUMBA_CACHE_DIR": "/tmp/numba_cache",  # noqa: S108
        "TORCHINDUCTOR_CACHE_DIR": "/tmp/torchinductor_cache",  # noqa: S108
        "PYTHONPATH": MODEL_PATH,
    }
    return [
        "ENV " + " ".join(f'{name}="{value}"' for name, value in environ.items()),
        f"WORKDIR {MODEL_PATH}",
        f"USER {USER}",
        'ENTRYPOINT ["python", "-m", "clarifai.runners.server"]',
        f'CMD ["--model_path", "{MODEL_PATH}"]',
    ]


def _checkpoints(recipe: Recipe) -> list[str]:
    if recipe.checkpoints.get("when") != "build":
        return []
    return [
        f"COPY --chown={USER} config.yaml {MODEL_PATH}/",
        # The SDK is told of an address that nobody has: without one it keeps that of the real platform.
        f'RUN ["env", "CLARIFAI_API_BASE=http://127.0.0.1:9", "python", "-m", "clarifai.cli", "model", '
        f'"download-checkpoints", "{MODEL_PATH}", "--out_path", "{MODEL_PATH}/1/checkpoints", "--stage", "build"]',
    ]
