"""Finds the models that classes of the SDK ask by themselves: ``client`` and ``model`` of an OpenAIModelClass.

class Agent(AgenticModelClass):
    client = OpenAI(base_url="https://api.clarifai.com/v2/ext/openai/v1", api_key=os.environ["CLARIFAI_PAT"])
    model = "https://clarifai.com/me/main/models/brain"
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clarifai_emulator.contracts.endpoints.client_code import DEEPEST, ClientCode
from clarifai_emulator.contracts.endpoints.client_makers import Maker, makers_of
from clarifai_emulator.contracts.endpoints.known_endpoints import DECIDING
from clarifai_emulator.contracts.endpoints.openai_request import Destination, OpenAiRequest
from clarifai_emulator.contracts.endpoints.openai_surface import CALLS, CLIENTS
from clarifai_emulator.contracts.endpoints.written_python import written
from clarifai_emulator.contracts.endpoints.written_value import GivenValues, WrittenValue

_CLASSES = frozenset({"OpenAIModelClass", "AgenticModelClass"})
_SENT = ("chat", "completions", "create")


def brain_requests(code: ClientCode) -> Iterator[OpenAiRequest]:
    """Yield the request that each such class sends to a model of the platform. A class that decides itself what it
    sends has the calls in its own code, where they are found like any other."""
    for node in code.source.nodes:
        if isinstance(node, ast.ClassDef) and node.bases and _is_brained(code, node) and not _decides(node):
            model = next(iter(code.attribute_values(node, "model")), None)
            for other, client in code.attribute_values(node, "client") if model is not None else ():
                for maker in makers_of(other, client, CLIENTS).found:
                    request = _request(maker, written(*model)) if model is not None else None
                    if request is not None and request.destination is Destination.PLATFORM:
                        yield request


def _request(maker: Maker, model: WrittenValue) -> OpenAiRequest:
    return OpenAiRequest(
        model.location,
        f"{'.'.join(_SENT)}()",
        CALLS[_SENT],
        maker.given_values().first("base_url", "api_base"),
        model,
        GivenValues(is_whole=False),
        hint=maker.source,
    )


def _is_brained(code: ClientCode, node: ast.ClassDef, depth: int = 0) -> bool:
    for base in node.bases:
        if code.name_of(base).rpartition(".")[2] in _CLASSES:
            return True
        own = code.definition(base) if depth < DEEPEST else None
        if own is not None and isinstance(own.node, ast.ClassDef) and _is_brained(own.code, own.node, depth + 1):
            return True
    return False


def _decides(node: ast.ClassDef) -> bool:
    methods = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(each.name in DECIDING for each in methods)
