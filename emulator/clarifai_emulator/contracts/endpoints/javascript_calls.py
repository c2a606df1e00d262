"""Finds what a JavaScript or TypeScript file asks of the platform: clarifai-nodejs, OpenAI's client, fetch, MCP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.endpoints.http_request import HttpRequest
from clarifai_emulator.contracts.endpoints.javascript_code import JavaScriptCode
from clarifai_emulator.contracts.endpoints.javascript_objects import MadeObject, ObjectCall, calls_of, made_objects
from clarifai_emulator.contracts.endpoints.mcp_python import ToolCall
from clarifai_emulator.contracts.endpoints.model_call import ModelCall
from clarifai_emulator.contracts.endpoints.openai_request import OpenAiRequest
from clarifai_emulator.contracts.endpoints.openai_surface import CALLS
from clarifai_emulator.contracts.endpoints.platform_urls import MCP_MARK
from clarifai_emulator.contracts.endpoints.workflow_call import WorkflowCall
from clarifai_emulator.contracts.endpoints.written_value import (
    UNSEEN,
    GivenValues,
    WrittenValue,
    given_in,
    json_content,
    known_value,
    unknown_value,
)
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.messages.openai_paths import CHAT, EMBEDDINGS

if TYPE_CHECKING:
    from tree_sitter import Node

_OPENAI = frozenset({("openai", "default"), ("openai", "OpenAI")})
_SDK = "clarifai-nodejs"
_SDK_CALLS = frozenset({"predict", "generate", "stream", "predictByUrl", "predictByFilepath", "predictByBytes"})
_PROVIDERS = frozenset(
    {("@ai-sdk/openai-compatible", "createOpenAICompatible"), ("@ai-sdk/openai", "createOpenAI")}
)
_LANGCHAIN = {"ChatOpenAI": CHAT, "OpenAIEmbeddings": EMBEDDINGS}
_OLD_CALLS = frozenset({"predict", "search", "initModel"})
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "request"})
_HTTP = frozenset({"axios", "got", "ky", "undici", "node-fetch"})


class JavaScriptCalls:
    """Finds them in one file."""

    def __init__(self, code: JavaScriptCode) -> None:
        self._code = code
        self._calls = calls_of(code)

    def openai_requests(self) -> Iterator[OpenAiRequest]:
        """Yield the requests to OpenAI's API, whoever serves it."""
        for call in self._calls:
            for size in range(min(3, len(call.path)), 1, -1):
                if call.path[-size:] in CALLS:
                    yield from self._openai(call, call.path[-size:])
                    break
            else:
                yield from self._provided(call)
        for node in self._code.source.nodes:
            if node.type == "new_expression":
                yield from self._langchain(node)

    def _openai(self, call: ObjectCall, path: tuple[str, ...]) -> Iterator[OpenAiRequest]:
        before = len(call.path) - len(path)
        client = call.members[before - 1] if before else call.owner
        if client is None:
            return
        made, is_whole = made_objects(self._code, client)
        own = [each for each in made if (each.imported.module, each.imported.name) in _OPENAI]
        if made and not own and is_whole:
            return
        body = self._code.written(call.arguments[0]) if call.arguments else None
        given = given_in(body)
        for each in own or [None]:
            options = self._code.written(each.arguments[0]) if each is not None and each.arguments else None
            yield OpenAiRequest(
                self._code.source.location(call.function),
                f"{'.'.join(path)}()",
                CALLS[path],
                options.at("baseURL") if options is not None else None,
                given.values.get("model"),
                given,
                hint=self._code.source.text(each.node) if each is not None else self._code.source.text(client),
                is_client_known=each is not None,
                sends_all=True,
            )

    def _provided(self, call: ObjectCall) -> Iterator[OpenAiRequest]:
        """Yield what a provider of the AI SDK is asked for: ``provider('me/main/models/chat')``."""
        holder = call.members[-2] if len(call.members) > 1 else call.owner
        if holder is None or not call.arguments or call.function.type not in ("identifier", "member_expression"):
            return
        made, _ = made_objects(self._code, holder)
        for each in made:
            if (each.imported.module, each.imported.name) not in _PROVIDERS or each.node == call.node:
                continue
            options = self._code.written(each.arguments[0]) if each.arguments else None
            endpoint = EMBEDDINGS if call.path and "mbedding" in call.path[-1] else CHAT
            yield OpenAiRequest(
                self._code.source.location(call.function),
                f"{self._code.source.shown(call.function)}()",
                endpoint,
                options.at("baseURL") if options is not None else None,
                self._code.written(call.arguments[0]),
                hint=self._code.source.text(each.node),
            )

    def _langchain(self, node: Node) -> Iterator[OpenAiRequest]:
        named, given = node.child_by_field_name("constructor"), node.child_by_field_name("arguments")
        imported = self._code.imported(named) if named is not None else None
        if imported is None or imported.module != "@langchain/openai" or imported.name not in _LANGCHAIN:
            return
        options = (
            self._code.written(given.named_children[0]) if given is not None and given.named_children else None
        )
        model = (options.at("model") or options.at("modelName")) if options is not None else None
        yield OpenAiRequest(
            self._code.source.location(node),
            f"{imported.name}()",
            _LANGCHAIN[imported.name],
            options.at("configuration", "baseURL") if options is not None else None,
            model,
            GivenValues(is_whole=options is not None and options.is_whole),
            hint=self._code.source.text(node),
        )

    def model_calls(self) -> Iterator[ModelCall]:
        """Yield the calls of a model through clarifai-nodejs."""
        for call in self._calls:
            if not call.path or call.path[-1] not in _SDK_CALLS or call.owner is None:
                continue
            holder = call.members[-2] if len(call.members) > 1 else call.owner
            made, _ = made_objects(self._code, holder)
            for each in made:
                if each.imported.name == "Model" and self._is_sdk(each):
                    yield self._model_call(call, each.arguments)

    def _is_sdk(self, made: MadeObject) -> bool:
        """Tell whether an object is one of clarifai-nodejs; a file of the project may hand its classes on."""
        is_own = made.imported.module.startswith((".", "@/", "~/", "src/"))
        return made.imported.module == _SDK or (is_own and "authConfig" in self._code.source.text(made.node))

    def _model_call(self, call: ObjectCall, made_with: tuple[Node, ...]) -> ModelCall:
        where = self._code.source.location(call.function)
        options = self._code.written(made_with[0]) if made_with else unknown_value(where, "it is made of nothing")
        given = given_in(self._code.written(call.arguments[0]) if call.arguments else None)
        items = dict(given.values)
        method = items.pop("methodName", None)
        if method is None and call.path[-1] in ("predict", "generate", "stream") and "inputs" not in items:
            method = unknown_value(where, "it is not said", "what is not in sight")
        return ModelCall(
            where, f"{call.path[-1]}()", _model_name(options), method, GivenValues(items, given.is_whole)
        )

    def http_requests(self) -> Iterator[HttpRequest]:
        """Yield the HTTP requests, wherever they go."""
        for call in self._calls:
            name = self._code.source.text(call.function)
            last = call.path[-1] if call.path else name
            module = self._code.imported(call.owner) if call.owner is not None else None
            library = module.module if module is not None else ""
            if name in ("fetch", "globalThis.fetch", "window.fetch") or library == "node-fetch":
                yield from self._fetch(call)
            elif (library in _HTTP or name.startswith("axios")) and (last in _VERBS or last == name):
                yield from self._axios(call, last)

    def _fetch(self, call: ObjectCall) -> Iterator[HttpRequest]:
        if not call.arguments:
            return
        url, *others = call.arguments
        more = others[0] if others else None
        options = self._code.written(more) if more is not None else None
        method = options.at("method") if options is not None else None
        yield HttpRequest(
            self._code.source.location(call.function),
            "fetch()",
            method.text.upper() if method is not None else "GET",
            self._code.written(url),
            self._body(more, "body") if more is not None else None,
            self._hint(call),
        )

    def _axios(self, call: ObjectCall, verb: str) -> Iterator[HttpRequest]:
        if not call.arguments:
            return
        first = self._code.written(call.arguments[0])
        url = first if first.items is None else first.at("url")
        if url is None:
            return
        body = None
        if first.items is not None:
            body = self._body(call.arguments[0], "data")
        elif len(call.arguments) > 1 and verb in ("post", "put", "patch"):
            body = self._content(call.arguments[1])
        shown = f"{self._code.source.shown(call.function)}()"
        yield HttpRequest(
            self._code.source.location(call.function), shown, verb.upper(), url, body, self._hint(call)
        )

    def _hint(self, call: ObjectCall) -> str:
        ends = [end for each in call.arguments[1:] for end in self._code.followed(each)]
        return " ".join(self._code.source.text(each) for each in (call.node, *ends))

    def _body(self, options: Node, name: str) -> WrittenValue | None:
        for end in self._code.followed(options):
            for pair in end.named_children if end.type == "object" else ():
                key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
                if key is not None and value is not None and self._code.source.text(key).strip("'\"") == name:
                    return self._content(value)
                if pair.type == "shorthand_property_identifier" and self._code.source.text(pair) == name:
                    values = self._code.bindings.get(name, [])
                    return (
                        self._content(values[0])
                        if len(values) == 1
                        else unknown_value(
                            self._code.source.location(pair), "it is only known when the program runs", name
                        )
                    )
        return None

    def _content(self, node: Node) -> WrittenValue:
        """Return the content of a body, also of one that JSON.stringify makes text of."""
        for end in self._code.followed(node):
            function, given = end.child_by_field_name("function"), end.child_by_field_name("arguments")
            is_json = function is not None and self._code.source.text(function) == "JSON.stringify"
            if is_json and given is not None and given.named_children:
                return self._code.written(given.named_children[0])
        return json_content(self._code.written(node))

    def addresses(self) -> Iterator[WrittenValue]:
        """Yield every text that is the address of an MCP server of the platform."""
        for node in self._code.source.nodes:
            if (node.type in ("string", "template_string") and MCP_MARK in self._code.source.text(node)) or (
                node.type == "template_string" and any(MCP_MARK in each for each in self._code.texts(node))
            ):
                yield self._code.written(node)

    def tool_calls(self) -> Iterator[ToolCall]:
        """Yield the calls of tools of MCP servers."""
        for call in self._calls:
            if not call.path or call.path[-1] != "callTool" or not call.arguments:
                continue
            holder = self._code.source.text(call.members[-2] if len(call.members) > 1 else call.owner or call.node)
            servers, is_known = self._servers(holder)
            given = self._code.written(call.arguments[0])
            yield ToolCall(
                self._code.source.location(call.function),
                tuple(servers),
                is_known,
                given.at("name"),
                given.at("arguments")
                or (unknown_value(given.location, "", given.shown) if given.items is None else None),
                "callTool()",
            )

    def _servers(self, client: str) -> tuple[list[WrittenValue], bool]:
        """Return the addresses that a client is connected to: ``client.connect(transport)``."""
        servers: list[WrittenValue] = []
        is_known = False
        for call in self._calls:
            holder = call.members[-2] if len(call.members) > 1 else call.owner
            if call.path[-1:] != ("connect",) or holder is None or self._code.source.text(holder) != client:
                continue
            for made in made_objects(self._code, call.arguments[0])[0] if call.arguments else ():
                node = made.arguments[0] if made.arguments else None
                ends = self._code.followed(node) if node is not None else []
                found_here = [self._code.written(each) for each in ends]
                servers += found_here
                is_known = bool(found_here) and all(each.texts and UNSEEN not in each.texts for each in found_here)
        return servers, is_known

    def workflows(self) -> Iterator[WorkflowCall]:
        """Yield the calls of workflows through clarifai-nodejs."""
        for call in self._calls:
            if not call.path or call.path[-1] not in _SDK_CALLS or call.owner is None:
                continue
            holder = call.members[-2] if len(call.members) > 1 else call.owner
            for each in made_objects(self._code, holder)[0]:
                if each.imported.name == "Workflow" and self._is_sdk(each):
                    options = self._code.written(each.arguments[0]) if each.arguments else None
                    named = (options.at("url") or options.at("workflowId")) if options is not None else None
                    where, shown = self._code.source.location(call.function), self._code.source.shown(each.node)
                    yield WorkflowCall(where, f"{call.path[-1]}()", named, shown)

    def unresolved(self) -> Iterator[ClientCall]:
        """Yield, as not checked, calls of the client that was there before clarifai-nodejs."""
        old = {name for name, each in self._code.imports.items() if each.module == "clarifai"}
        for call in self._calls if old else ():
            if (call.path and call.path[-1] in _OLD_CALLS and "models" in call.path) or call.path[-1:] == (
                "predict",
            ):
                where = self._code.source.location(call.function)
                message = f"{call.path[-1]}() is a call of the client before clarifai-nodejs, which is not checked."
                finding = found("unresolved-request", message, where)
                yield ClientCall(where, f"{call.path[-1]}()", findings=(finding,))


def _model_name(options: WrittenValue) -> WrittenValue:
    """Return the URL that a model is made from, put together from its ids where it is made from those."""
    url = options.at("url")
    if url is not None:
        return url
    model = options.at("modelId")
    if model is None or not model.text:
        return model or unknown_value(options.location, "it is only known when the program runs", options.shown)
    ids = [options.at(holder, name) for holder, name in (("authConfig", "userId"), ("authConfig", "appId"))]
    user, app = (each.text if each is not None and each.text else UNSEEN for each in ids)
    return replace(known_value(ModelAddress(user, app, model.text).url, model.location), shown=model.shown)
