"""Finds the definitions of workflows among the paths: YAML files with nodes, each of which names a model.

workflow: {id: both, nodes: [{id: first, model: {model_id: hello, user_id: me, app_id: demo}}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clarifai_emulator.contracts.calls.client_project import File
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue, known_value
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.messages.address import ModelAddress

_MARK = b"workflow"


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A definition. ``models``: the URL of the model of each node, at its place in the file."""

    workflow_id: str
    models: Sequence[WrittenValue]


def read_workflows(files: Iterable[File]) -> dict[str, WorkflowFile]:
    """Return the workflows that these files define, by their ids; other files are passed over."""
    found: dict[str, WorkflowFile] = {}
    for file in files:
        path = file.path
        try:
            root = yaml.compose(file.content, Loader=yaml.SafeLoader) if _MARK in file.content else None
        except (ValueError, RecursionError, yaml.YAMLError):
            continue
        workflow = _child(root, "workflow")
        nodes = _child(workflow, "nodes")
        if isinstance(nodes, yaml.SequenceNode):
            name = _text(_child(workflow, "id")) or path.stem
            models = [made for each in nodes.value if (made := _model(path, _child(each, "model"))) is not None]
            found[name] = WorkflowFile(name, models)
    return found


def _model(path: Path, node: Any) -> WrittenValue | None:
    model = _child(node, "model_id")
    if model is None:
        return None
    start, end = model.start_mark, model.end_mark
    where = Location(path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
    user, app = (_text(_child(node, name)) or UNSEEN for name in ("user_id", "app_id"))
    url = ModelAddress(user, app, _text(model)).url
    return known_value(url, where)


def _child(node: Any, name: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == name:
                return value
    return None


def _text(node: Any) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
