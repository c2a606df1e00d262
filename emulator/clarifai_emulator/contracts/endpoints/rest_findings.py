"""Judges HTTP requests to the platform: predictions over REST, and those to the OpenAI-compatible API.

URL ─► what it asks: /outputs of a model · OpenAI's endpoints · /results of a workflow ─► the body, held against it
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from google.protobuf import json_format

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.given_models import unreadable_model
from clarifai_emulator.contracts.endpoints.http_request import HttpRequest
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModel, EndpointModels, shown_address
from clarifai_emulator.contracts.endpoints.openai_findings import judge_openai
from clarifai_emulator.contracts.endpoints.openai_request import OpenAiRequest
from clarifai_emulator.contracts.endpoints.platform_urls import read_platform_url
from clarifai_emulator.contracts.endpoints.workflow_call import WorkflowCall, judge_workflow
from clarifai_emulator.contracts.endpoints.written_value import (
    UNSEEN,
    WrittenValue,
    given_in,
    known_value,
)
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.name_findings import missing_argument, unknown_argument, unknown_method
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.contracts.values.wire import WireMethod
from clarifai_emulator.messages.openai_paths import PREFIX
from clarifai_emulator.spelling import did_you_mean

_OWNER = r"^/v2/(?:users/(?P<user>[^/]+)/)?(?:apps/(?P<app>[^/]+)/)?"
_OUTPUTS = re.compile(
    _OWNER + r"models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/outputs(?P<way>/generate|/stream)?/?$"
)
_RESULTS = re.compile(_OWNER + r"workflows/(?P<workflow>[^/]+)(?:/versions/[^/]+)?/results/?$")
_MODEL_OUTPUTS = "/v2/users/USER/apps/APP/models/MODEL/outputs"
_METHOD_NAME = "_method_name"
# The method that the runner takes where the request names none.
_DEFAULTS = {None: "predict", "/generate": "generate", "/stream": "stream"}


def judge_http(request: HttpRequest, models: EndpointModels) -> Iterator[ClientCall]:
    """Yield the call of each URL that it may go to, with what is wrong with it; none where it goes elsewhere, or
    asks something else of the platform."""
    for text in request.url.texts:
        url = read_platform_url(text)
        call = _judge_path(request, url.path, models) if url is not None else None
        if call is not None:
            yield call
    if not any(each.strip(UNSEEN) for each in request.url.texts) and _names_platform(request):
        message = f"It is not known where {request.shown} is sent to, so it is not checked."
        finding = found("unresolved-request", message, request.location)
        yield ClientCall(request.location, request.shown, findings=(finding,))


def _names_platform(request: HttpRequest) -> bool:
    return "clarifai" in request.hint.lower() and not request.url.is_known and request.method != "GET"


def _judge_path(request: HttpRequest, path: str, models: EndpointModels) -> ClientCall | None:
    if path.startswith(f"{PREFIX}/"):
        return judge_openai(_openai(request, path.removeprefix(PREFIX).rstrip("/")), models)
    outputs, results = _OUTPUTS.match(path), _RESULTS.match(path)
    if results is not None:
        name = results["workflow"]
        named = f"workflow '{name.replace(UNSEEN, '…')}'"
        workflow = known_value(name, request.url.location)
        return judge_workflow(WorkflowCall(request.location, request.shown, workflow, named), models)
    if outputs is not None:
        return _judge_outputs(request, outputs, models)
    is_of_model = path.rstrip("/").endswith("/outputs") and "model" in path and UNSEEN not in path
    if is_of_model and not re.search(r"/(deployments|nodepools|runners|workflows)/", path):
        message = f"There is no path {path}. The outputs of a model are at {_MODEL_OUTPUTS}."
        finding = found("wrong-url", message, request.url.location, hint=f"Write {_MODEL_OUTPUTS}.")
        return ClientCall(request.location, request.shown, findings=(finding,))
    return None


def _openai(request: HttpRequest, endpoint: str) -> OpenAiRequest:
    given = given_in(request.body)
    return OpenAiRequest(
        request.location,
        request.shown,
        endpoint,
        model=given.values.get("model"),
        arguments=given,
        hint="clarifai",
        sends_all=True,
    )


def _judge_outputs(request: HttpRequest, match: re.Match[str], models: EndpointModels) -> ClientCall:
    """Return a prediction with what is wrong with it."""
    name, findings = _outputs(request, match, models)
    return ClientCall(request.location, request.shown, name, tuple(findings))


def _outputs(request: HttpRequest, match: re.Match[str], models: EndpointModels) -> tuple[str, list[Finding]]:
    address = _address(request, match)
    shown = match["model"].replace(UNSEEN, "…")
    if not address.model_id:
        if models.any is None:
            message = f"{request.shown}: which model '{shown}' is, is only known when it runs."
            return shown, [found("unknown-model", message, request.url.location)]
        model = models.any
    else:
        model = models.find(address)
    if model is None:
        name = shown_address(address)
        near = did_you_mean(name, models.names, lead=" ")
        message = f"{request.shown}: no --model was given for {name}, so it is not checked.{near}"
        return name, [found("model-not-given", message, request.url.location, hint=f"Add --model DIR={name}.")]
    if not model.is_readable:
        return model.name, [unreadable_model(model.known)]
    return model.name, list(_body(request, model, _DEFAULTS[match["way"]]))


def _address(request: HttpRequest, match: re.Match[str]) -> Address:
    user, app = (match[name] or _said(request.body, name) for name in ("user", "app"))
    user, app, model = ("" if UNSEEN in each else each for each in (user, app, match["model"]))
    return Address(user, app, model)


def _said(body: WrittenValue | None, name: str) -> str:
    """Return an id that the body says instead of the path."""
    value = body.at("user_app_id", f"{name}_id") if body is not None else None
    return value.text if value is not None else ""


def _body(request: HttpRequest, model: EndpointModel, method: str) -> Iterator[Finding]:
    body = request.body
    inputs = body.at("inputs") if body is not None else None
    if body is None or (body.items is None and not body.is_known):
        shown = body.shown if body is not None else "a body that is not in sight"
        message = f"{request.shown} sends {shown}: its arguments are not checked."
        yield found("unpacked-arguments", message, request.location, model=model.name)
        return
    wrong = list(_unreadable(request, body, model))
    yield from wrong
    for each in (inputs.elements or ()) if inputs is not None else ():
        data = each.at("data")
        said = _input(request, data, model, method) if data is not None else ()
        # What its form is, is nobody's question where the platform cannot read it.
        yield from (each for each in said if not wrong or each.rule != "unchecked-request")
    is_seen = body.is_whole if inputs is None else inputs.elements is not None and inputs.is_whole
    if not is_seen:
        message = f"{request.shown}: its inputs are only known when it runs, and not checked."
        yield found("unpacked-arguments", message, body.location, model=model.name)


def _unreadable(request: HttpRequest, body: WrittenValue, model: EndpointModel) -> Iterator[Finding]:
    """Report a body that is no request of the platform: a field that is not there, or a value of another kind."""
    try:
        json_format.ParseDict(body.plain(), service_pb2.PostModelOutputsRequest())
    except ValueError:
        return
    except json_format.ParseError as error:
        said = str(error).partition("\n")[0].rstrip(".")
        yield found("wrong-body", f"{request.shown}: {said}.", body.location, model=model.name)


def _input(request: HttpRequest, data: WrittenValue, model: EndpointModel, default: str) -> Iterator[Finding]:
    named = data.at("metadata", _METHOD_NAME)
    if named is not None and not named.text:
        message = f"The method is named by {named.shown or 'a value'}: the request is not checked."
        yield found("dynamic-method", message, named.location, model=model.name)
        return
    name = named.text if named is not None else default
    where = (named or data).location
    method = model.known.method(name)
    if method is None:
        problem = unknown_method(name, [each.signature.name for each in model.known.methods])
        yield _placed(problem, where, model, None)
        return
    parts = data.at("parts")
    if parts is None:
        if data.is_whole and data.items:
            message = f"{request.shown}: the input is in the form of older clients, without parts."
            yield found("unchecked-request", message, data.location, model=model.name, method=name)
        return
    yield from _parts(request, parts, method, model)


def _parts(request: HttpRequest, parts: WrittenValue, method: Method, model: EndpointModel) -> Iterator[Finding]:
    shape = method_shape(method.signature)
    wire = WireMethod(shape)
    seen: set[str] = set()
    is_whole = parts.elements is not None and parts.is_whole
    for part in parts.elements or ():
        named, data = part.at("id"), part.at("data")
        if named is None or not named.text:
            is_whole = False
            continue
        seen.add(named.text)
        if named.text not in shape.inputs:
            problem = unknown_argument(named.text, shape.inputs)
            yield _placed(problem, named.location, model, method)
        elif data is not None:
            for problem in _values(wire, named.text, data):
                yield _placed(problem, data.location, model, method)
    if not is_whole:
        message = f"{request.shown}: its parts are only known when it runs, and not all of them are checked."
        yield found("unpacked-arguments", message, parts.location, model=model.name, method=method.signature.name)
        return
    for name in shape.required:
        if name not in seen and not did_you_mean(name, seen - shape.inputs.keys()):
            problem = missing_argument(name, shape.inputs[name].label)
            yield _placed(problem, parts.location, model, method)


def _values(wire: WireMethod, name: str, data: WrittenValue) -> tuple[Finding, ...]:
    try:
        content = json_format.ParseDict(data.plain(), resources_pb2.Data())
    except (ValueError, json_format.ParseError):
        return ()  # not known, or told of the whole body
    whole = resources_pb2.Data()
    part = whole.parts.add(id=name)
    part.data.CopyFrom(content)
    return wire.input_problems(whole, first=False)


def _placed(problem: Finding, where: Location, model: EndpointModel, method: Method | None) -> Finding:
    name = method.signature.name if method is not None else problem.method
    message = problem.message if method is None else f"{name}(): {problem.message}"
    declared = method.location if method is not None else None
    return Finding(problem.rule, problem.severity, message, problem.hint, where, declared, model.name, str(name))
