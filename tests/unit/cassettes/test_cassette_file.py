"""A cassette that somebody edited, or that is none, is refused with what is wrong in it and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.cassettes.cassette_file import is_of_another_tool, read_cassette
from clarifai_emulator.errors import ConfigError

GOOD = """version: 1
models:
  hello: {key: me/app/hello, content_hash: abc, methods: ['predict(prompt: str) -> str']}
calls:
- {rpc: PostModelOutputs, call: model.predict('x'), order: '><', requests: [{a: 1}], answers: [{b: 2}]}
- {rpc: GetUser, by: me/app/agent, parent: 1, order: '>', requests: [{}], answers: [], error: [UNAVAILABLE, gone]}
"""


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "cassette.yaml"
    file.write_text(GOOD)
    cassette = read_cassette(file)
    assert [call.error for call in cassette.calls] == [None, ("UNAVAILABLE", "gone")]
    assert [(call.by, call.parent) for call in cassette.calls] == [("", 0), ("me/app/agent", 1)]
    assert cassette.models["hello"].key == ("me", "app", "hello")
    cassette.write(file)
    again = read_cassette(file)
    assert [call.as_dict() for call in again.calls] == [call.as_dict() for call in cassette.calls]
    assert again.models == cassette.models


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("version: 1\ncalls: 3\n", "calls must be a list of mappings"),
        ("version: 1\ncalls: [x]\n", "calls must be a list of mappings"),
        ("version: 1\nmodels: [x]\n", "models must be a mapping of mappings"),
        ("version: 1\nmodels: {m: x}\n", "models must be a mapping of mappings"),
        ("version: 1\nmodels: {m: {key: {}}}\n", "a call or a model has no 'methods'"),
        (
            "version: 1\nmodels: {m: {key: {}, content_hash: a, methods: []}}\n",
            "key of a model must be user/app/model, got {}",
        ),
        (
            "version: 1\nmodels: {m: {key: a/b/c, content_hash: a, methods: 3}}\n",
            "methods of a/b/c must be a list, got 3",
        ),
        ("version: 1\ncalls: [{}]\n", "a call or a model has no 'rpc'"),
        ("version: 1\ncalls: [{rpc: [a]}]\n", "rpc must be a name, got ['a']"),
        (
            "version: 1\ncalls: [{rpc: A, order: '>', requests: [{}], answers: 1}]\n",
            "requests and answers of A must be lists of mappings",
        ),
        (
            "version: 1\ncalls: [{rpc: A, order: '<', requests: [{}], answers: []}]\n",
            "order '<' of A does not fit its 1 requests and 0 answers",
        ),
        (
            "version: 1\ncalls: [{rpc: A, order: '>', requests: [{}], answers: [], error: x}]\n",
            "error of A must be a status and its text, got 'x'",
        ),
        ("version: 7\n", "version must be 1, got 7"),
        ("- 1\n", "version must be 1, got None"),
    ],
)
def test_a_cassette_whose_content_does_not_fit_is_refused_with_what_to_do(
    tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "cassette.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError) as raised:
        read_cassette(file)
    assert raised.value.what == f"The cassette {file} cannot be used:"
    assert list(raised.value.problems) == [says]
    assert raised.value.hint.startswith("Record it again with `pytest --clarifai-cassettes all`")


def test_what_is_no_yaml_is_refused_and_is_nobody_elses(tmp_path: Path) -> None:
    file = tmp_path / "cassette.yaml"
    file.write_text("version: [\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_cassette(file)
    assert not is_of_another_tool(file)
