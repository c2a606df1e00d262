"""Reads the paths of MCP servers, and words what is wrong with one.

The site that serves them and the check of clients say the same of the same mistake.
"""

from __future__ import annotations

import re

PREFIX = "/v2/ext/mcp/v1"
TRANSPORT = "mcp_transport"
PATH = re.compile(
    rf"{PREFIX}/users/(?P<user>[^/]+)/apps/(?P<app>[^/]+)/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/?"
)
_SHAPE = f"{PREFIX}/users/USER/apps/APP/models/MODEL, with /versions/VERSION behind it for a certain version"


def no_such_path(path: str) -> str:
    """Say that a path is not one of an MCP server, and how those are made."""
    return f"There is no path {path[:300]}. MCP servers are at {_SHAPE}."
