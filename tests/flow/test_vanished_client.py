"""A client's machine vanishes: no goodbye ever comes, and its request is given up all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clarifai_emulator.api.transport import http2
from flow.driver import MODELS, inference_request, running, wait_for

HERE, THERE = "10.213.77.1", "10.213.77.2"

GENERATE = """
import sys
import grpc
request, address = bytes.fromhex(sys.argv[1]), sys.argv[2]
call = grpc.insecure_channel(address).unary_stream("/clarifai.api.V2/GenerateModelOutputs")
for _ in call(request, metadata=[("authorization", "Key any-token")]):
    print("chunk", flush=True)
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextmanager
def another_machine(name: str) -> Iterator[str]:
    """Make a network of its own with one cable to here; yield the cable's name at this end."""
    cable = f"{name}-a"
    ip("netns", "add", name)
    try:
        ip("link", "add", cable, "type", "veth", "peer", "name", f"{name}-b", "netns", name)
        ip("addr", "add", f"{HERE}/30", "dev", cable)
        ip("link", "set", cable, "up")
        ip("-n", name, "addr", "add", f"{THERE}/30", "dev", f"{name}-b")
        ip("-n", name, "link", "set", f"{name}-b", "up")
        yield cable
    finally:
        ip("netns", "del", name)


@pytest.mark.skipif(
    not shutil.which("ip") or os.geteuid() != 0, reason="a second network needs root and the command ip (iproute2)"
)
def test_its_request_is_given_up_and_its_slot_is_free_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(http2, "_SILENT_SECONDS", 1)
    monkeypatch.setattr(http2, "_ASK_EVERY_SECONDS", 1)
    monkeypatch.setattr(http2, "_QUESTIONS", 2)
    name = f"ce{os.getpid()}"
    script = tmp_path / "generate.py"
    script.write_text(GENERATE)
    with another_machine(name) as cable, running(host=HERE) as emulator:
        emulator.deploy(MODELS / "slow")
        request = inference_request("slow", "generate", delay=0.2, chunks=100)
        command = [
            sys.executable,
            str(script),
            request.SerializeToString().hex(),
            emulator.url.removeprefix("http://"),
        ]
        client = subprocess.Popen(
            ["ip", "netns", "exec", name, *command],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "chunk\n"
            ip("link", "set", cable, "down")
            began = time.monotonic()
            wait_for(lambda: emulator.events("work.cancelled"))
            assert time.monotonic() - began < 8
        finally:
            client.kill()
            client.communicate()
