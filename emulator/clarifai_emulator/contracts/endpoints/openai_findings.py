"""Judges requests to the OpenAI-compatible API: the model, the endpoint, and what is sent to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from clarifai_emulator.contracts.calls.given_models import unreadable_model
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModel, EndpointModels
from clarifai_emulator.contracts.endpoints.named_model import NamedModel, named_models
from clarifai_emulator.contracts.endpoints.openai_request import Destination, OpenAiRequest
from clarifai_emulator.contracts.endpoints.openai_surface import PARAMETERS, REQUIRED, expected_kind
from clarifai_emulator.contracts.endpoints.platform_urls import (
    is_openai_base,
    litellm_name,
    model_address,
    read_platform_url,
)
from clarifai_emulator.contracts.endpoints.written_value import WrittenValue, shown_texts
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.messages.openai_paths import (
    COMPLETIONS,
    ENDPOINTS,
    HOW_TO_NAME,
    MODELS,
    NEEDS_METHOD,
    STREAM_TRANSPORT,
    STREAMED,
    TRANSPORT,
    no_stream,
    no_such_path,
    wrong_base,
)

# A slip of the keys, rather than a parameter of a newer version.
_SLIP = 0.85
# The SDK's class takes it out of the body, and hands it on in its own way.
_SDK_TAKES = frozenset({"top_k"})


def judge_openai(request: OpenAiRequest, models: EndpointModels) -> ClientCall | None:
    """Return the call with what is wrong with it; None where it goes elsewhere."""
    if request.destination is Destination.ELSEWHERE or request.endpoint == MODELS:
        return None
    if request.destination is Destination.UNKNOWN:
        return _unknown(request)
    return _Judge(request, models).judge()


def _unknown(request: OpenAiRequest) -> ClientCall | None:
    if request.endpoint not in (*ENDPOINTS, COMPLETIONS):
        return None
    message = f"It is not known where {request.shown} is sent to, so it is not checked."
    finding = found("unresolved-request", message, request.location, method=request.shown)
    return ClientCall(request.location, request.shown, findings=(finding,))


class _Judge:
    def __init__(self, request: OpenAiRequest, models: EndpointModels) -> None:
        self._request = request
        self._models = models
        self._findings: list[Finding] = []

    def judge(self) -> ClientCall:
        request = self._request
        self._base()
        name = shown_texts(request.model_texts)
        if request.endpoint not in ENDPOINTS:
            self._say("unknown-endpoint", no_such_path(request.endpoint))
        else:
            for named in self._named():
                if isinstance(named, Finding):
                    self._findings.append(named)
                else:
                    name = named.name
                    self._model(named)
        return ClientCall(request.location, request.shown, name, tuple(self._findings))

    def _say(
        self, rule: str, message: str, at: WrittenValue | None = None, model: str = "", hint: str | None = None
    ) -> None:
        where = at.location if at is not None else self._request.location
        self._findings.append(found(rule, message, where, model=model, method=self._request.shown, hint=hint))

    def _base(self) -> None:
        base = self._request.base
        for text in base.known_texts if base is not None else ():
            url = read_platform_url(text)
            if url is not None and not is_openai_base(url):
                self._say(
                    "wrong-base-url", wrong_base(f"{url.path.rstrip('/')}{self._request.endpoint}", url.host), base
                )

    def _named(self) -> Iterator[Finding | EndpointModel]:
        request, model = self._request, self._request.model
        if model is None:
            # A library has a model of its own where none is named.
            if request.arguments.is_whole and request.sends_all:
                yield found("wrong-url", f"{request.shown} names no model. {HOW_TO_NAME}", request.location)
            else:
                why = "it names none" if request.arguments.is_whole else "its arguments are unpacked"
                message = f"{request.shown}: which model it is, cannot be seen: {why}."
                yield found("unknown-model", message, request.location)
            return
        texts = request.model_texts
        if request.is_litellm:
            misread = {each.text: each for each in map(_litellm_slip, model.known_texts) if each is not None}
            for slip in misread.values():
                message = f"{request.shown}: {slip.message}"
                yield found("wrong-url", message, model.location, hint=f"Write {slip.meant}.")
            texts = tuple(sent for raw, sent in zip(model.texts, texts, strict=True) if raw not in misread)
            if not texts:
                return
        yield from named_models(NamedModel(request.shown, model, texts, HOW_TO_NAME), self._models)

    def _model(self, model: EndpointModel) -> None:
        request = self._request
        streams = request.arguments.values.get("stream")
        wants_stream = request.shown.endswith(".stream()") or (streams is not None and streams.value is True)
        if not model.is_readable:
            self._findings.append(unreadable_model(model.known))
            return
        if not model.speaks_openai or (wants_stream and not model.streams_openai):
            missing = STREAM_TRANSPORT if model.speaks_openai else TRANSPORT
            names = ", ".join(each.signature.name for each in model.known.methods)
            message = f"Model '{model.name}' has no method {missing}; it has {names}. {NEEDS_METHOD}"
            self._say("no-openai", message, request.model, model.name)
            return
        if wants_stream and request.endpoint not in STREAMED:
            self._say("no-stream", no_stream(request.endpoint), streams, model.name)
        self._parameters(model)

    def _parameters(self, model: EndpointModel) -> None:
        request = self._request
        known = PARAMETERS[request.endpoint] | _SDK_TAKES | {"stream"}
        required = REQUIRED.get(request.endpoint)
        for name, value in request.arguments.values.items():
            self._parameter(name, value, model)
        for name, value in request.extra.values.items():
            if name not in known:
                self._refused(name, value, model)
        given = {*request.arguments.values, *(_slip(name, known) for name in request.arguments.values)}
        is_whole = request.arguments.is_whole and request.sends_all
        if required and is_whole and required not in given:
            message = f"{request.shown}: '{required}' is required and not given."
            self._say("missing-argument", message, model=model.name)

    def _parameter(self, name: str, value: WrittenValue, model: EndpointModel) -> None:
        request = self._request
        known = PARAMETERS[request.endpoint] | {"stream"}
        if name not in known:
            near = _slip(name, known)
            if near and request.sends_all:
                message = f"{request.shown}: there is no argument '{name}'. Did you mean '{near}'?"
                self._say("unknown-argument", message, value, model.name, hint=f"Write '{near}'.")
            elif request.sends_all and name not in _SDK_TAKES:
                self._refused(name, value, model)
            return
        try:
            plain = value.plain()
        except ValueError:
            plain = [] if value.elements is not None else {} if value.items is not None else None
        expected = expected_kind(name, plain)
        if expected and name != "model":
            message = f"{request.shown}: argument '{name}' is {_described(plain)}, and {expected} is expected."
            self._say("wrong-type", message, value, model.name)

    def _refused(self, name: str, value: WrittenValue, model: EndpointModel) -> None:
        request = self._request
        if model.takes_itself(name):
            return
        if model.hands_on_to_openai:
            message = (
                f"{request.shown}: the code of model '{model.name}' does not take '{name}': it hands it on to the "
                "client of the openai package, which raises TypeError."
            )
            self._say("unknown-argument", message, value, model.name, hint="Leave it out, or let model.py take it.")
        else:
            message = f"{request.shown}: whether model '{model.name}' takes '{name}' is not known."
            self._say("unknown-parameter", message, value, model.name)


@dataclass(frozen=True, slots=True)
class _Misread:
    """A name that LiteLLM takes for something else."""

    text: str
    message: str
    meant: str


def _litellm_slip(text: str) -> _Misread | None:
    sent, is_clarifai = litellm_name(text)
    if is_clarifai and sent == text:
        message = f"LiteLLM takes 'clarifai/USER.APP.MODEL' apart at two dots, and cannot read '{text}'."
        return _Misread(text, message, "clarifai/USER.APP.MODEL")
    if sent != text and model_address(text) is not None and model_address(sent) is None:
        message = f"LiteLLM takes 'openai/' for the provider, and sends '{sent}' as the model."
        return _Misread(text, message, f"openai/{text}")
    return None


def _slip(name: str, known: frozenset[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=_SLIP)), "") if name not in known else ""


def _described(value: object) -> str:
    return f"{value!r} ({type(value).__name__})" if not isinstance(value, dict) else "an object"
