"""Clients from the package index work by base URL alone: each snippet of the pages, and further calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clients.environments import ENVIRONMENTS, python_of
from clients.tried import PROGRAMS, documented, printed

CLIENTS, OPENAI = "clients.md", "clients-openai.md"
SAID = "You said: Hello"
HEAVY = pytest.mark.heavy
# A page and a heading, the environment, and what the snippet prints.
SNIPPETS = [
    (CLIENTS, "clarifai before 11.4.3", "clarifai-10.11", "Hello, Hello!"),
    (CLIENTS, "clarifai-grpc", "plain", "hello"),
    (CLIENTS, "Other gRPC clients", "plain", "Hello,\nHello!"),
    (CLIENTS, "grpclib", "plain", "hello"),
    (CLIENTS, "OpenAI's client", "openai", f"{SAID} CompletionUsage("),
    (CLIENTS, "OpenAI's client", "openai-oldest", f"{SAID} CompletionUsage("),
    (CLIENTS, "MCP clients", "fastmcp", "CallToolResult("),
    (OPENAI, "LangChain", "openai", f"{SAID}\n['You', 'said:', 'Hello']"),
    (OPENAI, "Instructor", "instructor", "text='Hello'"),
    (OPENAI, "OpenAI Agents", "openai-agents", SAID),
    (OPENAI, "LiteLLM", "litellm", SAID),
    (OPENAI, "LlamaIndex", "llama-index", f"{SAID}\n['You', 'said:', 'Hello']"),
    (OPENAI, "Pydantic AI", "pydantic-ai", f"{SAID}\ntext='Hello'"),
    (OPENAI, "Agno", "agno", SAID),
    (OPENAI, "CrewAI", "crewai", SAID),
]
# Those that take hundreds of megabytes, or many seconds to import.
HEAVY_ENVIRONMENTS = {"agno", "crewai", "litellm", "llama-index"}


def heavy(name: str) -> list[Any]:
    return [HEAVY] if name in HEAVY_ENVIRONMENTS else []


@pytest.mark.parametrize(
    ("page", "heading", "name", "prints"),
    [pytest.param(*row, id=f"{row[1]} ({row[2]})", marks=heavy(row[2])) for row in SNIPPETS],
)
def test_the_documented_snippet_does_what_it_says(
    emulator: EmulatorThread, page: str, heading: str, name: str, prints: str
) -> None:
    said = printed([str(python_of(name)), "-c", documented(page, heading, "python", emulator.url)])
    assert said.startswith(prints), said


@pytest.mark.parametrize("name", ["openai-oldest", "openai"])
def test_openais_client_streams_calls_tools_embeds_lists_and_is_refused(
    emulator: EmulatorThread, name: str
) -> None:
    program = str(PROGRAMS / "openai_client.py")
    assert json.loads(printed([str(python_of(name)), program, f"{emulator.url}/v2/ext/openai/v1"])) == {
        "chat": "You said: Hello you",
        "chunks": ["You", "said:", "Hello", "you"],
        "tool": ["echo", '{"text": "Hello you"}'],
        "vector": [3.0, 0.5, -1.0],
        "models": ["me/demo/models/openai"],
        "refused": "21200",
        "completions": "There is no /v2/ext/openai/v1/completions",
    }


@pytest.mark.parametrize(
    ("name", "protocol"), [("mcp-1.22", "2025-06-18"), ("mcp-1.30", "2025-11-25"), ("mcp-2", "2025-11-25")]
)
def test_the_mcp_library_speaks_the_version_that_it_knows(
    emulator: EmulatorThread, name: str, protocol: str
) -> None:
    url = f"{emulator.url}/v2/ext/mcp/v1/users/me/apps/demo/models/mcp"
    assert json.loads(printed([str(python_of(name)), str(PROGRAMS / "mcp_session.py"), url, "any"])) == {
        "protocol": protocol,
        "tools": ["add", "fail"],
        "added": "5",
        "note": "a note on cats",
        "prompt": "Greet Ada.",
    }


def test_requests_and_httpx_speak_every_http(emulator: EmulatorThread) -> None:
    said = json.loads(printed([str(python_of("plain")), str(PROGRAMS / "http_clients.py"), emulator.url]))
    assert said == {
        "requests": "Hello, you!",
        "HTTP/1.1 identity": "Hello, you!",
        "HTTP/1.1 gzip": "Hello, you!",
        "HTTP/2 identity": "Hello, you!",
        "HTTP/2 gzip": "Hello, you!",
        "HTTP/2 stream": ["Hello,", "you!"],
    }


def test_every_environment_is_tried() -> None:
    tried = {row[2] for row in SNIPPETS} | {"openai", "openai-oldest", "mcp-1.22", "mcp-1.30", "mcp-2", "plain"}
    assert tried == set(ENVIRONMENTS)
