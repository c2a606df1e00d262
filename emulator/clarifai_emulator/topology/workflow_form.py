"""Reads workflows as the SDK's YAML files have them, too: with ``model_id`` and ``model_version_id``."""

from __future__ import annotations

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from clarifai_emulator.messages.yaml import YamlFile

# The names of the SDK's files (``App.create_workflow``), beside those of the platform.
SDK_KEYS = ("model_id", "model_version_id")


def to_platform_form(file: YamlFile, node: Node, key: str) -> None:
    """Rename, in the nodes of one workflow, what has another name in the SDK's files."""
    nodes = file.mapping(node, key).get("nodes") if isinstance(node, MappingNode) else None
    for each in nodes[1].value if nodes is not None and isinstance(nodes[1], SequenceNode) else ():
        model = _child(each, "model")
        if isinstance(model, MappingNode):
            model.value = [_renamed(name, value) for name, value in model.value]


def _renamed(name: Node, value: Node) -> tuple[Node, Node]:
    if not isinstance(name, ScalarNode) or name.value not in SDK_KEYS:
        return name, value
    if name.value == "model_id":
        return _named(name, "id"), value
    version = MappingNode("tag:yaml.org,2002:map", [(_named(name, "id"), value)], value.start_mark, value.end_mark)
    return _named(name, "model_version"), version


def _named(name: ScalarNode, text: str) -> ScalarNode:
    return ScalarNode(name.tag, text, name.start_mark, name.end_mark, name.style)


def _child(node: Node, name: str) -> Node | None:
    entries = node.value if isinstance(node, MappingNode) else ()
    return next((value for key, value in entries if key.value == name), None)
