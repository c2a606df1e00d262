"""Judges calls of a model's own method that a client of another language writes: ``model.predict({ … })``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clarifai_emulator.contracts.calls.given_models import unreadable_model
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModel, EndpointModels
from clarifai_emulator.contracts.endpoints.named_model import NamedModel, named_models
from clarifai_emulator.contracts.endpoints.node_values import node_findings
from clarifai_emulator.contracts.endpoints.written_value import GivenValues, WrittenValue, shown_texts
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.name_findings import unknown_method
from clarifai_emulator.contracts.signatures.shapes import method_shape

_HOW_TO_NAME = "a model is named by its URL, as https://clarifai.com/USER/APP/models/MODEL."


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call. ``model``: its URL. ``method``: None for one in the form of older clients, with ``inputs``."""

    location: Location
    shown: str
    model: WrittenValue
    method: WrittenValue | None
    arguments: GivenValues


def judge_model_call(call: ModelCall, models: EndpointModels) -> ClientCall:
    """Return the call with what is wrong with it."""
    findings: list[Finding] = []
    name = shown_texts(call.model.texts)
    for named in named_models(NamedModel(call.shown, call.model, call.model.texts, _HOW_TO_NAME), models):
        if isinstance(named, Finding):
            findings.append(named)
        else:
            name = named.name
            findings += _held(call, named)
    return ClientCall(call.location, call.shown, name, tuple(findings))


def _held(call: ModelCall, model: EndpointModel) -> Iterator[Finding]:
    if not model.is_readable:
        yield unreadable_model(model.known)
        return
    if call.method is None:
        message = f"{call.shown}: the input is in the form of older clients, without parts."
        yield found("unchecked-request", message, call.location, model=model.name)
        return
    if not call.method.text:
        message = f"The method is named by {call.method.shown}: the call is not checked."
        yield found("dynamic-method", message, call.method.location, model=model.name)
        return
    method = model.known.method(call.method.text)
    if method is None:
        problem = unknown_method(call.method.text, [each.signature.name for each in model.known.methods])
        yield replace(problem, location=call.method.location, model=model.name)
        return
    for problem, value in node_findings(method_shape(method.signature), call.arguments.values):
        if problem.rule == "missing-argument" and not call.arguments.is_whole:
            continue
        where = value.location if value is not None else call.location
        yield replace(problem, location=where, declared=method.location, model=model.name)
    if not call.arguments.is_whole:
        message = f"{call.shown} is given arguments that are not known before it runs."
        yield found("unpacked-arguments", message, call.location, model=model.name, method=call.method.text)
