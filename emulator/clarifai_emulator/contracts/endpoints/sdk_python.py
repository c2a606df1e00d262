"""Finds what a Python file asks of the platform through messages, workflows and older clients.

stub.PostModelOutputs(PostModelOutputsRequest(…))   Workflow(url).predict_by_url(…)   langchain's Clarifai(…)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.client_makers import Maker, makers_of
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
from clarifai_emulator.contracts.endpoints.named_model import NamedModel, named_models
from clarifai_emulator.contracts.endpoints.workflow_call import WorkflowCall
from clarifai_emulator.contracts.endpoints.written_python import arguments, shown_source
from clarifai_emulator.contracts.endpoints.written_value import (
    UNSEEN,
    GivenValues,
    WrittenValue,
    known_value,
    shown_texts,
    unknown_value,
)
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.messages.address import ModelAddress

_RPCS = frozenset({"PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs"})
_WORKFLOW_RPC = "PostWorkflowResults"
_MESSAGES = "clarifai_grpc.grpc.api"
_REQUESTS = frozenset(f"{_MESSAGES}.service_pb2.{name}Request" for name in (*_RPCS, _WORKFLOW_RPC))
_OWNERS = frozenset({f"{_MESSAGES}.resources_pb2.UserAppIDSet"})
_WORKFLOWS = frozenset({"clarifai.client.workflow.Workflow", "clarifai.client.Workflow"})
_PREDICTS = frozenset({"predict", "predict_by_url", "predict_by_bytes", "predict_by_filepath", "predict_by_base64",
                       "predict_by_file", "predict_by_filename"})  # fmt: skip
_OLD = frozenset(
    f"clarifai.rest.{module}{name}" for module in ("", "client.") for name in ("ClarifaiApp", "Model", "Workflow")
)
# Classes of other packages that call a model with the SDK, by the first part of their names and the last.
_HOLDERS = frozenset(
    {
        *(("langchain", name) for name in ("Clarifai", "ClarifaiEmbeddings", "ChatClarifai")),
        *(("langchain_community", name) for name in ("Clarifai", "ClarifaiEmbeddings", "ChatClarifai")),
        *(
            ("langchain_clarifai", name)
            for name in ("Clarifai", "ClarifaiEmbeddings", "ClarifaiLLM", "ChatClarifai")
        ),
        *(("llama_index", name) for name in ("Clarifai", "ClarifaiEmbedding")),
    }
)
_HOW_TO_NAME = "a model is named by its URL, as https://clarifai.com/USER/APP/models/MODEL."


@dataclass(frozen=True, slots=True)
class _Named:
    """A place that calls a model of this name, with inputs that are not looked at."""

    location: Location
    shown: str
    model: WrittenValue


class SdkRequests:
    """Finds them in one file."""

    def __init__(self, code: ClientCode) -> None:
        self._code = code
        self.claimed: set[ast.AST] = set()

    def judge(self, models: EndpointModels) -> Iterator[ClientCall]:
        """Yield every call: its model is held against the given ones, its inputs are not."""
        for named in (*self._rpcs(), *self._holders()):
            texts = named.model.texts
            for each in named_models(NamedModel(named.shown, named.model, texts, _HOW_TO_NAME), models):
                if isinstance(each, Finding):
                    finding, name = each, shown_texts(texts)
                else:
                    message = f"{named.shown} sends inputs in the form of older clients, which are not checked."
                    finding, name = found("unchecked-request", message, named.location, model=each.name), each.name
                yield ClientCall(named.location, named.shown, name, (finding,))
        yield from self._old_client()

    def _rpcs(self) -> Iterator[_Named]:
        for name in sorted(_RPCS):
            for call in self._code.called_names.get(name, ()):
                if not isinstance(call.func, ast.Attribute) or not call.args:
                    continue
                where = self._code.source.location(call.func)
                makers = makers_of(self._code, call.args[0], _REQUESTS)
                if not makers.found:
                    unseen = unknown_value(where, f"its request is '{shown_source(call.args[0])}'")
                    yield _Named(where, f"{name}()", unseen)
                for maker in makers.found:
                    yield _Named(where, f"{name}()", self._model_of(maker, where))

    def _model_of(self, maker: Maker, where: Location) -> WrittenValue:
        """Return the URL of the model that a request names."""
        given = maker.given_values()
        owner = next((each.value for each in maker.call.keywords if each.arg == "user_app_id"), None)
        ids = GivenValues()
        if owner is not None:
            makers = makers_of(maker.code, owner, _OWNERS)
            ids = makers.found[0].given_values() if makers.found else ids
        return _model_url(given, ids, where)

    def _holders(self) -> Iterator[_Named]:
        for call in self._code.source.calls:
            name = self._code.name_of(call.func)
            first, _, rest = name.partition(".")
            if (first, rest.rpartition(".")[2]) not in _HOLDERS:
                continue
            self.claimed.add(call)
            given = arguments(self._code, call)
            url = given.first("model_url", "model")
            where = self._code.source.location(call.func)
            if (
                url is None
                and given.is_whole
                and "model_id" not in given.values
                and "model_name" not in given.values
            ):
                continue  # a vector store of the same name
            yield _Named(where, f"{shown_source(call.func)}()", url or _model_url(given, given, where))

    def workflows(self) -> Iterator[WorkflowCall]:
        """Yield the calls of workflows."""
        for name in sorted(_PREDICTS):
            for call in self._code.called_names.get(name, ()):
                if not isinstance(call.func, ast.Attribute):
                    continue
                for maker in makers_of(self._code, call.func.value, _WORKFLOWS).found:
                    given = maker.given_values(("url", "workflow_id"))
                    where, shown = self._code.source.location(call.func), shown_source(maker.call)
                    yield WorkflowCall(where, f"{name}()", given.first("url", "workflow_id"), shown)
        for call in self._code.called_names.get(_WORKFLOW_RPC, ()):
            if isinstance(call.func, ast.Attribute) and call.args:
                makers = makers_of(self._code, call.args[0], _REQUESTS)
                named = makers.found[0].given_values().first("workflow_id") if makers.found else None
                where = self._code.source.location(call.func)
                yield WorkflowCall(where, f"{_WORKFLOW_RPC}()", named, "the workflow")

    def _old_client(self) -> Iterator[ClientCall]:
        for name in sorted(_PREDICTS):
            for call in self._code.called_names.get(name, ()):
                if isinstance(call.func, ast.Attribute) and self._is_old(call.func.value):
                    message = f"{name}() is a call of the SDK before version 9, which is not checked."
                    where = self._code.source.location(call.func)
                    yield ClientCall(where, f"{name}()", findings=(found("unresolved-request", message, where),))

    def _is_old(self, node: ast.expr, depth: int = 0) -> bool:
        """Tell whether an object comes from one of its classes: ``ClarifaiApp().models.get(…)``."""
        for code, end in self._code.followed(node) if depth < 6 else ():
            if isinstance(end, ast.Call):
                if code.name_of(end.func) in _OLD:
                    return True
                if isinstance(end.func, ast.Attribute) and self._is_old(end.func.value, depth + 1):
                    return True
            elif isinstance(end, ast.Attribute) and self._is_old(end.value, depth + 1):
                return True
        return False


def _model_url(given: GivenValues, owner: GivenValues, where: Location) -> WrittenValue:
    model = given.first("model_id", "model_name")
    if model is None or not model.known_texts:
        return model or unknown_value(where, "its arguments do not say")
    said = [owner.first(name) for name in ("user_id", "app_id")]
    user, app = (each.text if each is not None and each.text else UNSEEN for each in said)
    made = known_value("", model.location, model.shown)
    texts = tuple(ModelAddress(user, app, each).url for each in model.known_texts)
    return replace(made, texts=texts)
