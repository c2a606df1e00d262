"""Reads one stand-in of a topology file.

stand_ins:
  - {model: https://clarifai.com/openai/chat-completion/models/gpt-4o, path: ../models/my-gpt}
  - model: anthropic/completion/models/claude-sonnet-4
    answers:
      - {contains: weather, text: It is sunny.}
      - I am a stand-in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from yaml.nodes import MappingNode, Node

from clarifai_emulator.protobuf_yaml import YamlFile, unknown

_KEYS = ("model", "path", "answers")
_ANSWER_KEYS = ("contains", "text")
_URL = re.compile(r"(?:https?://[^/]+/)?([^/]+)/([^/]+)/models/([^/]+)(/versions/[^/]+)?/?")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a request whose last message contains ``contains`` (in any case); empty: to every one."""

    text: str
    contains: str = ""


@dataclass(frozen=True, slots=True)
class StandIn:
    """What serves a hosted model. ``model``: its user, app and id. Either ``path``, a model directory (absolute),
    or ``answers``, of which the first that fits is given. ``where``: ``file:line`` of it."""

    model: tuple[str, str, str]
    where: str
    path: Path | None = None
    answers: tuple[Answer, ...] = ()


def read_stand_in(file: YamlFile, node: Node, key: str) -> StandIn | None:
    """A stand-in; None after complaints."""
    entries = file.mapping(node, key)
    for name, (name_node, _) in entries.items():
        if name not in _KEYS:
            file.complain(name_node, f"{key}.{name}", unknown(name, _KEYS))
    model = _model(file, entries["model"][1], f"{key}.model") if "model" in entries else None
    if "model" not in entries:
        file.complain(node, key, "needs model: the address of the hosted model, as clients give it")
    if ("path" in entries) == ("answers" in entries):
        file.complain(node, key, "needs either path, a model directory, or answers")
        return None
    path = _path(file, entries["path"][1], f"{key}.path") if "path" in entries else None
    answers = _answers(file, entries["answers"][1], f"{key}.answers") if "answers" in entries else ()
    if model is None or not (path or answers):
        return None
    return StandIn(model, file.where(node), path, answers)


def _model(file: YamlFile, node: Node, key: str) -> tuple[str, str, str] | None:
    said = file.text(node, key)
    match = _URL.fullmatch(said)
    if match is None:
        file.complain(node, key, f"{said!r} names no model; write https://clarifai.com/USER/APP/models/ID")
        return None
    if match[4]:
        file.complain(node, key, "names a version; leave it out: a stand-in has versions of its own")
        return None
    return match[1], match[2], match[3]


def _path(file: YamlFile, node: Node, key: str) -> Path | None:
    path = (file.path.parent / file.text(node, key)).resolve()
    if not path.is_dir():
        file.complain(node, key, f"{path} is not a directory")
        return None
    return path


def _answers(file: YamlFile, node: Node, key: str) -> tuple[Answer, ...]:
    found: list[Answer] = []
    items = file.items(node, key)
    if not items:
        file.complain(node, key, "needs at least one answer")
    for index, item in enumerate(items):
        where = f"{key}[{index}]"
        if not isinstance(item, MappingNode):
            found.append(Answer(file.text(item, where)))
            continue
        entries = file.mapping(item, where)
        for name, (name_node, _) in entries.items():
            if name not in _ANSWER_KEYS:
                file.complain(name_node, f"{where}.{name}", unknown(name, _ANSWER_KEYS))
        if "text" not in entries:
            file.complain(item, where, "needs text: what is answered")
        texts = {name: file.text(entries[name][1], f"{where}.{name}") for name in _ANSWER_KEYS if name in entries}
        found.append(Answer(texts.get("text", ""), texts.get("contains", "")))
    return tuple(found)
