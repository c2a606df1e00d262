"""Checks what is no Python for requests to the platform: JavaScript, TypeScript, shell scripts, and the commands in
Makefiles, Dockerfiles, YAML and Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import yaml

from clarifai_emulator.contracts.calls.client_kinds import ClientKind
from clarifai_emulator.contracts.calls.client_project import File
from clarifai_emulator.contracts.calls.client_reading import UnreadableClient, decode_client
from clarifai_emulator.contracts.endpoints.dockerfile_commands import dockerfile_commands
from clarifai_emulator.contracts.endpoints.embedded_code import EmbeddedCode
from clarifai_emulator.contracts.endpoints.javascript_calls import JavaScriptCalls
from clarifai_emulator.contracts.endpoints.javascript_code import JavaScriptCode
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
from clarifai_emulator.contracts.endpoints.makefile_commands import makefile_commands
from clarifai_emulator.contracts.endpoints.markdown_code import markdown_code
from clarifai_emulator.contracts.endpoints.mcp_findings import judge_address, judge_tool_call
from clarifai_emulator.contracts.endpoints.model_call import judge_model_call
from clarifai_emulator.contracts.endpoints.openai_findings import judge_openai
from clarifai_emulator.contracts.endpoints.platform_urls import MCP_MARK
from clarifai_emulator.contracts.endpoints.rest_findings import judge_http
from clarifai_emulator.contracts.endpoints.shell_commands import ShellCommands
from clarifai_emulator.contracts.endpoints.syntax_trees import ForeignSource, NoParser
from clarifai_emulator.contracts.endpoints.workflow_call import judge_workflow
from clarifai_emulator.contracts.endpoints.yaml_commands import yaml_commands
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.shown_text import printable

_EMBEDDING: Mapping[ClientKind, Callable[[str], Iterator[EmbeddedCode]]] = {
    ClientKind.MAKEFILE: makefile_commands,
    ClientKind.DOCKERFILE: dockerfile_commands,
    ClientKind.YAML: yaml_commands,
    ClientKind.MARKDOWN: markdown_code,
}
_LANGUAGES = {"bash": "shell commands", "tsx": "JavaScript", "typescript": "TypeScript"}
_MEND = "Mend it, or leave it out: in Markdown, by naming another language behind the fence."
_PARSER = "pip install 'clarifai-emulator-check[javascript]'"


def check_foreign(file: File, models: EndpointModels) -> tuple[list[Finding], list[ClientCall]]:
    """Return what is said of a file, and of code in it, as a whole, and its calls."""
    try:
        codes = list(_embedded(file))
        sources = [ForeignSource(file.path, file.content, each) for each in codes]
    except NoParser as error:
        extent = "was read in part" if file.kind is ClientKind.MARKDOWN else "was not read"
        message = f"{printable(file.path.name)} {extent}: {error}."
        return [found("unreadable-client", message, Location(file.path), hint=_PARSER)], []
    except UnreadableClient as error:
        message = f"{printable(file.path.name)} {printable(error.reason)}. The commands in it are not checked."
        where = Location(file.path, error.line, error.column)
        return [found("unreadable-client", message, where, hint=error.hint)], []
    findings: list[Finding] = []
    calls: list[ClientCall] = []
    for source in sources:
        judged = _shell(source, models) if source.language == "bash" else _javascript(source, models)
        calls += [each for each in judged if each is not None]
        if source.is_cut_off and not any(judged):
            findings.append(_cut_off(source))
    return findings, calls


def _embedded(file: File) -> Iterator[EmbeddedCode | None]:
    """Yield the code that stands in a file; None for the file itself, where all of it is code. Code that has
    nothing to do with the platform is left out, so that nobody needs a parser for it."""
    read = _EMBEDDING.get(file.kind)
    if read is None:
        yield None
        return
    try:
        for code in read(decode_client(file.content).removeprefix("\ufeff")):
            marks = ("curl",) if code.language == "bash" else ("clarifai", "/v2/")
            if any(each in code.text.lower() for each in marks):
                yield code
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line, column = (place.line + 1, place.column + 1) if place is not None else (0, 0)
        raise UnreadableClient(f"is no YAML: {error.problem or error.context}", line=line, column=column) from None
    except yaml.YAMLError as error:
        raise UnreadableClient(f"is no YAML: {error}") from None


def _cut_off(source: ForeignSource) -> Finding:
    message = (
        f"The code in line {source.first.line} of {printable(source.path.name)} cannot be parsed as "
        f"{_LANGUAGES[source.language]}. Nothing in it is checked; the rest of the file is."
    )
    return found("unreadable-cell", message, source.first, hint=_MEND)


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
