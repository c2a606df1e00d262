"""Defines the rules about requests to the platform's endpoints: OpenAI's API, MCP, REST and workflows."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

_ERROR, _UNCHECKED = Severity.ERROR, Severity.UNCHECKED

OPENAI = (
    Rule(
        "no-openai",
        _ERROR,
        Breaks.ALL,
        "A model is called through OpenAI's API and does not speak it",
        "The platform hands such a request to the model's method `openai_transport`, or `openai_stream_transport` "
        "for a stream; the call ends with status MODEL_PREDICTION_FAILED.",
        "Derive the model's class from OpenAIModelClass, or call it with `Model(url=…)`.",
    ),
    Rule(
        "unknown-endpoint",
        _ERROR,
        Breaks.ALL,
        "A client asks for an endpoint that the OpenAI-compatible API does not have",
        "The request is answered with 404.",
        "Use one of /chat/completions, /responses, /embeddings, /images/generations.",
    ),
    Rule(
        "no-stream",
        _ERROR,
        Breaks.ALL,
        "A stream is asked of an endpoint that has none",
        "The request is refused.",
        "Leave out `stream`.",
    ),
    Rule(
        "wrong-base-url",
        _ERROR,
        Breaks.ALL,
        "A client has a base URL that ends elsewhere than at the OpenAI-compatible API",
        "The client puts the endpoint behind it, and each request is answered with 404.",
        "Write https://api.clarifai.com/v2/ext/openai/v1.",
    ),
)
MCP = (
    Rule(
        "no-mcp",
        _ERROR,
        Breaks.ALL,
        "An MCP client is given a model that is no MCP server",
        "The platform hands each message to the model's method `mcp_transport`; without it, no session begins.",
        "Derive the model's class from MCPModelClass, or call it with `Model(url=…)`.",
    ),
    Rule(
        "unknown-tool",
        _ERROR,
        Breaks.ALL,
        "A client calls a tool that the MCP server does not have",
        "The server answers with an error.",
        "Write the name of a tool that model.py registers.",
    ),
)
REST = (
    Rule(
        "wrong-body",
        _ERROR,
        Breaks.ALL,
        "The body of a REST request is none that the platform reads",
        "The request is refused: a field is not there, or its value is of another kind.",
        "Write the field as the platform has it; `/docs` of the emulator shows every one.",
    ),
)
WORKFLOWS = (
    Rule(
        "workflow-graph",
        _ERROR,
        Breaks.ALL,
        "The nodes of a workflow do not make a graph that can run",
        "The platform refuses to make it: a node takes from one that is not there, or in a circle, or there are "
        "more than 20.",
        "Mend the node that the message names.",
    ),
    Rule(
        "workflow-edge",
        _ERROR,
        Breaks.ALL,
        "What a node of a workflow gives is not what the next one takes",
        "The runner makes the arguments of `predict` from the fields of what comes, by their types. Where one is "
        "missing, the whole request fails, and it is the client of the workflow who sees it.",
        "Put a node between them, or give the argument a default.",
    ),
)
NOT_CHECKED = (
    Rule(
        "unchecked-edge",
        _UNCHECKED,
        Breaks.NOBODY,
        "Whether what a node gives fits the next one, is only known when the workflow runs",
        "The types leave it open: regions may hold images, or not.",
        "Send an input through the workflow in the emulator.",
    ),
    Rule(
        "workflow-not-given",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client calls a workflow whose definition is not at hand",
        "Which models it asks, and with what, is not checked.",
        "Keep its definition, the YAML file that made it, among the paths.",
    ),
    Rule(
        "unresolved-request",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client's source does not say where a request goes, or what it asks",
        "The request is not checked before it runs; the emulator checks it when it comes.",
        "Make the client where it is used, from constants.",
    ),
    Rule(
        "unread-tools",
        _UNCHECKED,
        Breaks.NOBODY,
        "The source of an MCP server does not say which tools it has",
        "Calls of them are not checked.",
        "Register tools in the model directory: `@server.tool` on a function.",
    ),
    Rule(
        "unknown-parameter",
        _UNCHECKED,
        Breaks.NOBODY,
        "Whether a model takes a parameter is not known",
        "The model's own code decides, and it cannot be read from it.",
        "Try it: the emulator answers as the model does.",
    ),
)
RULES = (*OPENAI, *MCP, *REST, *WORKFLOWS, *NOT_CHECKED)
