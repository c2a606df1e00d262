"""Reads what a stand-in answers: texts and calls of tools, each fit for some requests, or in the order of a script.

answers:
  - {contains: weather, text: It is sunny.}
script:
  - {contains: 2 and 3, tool: add, arguments: {left: 2, right: 3}}
  - text: The sum is 5.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node, SequenceNode

from clarifai_emulator.messages.yaml import YamlFile, unknown

CALL_KEYS = ("tool", "arguments", "unchecked")
ANSWER_KEYS = ("contains", "text", "calls", *CALL_KEYS)


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """A call of a tool that is answered. ``arguments``: as JSON; a text of a file's is given as it stands there,
    whatever it is. ``unchecked``: also where the request does not offer such a tool."""

    tool: str
    arguments: str = "{}"
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a request whose last message contains ``contains`` (in any case); empty: to every request."""

    text: str
    contains: str = ""
    calls: tuple[AnsweredCall, ...] = ()


Script = tuple[Answer, ...]


def read_answers(file: YamlFile, node: Node, key: str) -> Script:
    """Read answers that are given to the requests that they fit; empty after complaints."""
    items = file.items(node, key)
    if not items:
        file.complain(node, key, "needs at least one answer")
    return tuple(_answer(file, item, f"{key}[{index}]") for index, item in enumerate(items))


def read_scripts(file: YamlFile, node: Node, key: str) -> tuple[Script, ...]:
    """Read the script of one conversation, or a list of such scripts; empty after complaints."""
    items = file.items(node, key)
    if not any(isinstance(item, SequenceNode) for item in items):
        script = read_answers(file, node, key)
        return (script,) if script else ()
    found = [read_answers(file, item, f"{key}[{index}]") for index, item in enumerate(items)]
    for index, script in enumerate(found[:-1]):
        if script and not script[0].contains:
            file.complain(
                items[index],
                f"{key}[{index}][0]",
                "needs contains: every conversation would begin here, and the scripts after it are never used",
            )
    return tuple(found)


def _answer(file: YamlFile, node: Node, key: str) -> Answer:
    if not isinstance(node, MappingNode):
        return Answer(file.text(node, key))
    entries = file.mapping(node, key)
    _require_known(file, entries, key, ANSWER_KEYS)
    texts = {name: file.text(entries[name][1], f"{key}.{name}") for name in ("text", "contains") if name in entries}
    calls = [_call(file, node, key)] if "tool" in entries else []
    if "calls" in entries:
        calls += _calls(file, entries["calls"][1], f"{key}.calls")
    if not calls and "text" not in entries:
        file.complain(node, key, "needs text: what is answered; or tool: what is called")
    return Answer(texts.get("text", ""), texts.get("contains", ""), tuple(calls))


def _calls(file: YamlFile, node: Node, key: str) -> list[AnsweredCall]:
    found: list[AnsweredCall] = []
    for index, item in enumerate(file.items(node, key)):
        where = f"{key}[{index}]"
        entries = file.mapping(item, where)
        _require_known(file, entries, where, CALL_KEYS)
        if "tool" not in entries:
            file.complain(item, where, "needs tool: the name of what is called")
            continue
        found.append(_call(file, item, where))
    return found


def _call(file: YamlFile, node: Node, key: str) -> AnsweredCall:
    entries = file.mapping(node, key)
    arguments: Any = file.value(entries["arguments"][1]) if "arguments" in entries else {}
    if not isinstance(arguments, dict | str):
        file.complain(
            entries["arguments"][1],
            f"{key}.arguments",
            "expected a mapping of names to values, or a text that is given as it is",
        )
        arguments = {}
    unchecked: Any = file.value(entries["unchecked"][1]) if "unchecked" in entries else False
    if not isinstance(unchecked, bool):
        file.complain(entries["unchecked"][1], f"{key}.unchecked", f"expected true or false, found {unchecked!r}")
    return AnsweredCall(
        file.text(entries["tool"][1], f"{key}.tool"), _as_json(file, arguments, node, key), unchecked is True
    )


def _as_json(file: YamlFile, arguments: dict[Any, Any] | str, node: Node, key: str) -> str:
    if isinstance(arguments, str):
        return arguments
    try:
        return json.dumps(arguments, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        file.complain(
            node, f"{key}.arguments", f"cannot be written as JSON: {error}; write dates and such in quotes"
        )
        return "{}"


def _require_known(file: YamlFile, entries: dict[str, tuple[Node, Node]], key: str, known: tuple[str, ...]) -> None:
    for name, (name_node, _) in entries.items():
        if name not in known:
            file.complain(name_node, f"{key}.{name}", unknown(name, known))
