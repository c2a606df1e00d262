"""The graph of calls says who calls whom, what leads nowhere, and which models call themselves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.endpoints.workflow_files import DefinedNode, WorkflowFile
from clarifai_emulator.contracts.endpoints.written_value import known_value
from clarifai_emulator.contracts.graph.graph_formats import GRAPH_FORMATS
from clarifai_emulator.contracts.graph.model_graph import ModelGraph, model_graph
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.contracts.signatures.method import Method

ROOT = Path("/work")
AGENT = ROOT / "agent" / "1" / "model.py"


def known(name: str) -> KnownModel:
    method = Method(MethodSignature(name="predict"), None, {}, "")
    return KnownModel(name, ROOT / name, Address("", "main", name), (method,), "import", ())


def call(line: int, model: str, *rules: str, called: str = "predict()", caller: str = "agent") -> ClientCall:
    path = AGENT if caller else ROOT / "app" / "client.py"
    place = Location(path, line, 5, line, 20)
    findings = tuple(found(rule, f"It is {rule}.", place) for rule in rules)
    return ClientCall(place, called, model, findings, caller)


def workflow(*models: str) -> WorkflowFile:
    where = Location(ROOT / "flow.yml", 2, 3)
    nodes = [
        DefinedNode(
            f"n{number}", where, known_value(f"https://clarifai.com/me/main/models/{each}", where), "", (), {}
        )
        for number, each in enumerate(models)
    ]
    return WorkflowFile("both", where, nodes)


CALLS = [
    call(1, "ranker"),
    call(2, "ranker", called="generate()"),
    call(3, "ranker", "wrong-type"),
    call(4, "", "unknown-model", called="stream()"),
    call(5, "openai/chat/models/gpt", "model-not-given"),
    call(6, "both", called="predict_by_bytes()"),
    call(7, "agent", caller=""),
]
GRAPH = model_graph([known("agent"), known("ranker"), known("alone")], CALLS, [workflow("ranker", "agent")])
TEXT = """\
model agent  (agent)
  → ranker: generate  agent/1/model.py:2:5
  → ranker: predict  agent/1/model.py:1:5, agent/1/model.py:3:5  wrong
  → openai/chat/models/gpt (not given): predict  agent/1/model.py:5:5
  → workflow both: predict_by_bytes  agent/1/model.py:6:5
  ? stream  agent/1/model.py:4:5  It is unknown-model. [unknown-model]

model alone  (alone)
  calls no model

model ranker  (ranker)
  calls no model

workflow both  (flow.yml)
  → agent: predict (n1)  flow.yml:2:3
  → ranker: predict (n0)  flow.yml:2:3

client app/client.py
  → agent: predict  app/client.py:7:5

circle: agent → workflow both → agent

3 models, 1 workflow, 1 client, 1 model that was not given, 8 calls, 1 unresolved call, 1 circle.
"""
MERMAID = """\
flowchart LR
  n0["agent"]
  n1["alone"]
  n2["ranker"]
  n3[["both"]]
  n4("app/client.py")
  n5{{"openai/chat/models/gpt"}}
  n4 -->|"predict"| n0
  n0 -.->|"generate<br/>predict (wrong)"| n2
  n0 -.->|"predict (not checked)"| n5
  n0 -->|"predict_by_bytes"| n3
  n3 -->|"predict (n1)"| n0
  n3 -->|"predict (n0)"| n2
  u0{{"?"}}
  n0 -.->|"stream"| u0
  classDef circle stroke:#c00,stroke-width:3px
  class n0,n3 circle
"""


def test_the_text_names_each_call_with_its_place_and_what_is_wrong() -> None:
    assert GRAPH_FORMATS["text"](GRAPH, ROOT) == TEXT


def test_mermaid_has_an_arrow_for_each_two_with_the_methods_on_it() -> None:
    assert GRAPH_FORMATS["mermaid"](GRAPH, ROOT) == MERMAID


def test_json_has_the_same() -> None:
    document = json.loads(GRAPH_FORMATS["json"](GRAPH, ROOT))
    assert document["circles"] == [["agent", "workflow both"]]
    assert document["unresolved"] == [
        {
            "caller": {"kind": "model", "name": "agent"}, "called": "stream", "rule": "unknown-model",
            "reason": "It is unknown-model.", "file": "agent/1/model.py", "line": 4, "column": 5,
        }
    ]  # fmt: skip
    wrong = [each for each in document["edges"] if each["verdict"] == "error"]
    assert [(each["caller"]["name"], each["callee"]["name"], each["called"]) for each in wrong] == [
        ("agent", "ranker", "predict")
    ]
    assert {each["kind"] for each in document["nodes"]} == {"model", "workflow", "client", "other"}


def test_models_that_nobody_calls_are_a_graph_too() -> None:
    graph = model_graph([known("alone")], [])
    assert GRAPH_FORMATS["text"](graph, ROOT) == "model alone  (alone)\n  calls no model\n\n1 model, 0 calls.\n"
    assert GRAPH_FORMATS["mermaid"](graph, ROOT) == 'flowchart LR\n  n0["alone"]\n'


def test_a_model_that_cannot_be_read_is_said_to_be_so() -> None:
    graph = model_graph([replace(known("broken"), methods=())], [])
    assert GRAPH_FORMATS["text"](graph, ROOT).splitlines()[1:3] == [
        "  its methods could not be read: `clarifai-emulator contract show` says why",
        "  calls no model",
    ]
    assert json.loads(GRAPH_FORMATS["json"](graph, ROOT))["nodes"][0]["readable"] is False


@pytest.mark.parametrize(
    "name", ['a"]; click n0 "javascript:x', "a\nend", "a|b", "a-->b", "</script>", "`a`", "a#quot;b"]
)
def test_a_name_ends_no_label_of_mermaid(name: str) -> None:
    graph: ModelGraph = model_graph([known(name)], [call(1, name, caller="")])
    lines = GRAPH_FORMATS["mermaid"](graph, ROOT).splitlines()
    (label,) = [match[1] for line in lines if (match := re.fullmatch(r'  n0\["([^"\n]*)"\]', line))]
    assert re.fullmatch(r"(?:[\w \-./:()→\\]|#\d+;)*", label), label
    assert len(lines) == 4
