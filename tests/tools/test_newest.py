"""The watch over the platform's protocol and SDK lists what changed, in words."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from newest.compare import changes, versions
from newest.stands_on import every_place

ROOT = Path(__file__).parents[2]
BASELINE: dict[str, dict[str, Any]] = json.loads((ROOT / "tests" / "newest" / "baseline.json").read_text())


@pytest.fixture
def newer() -> dict[str, dict[str, Any]]:
    return copy.deepcopy(BASELINE)


def test_nothing_changed_says_nothing(newer: dict[str, dict[str, Any]]) -> None:
    assert changes(BASELINE, newer) == []


def test_each_kind_of_change_is_a_line_that_names_it(newer: dict[str, dict[str, Any]]) -> None:
    newer["versions"]["clarifai"] = "13.0.0"
    newer["rpcs"]["PostDreams"] = "PostDreamsRequest -> MultiDreamResponse at POST /v2/dreams"
    del newer["rpcs"]["PatchKeys"]
    newer["messages"]["Nodepool"]["mood"] = "string = 99"
    newer["messages"]["Dream"] = {"id": "string = 1"}
    newer["messages"]["Model"]["id"] = "uint64 = 1"
    newer["enums"]["StatusCode"]["DREAM_OVER"] = 99100
    newer["clients"]["clarifai.client.model:Model"]["dream"] = "a name"
    newer["inside"]["clarifai.runners.models.model_builder:is_related"] = "missing"
    newer["inside"]["clarifai_protocol.base_runner:_trigger_abort"] = "(item_id)"
    assert f"clarifai {BASELINE['versions']['clarifai']} → 13.0.0" in versions(BASELINE, newer)
    assert changes(BASELINE, newer) == [
        "RPC PatchKeys is gone",
        "new RPC PostDreams: PostDreamsRequest -> MultiDreamResponse at POST /v2/dreams",
        "new message Dream",
        "message Model: field id was string = 1, is uint64 = 1",
        "message Nodepool: new field mood (string = 99)",
        "enum StatusCode: new value DREAM_OVER (99100)",
        "class clarifai.client.model:Model: new name dream",
        "the SDK's clarifai.runners.models.model_builder:is_related was (object_class, main_class), is missing; "
        "on it stands reading signatures",
        "the SDK's clarifai_protocol.base_runner:_trigger_abort was (base_runner, item_id), is (item_id); "
        "on it stands the lean runner",
    ]


def test_the_snapshot_of_this_environment_differs_from_the_baseline_by_versions_at_most() -> None:
    command = [sys.executable, ROOT / "tests" / "newest" / "snapshot.py", *every_place()]
    done = subprocess.run(command, capture_output=True, text=True, env={"CLARIFAI_API_BASE": "http://127.0.0.1:9"})
    assert done.returncode == 0, done.stderr
    now = json.loads(done.stdout.splitlines()[-1])
    if all(now["versions"][name] == BASELINE["versions"][name] for name in ("clarifai", "clarifai-grpc")):
        assert changes(BASELINE, now) == []


def test_every_place_inside_the_sdk_that_the_code_imports_is_watched() -> None:
    modules = {place.partition(":")[0] for place in every_place()}
    named = {module for each in modules for module in (each, each.rpartition(".")[0])}
    assert {f"{module}.{name}" for module, name in _imported() if module not in named} == set(), (
        "add them to tests/newest/stands_on.py"
    )


def test_what_is_missing_from_the_newest_sdk_is_not_stood_on() -> None:
    assert [place for place, found in BASELINE["inside"].items() if found == "missing"] == []


def _imported() -> Iterator[tuple[str, str]]:
    for package in ("emulator/clarifai_emulator", "pytest_plugin/pytest_clarifai_emulator"):
        for path in (ROOT / package).rglob("*.py"):
            if "template" in path.as_posix():
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
                    "clarifai",
                    "clarifai_protocol",
                ):
                    yield from ((f"{node.module}", each.name) for each in node.names)
