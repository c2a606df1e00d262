"""Reads cassettes: one that can be read is written and read again the same, and any other is refused by name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from clarifai_emulator.cassettes.cassette_file import Cassette, is_of_another_tool, read_cassette
from clarifai_emulator.cassettes.matching import explain, find
from clarifai_emulator.errors import ConfigError


@cache
def _file() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-cassette-")) / "cassette.yaml"


def read(data: bytes) -> None:
    """Read a cassette, write it, and read it again; ask it for a call."""
    file = _file()
    file.write_bytes(data)
    is_of_another_tool(file)
    try:
        cassette = read_cassette(file)
    except ConfigError as refusal:
        _look_at(refusal, file)
        return
    cassette.write(file)
    assert _content(read_cassette(file)) == _content(cassette), "it comes out as another cassette"
    for call in cassette.calls[:3]:
        assert find(cassette.calls, call.rpc, call.requests[0]) is not None
        assert explain(cassette.calls, call.rpc, {"not": "this"}, "")


def _look_at(refusal: ConfigError, file: Path) -> None:
    assert str(file) in str(refusal), f"a refusal that does not name the file: {refusal}"


def _content(cassette: Cassette) -> Any:
    models = {name: each.as_dict() for name, each in cassette.models.items()}
    return repr(([each.as_dict() for each in cassette.calls], models))


_CALL = """version: 1
models:
  hello: {key: me/app/hello, content_hash: abc, methods: ['predict(prompt: str) -> str']}
calls:
- rpc: PostModelOutputs
  call: model.predict('x')
  order: '><<'
  requests:
  - {inputs: [{data: {text: {raw: "x\\u1F600"}}}]}
  answers:
  - {status: {code: 10000}, outputs: []}
  - {}
  error: [UNAVAILABLE, gone]
"""


def seeds() -> Iterator[bytes]:
    """Yield cassettes, right and wrong ones."""
    yield _CALL.encode()
    yield b"version: 1\nmodels: {}\ncalls: []\n"
    yield b"version: 1\ncalls:\n- &a {rpc: GetUser, order: '>', requests: [{}], answers: []}\n- *a\n"
    yield b"version: 2\n"
    yield b"interactions: []\nversion: 1\n"
    yield b"version: 1\ncalls: [{rpc: 1, order: 2, requests: 3, answers: [2001-01-01, !!binary aGk=, .inf, ~]}]\n"
    yield b"version: 1\nmodels: {m: {key: a, content_hash: [], methods: {}}}\n"
    yield "version: 1\ncalls: [{rpc: é, order: '', requests: [], answers: []}]".encode("utf-16")


def words() -> list[str]:
    """Return what cassettes are made of."""
    names = ("version", "models", "calls", "rpc", "call", "order", "requests", "answers", "error", "key", "methods")
    return [
        *(f"{name}: " for name in names),
        "content_hash: ",
        "'><'",
        "[{}]",
        "&a ",
        "*a",
        "<<: ",
        "!!python/name:",
        "|\n",
        "- ",
    ]
