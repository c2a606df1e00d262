"""`logs --request` shows what a request printed, and what those printed that models made inside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flow.driver import RUNNER, inference_request, text_of, wait_for, write_model
from flow.processes import EmulatorProcess, command, emulator_process

AGENT = """
import os
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass
from clarifai.utils.logging import logger

class Agent(ModelClass):
    @ModelClass.method
    def predict(self, name: str) -> str:
        logger.info("asked by %s", name)
        print("plans for", name)
        said = Model(url="https://clarifai.com/me/demo/models/tool", base_url=os.environ["CLARIFAI_API_BASE"],
                     pat=os.environ.get("CLARIFAI_PAT")).predict(name=name)
        logger.info("answers %s", name)
        return said
"""
TOOL = """
from clarifai.runners.models.model_class import ModelClass
from clarifai.utils.logging import logger

class Tool(ModelClass):
    @ModelClass.method
    def predict(self, name: str) -> str:
        logger.info("tooled %s", name)
        return name
"""


class Scene:
    """An emulator in a process of its own with an agent and its tool, and the command line beside it."""

    def __init__(self, folder: Path, emulator: EmulatorProcess) -> None:
        self._folder = folder
        self._port = str(emulator.port)
        self._client = emulator.client()

    def ask(self, name: str) -> str:
        return text_of(self._client.call("PostModelOutputs", inference_request("agent", name=name)))

    def shown(self, *words: str) -> str:
        done = command(self._folder, *words, "--port", self._port)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outer_requests(self) -> list[str]:
        ends = [
            json.loads(line) for line in self.shown("events", "--kind", "request.finished", "--json").splitlines()
        ]
        return [e["request_id"] for e in ends if e["rpc"] == "PostModelOutputs" and "parent_id" not in e]

    def wait_for_lines(self, pattern: str, count: int) -> None:
        wait_for(lambda: self.shown("logs", "--grep", pattern).count("\n") == count)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    models = [str(write_model(tmp_path, *each)) for each in (("tool", TOOL), ("agent", AGENT))]
    with emulator_process(tmp_path, *models) as emulator:
        yield Scene(tmp_path, emulator)


def test_lines_of_inner_requests_are_below_those_of_the_request_around_them(scene: Scene) -> None:
    assert [scene.ask(name) for name in ("Ann", "Bob")] == ["Ann", "Bob"]
    scene.wait_for_lines("answers", 2)
    first, _ = scene.outer_requests()
    told = scene.shown("logs", "--request", first, "--model-only")
    lines = [line for line in told.splitlines() if "INFO" in line]
    # Each replica's lines come in their order; those of two that come at once, in the one in which they are read.
    assert [line.split()[4:] for line in lines if " agent " in line] == [["asked", "by", "Ann"], ["answers", "Ann"]]
    (tool_line,) = (line for line in lines if " agent " not in line)
    assert tool_line.split()[2:] == ["tool", "INFO", "tooled", "Ann"]
    assert all(line.split()[0].startswith("+") and line.split()[1] == "ms" for line in lines)
    assert tool_line.index("tool") == next(line.index("agent") for line in lines if " agent " in line) + 2
    assert "Bob" not in told
    if RUNNER.get("backend") != "inprocess":  # what a model prints there is the emulator's
        assert "plans for Ann" in told
    kept = scene.shown("logs", "--request", first[:12], "--json", "--model-only").splitlines()
    as_json: list[dict[str, Any]] = [json.loads(line) for line in kept]
    (tool,) = [each for each in as_json if "tooled" in each["message"]]
    assert (tool["trace_id"], tool["parent_id"], tool["depth"]) == (first, first, 1)
    assert {each["depth"] for each in as_json} == {0, 1}
    assert "There is no request 'nope'" in command_fails(scene)


def command_fails(scene: Scene) -> str:
    with pytest.raises(AssertionError) as failed:
        scene.shown("logs", "--request", "nope")
    return str(failed.value)


def test_lines_of_requests_at_once_are_told_apart_or_said_to_be_guessed(scene: Scene) -> None:
    names = [f"guest{number}" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(scene.ask, names)) == names
    scene.wait_for_lines("answers", 6)
    for request_id in scene.outer_requests():
        kept = scene.shown("logs", "--request", request_id, "--json").splitlines()
        mine = [line for line in map(json.loads, kept) if not line.get("guessed")]
        (name,) = {name for name in names for each in mine if name in each["message"]}
        assert [each["depth"] for each in mine if f"tooled {name}" in each["message"]] == [1]
