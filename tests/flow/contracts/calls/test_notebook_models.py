"""A notebook that writes a model is given as that model: `check try.ipynb --model try.ipynb`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import CallReport, GivenModel, check_calls
from clarifai_emulator.errors import ConfigError
from flow.contracts.calls.conftest import said

CODE = """\
from clarifai.runners.models.model_class import ModelClass


class Greeter(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str, n: int = 1) -> str:
        return prompt * n
"""
CONFIG = "model: {id: greeter, user_id: me, app_id: main}\n"
MAKE = 'from clarifai.client import Model\nmodel = Model("https://clarifai.com/me/main/models/greeter")\n'
MCP = """\
from clarifai.runners.models.mcp_class import MCPModelClass
from fastmcp import FastMCP

server = FastMCP("tools")


@server.tool
def add(left: int, right: int) -> int:
    return left + right


class Tools(MCPModelClass):
    def get_server(self) -> FastMCP:
        return server
"""


def write(path: Path, *cells: str) -> Path:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": each} for each in cells]}))
    return path


def file(name: str, text: str, options: str = "") -> str:
    return f"%%writefile {options}{name}\n{text}"


def checked(notebook: Path, address: str = "", *, static: bool = False) -> CallReport:
    return check_calls([notebook], [GivenModel(notebook, address)], static=static)


@pytest.mark.parametrize("static", [False, True])
def test_calls_are_held_against_the_model_that_other_cells_write(tmp_path: Path, static: bool) -> None:
    notebook = write(
        tmp_path / "try.ipynb",
        "!mkdir -p greeter/1",
        file("greeter/1/model.py", CODE),
        file("greeter/config.yaml", CONFIG),
        file("greeter/requirements.txt", "clarifai\n"),
        f'{MAKE}print(model.predict(prompt="x", n=2))\nmodel.predict(promt="x")',
    )

    report = checked(notebook, static=static)

    (finding,) = report.findings
    assert finding.rule == "unknown-argument"
    assert finding.location is not None
    assert (finding.location.cell, finding.location.line) == (5, 4)
    declared = finding.declared
    assert declared is not None
    # The magic's own line is a line of the cell.
    assert (declared.path, declared.cell, declared.line, declared.column) == (notebook, 2, 7, 23)
    assert report.lines(declared.path, declared.cell)[declared.line - 1].strip().startswith("def predict(")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["try.ipynb"]


def test_model_py_alone_is_enough_with_an_address(tmp_path: Path) -> None:
    notebook = write(tmp_path / "try.ipynb", file("model.py", CODE), f'{MAKE}model.predict(n="3", prompt="x")')
    assert said(checked(notebook, "me/main/models/greeter")) == [
        "wrong-type: predict(): argument 'n' is '3' (str), and int is expected."
    ]


def test_what_a_later_cell_writes_or_adds_is_what_counts(tmp_path: Path) -> None:
    more = "\n    @ModelClass.method\n    def shout(self, text: str) -> str:\n        return text.upper()\n"
    notebook = write(
        tmp_path / "try.ipynb",
        file("m/1/model.py", CODE.replace("prompt", "question")),
        file('"m/1/model.py"', CODE),
        file("m/1/model.py", more, "-a "),
        f'{MAKE}model.predict(prompt="x")\nmodel.shout(text=3)',
    )
    report = checked(notebook, "me/main/models/greeter")
    assert said(report) == ["wrong-type: shout(): argument 'text' is 3 (int), and str is expected."]
    (finding,) = report.findings
    assert finding.declared is not None
    assert (finding.declared.cell, finding.declared.line) == (3, 4)


def test_what_is_wrong_with_the_model_is_told_in_its_cell(tmp_path: Path) -> None:
    notebook = write(
        tmp_path / "try.ipynb",
        file("m/config.yaml", CONFIG),
        file("m/requirements.txt", "clarifai"),
        file("m/1/model.py", CODE.replace("prompt: str", "prompt")),
        f'{MAKE}model.predict("x")',
    )
    found = {each.rule: each for each in checked(notebook).findings}
    assert found.keys() == {"missing-annotation", "unreadable-model", "unknown-model"}
    where = found["missing-annotation"].location
    assert where is not None
    assert (where.path, where.cell, where.line) == (notebook, 3, 7)
    assert found["unreadable-model"].hint == "Mend what is found in its cells."


def test_the_tools_of_a_server_that_a_notebook_writes(tmp_path: Path) -> None:
    call = (
        'from fastmcp import Client\nserver = Client("{}/me/apps/main/models/greeter")\nasync with server:\n    {}'
    )
    url = "https://api.clarifai.com/v2/ext/mcp/v1/users"
    notebook = write(
        tmp_path / "try.ipynb",
        file("m/1/model.py", MCP),
        call.format(url, 'await server.call_tool("ad", {"left": 1, "right": 2})'),
    )
    report = checked(notebook, "me/main/models/greeter", static=True)
    assert [each.partition(":")[0] for each in said(report)] == ["unread-tools"]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["x = 1"], "try.ipynb has no cell that writes a model: `%%writefile my-model/1/model.py`"),
        (
            [file("a/1/model.py", CODE), file("b/1/model.py", CODE)],
            "try.ipynb writes several models: a/1/model.py, b/1/model.py; write one of them into a folder, and "
            "give that",
        ),
    ],
)
def test_a_notebook_that_is_no_model_is_refused_and_says_why(
    tmp_path: Path, cells: list[str], problem: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        checked(write(tmp_path / "try.ipynb", *cells))
    assert str(refused.value).splitlines()[1:2] == [f"  - {tmp_path}/{problem}"]


def test_what_is_no_notebook_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "try.ipynb").write_text("{")
    with pytest.raises(ConfigError, match=r"try\.ipynb is not a notebook: its JSON breaks off or is wrong"):
        checked(tmp_path / "try.ipynb")
