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
from clarifai_emulator.contracts.endpoints.agent_tools import judge_tool_servers
from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.foreign_check import check_foreign
from clarifai_emulator.contracts.endpoints.framework_python import FrameworkCalls
from clarifai_emulator.contracts.endpoints.http_python import HttpCalls
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
from clarifai_emulator.contracts.endpoints.mcp_findings import judge_address, judge_tool_call
from clarifai_emulator.contracts.endpoints.mcp_python import McpCalls
from clarifai_emulator.contracts.endpoints.openai_brains import brain_requests
from clarifai_emulator.contracts.endpoints.openai_findings import judge_openai
from clarifai_emulator.contracts.endpoints.openai_python import OpenAiCalls
from clarifai_emulator.contracts.endpoints.rest_findings import judge_http
from clarifai_emulator.contracts.endpoints.sdk_python import SdkRequests
from clarifai_emulator.contracts.endpoints.unclaimed_python import unclaimed
from clarifai_emulator.contracts.endpoints.workflow_call import judge_workflow
from clarifai_emulator.contracts.endpoints.workflow_files import read_workflows
from clarifai_emulator.contracts.rules.client_call import ClientCall, merged_calls
from clarifai_emulator.contracts.rules.finding import Finding, Location


class EndpointCheck:
    """Checks files against the given models. ``modules``: finds the modules that they import. ``definitions``: YAML
    files that may define workflows."""

    def __init__(self, models: Sequence[KnownModel], modules: Modules, definitions: Sequence[File] = ()) -> None:
        self._models = EndpointModels(models, {each.workflow_id: each for each in read_workflows(definitions)})
        self._modules = modules

    def check(self, file: File) -> tuple[list[Finding], list[ClientCall]]:
        """Return the findings about a file, and its calls. Nothing is said of a file that cannot be parsed: that it
        cannot be, is told with the calls of the SDK."""
        if file.kind in FOREIGN_KINDS:
            return _result(*check_foreign(file, self._models))
        try:
            source = file.source
            _ = source.nodes
        except (SyntaxError, ValueError, RecursionError):
            return [], []
        calls = self._python(ClientCode(source, self._modules))
        if file.kind is not ClientKind.MARKDOWN:
            return _result([], calls)
        findings, others = check_foreign(file, self._models)
        return _result(findings, [*calls, *others])

    def _python(self, code: ClientCode) -> list[ClientCall]:
        models = self._models
        openai, frameworks, mcp, http, sdk = (
            OpenAiCalls(code),
            FrameworkCalls(code),
            McpCalls(code),
            HttpCalls(code),
            SdkRequests(code),
        )
        requests = [*openai.requests(), *frameworks.requests(), *brain_requests(code)]
        judged = [
            *(judge_openai(each, models) for each in requests),
            *(call for each in requests for call in judge_tool_servers(each, models)),
            *(judge_address(each, models) for each in mcp.addresses()),
            *(judge_tool_call(each, models) for each in mcp.tool_calls()),
            *(call for each in http.requests() for call in judge_http(each, models)),
            *(judge_workflow(each, models) for each in sdk.workflows()),
            *openai.passed(),
            *openai.unknown(),
            *sdk.judge(models),
        ]
        claimed = {*openai.claimed, *frameworks.claimed, *mcp.claimed, *http.claimed, *sdk.claimed}
        return [*(each for each in judged if each is not None), *unclaimed(code, claimed)]


def _result(findings: Sequence[Finding], calls: Sequence[ClientCall]) -> tuple[list[Finding], list[ClientCall]]:
    """Return everything that was found, once, and a call for each place."""
    every = [*findings, *(finding for call in calls for finding in call.findings)]
    unique = {(each.rule, each.location, each.message): each for each in every}
    ordered = sorted(unique.values(), key=lambda each: (each.location or Location(Path()), each.rule))
    return ordered, merged_calls(calls)
