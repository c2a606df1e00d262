"""The tests of agents in the README and in docs/agents.md pass as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIG = """
model: {{id: {name}, user_id: me, app_id: main, model_type_id: {kind}}}
inference_compute_info: {{cpu_limit: 500m, cpu_memory: 512Mi, num_accelerators: 0}}
"""
TOOLS = """
from clarifai.runners.models.mcp_class import MCPModelClass
from fastmcp import FastMCP

server = FastMCP("tools")


@server.tool
def {tool}({argument}: str) -> str:
    return "{answer}"


class Tools(MCPModelClass):
    def get_server(self) -> FastMCP:
        return server
"""
FAILING = """

def test_what_a_failure_says(clarifai):
    test_it_reminds_me(clarifai)
    clarifai.assert_called("weather", tool="forecast", city="Bergen")
"""


def block(text: str, first: str) -> str:
    """Return the only block of Python that begins with this line."""
    (found,) = re.findall(rf"^```python\n({re.escape(first)}.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert isinstance(found, str)
    return found


def model(name: str, kind: str, source: str, *packages: str) -> dict[str, str]:
    return {
        f"models/{name}/config.yaml": CONFIG.format(name=name, kind=kind),
        f"models/{name}/requirements.txt": "\n".join(("clarifai", "fastmcp>=2.10,<3", *packages)),
        f"models/{name}/1/model.py": source,
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_they_pass_and_a_failure_lists_what_was_called(nested: Any) -> None:
    files = {
        **model("weather", "mcp", TOOLS.format(tool="forecast", argument="city", answer="rain")),
        **model("reminders", "mcp", TOOLS.format(tool="remind", argument="what", answer="done")),
        **model("agent", "openai", block(PAGE, "import json\n"), "openai"),
        "test_readme.py": block(README, "def test_my_agent"),
        "test_page.py": block(PAGE, "def test_it_reminds_me") + FAILING,
    }
    run = nested(files, "--timeout=300")
    assert run.outcome("test_my_agent") == "PASSED", run.text
    assert run.outcome("test_it_reminds_me") == "PASSED", run.text
    said = run.failure("test_what_a_failure_says")
    assert "weather was not called: tool forecast(city='Bergen').\nIt was called:\n" in said
    assert re.search(r"  \S+ → me/main/weather tool forecast\(city='Oslo'\) → '.*rain.* \[10000 SUCCESS in ", said)
