"""Examples that are commands, and those where it matters what else is there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from clarifai_emulator.cli.main import cli
from clarifai_emulator.contracts.calls.client_check import GivenModel, check_calls, check_known, result_of
from clarifai_emulator.contracts.calls.given_models import read_models
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.example import Example, examples
from clarifai_emulator.contracts.rules.policy import Policy, judge
from clarifai_emulator.contracts.signatures import read_signatures as reading
from clarifai_emulator.contracts.signatures.read_signatures import read_many
from flow.contracts.rules.example_files import METHODS, client_code, method, write_client, write_model
from flow.contracts.rules.example_groups import CHANGES, CLIENTS, COMMANDS, FUZZED, GIVEN, MODELS, RUNNING

MCP = """\
from clarifai.runners.models.mcp_class import MCPModelClass
from fastmcp import FastMCP

{code}


class Tools(MCPModelClass):
    def get_server(self) -> FastMCP:
        return server
"""
CALL_OF_TOOL = """\
async def main():
    server = Client("https://api.clarifai.com/v2/ext/mcp/v1/users/me/apps/main/models/tools")
    async with server:
        await server.call_tool("add", {"left": 2, "right": 3})
"""


def test_the_example_of_every_rule_is_run_by_one_module() -> None:
    groups = [CHANGES, CLIENTS, COMMANDS, FUZZED, GIVEN, MODELS, RUNNING]
    assert sum(map(len, groups)) == len(RULES)
    assert frozenset().union(*groups) == RULES.keys()


def test_a_command_without_a_model_of_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = examples()["model-not-given"]
    monkeypatch.chdir(tmp_path)
    for name in ("assistant", "greeter"):
        write_model(tmp_path / name, method(METHODS[0]), model_id=name)
    client = Example("client.py", example.beside["client.py"])
    (tmp_path / "client.py").write_text(client_code(client, client.wrong))

    def said(command: str) -> str:
        program, *words = shlex.split(command)
        assert program == "clarifai-emulator"
        return CliRunner().invoke(cli, [*words, "--no-cache"]).output

    wrong, right = said(example.wrong), said(example.right)
    assert wrong.startswith("unchecked[model-not-given] No --model was given for ")
    assert "1 unchecked;" in wrong
    assert right.startswith("nothing found; 1 file and 1 call checked")


def test_no_sdk_is_beside_the_light_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = examples()["sdk-not-installed"]
    directory = write_model(tmp_path / "assistant", method(METHODS[0]))
    assert shlex.split(example.right)[-1] == "clarifai"
    assert read_many([directory])[0].findings == ()
    assert shlex.split(example.wrong)[-1] != "clarifai"
    monkeypatch.setattr(reading, "installed_sdk", lambda: "")
    assert [each.rule for each in read_many([directory])[0].findings] == ["sdk-not-installed"]


def test_an_sdk_that_cannot_be_installed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = examples()["sdk-not-read"]
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sides = [
        write_model(tmp_path / side, method(METHODS[0]), requirements=getattr(example, side))
        for side in ("wrong", "right")
    ]
    wrong, right = read_many(sides)
    assert [each.rule for each in wrong.findings] == ["sdk-not-read"]
    assert right.findings == ()


def test_a_comment_that_ignores_nothing(tmp_path: Path) -> None:
    example = examples()["ignore-comment"]
    model = GivenModel(write_model(tmp_path / "assistant", method(METHODS[0])))
    found: list[list[str]] = []
    for side in ("wrong", "right"):
        result = result_of(check_calls([write_client(tmp_path / side, example, getattr(example, side))], [model]))
        judged = judge(result.findings, Policy(), result.lines_of, result.places, result.rules)
        found.append([each.rule for each in judged.findings])
    assert found == [["ignore-comment"], []]


def test_a_model_whose_methods_cannot_be_read(tmp_path: Path) -> None:
    example = examples()["unreadable-model"]
    client = tmp_path / "client.py"
    client.write_text(client_code(Example("client.py", ""), 'model.predict(prompt="Hello")'))
    found: list[list[str]] = []
    for side in ("wrong", "right"):
        known = read_models([GivenModel(write_model(tmp_path / side, getattr(example, side)))], None)
        found.append([each.rule for each in check_known([client], known).findings])
    # The place that makes the model is named as not checked, too.
    assert found == [["unreadable-model", "unknown-model"], []]


def test_a_server_whose_tools_cannot_be_seen(tmp_path: Path) -> None:
    example = examples()["unread-tools"]
    client = tmp_path / "client.py"
    client.write_text(client_code(Example("client.py", ""), CALL_OF_TOOL))
    found: list[list[str]] = []
    for side in ("wrong", "right"):
        code = MCP.format(code=getattr(example, side))
        directory = write_model(
            tmp_path / side, code, model_id="tools", requirements="clarifai==12.5.0\nfastmcp\nmcp"
        )
        known = read_models([GivenModel(directory)], None, static=True)
        found.append([each.rule for each in check_known([client], known).findings])
    assert found == [["unread-tools"], []]
