"""Tests which files of a model directory the tools of its MCP server are read from."""

from __future__ import annotations

import shutil
from pathlib import Path

from clarifai_emulator.contracts.endpoints.mcp_tools import read_mcp_tools

MODELS = Path(__file__).parents[4] / "fixtures" / "models"
TOOL = """
from fastmcp import FastMCP

server = FastMCP("more")


@server.tool
def {name}() -> str:
    return ""
"""


def test_where_the_directory_lies_does_not_matter(tmp_path: Path) -> None:
    there = shutil.copytree(MODELS / "mcp", tmp_path / "venv" / "node_modules" / "mcp")
    (there / "1" / "more.py").write_text(TOOL.format(name="beside"))
    for folder in ("1/venv", ".git"):
        (there / folder).mkdir()
        (there / folder / "other.py").write_text(TOOL.format(name="installed"))
    at_home = read_mcp_tools(MODELS / "mcp")
    found = read_mcp_tools(there)
    assert found.tools.keys() == {*at_home.tools, "beside"}
