"""Checks one client file for requests to the platform's endpoints, each held against the given models.

Python file ─► its requests: OpenAI's client and those made on it ─► judged ─► findings
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clarifai_emulator.contracts.calls.client_project import FOREIGN_SUFFIXES, File
from clarifai_emulator.contracts.calls.constants import Modules
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.foreign_check import check_foreign
from clarifai_emulator.contracts.endpoints.framework_python import FrameworkCalls
from clarifai_emulator.contracts.endpoints.http_python import HttpCalls
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
from clarifai_emulator.contracts.endpoints.mcp_findings import judge_address, judge_tool_call
from clarifai_emulator.contracts.endpoints.mcp_python import McpCalls
from clarifai_emulator.contracts.endpoints.openai_findings import judge_openai
from clarifai_emulator.contracts.endpoints.openai_python import OpenAiCalls
from clarifai_emulator.contracts.endpoints.rest_findings import judge_http
from clarifai_emulator.contracts.endpoints.sdk_python import SdkRequests
from clarifai_emulator.contracts.rules.finding import Finding, Location


class EndpointCheck:
    """Checks files against the given models. ``modules``: finds the modules that they import."""

    def __init__(self, models: Sequence[KnownModel], modules: Modules) -> None:
        self._models = EndpointModels(models)
        self._modules = modules

    def check(self, file: File) -> tuple[list[Finding], int]:
        """Return the findings about a file, and the number of requests that were held against a model. Nothing is
        said of a file that cannot be parsed: that it cannot be, is told of its calls."""
        if file.path.suffix in FOREIGN_SUFFIXES:
            findings, calls = check_foreign(file, self._models)
            return _distinct(findings), calls
        try:
            source = file.source
            _ = source.nodes
        except (SyntaxError, ValueError, RecursionError):
            return [], 0
        code = ClientCode(source, self._modules)
        findings: list[Finding] = []
        calls = 0
        openai, frameworks = OpenAiCalls(code), FrameworkCalls(code)
        for request in (*openai.requests(), *frameworks.requests()):
            said, checked = judge_openai(request, self._models)
            findings += said
            calls += checked
        findings += openai.passed()
        mcp, http = McpCalls(code), HttpCalls(code)
        judged = [
            *(judge_address(each, self._models) for each in mcp.addresses()),
            *(judge_tool_call(each, self._models) for each in mcp.tool_calls()),
            *(judge_http(each, self._models) for each in http.requests()),
        ]
        findings += SdkRequests(code).judge(self._models)
        for said, checked in judged:
            findings += said
            calls += checked
        return _distinct(findings), calls


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    unique = {(each.rule, each.location, each.message): each for each in findings}
    return sorted(unique.values(), key=lambda each: (each.location or Location(Path()), each.rule))
