"""Checks one file that is no Python for requests to the platform: JavaScript, TypeScript, shell scripts."""

from __future__ import annotations

from clarifai_emulator.contracts.calls.client_project import File
from clarifai_emulator.contracts.endpoints.javascript_calls import JavaScriptCalls
from clarifai_emulator.contracts.endpoints.javascript_code import JavaScriptCode
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
from clarifai_emulator.contracts.endpoints.mcp_findings import judge_address, judge_tool_call
from clarifai_emulator.contracts.endpoints.model_call import judge_model_call
from clarifai_emulator.contracts.endpoints.openai_findings import judge_openai
from clarifai_emulator.contracts.endpoints.platform_urls import MCP_MARK
from clarifai_emulator.contracts.endpoints.rest_findings import judge_http
from clarifai_emulator.contracts.endpoints.shell_commands import ShellCommands
from clarifai_emulator.contracts.endpoints.syntax_trees import ForeignSource, NoParser, is_javascript
from clarifai_emulator.contracts.endpoints.workflow_call import judge_workflow
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location

_PARSER = "pip install 'clarifai-emulator-check[javascript]'"


def check_foreign(file: File, models: EndpointModels) -> tuple[list[Finding], list[ClientCall]]:
    """Return what is said of a file as a whole, and its calls."""
    try:
        source = ForeignSource(file.path, file.content)
    except NoParser as error:
        message = f"{file.path.name} was not read: {error}."
        return [found("unreadable-client", message, Location(file.path), hint=_PARSER)], []
    judged = _javascript(source, models) if is_javascript(file.path) else _shell(source, models)
    return [], [each for each in judged if each is not None]


def _javascript(source: ForeignSource, models: EndpointModels) -> list[ClientCall | None]:
    calls = JavaScriptCalls(JavaScriptCode(source))
    return [
        *(judge_openai(each, models) for each in calls.openai_requests()),
        *(judge_model_call(each, models) for each in calls.model_calls()),
        *(judged for each in calls.http_requests() for judged in judge_http(each, models)),
        *(judge_address(each, models) for each in calls.addresses()),
        *(judge_tool_call(each, models) for each in calls.tool_calls()),
        *(judge_workflow(each, models) for each in calls.workflows()),
        *calls.unresolved(),
    ]


def _shell(source: ForeignSource, models: EndpointModels) -> list[ClientCall | None]:
    requests = list(ShellCommands(source).requests())
    urls = [each.url for each in requests]
    return [
        *(judged for each in requests for judged in judge_http(each, models)),
        *(judge_address(each, models) for each in urls if any(MCP_MARK in text for text in each.texts)),
    ]
