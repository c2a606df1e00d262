"""Reads YAML into the platform's protobuf messages, and says at which line each mistake is.

YAML nodes are walked beside the message's descriptor, so that a mistake is found where it is written; the
platform's own field names are the only schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.spelling import did_you_mean_or

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}


@dataclass(slots=True)
class YamlFile:
    """A file and every problem found in it so far, as ``file:line: key: what is wrong``."""

    path: Path
    problems: list[str] = field(default_factory=list[str])
    _flattened: set[int] = field(default_factory=set[int])

    def documents(self) -> Iterator[Node]:
        """Yield the YAML documents of the file; one that cannot be read is a problem and ends them."""
        try:
            text = self.path.read_text(encoding="utf-8")
            yield from (node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if not _is_null(node))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(f"{self.path}:{line}: is not valid YAML: {error.problem}")
        except yaml.YAMLError as error:
            self.problems.append(f"{self.path}:1: is not valid YAML: {error}")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{self.path}:1: cannot be read: {error}")

    def where(self, node: Node) -> str:
        """Return ``file:line`` of a node."""
        return f"{self.path}:{node.start_mark.line + 1}"

    def complain(self, node: Node, key: str, text: str) -> None:
        """Note a problem with what is written at a node."""
        problem = f"{self.where(node)}: {key}: {text}" if key else f"{self.where(node)}: {text}"
        if problem not in self.problems:
            self.problems.append(problem)

    def mapping(self, node: Node, key: str) -> dict[str, tuple[Node, Node]]:
        """Key and value node of each entry of a mapping, by key; a problem when it is none."""
        if not isinstance(node, MappingNode):
            self.complain(node, key, f"expected a mapping of names to values, found {_kind(node)}")
            return {}
        if id(node) not in self._flattened:
            self._flattened.add(id(node))
            self._complain_of_twins(node, key)
            yaml.SafeLoader("").flatten_mapping(node)  # `<<: *anchor`
        return {str(name.value): (name, value) for name, value in node.value}

    def _complain_of_twins(self, node: MappingNode, key: str) -> None:
        seen: set[str] = set()
        for name, _ in node.value:
            if str(name.value) in seen:
                self.complain(name, _join(key, str(name.value)), "is given twice")
            seen.add(str(name.value))

    def items(self, node: Node, key: str) -> list[Node]:
        """Return the items of a list; a problem when it is none."""
        if isinstance(node, SequenceNode):
            return list(node.value)
        self.complain(node, key, f"expected a list, found {_kind(node)}")
        return []

    def message(self, node: Node, message: Any, key: str, *, besides: Iterable[str] = ()) -> Any:
        """Fill ``message`` from a mapping. ``besides``: keys that are not the message's, and are left out."""
        fields = message.DESCRIPTOR.fields_by_name
        besides = tuple(besides)
        for name, (name_node, value) in self.mapping(node, key).items():
            if name in fields:
                self._set(message, fields[name], value, _join(key, name))
            elif name not in besides:
                self.complain(name_node, _join(key, name), unknown(name, [*fields, *besides]))
        return message

    def value(self, node: Node) -> Any:
        """Return the plain value of a node: what ``yaml.safe_load`` gives."""
        try:
            return yaml.SafeLoader("").construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            self.complain(node, "", f"is not plain YAML: {error.problem}")
            return None

    def text(self, node: Node, key: str) -> str:
        """Return a text; a problem when it is something else."""
        value = self._scalar(node, key)
        if isinstance(value, str) or value is None:
            return value or ""
        # The value itself is not shown: it may be a secret.
        self.complain(node, key, f"expected a text, found {type(value).__name__}; write it in quotes")
        return ""

    def integer(self, node: Node, key: str) -> int | None:
        """Return a whole number of at least 0; a problem when it is something else."""
        value = self._scalar(node, key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.complain(node, key, f"expected a whole number of at least 0, found {value!r}")
        return None

    def _set(self, message: Any, descriptor: Any, node: Node, key: str) -> None:
        if _is_null(node):
            return
        if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
            self.complain(node, key, "is a map of the platform's, which cannot be written in such a file")
            return
        if not is_repeated(descriptor):
            self._set_one(message, descriptor, node, key)
            return
        for index, item in enumerate(self.items(node, key)):
            where = f"{key}[{index}]"
            if descriptor.message_type is not None:
                self._fill(getattr(message, descriptor.name).add(), item, where)
            else:
                value = self._of_type(descriptor, item, where)
                if value is not None:
                    getattr(message, descriptor.name).append(value)

    def _set_one(self, message: Any, descriptor: Any, node: Node, key: str) -> None:
        if descriptor.message_type is not None:
            inner = getattr(message, descriptor.name)
            inner.SetInParent()
            self._fill(inner, node, key)
            return
        value = self._of_type(descriptor, node, key)
        if value is None:
            return
        try:
            setattr(message, descriptor.name, value)
        except ValueError as error:
            self.complain(node, key, str(error))

    def _fill(self, message: Any, node: Node, key: str) -> None:
        if not message.DESCRIPTOR.full_name.startswith("google.protobuf."):
            self.message(node, message, key)
            return
        value: Any = self.value(node)
        if message.DESCRIPTOR.name == "Duration" and isinstance(value, int):
            value = f"{value}s"
        parse: Any = ParseDict  # well-known types are texts or lists in JSON, which the stub does not say
        try:
            parse(value, message)
        except (ParseError, ValueError, TypeError, AttributeError) as error:
            self.complain(node, key, f"{value!r} cannot be read as {message.DESCRIPTOR.name}: {error}")

    def _of_type(self, descriptor: Any, node: Node, key: str) -> Any:
        """Return the node's value as the field's type, or None after a complaint."""
        value = self._scalar(node, key)
        if value is None:
            return None
        kind = descriptor.cpp_type
        if descriptor.enum_type is not None:
            return self._enum(descriptor.enum_type, value, node, key)
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self.text(node, key)
        if kind == FieldDescriptor.CPPTYPE_BOOL and isinstance(value, bool):
            return value
        if kind in _FLOATS and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        if kind in _INTEGERS:
            return self.integer(node, key)
        self.complain(node, key, f"expected {_TYPE_NAMES.get(kind, 'another type')}, found {value!r}")
        return None

    def _enum(self, enum: Any, value: Any, node: Node, key: str) -> int | None:
        by_name = {name: each.number for name, each in enum.values_by_name.items()}
        if value in by_name:
            return by_name[value]
        if isinstance(value, int) and not isinstance(value, bool) and value in by_name.values():
            return value
        choices = ", ".join(f"{number} {name}" for name, number in by_name.items())
        self.complain(node, key, f"{value!r} is none of {choices}")
        return None

    def _scalar(self, node: Node, key: str) -> Any:
        if isinstance(node, ScalarNode):
            return self.value(node)
        self.complain(node, key, f"expected a single value, found {_kind(node)}")
        return None


_TYPE_NAMES = {
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_FLOAT: "a number",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
}


def unknown(name: str, known: Iterable[str]) -> str:
    """Say of a name that it is not known, with the nearest one."""
    names = list(known)
    hint = did_you_mean_or(name, names, f"known: {', '.join(names)}")
    return f"is not a known name; {hint}"


def _is_null(node: Node | None) -> bool:
    return node is None or (isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null")


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _kind(node: Node) -> str:
    if isinstance(node, SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, MappingNode) else f"{node.value!r}"
