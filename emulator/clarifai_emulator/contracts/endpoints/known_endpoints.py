"""Tells what the given models serve beside their own methods: OpenAI's API, MCP, and what their code takes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cached_property

from clarifai_emulator.contracts.calls.call_targets import Address, GivenAddresses
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.mcp_tools import McpTools, read_mcp_tools
from clarifai_emulator.contracts.endpoints.openai_surface import CLIENTS
from clarifai_emulator.contracts.endpoints.workflow_files import WorkflowFile
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.messages.mcp_paths import TRANSPORT as MCP_TRANSPORT
from clarifai_emulator.messages.openai_paths import STREAM_TRANSPORT, TRANSPORT
from clarifai_emulator.models.image_content import model_file_of

_AGENT_CLASS = "agentic_class.py"
_SDK_CLASSES = frozenset({"openai_class.py", _AGENT_CLASS})
# What the SDK's agents take out of a request themselves.
_OF_AGENTS = frozenset({"mcp_servers", "openai_endpoint"})
# A class that has one of these of its own decides itself what it takes.
DECIDING = frozenset(
    f"{start}{name}"
    for start, names in {
        "openai_": ("transport", "stream_transport"),
        "_handle_": ("chat_completions", "responses", "embeddings", "images_generate"),
        "_retry_": ("chat_completions_create", "responses_create", "embeddings_create", "images_generate"),
        "_": ("route_request", "create_completion_args", "update_old_fields"),
    }.items()
    for name in names
)


class EndpointModel:
    """A given model, as the endpoints see it."""

    def __init__(self, known: KnownModel) -> None:
        self.known = known
        self.name = known.name

    @property
    def speaks_openai(self) -> bool:
        return self.known.method(TRANSPORT) is not None

    @property
    def streams_openai(self) -> bool:
        return self.known.method(STREAM_TRANSPORT) is not None

    @property
    def speaks_mcp(self) -> bool:
        return self.known.method(MCP_TRANSPORT) is not None

    @cached_property
    def mcp_tools(self) -> McpTools:
        """Return the tools that its MCP server registers."""
        return read_mcp_tools(self.known.directory)

    @property
    def is_readable(self) -> bool:
        """Tell whether its methods are known: nothing is said of a model that could not be read."""
        return bool(self.known.methods)

    @cached_property
    def code(self) -> ClientCode | None:
        """Return its model.py, read; None where it cannot be."""
        path = model_file_of(self.known.directory)
        try:
            source = Source(path, path.read_bytes())
            _ = source.nodes
        except (OSError, SyntaxError, ValueError, RecursionError):
            return None
        return ClientCode(source, _Alone())

    @cached_property
    def routes_as_sdk(self) -> bool:
        """Tell whether the SDK's own code decides which endpoint is asked, and with what."""
        method = self.known.method(TRANSPORT)
        if method is None or method.location is None or method.location.path.name not in _SDK_CLASSES:
            return False
        code = self.code
        return code is not None and not any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in DECIDING
            for node in code.source.nodes
        )

    def takes_itself(self, name: str) -> bool:
        """Tell whether the SDK's class takes a parameter for itself, and hands it on to nobody: an agent does."""
        method = self.known.method(TRANSPORT) if name in _OF_AGENTS else None
        return method is not None and method.location is not None and method.location.path.name == _AGENT_CLASS

    @cached_property
    def hands_on_to_openai(self) -> bool:
        """Tell whether its code hands all parameters on to the client of the ``openai`` package, which refuses
        those that it does not know."""
        code = self.code
        if code is None or not self.routes_as_sdk:
            return False
        made = [
            value
            for node in code.source.nodes
            if isinstance(node, ast.ClassDef)
            for _, value in code.attribute_values(node, "client")
        ]
        return bool(made) and all(
            isinstance(each, ast.Call) and code.name_of(each.func) in CLIENTS for each in made
        )


class EndpointModels:
    """The given models by their addresses, and the workflows whose definitions are at hand, by their ids."""

    def __init__(self, models: Sequence[KnownModel], workflows: Mapping[str, WorkflowFile] | None = None) -> None:
        self.workflows: Mapping[str, WorkflowFile] = workflows or {}
        self.models = [EndpointModel(each) for each in models]
        self._addresses = GivenAddresses([each.address for each in models])
        self.any = next((each for each in self.models if each.known.address.any), None)

    def find(self, address: Address) -> EndpointModel | None:
        """Return the model that has this address, or the one that stands for every other."""
        index = self._addresses.find(address)
        return self.models[index] if index is not None else self.any

    @cached_property
    def names(self) -> Mapping[str, EndpointModel]:
        """Return the models by ``USER/APP/models/ID``."""
        return {shown_address(each.known.address): each for each in self.models if each.known.address.model_id}


def shown_address(address: Address) -> str:
    """Return ``USER/APP/models/ID``; ``me`` and ``main`` stand for ids that are not said."""
    return ModelAddress(address.user_id or "me", address.app_id or "main", address.model_id).name


class _Alone:
    """Finds no other modules: a model's code is read by itself."""

    def find(self, module: str, level: int, source: Source) -> Source | None:
        return None
