"""Checks every request against the signature of its version, and its outputs against the result type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.name_findings import unknown_method
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.shapes import KINDS, method_shape
from clarifai_emulator.contracts.values.leaks import AnswerSearch
from clarifai_emulator.contracts.values.wire import WireMethod
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.messages.header_text import header_text
from clarifai_emulator.replica_tokens import hidden

Mode = Literal["record", "strict", "off"]
# The model version's message, or None.
FindVersion = Callable[[tuple[str, ...]], Any]

_NAME = "_method_name"
_SIGNATURES = "_GET_SIGNATURES"
# What the runner takes when the request names no method, by the kind of the call.
_DEFAULTS = {1: "predict", 2: "generate", 4: "stream"}
_TRAILER = "x-clarifai-emulator-finding"
_LONGEST_TRAILER = 1000
# The answer goes to its client as it is, also if strict.
_LEAKED = (
    "{}(): its answer holds the credential of a replica, the CLARIFAI_PAT that models find in their environment."
)
_VERSIONS = 256
# A runner may leave the status of its answer out. Looked up once: of the enumeration, each look-up is a search.
_SUCCESS = (StatusCode.SUCCESS, StatusCode.ZERO)


@dataclass(frozen=True, slots=True)
class _Version:
    """The compiled checks of one model version. ``message``: what they were compiled from."""

    message: Any
    methods: Mapping[str, WireMethod]


class Watch:
    """Makes a ``WatchedCall`` of each request. ``mode`` ``off`` makes none."""

    def __init__(self, *, mode: Mode, find_version: FindVersion, events: EventBus) -> None:
        self.mode: Mode = mode
        self.events = events
        self._find_version = find_version
        self._versions: dict[tuple[ModelKey, str], _Version] = {}
        self._told: set[tuple[str, str, str]] = set()

    def request(
        self, request: Any, model: ModelKey, version_id: str, kind: int, request_id: str, trailers: dict[str, str]
    ) -> WatchedCall | None:
        """Check a request; None when there is nothing to hold it against. Raises ``CallerError`` if strict."""
        if self.mode == "off" or not request.inputs:
            return None
        version = self._version(model, version_id)
        if version is None:
            return None
        metadata = request.inputs[0].data.metadata
        fields = metadata.fields  # the message itself: what stands for it as a mapping takes longer
        name = _DEFAULTS.get(kind, "")
        if _NAME in fields:
            name = fields[_NAME].string_value or str(metadata[_NAME])  # a request can hold anything
        if name == _SIGNATURES:
            return None
        if not version.methods:
            if self.is_new(version_id, "", "unchecked-request"):
                call = WatchedCall(self, None, name, "/".join(model), version_id, request_id, trailers)
                call.tell((found("unchecked-request", "the model version has no method signatures."),))
            return None
        call = WatchedCall(self, version.methods.get(name), name, "/".join(model), version_id, request_id, trailers)
        if call.method is None:
            call.tell((unknown_method(name, version.methods),))
            return None
        call.begin(request, kind)
        return call

    def _version(self, model: ModelKey, version_id: str) -> _Version | None:
        message = self._find_version((*model, version_id))
        if message is None:
            return None
        known = self._versions.get((model, version_id))
        if known is None or known.message is not message:
            methods = {each.name: WireMethod(method_shape(each)) for each in message.method_signatures}
            if len(self._versions) >= _VERSIONS:
                self._versions.clear()
            known = self._versions[model, version_id] = _Version(message, methods)
        return known

    def is_new(self, version_id: str, method: str, rule: str) -> bool:
        """Tell whether this is the first finding of a rule that is told once for each method."""
        before = len(self._told)
        self._told.add((version_id, method, rule))
        return len(self._told) > before


class WatchedCall:
    """A request and its outputs."""

    __slots__ = (
        "_inlined",
        "_is_answered",
        "_is_old",
        "_model",
        "_name",
        "_request_id",
        "_search",
        "_trailers",
        "_version_id",
        "_watch",
        "method",
    )

    def __init__(
        self,
        watch: Watch,
        method: WireMethod | None,
        name: str,
        model: str,
        version_id: str,
        request_id: str,
        trailers: dict[str, str],
    ) -> None:
        self.method = method
        self._watch = watch
        self._name = name
        self._model = model
        self._version_id = version_id
        self._request_id = request_id
        self._trailers = trailers
        self._is_old = False
        self._inlined = False
        self._is_answered = False
        self._search = AnswerSearch()

    def begin(self, request: Any, kind: int) -> None:
        """Check the first message."""
        assert self.method is not None
        if self.method.shape.kind != kind:
            said = f"it is {KINDS.get(self.method.shape.kind, '?')}, and was called as {KINDS.get(kind, '?')}."
            self.tell((found("call-kind", said),))
        # A call without arguments has no parts either, and the runner answers both kinds alike.
        self._inlined = not request.inputs[-1].data.parts
        for each in request.inputs:
            if self.method.is_inlined(each.data):
                self._is_old = True
                self._tell_once("unchecked-request", "the input is in the form of older clients, without parts.")
                continue
            problems = self.method.input_problems(each.data)
            if problems:
                self.tell(problems)

    @property
    def reads_a_stream(self) -> bool:
        """Tell whether later messages carry items of a stream."""
        return self.method is not None and bool(self.method.shape.stream)

    def item(self, request: Any) -> None:
        """Check a later message of a stream. Raises ``CallerError`` if strict."""
        assert self.method is not None
        for each in request.inputs:
            problems = self.method.input_problems(each.data, first=False)
            if problems:
                self.tell(problems)

    def output(self, response: Any, came: Any = b"", size: int = 0) -> None:
        """Check one answer of the model, whose bytes ``came``, if they are there; ``size``: how many, 0 if unknown.
        Raises ``CallerError`` if strict."""
        assert self.method is not None
        if self._search.finds(response, came, size, is_chunk=self.method.shape.kind != 1):
            self._record(replace(found("credential-in-answer", _LEAKED.format(self._name)), **self._about))
        self._is_answered = True
        if self._is_old or response.status.code not in _SUCCESS:
            return
        for each in response.outputs:
            problems = self.method.output_problems(each.data, inlined=self._inlined)
            if problems and problems[0].rule == "result-lost":
                self._tell_once("result-lost", problems[0].message)
            elif problems:
                self.tell(problems, StatusCode.RUNNER_PROCESSING_FAILED)

    def end(self) -> None:
        """Look at a stream of answers that has come to its end."""
        if not self._is_answered:
            self._tell_once(
                "empty-stream", "it yielded nothing, and the SDK's client fails for a stream of nothing."
            )

    def _tell_once(self, rule: str, message: str) -> None:
        if self._watch.is_new(self._version_id, self._name, rule):
            self.tell((found(rule, message),))

    def tell(self, problems: Sequence[Finding], code: int = StatusCode.MODEL_INVALID_ARGUMENT) -> None:
        """Record the findings; if strict, raise the first error."""
        refused: Finding | None = None
        for problem in problems:
            said = problem.message if problem.method else f"{self._name}(): {problem.message}"
            finding = replace(problem, message=said, **self._about)
            self._record(finding)
            if refused is None and finding.severity is Severity.ERROR:
                refused = finding
        if refused is not None and self._watch.mode == "strict":
            raise CallerError(code, f"{refused.rule}: {refused.message}", hint=refused.hint)

    @property
    def _about(self) -> dict[str, str]:
        return {"model": self._model, "method": self._name}

    def _record(self, finding: Finding) -> None:
        self._watch.events.emit(
            "contract.finding",
            request_id=self._request_id,
            rule=finding.rule,
            severity=str(finding.severity),
            message=hidden(finding.message),
            hint=finding.hint,
            model=finding.model,
            method=finding.method,
            version_id=self._version_id,
        )
        told, before = f"{finding.rule}: {hidden(finding.message)}", self._trailers.get(_TRAILER)
        self._trailers[_TRAILER] = header_text(f"{before}; {told}" if before else told, _LONGEST_TRAILER)
