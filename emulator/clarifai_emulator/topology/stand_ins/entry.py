"""Reads one stand-in of a topology file.

stand_ins:
  - {model: https://clarifai.com/openai/chat-completion/models/gpt-4o, path: ../models/my-gpt}
  - model: anthropic/completion/models/claude-sonnet-4
    answers:
      - {contains: weather, text: It is sunny.}
      - I am a stand-in.
  - {model: https://clarifai.com/clarifai/main/models/general-image-recognition, cassette: recorded/images.yaml}
  - {model: openai/chat-completion/models/gpt-5, script: [{tool: add, arguments: {left: 2}}, The sum is 5.]}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yaml.nodes import Node

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.messages.address import ModelKey, parse_address
from clarifai_emulator.messages.yaml import YamlFile, unknown
from clarifai_emulator.topology.stand_ins.recording import Recording, recording_of
from clarifai_emulator.topology.stand_ins.scripted_answers import Script, read_answers, read_scripts

WAYS = ("path", "answers", "script", "cassette")
KEYS = ("model", *WAYS)


@dataclass(frozen=True, slots=True)
class StandIn:
    """The substitute of a hosted model. ``model``: its user, app and id. One of: ``path``, a model directory
    (absolute); ``answers``, of which the first that fits is given; ``scripts``, of which the first that fits the
    beginning of a conversation is given in its order; ``recording``, whose calls are played back. ``where``:
    ``file:line`` of it."""

    model: ModelKey
    where: str
    path: Path | None = None
    answers: Script = ()
    scripts: tuple[Script, ...] = ()
    recording: Recording | None = None


def read_stand_in(file: YamlFile, node: Node, key: str) -> StandIn | None:
    """Read a stand-in; None after complaints."""
    entries = file.mapping(node, key)
    for name, (name_node, _) in entries.items():
        if name not in KEYS:
            file.complain(name_node, f"{key}.{name}", unknown(name, KEYS))
    model = _model(file, entries["model"][1], f"{key}.model") if "model" in entries else None
    if "model" not in entries:
        file.complain(node, key, "needs model: the address of the hosted model, as clients give it")
    given = [way for way in WAYS if way in entries]
    if len(given) != 1:
        file.complain(
            node,
            key,
            "needs one of path, a model directory; answers; script, answers in order; "
            "or cassette, a file of recorded calls",
        )
    if model is None or len(given) != 1:
        return None
    value, where = entries[given[0]][1], f"{key}.{given[0]}"
    if given[0] == "path":
        path = _path(file, value, where)
        return path and StandIn(model, file.where(node), path=path)
    if given[0] == "answers":
        answers = read_answers(file, value, where)
        return StandIn(model, file.where(node), answers=answers) if answers else None
    if given[0] == "script":
        scripts = read_scripts(file, value, where)
        return StandIn(model, file.where(node), scripts=scripts) if all(scripts) and scripts else None
    recording = _recording(file, value, where, model)
    return recording and StandIn(model, file.where(node), recording=recording)


def _model(file: YamlFile, node: Node, key: str) -> ModelKey | None:
    said = file.text(node, key)
    address = parse_address(said)
    if address is None:
        file.complain(node, key, f"{said!r} names no model; write https://clarifai.com/USER/APP/models/ID")
        return None
    if address.version_id:
        file.complain(node, key, "names a version; leave it out: a stand-in has versions of its own")
        return None
    return address.key


def _path(file: YamlFile, node: Node, key: str) -> Path | None:
    path = (file.path.parent / file.text(node, key)).resolve()
    if not path.is_dir():
        file.complain(node, key, f"{path} is not a directory")
        return None
    return path


def _recording(file: YamlFile, node: Node, key: str, model: ModelKey) -> Recording | None:
    path = (file.path.parent / file.text(node, key)).resolve()
    try:
        return recording_of(path, model)
    except ConfigError as error:
        file.complain(node, key, f"{error.what} {'; '.join(error.problems)}")
    except LookupError as error:
        file.complain(node, key, str(error.args[0]))
    return None
