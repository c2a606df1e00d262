"""Models under test do not reach the real platform either: the call is refused in their replica, and says so."""

from __future__ import annotations

from typing import Any

import pytest

MODEL = """
import os
import socket
import urllib.request
import grpc
from clarifai.client import User
from clarifai.runners.models.model_class import ModelClass

class Calls(ModelClass):
    @ModelClass.method
    def predict(self, way: str) -> str:
        if way == "sdk":
            return str(User(user_id="me", base_url="https://api.clarifai.com", pat="x").get_user_info())
        if way == "secret":
            pat = os.environ["CLARIFAI_PAT"]
            return str(User(user_id="me", base_url="https://api.clarifai.com", pat=pat).get_user_info())
        if way == "http":
            return str(urllib.request.urlopen("https://api.clarifai.com/v2/users/me").status)
        if way == "grpc":
            with grpc.insecure_channel("api.clarifai.com:443") as channel:
                return str(channel.unary_unary("/clarifai.api.V2/GetUser")(b"", timeout=5))
        assert socket.getaddrinfo("localhost", 80)
        return "let through"
"""
CONFIG = """
model: {id: calls, user_id: me, app_id: main, model_type_id: text-to-text}
inference_compute_info: {cpu_limit: "100m", cpu_memory: "64Mi"}
secrets: [{id: real, env_var: CLARIFAI_PAT, type: env, value: a-token-of-the-real-platform}]
"""
TEST = """
import pytest

@pytest.fixture
def calls(clarifai):
    return clarifai.deploy("calls")

@pytest.mark.parametrize("way", ["sdk", "secret", "http", "grpc"])
def test_refused(calls, way):
    with pytest.raises(Exception) as raised:
        calls.model.predict(way=way)
    assert "would have called the real Clarifai platform (api.clarifai.com" in str(raised.value)
    assert "Leave `base_url` out" in str(raised.value)
    assert "`--clarifai-allow-real` lets calls through." in str(raised.value)

def test_all_else_is_let_through(calls):
    assert calls.model.predict(way="other") == "let through"
"""


@pytest.mark.parametrize(
    "options",
    [(), ("--clarifai-runner", "genuine"), ("--clarifai-start-method", "spawn")],
    ids=["lean", "genuine", "spawned"],
)
def test_a_model_that_calls_the_real_platform_is_refused(nested: Any, options: tuple[str, ...]) -> None:
    files = {
        "test_calls.py": TEST,
        "calls/1/model.py": MODEL,
        "calls/config.yaml": CONFIG,
        "calls/requirements.txt": "clarifai\n",
    }
    run = nested(files, *options)
    ways = ("sdk", "secret", "http", "grpc")
    names = (*(f"test_refused[{way}]" for way in ways), "test_all_else_is_let_through")
    assert {run.outcome(name) for name in names} == {"PASSED"}, run.text
