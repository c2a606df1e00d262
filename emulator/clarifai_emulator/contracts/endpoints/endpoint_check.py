"""Checks one client file for requests to the platform's endpoints, each held against the given models.

Python file ─► its requests: OpenAI's client, libraries on it, MCP, HTTP, messages ─► judged ─► findings
other files ─► foreign_check.py: JavaScript, TypeScript, shell scripts, commands     ───┘
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clarifai_emulator.contracts.calls.client_kinds import FOREIGN_KINDS, ClientKind
from clarifai_emulator.contracts.calls.client_project import File
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
from clarifai_emulator.contracts.endpoints.unclaimed_python import unclaimed
from clarifai_emulator.contracts.endpoints.workflow_call import judge_workflow
from clarifai_emulator.contracts.endpoints.workflow_files import read_workflows
from clarifai_emulator.contracts.rules.finding import Finding, Location


class EndpointCheck:
    """Checks files against the given models. ``modules``: finds the modules that they import. ``definitions``: YAML
    files that may define workflows."""

    def __init__(self, models: Sequence[KnownModel], modules: Modules, definitions: Sequence[File] = ()) -> None:
        self._models = EndpointModels(models, read_workflows(definitions))
        self._modules = modules

    def check(self, file: File) -> tuple[list[Finding], int]:
        """Return the findings about a file, and the number of requests that were held against a model. Nothing is
        said of a file that cannot be parsed: that it cannot be, is told of its calls."""
        if file.kind in FOREIGN_KINDS:
            findings, calls = check_foreign(file, self._models)
            return _distinct(findings), calls
        try:
            source = file.source
            _ = source.nodes
        except (SyntaxError, ValueError, RecursionError):
            return [], 0
        findings, calls = self._python(ClientCode(source, self._modules))
        if file.kind is ClientKind.MARKDOWN:
            others, more = check_foreign(file, self._models)
            findings, calls = [*findings, *others], calls + more
        return _distinct(findings), calls

    def _python(self, code: ClientCode) -> tuple[list[Finding], int]:
        models = self._models
        openai, frameworks, mcp, http, sdk = (
            OpenAiCalls(code),
            FrameworkCalls(code),
            McpCalls(code),
            HttpCalls(code),
            SdkRequests(code),
        )
        judged = [
            *(judge_openai(each, models) for each in (*openai.requests(), *frameworks.requests())),
            *(judge_address(each, models) for each in mcp.addresses()),
            *(judge_tool_call(each, models) for each in mcp.tool_calls()),
            *(judge_http(each, models) for each in http.requests()),
            *(judge_workflow(each, models) for each in sdk.workflows()),
        ]
        findings = [each for said, _ in judged for each in said]
        findings += [*openai.passed(), *sdk.judge(models)]
        claimed = {*openai.claimed, *frameworks.claimed, *mcp.claimed, *http.claimed, *sdk.claimed}
        findings += unclaimed(code, claimed)
        return findings, sum(calls for _, calls in judged)


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    unique = {(each.rule, each.location, each.message): each for each in findings}
    return sorted(unique.values(), key=lambda each: (each.location or Location(Path()), each.rule))
