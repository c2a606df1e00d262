"""Runs the official `clarifai` command line as its user would: each command a process, with a HOME of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from flow.driver import MODELS, Client, inference_request, wait_for
from flow.processes import TOKEN, environment

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BIN = Path(sys.executable).parent


class Official:
    """Runs `clarifai` as its user would, logged in to one emulator."""

    def __init__(self, url: str, home: Path, *, pat: str = TOKEN) -> None:
        self.url = url
        self.home = home
        self.environ = environment(
            HOME=str(home),
            CLARIFAI_API_BASE=url,
            PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}",
            UV_OFFLINE="1",  # `upload` asks the package index whether the requirements can be met
            HTTPS_PROXY="http://127.0.0.1:9",  # importing the SDK asks it for the newest version
            NO_PROXY="127.0.0.1,localhost",
            no_proxy="127.0.0.1,localhost",
            COLUMNS="200",
        )
        self.ok("login", url, "--pat", pat, stdin="\n")

    def run(self, *words: str | Path, stdin: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "clarifai", *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environ,
            timeout=seconds,
        )

    def ok(self, *words: str | Path, stdin: str = "") -> str:
        """Return what a command prints that must succeed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return _plain(done.stdout + done.stderr)

    @contextmanager
    def serving(self, *words: str | Path, **environ: str) -> Iterator[Path]:
        """Run `clarifai model serve …` while the block runs; yield the file that it prints into."""
        output = self.home / "serve.log"
        with output.open("w") as log:
            process = subprocess.Popen(
                [BIN / "clarifai", "model", "serve", *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environ, **environ},
                start_new_session=True,
            )
        try:
            yield output
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def model_directory(directory: Path, requirements: Sequence[str] = (), sample: str = "hello") -> Path:
    shutil.copytree(MODELS / sample, directory, ignore=shutil.ignore_patterns("__pycache__"))
    lines = [f"clarifai=={metadata.version('clarifai')}", *requirements]
    (directory / "requirements.txt").write_text("\n".join(lines) + "\n")
    with (directory / "config.yaml").open("a") as config:
        config.write(f'\nbuild_info:\n  python_version: "{PYTHON}"\n')
    return directory


def request(model_id: str = "hello") -> Any:
    return inference_request(model_id, prompt="you")


@contextmanager
def served_by(url: str, seconds: float = 40, model_id: str = "hello") -> Iterator[Client]:
    """Return a client, once a runner that the CLI started takes work."""
    client = Client(url)

    def answers() -> bool:
        status = client.call("PostModelOutputs", request(model_id), timeout=seconds).status
        return status.code == StatusCode.SUCCESS

    wait_for(answers, seconds=seconds)
    yield client
    client.close()
