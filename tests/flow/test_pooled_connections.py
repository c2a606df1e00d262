"""Agents share their connections to MCP servers: a tool's call still belongs to the request that made it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, text_of, wait_for, write_model

# Of the SDK's agents the part that calls tools. All requests are in flight while any of them does.
POOLED = """
import os
import threading

from clarifai.runners.models.agentic_class import AgenticModelClass
from clarifai.runners.models.model_class import ModelClass

URL = os.environ["CLARIFAI_API_BASE"] + "/v2/ext/mcp/v1/users/me/apps/demo/models/mcp"

class Pooled(ModelClass):
    def load_model(self):
        self.connected, self.called = threading.Event(), threading.Barrier(4)
        self.all_here = threading.Barrier(4)

    @ModelClass.method
    def predict(self, calls: str, how: str) -> str:
        times = int(calls)
        pool = AgenticModelClass.get_pool()
        if times == 0:
            _, connections, servers = pool.get_tools_and_mapping([URL])
            self.connected.set()
        self.connected.wait(30)
        _, connections, servers = pool.get_tools_and_mapping([URL])
        self.all_here.wait(30)
        asked = {"left": times, "right": 1}
        if how == "batch":
            pool.call_tools_batch([(str(each), "add", asked) for each in range(times)], connections, servers)
        else:
            for _ in range(times):
                pool.call_tool("add", asked, connections, servers)
        self.called.wait(30)
        return "done"
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.of_processes("the model has packages that the emulator's own environment lacks")
@pytest.mark.parametrize("how", ["single", "batch"])
def test_calls_over_one_connection_belong_each_to_the_request_that_made_it(
    emulator: EmulatorThread, client: Client, tmp_path: Path, how: str
) -> None:
    emulator.deploy(MODELS / "mcp")
    pooled = write_model(tmp_path, "pooled", POOLED)
    (pooled / "requirements.txt").write_text((MODELS / "agent" / "requirements.txt").read_text())
    emulator.deploy(pooled)

    def ask(times: int) -> str:
        request = inference_request("pooled", calls=str(times), how=how)
        return text_of(client.call("PostModelOutputs", request, timeout=60))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(4))) == ["done"] * 4

    def ends() -> list[dict[str, object]]:
        return [each.fields for each in emulator.events("request.finished")]

    wait_for(lambda: sum("depth" not in each for each in ends()) >= 4)
    inner = [each for each in ends() if each.get("parent_id")]
    assert not [each for each in inner if each.get("guessed")]
    counts = Counter(each["parent_id"] for each in inner)
    assert sorted(counts.values())[:3] == [1, 2, 3], "the fourth is that which made the connection"
