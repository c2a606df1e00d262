"""Reads and writes cassettes: YAML that people can read, compare and review; without credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.whole_file import write_whole

VERSION = 1
_HEAD = "# Recorded calls of a test. Record them again with: pytest --clarifai-cassettes all\n"
_AGAIN = "Record it again with `pytest --clarifai-cassettes all`, or take it from your version control."


@dataclass(slots=True, eq=False)
class RecordedCall:
    """A call. ``order`` tells in which turn messages came: ``>`` a request, ``<`` an answer. ``error``: the gRPC
    status it ended with, by name, and its text. ``by``: of a call that a model made, that model; ``parent``: the
    call that it was answering then, by its place in the file, from 1 on. ``played``: how often it was played."""

    rpc: str
    requests: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    order: str
    call: str = ""
    error: tuple[str, str] | None = None
    by: str = ""
    parent: int = 0
    played: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The call as it stands in the file."""
        told: dict[str, Any] = {"rpc": self.rpc}
        if self.call:
            told["call"] = self.call
        if self.by:
            told["by"] = self.by
        if self.parent:
            told["parent"] = self.parent
        told.update(order=self.order, requests=self.requests, answers=self.answers)
        if self.error is not None:
            told["error"] = list(self.error)
        return told


@dataclass(frozen=True, slots=True)
class RecordedModel:
    """A model that was deployed while its calls were recorded. ``methods``: its signatures, as one reads them."""

    key: tuple[str, str, str]
    content_hash: str
    methods: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The model as it stands in the file."""
        return {"key": "/".join(self.key), "content_hash": self.content_hash, "methods": list(self.methods)}


@dataclass(slots=True, eq=False)
class Cassette:
    """The calls of one cassette, in order, and the models they were for, by the name of the directory."""

    calls: list[RecordedCall] = field(default_factory=list[RecordedCall])
    models: dict[str, RecordedModel] = field(default_factory=dict[str, RecordedModel])

    def write(self, file: Path) -> None:
        """Write the file, whole or not at all."""
        content = {
            "version": VERSION,
            "models": {name: model.as_dict() for name, model in self.models.items()},
            "calls": [call.as_dict() for call in self.calls],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


def read_cassette(file: Path) -> Cassette:
    """Read a cassette. Raises ``ConfigError``."""
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"The cassette {file} cannot be read:", [str(error)], hint=_AGAIN) from None
    if not _is_ours(content):
        raise ConfigError(
            f"{file} is not a cassette of the emulator:",
            ["it holds `interactions`, as VCR and pytest-recording write them"],
            hint="Give this test's cassette another name: clarifai_cassette(name=…).",
        )
    version = cast("Mapping[str, Any]", content).get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise ConfigError(
            f"The cassette {file} cannot be used:", [f"version must be {VERSION}, got {version!r}"], hint=_AGAIN
        )
    try:
        return _cassette(cast("Mapping[str, Any]", content))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"The cassette {file} cannot be used:", [_told(error)], hint=_AGAIN) from None


def is_of_another_tool(file: Path) -> bool:
    """Tell whether another tool's recordings are in this file, which must not be overwritten."""
    try:
        return not _is_ours(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False


def _is_ours(content: Any) -> bool:
    """Tell whether the content can be a cassette, or was one: those of VCR have a `version: 1`, too."""
    return not (isinstance(content, dict) and "interactions" in content and "calls" not in content)


def _told(error: KeyError | TypeError | ValueError) -> str:
    return f"a call or a model has no {error}" if isinstance(error, KeyError) else str(error)


def _cassette(content: Mapping[str, Any]) -> Cassette:
    calls, models = content.get("calls") or [], content.get("models") or {}
    if not _is_messages(calls):
        raise TypeError("calls must be a list of mappings")
    if not isinstance(models, dict) or not _is_messages(list(cast("dict[Any, Any]", models).values())):
        raise TypeError("models must be a mapping of mappings")
    named = cast("dict[Any, dict[str, Any]]", models)
    return Cassette([_call(entry) for entry in calls], {str(name): _model(entry) for name, entry in named.items()})


def _call(entry: Mapping[str, Any]) -> RecordedCall:
    if not isinstance(entry["rpc"], str):
        raise TypeError(f"rpc must be a name, got {entry['rpc']!r:.100}")
    requests, answers, order = entry["requests"], entry["answers"], str(entry["order"])
    if not (_is_messages(requests) and _is_messages(answers)):
        raise TypeError(f"requests and answers of {entry['rpc']} must be lists of mappings")
    if order[:1] != ">" or (order.count(">"), order.count("<")) != (len(requests), len(answers)):
        there = f"{len(requests)} requests and {len(answers)} answers"
        raise ValueError(f"order {order!r} of {entry['rpc']} does not fit its {there}")
    return RecordedCall(
        rpc=entry["rpc"],
        requests=requests,
        answers=answers,
        order=order,
        call=str(entry.get("call") or ""),
        error=_error(entry),
        by=_maker(entry),
        parent=_parent(entry),
    )


def _maker(entry: Mapping[str, Any]) -> str:
    by = entry.get("by") or ""
    if not isinstance(by, str):
        raise TypeError(f"by of {entry['rpc']} must be the model that made the call, got {by!r:.100}")
    return by


def _parent(entry: Mapping[str, Any]) -> int:
    parent = entry.get("parent") or 0
    if not isinstance(parent, int):
        raise TypeError(f"parent of {entry['rpc']} must be the place of a call, got {parent!r:.100}")
    return parent


def _error(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    error = entry.get("error")
    if not error:
        return None
    if not isinstance(error, list) or len(cast("list[Any]", error)) != 2:
        raise TypeError(f"error of {entry['rpc']} must be a status and its text, got {error!r:.100}")
    status, text = cast("list[Any]", error)
    return str(status), str(text)


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in cast("list[Any]", value))


def _model(entry: Mapping[str, Any]) -> RecordedModel:
    key, methods = str(entry["key"]).split("/"), entry["methods"]
    if len(key) != 3:
        raise ValueError(f"key of a model must be user/app/model, got {entry['key']!r:.100}")
    if not isinstance(methods, list):
        raise TypeError(f"methods of {entry['key']} must be a list, got {methods!r:.100}")
    content_hash, texts = str(entry["content_hash"]), map(str, cast("list[Any]", methods))
    return RecordedModel((key[0], key[1], key[2]), content_hash, tuple(texts))
