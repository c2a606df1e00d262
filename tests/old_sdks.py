"""Writes models in the form of the SDK that they name, and names the versions that they are tried with.

Environments with these versions are built once, and kept in the cache folder of the tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import docker_engine

# Where the emulators of these tests keep environments; XDG_CACHE_HOME for commands.
XDG_CACHE = docker_engine.CACHE
CACHE = XDG_CACHE / "clarifai-emulator"

# In short and in full: both sides of what differs.
_SHORT = ("10.11.1", "11.1.7", "11.5.6", "12.1.7")
_FULL = (
    "10.8.9", "10.11.1", "11.0.7", "11.1.0", "11.1.7", "11.2.3", "11.3.0", "11.4.1", "11.4.3", "11.5.6", "11.7.2",
    "11.7.5", "11.10.2", "12.1.0", "12.1.7", "12.2.0", "12.2.1", "12.2.2", "12.4.1", "12.5.0",
)  # fmt: skip
IS_FULL = os.environ.get("CLARIFAI_TEST_SDKS") == "all"
VERSIONS = _FULL if IS_FULL else _SHORT

_SEES = """
import json, sys
import clarifai
from clarifai.client.user import User
from google import protobuf

def sees():
    return json.dumps({
        "sdk": clarifai.__version__,
        "python": ".".join(map(str, sys.version_info[:2])),
        "protobuf": protobuf.__version__,
        "base": User(user_id="me", pat="any").base,
        "argv": sys.argv,
    })

"""
METHODS = (
    _SEES
    + """
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass


class Greets(ModelClass):
    def load_model(self):
        self.greeting = "Hello"

    @ModelClass.method
    def predict(self, prompt: str = "you") -> str:
        return f"{self.greeting}, {prompt}!"

    @ModelClass.method
    def generate(self, prompt: str = "you", n: int = 3) -> Iterator[str]:
        for number in range(n):
            yield f"{prompt} {number}"

    @ModelClass.method
    def stream(self, prompts: Iterator[str]) -> Iterator[str]:
        for prompt in prompts:
            yield f"{self.greeting}, {prompt}!"

    @ModelClass.method
    def look(self, prompt: str) -> str:
        return sees()
"""
)
_MESSAGES = (
    _SEES
    + """
from clarifai.runners.models.{module} import {base}
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2


class Greets({base}):
    def load_model(self):
        self.greeting = "Hello"

    def say(self, text):
        success = status_pb2.Status(code=status_code_pb2.SUCCESS)
        output = resources_pb2.Output(status=success)
        output.data.text.raw = text
        return service_pb2.MultiOutputResponse(outputs=[output], status=success)

    def predict(self, request):
        text = request.inputs[0].data.text.raw
        return self.say(sees() if text == "look" else f"{self.greeting}, {text}!")

    def generate(self, request):
        for number in range(3):
            yield self.say(f"{request.inputs[0].data.text.raw} {number}")

    def stream(self, request_iterator):
        for request in request_iterator:
            yield self.say(f"{self.greeting}, {request.inputs[0].data.text.raw}!")
"""
)
OWN_RUNNER = _MESSAGES.replace("{module}", "model_runner").replace("{base}", "ModelRunner")
MESSAGES = _MESSAGES.replace("{module}", "model_class").replace("{base}", "ModelClass")


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, to compare."""
    return tuple(int(each) for each in version.split("."))


def has_signatures(version: str) -> bool:
    """Tell whether models of this version mark their methods; before 11.3.0 they took messages."""
    return numbers(version) >= (11, 3)


def code_of(version: str) -> str:
    """Return a model in the form of this version."""
    if has_signatures(version):
        return METHODS
    return MESSAGES if numbers(version) >= (11, 1) else OWN_RUNNER


def write_old(folder: Path, requirements: str, code: str, *, python: str = "", model_id: str = "old") -> Path:
    """Write a model directory with these requirements."""
    directory = folder / model_id
    (directory / "1").mkdir(parents=True)
    build = f'build_info: {{python_version: "{python}"}}\n' if python else ""
    (directory / "config.yaml").write_text(
        f"model: {{id: {model_id}, user_id: me, app_id: demo, model_type_id: text-to-text}}\n{build}"
        'inference_compute_info: {cpu_limit: "50m", cpu_memory: 64Mi, num_accelerators: 0}\n'
    )
    (directory / "requirements.txt").write_text(requirements)
    (directory / "1" / "model.py").write_text(code)
    return directory
