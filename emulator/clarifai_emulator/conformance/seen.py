"""Brings what a probe saw into a canonical form: plain JSON, without the names, ids and times of one run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

# Of what differs from run to run.
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?Z|[+-]\d\d:?\d\d| UTC)?")
_HEX = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-f])")
# A replica's id as texts show it.
_SHORT_HEX = re.compile(r"(?<![\w-])(?=[a-f]*\d)[0-9a-f]{8}(?![\w-])")
_PREFIX = re.compile(r"cfm-[0-9a-f]{6}-(?:[0-9a-z]{4}-)?")


@dataclass(frozen=True, slots=True)
class RpcAnswer:
    """Holds a message that an RPC answered, or the gRPC status that it ended with."""

    message: Any = None
    grpc_status: str = ""
    grpc_details: str = ""
    trailers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def code(self) -> int:
        """Return the platform's status code; 0 where there is none."""
        return self.message.status.code if self.message is not None else 0

    @property
    def succeeded(self) -> bool:
        """Tell whether its status is SUCCESS."""
        return self.code == 10000

    @property
    def status(self) -> str:
        """Return the status as observations show it: ``11101 CONN_DOES_NOT_EXIST``, ``gRPC UNIMPLEMENTED``."""
        return f"gRPC {self.grpc_status}" if self.message is None else named(self.code)

    @property
    def description(self) -> str:
        """Return the sentence that the platform has for the status code."""
        return self.message.status.description if self.message is not None else ""

    @property
    def details(self) -> str:
        """Return what the platform says of this very case."""
        return self.message.status.details if self.message is not None else self.grpc_details

    @property
    def fields(self) -> dict[str, Any]:
        """Return the message as data, its names in snake_case."""
        return as_data(self.message)

    def pick(self, *paths: str) -> dict[str, Any]:
        """Return its status and the values at dotted paths, as in ``pick("app.id", "apps.0.visibility")``."""
        return {"status": self.status, **picked(self.fields, *paths)}

    def __getattr__(self, name: str) -> Any:
        """Return a field of the message, so that ``answer.app.id`` reads as the message does."""
        if name.startswith("__") or self.message is None:
            raise AttributeError(f"{name}: the call was answered {self.status}, {self.details}")
        return getattr(self.message, name)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Holds an answer over HTTP."""

    http_status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON; None where it is something else."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="replace")

    @property
    def status(self) -> str:
        """Return the status as observations show it: ``404, 11101 CONN_DOES_NOT_EXIST``."""
        code = picked(self.json, "status.code")["status.code"]
        return f"{self.http_status}, {named(code)}" if isinstance(code, int) else str(self.http_status)

    @property
    def details(self) -> str:
        """Return what the platform says of this very case; the body where it is no answer of the REST API."""
        found = picked(self.json, "status.description", "status.details")
        texts = [text for text in found.values() if isinstance(text, str)]
        return ": ".join(texts) or self.text[:500]

    def pick(self, *paths: str) -> dict[str, Any]:
        """Return its status and the values at dotted paths of its JSON."""
        return {"status": self.status, **picked(self.json, *paths)}


@dataclass(frozen=True, slots=True)
class Canonical:
    """Rewrites one run's observations. ``users``: id → the word that stands for it; ``url``: the target's."""

    users: Mapping[str, str]
    url: str

    def of(self, value: Any) -> Any:
        """Return plain JSON; answers become their status."""
        if isinstance(value, RpcAnswer | HttpAnswer):
            return value.status
        if isinstance(value, Message):
            return self.of(as_data(value))
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.of(each) for key, each in value.items()}
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, set | frozenset):
            return sorted(self.of(each) for each in value)
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [self.of(each) for each in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        raise TypeError(f"A probe returns JSON and answers, not {type(value).__name__}: {value!r}")

    def text(self, text: str) -> str:
        """Return the text without what is of this run only."""
        text = _PREFIX.sub("", text)
        if self.url:
            text = text.replace(self.url, "<url>")
        for user, word in self.users.items():
            text = re.sub(rf"(?<![\w-]){re.escape(user)}(?![\w-])", word, text)
        return _SHORT_HEX.sub("<id>", _HEX.sub("<id>", _TIME.sub("<time>", text)))

    def texts(self, value: Any, path: str = "") -> Iterator[tuple[str, str]]:
        """Yield what answers say in words, by where they stand in the observation."""
        if isinstance(value, RpcAnswer | HttpAnswer):
            description = value.description if isinstance(value, RpcAnswer) else ""
            said = " | ".join(part for part in (description, value.details) if part)
            if said and said != "Ok":
                yield path, self.text(said)
        elif isinstance(value, Mapping):
            for key, each in value.items():
                yield from self.texts(each, f"{path}.{key}".lstrip("."))
        elif isinstance(value, list | tuple):
            for number, each in enumerate(value):
                yield from self.texts(each, f"{path}.{number}".lstrip("."))


def as_data(message: Message | None) -> dict[str, Any]:
    """Return a message as data: names in snake_case, enums by name, what is not set left out."""
    if message is None:
        return {}
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def picked(data: Any, *paths: str) -> dict[str, Any]:
    """Return the values at dotted paths; None where there is nothing. A number counts the items of a list."""
    return {path: _at(data, path.split(".")) for path in paths}


def _at(data: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdigit():
            data = data[int(step)] if int(step) < len(data) else None
        else:
            return None
    return data


@cache
def named(code: int) -> str:
    """Return a status code with its name."""
    from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

    try:
        return f"{code} {StatusCode.Name(code)}"  # pyright: ignore[reportArgumentType]
    except ValueError:
        return str(code)
