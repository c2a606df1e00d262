"""Finds the definitions of workflows among the paths: YAML files with nodes, each of which names a model.

workflow: {id: both, nodes: [{id: first, model: {model_id: hello, user_id: me, app_id: demo}}]}    of the SDK
workflows: [{id: both, nodes: [{id: first, model: {id: hello, user_id: me, app_id: demo}}]}]       topology files
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clarifai_emulator.contracts.calls.client_project import File, may_define
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue, known_value
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.messages.address import ModelAddress


@dataclass(frozen=True, slots=True)
class DefinedNode:
    """A node. ``location``: of its id, or of the whole node where it has none. ``model``: the URL of its model, at
    its place in the file; None where it names none. ``inputs``: the nodes that it takes from. ``fields``: the place
    of each value in it, by its path (``node_inputs[0].node_id``)."""

    node_id: str
    location: Location
    model: WrittenValue | None
    type_id: str
    inputs: Sequence[str]
    fields: dict[str, Location]

    @property
    def model_id(self) -> str:
        """Return the id of its model; empty where it names none."""
        return self.model.texts[0].rpartition("/")[2] if self.model is not None and self.model.texts else ""


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A definition. ``location``: of its id, or of its nodes."""

    workflow_id: str
    location: Location
    nodes: Sequence[DefinedNode]

    @property
    def models(self) -> Sequence[WrittenValue]:
        """Return the URL of the model of each node, at its place in the file."""
        return [each.model for each in self.nodes if each.model is not None]


def read_workflows(files: Iterable[File]) -> list[WorkflowFile]:
    """Return the workflows that these files define; other files are passed over."""
    found: list[WorkflowFile] = []
    for file in files:
        path = file.path
        try:
            root = yaml.compose(file.content, Loader=yaml.SafeLoader) if may_define(file) else None
        except (ValueError, RecursionError, yaml.YAMLError):
            continue
        several = _child(root, "workflows")
        listed = several.value if isinstance(several, yaml.SequenceNode) else []
        for workflow in (_child(root, "workflow"), *listed):
            nodes = _child(workflow, "nodes")
            if isinstance(nodes, yaml.SequenceNode):
                found.append(_workflow(path, _child(workflow, "id"), nodes))
    return found


def _workflow(path: Path, id_: Any, nodes: yaml.SequenceNode) -> WorkflowFile:
    made = [_node(path, each) for each in nodes.value if isinstance(each, yaml.MappingNode)]
    return WorkflowFile(_text(id_) or path.stem, _place(path, id_ if id_ is not None else nodes), made)


def _node(path: Path, node: yaml.MappingNode) -> DefinedNode:
    id_, model, inputs = (_child(node, name) for name in ("id", "model", "node_inputs"))
    given = inputs.value if isinstance(inputs, yaml.SequenceNode) else []
    named = [_child(each, "node_id") for each in given]
    fields = {f"node_inputs[{n}].node_id": _place(path, each) for n, each in enumerate(named) if each is not None}
    if model is not None:
        fields["model"] = _place(path, model)
    return DefinedNode(
        node_id=_text(id_),
        location=_place(path, id_ if id_ is not None else node),
        model=_model(path, model),
        type_id=_text(_child(model, "model_type_id")),
        inputs=[_text(each) for each in named if each is not None],
        fields=fields,
    )


def _model(path: Path, node: Any) -> WrittenValue | None:
    model = _child(node, "model_id") or _child(node, "id")
    if model is None:
        return None
    user, app = (_text(_child(node, name)) or UNSEEN for name in ("user_id", "app_id"))
    url = ModelAddress(user, app, _text(model)).url
    return known_value(url, _place(path, model))


def _place(path: Path, node: Any) -> Location:
    start, end = node.start_mark, node.end_mark
    if end.line > start.line and not isinstance(node, yaml.ScalarNode):
        return Location(path, start.line + 1, start.column + 1)
    return Location(path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _child(node: Any, name: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == name:
                return value
    return None


def _text(node: Any) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
