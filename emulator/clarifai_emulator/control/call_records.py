"""Records what clients called, and where each call went, for ``.calls``, ``.routes`` and the reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.taps import HeardCall, tap
from clarifai_emulator.dispatch.substitutes import FUNCTIONS
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.messages.data_values import (
    arguments_of,
    method_of,
    results_of,
    shown,
    shown_call,
    signature_of,
)
from clarifai_emulator.messages.mcp_messages import called_tool
from clarifai_emulator.nodepools.replica_models import model_of_replica
from clarifai_emulator.replica_tokens import hidden
from clarifai_emulator.store import Kind

_KEPT = 5_000
_KINDS = {"PostModelOutputs": "unary", "GenerateModelOutputs": "server stream", "StreamModelOutputs": "bidi"}
_OF_TESTS = "/".join(("", *FUNCTIONS))
IsOwn = Callable[[HeardCall], bool]


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a request, or why it went nowhere. Keys are joined with slashes, as in ``clarifai-emulator
    route``."""

    rule: str
    deployment: str | None
    nodepool: str | None
    nodepools: tuple[str, ...]
    replica_id: str
    reason: str
    rejected: tuple[tuple[str, str], ...]
    model: str
    refused: bool = False

    def __str__(self) -> str:
        if self.refused:
            return f"refused: {self.reason}"
        place = self.deployment or "no deployment"
        return f"rule {self.rule} → deployment {place}, nodepool {self.nodepool or '?'}"


@dataclass(frozen=True, slots=True)
class Call:
    """An inference call. ``arguments``: of its first input, ``all_arguments`` of every one (batches, streams).
    ``results``: every output. ``status``: the platform's code (10000 for success); 0 when the call broke off.
    ``by``: the model (or the node of a workflow) that made it; empty for one that a client made. ``is_replaced``: a
    function of the test answered it (``Clarifai.replace``)."""

    request_id: str
    model: str
    kind: str
    method: str
    arguments: dict[str, Any]
    all_arguments: tuple[dict[str, Any], ...]
    results: tuple[Any, ...]
    status: int
    error: str
    route: Route | None
    milliseconds: float | None
    findings: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    by: str = ""
    is_replaced: bool = False

    @property
    def ok(self) -> bool:
        """Tell whether the call succeeded."""
        return self.status == StatusCode.SUCCESS

    @property
    def status_name(self) -> str:
        """Return the platform's name of the status, ``SUCCESS``."""
        return StatusCode.Name(self.status) if self.status else "no status"  # pyright: ignore[reportArgumentType]

    @property
    def tool(self) -> str:
        """Return the tool that the call calls, of an MCP server; empty for any other call."""
        return called_tool(self.method, self.arguments)[0]

    @property
    def tool_arguments(self) -> dict[str, Any]:
        """Return the arguments of that tool, by name."""
        return called_tool(self.method, self.arguments)[1]

    def __str__(self) -> str:
        took = f" in {self.milliseconds:.0f} ms" if self.milliseconds is not None else ""
        ended = f"{self.status} {self.status_name}" if self.status else (self.error or "no answer yet")
        results = ", ".join(shown(each) for each in self.results[:3])
        more = f" and {len(self.results) - 3} more" if len(self.results) > 3 else ""
        answer = f" → {results}{more}" if self.ok and self.results else ""
        tool, arguments = called_tool(self.method, self.arguments)
        said = f"tool {shown_call(tool, arguments)}" if tool else shown_call(self.method, self.arguments)
        by = f"{self.by} → " if self.by else ""
        return hidden(f"{by}{self.model} {said}{answer} [{ended}{took}]")


class CallLog:
    """Keeps the calls of one emulator since the last reset."""

    def __init__(self) -> None:
        self._heard: deque[HeardCall] = deque(maxlen=_KEPT)
        self._callers: dict[str, str] = {}  # models, by the ids of their replicas, which may have ended

    def listen(self, emulator: Emulator) -> None:
        """Note every inference call from now on."""
        emulator.interceptors.append(tap(self._heard.append, partial(self._note_caller, emulator), *_KINDS))

    def clear(self) -> None:
        """Forget all calls."""
        self._heard.clear()
        self._callers.clear()

    def _note_caller(self, emulator: Emulator, heard: HeardCall) -> None:
        """Note which model made a call that has ended: its replica is still there."""
        replica_id = heard.call.caller.replica_id
        if replica_id and replica_id not in self._callers:
            model = model_of_replica(emulator.supervisor.fleets.values(), replica_id)
            self._callers[replica_id] = "/".join(model) if model is not None else f"replica {replica_id[:8]}"

    def forget(self, is_gone: IsOwn) -> None:
        """Forget some calls. In the emulator's event loop."""
        kept = [heard for heard in self._heard if not is_gone(heard)]
        self._heard.clear()
        self._heard.extend(kept)

    def request_ids(self, is_own: IsOwn) -> set[str]:
        """Return the ids of these requests."""
        return {heard.request_id for heard in tuple(self._heard) if is_own(heard)}

    def read(self, emulator: Emulator, is_own: IsOwn = lambda heard: True) -> list[Call]:
        """Return the calls, oldest first; of several accounts, one's own. In the emulator's event loop."""
        own = [heard for heard in self._heard if is_own(heard)]
        for heard in own:
            self._note_caller(emulator, heard)
        facts = _Facts(emulator, self._callers)
        return [facts.call(heard) for heard in own]


class _Facts:
    """The facts that the emulator's events and store know about calls."""

    def __init__(self, emulator: Emulator, callers: Mapping[str, str]) -> None:
        self._store = emulator.store
        self._callers = callers
        self._user = emulator.config.user_id
        self._routes: dict[str, dict[str, Any]] = {}
        self._replicas: dict[str, str] = {}
        self._findings: dict[str, list[dict[str, Any]]] = {}
        for event in emulator.events.recent():
            request_id = event.fields.get("request_id", "")
            if event.kind.startswith("route."):
                self._routes[request_id] = {**event.fields, "refused": event.kind == "route.refused"}
            elif event.kind == "work.sent":
                self._replicas[request_id] = event.fields["replica_id"]
            elif event.kind == "contract.finding":
                self._findings.setdefault(request_id, []).append(event.fields)

    def call(self, heard: HeardCall) -> Call:
        requests, answers = heard.requests, heard.answers
        first = requests[0] if requests else PostModelOutputsRequest()
        method = method_of(first)
        route = self._route(heard.request_id)
        signature = signature_of(self._signatures(first, route), method)
        arguments = tuple(
            arguments_of(request, signature, index) for request in requests for index in range(len(request.inputs))
        )
        status = answers[-1].status if answers else None
        failed = status is not None and status.code not in (StatusCode.SUCCESS, 0)
        took = None if heard.ended is None else (heard.ended - heard.started) * 1000
        return Call(
            request_id=heard.request_id,
            model=route.model if route is not None and route.model else _model_of(first, self._user),
            kind=_KINDS[heard.rpc],
            method=method,
            arguments=arguments[0] if arguments else {},
            all_arguments=arguments,
            results=tuple(result for answer in answers for result in results_of(answer, signature)),
            status=status.code if status is not None else 0,
            error=_error_of(heard, status if failed else None),
            route=route,
            milliseconds=took,
            findings=tuple(self._findings.get(heard.request_id, ())),
            metadata=dict(heard.metadata),
            by=heard.made_by or self._callers.get(heard.call.caller.replica_id, ""),
            is_replaced=str(heard.call.notes.get("nodepool", "")).endswith(_OF_TESTS),
        )

    def _route(self, request_id: str) -> Route | None:
        found = self._routes.get(request_id)
        return route_of(found, self._replicas.get(request_id, "")) if found is not None else None

    def _signatures(self, request: Any, route: Route | None) -> Any:
        """Return the signatures of the version that was called; of the newest where that is not known."""
        model = tuple(
            (route.model if route is not None and route.model else _model_of(request, self._user)).split("/")
        )
        if len(model) != 3:
            return ()
        wanted = request.version_id or request.model.model_version.id
        version: Any = (
            self._store.get(Kind.MODEL_VERSION, (*model, wanted))
            if wanted
            else self._store.newest(Kind.MODEL_VERSION, model)
        )
        return version.method_signatures if version is not None else ()


def route_of(fields: dict[str, Any], replica_id: str = "") -> Route:
    """Return the route that an event ``route.decided`` or ``route.refused`` tells of."""
    refused = bool(fields.get("refused"))
    ask = fields.get("ask") or {}
    nodepools = tuple(fields.get("nodepools") or ())
    return Route(
        rule=str(fields.get("rule") or ""),
        deployment=fields.get("deployment"),
        nodepool=nodepools[0] if nodepools else None,
        nodepools=nodepools,
        replica_id=replica_id,
        reason=str((fields.get("details") if refused else fields.get("reason")) or ""),
        rejected=tuple((each["what"], each["reason"]) for each in fields.get("rejected") or ()),
        model=str(fields.get("model") or ask.get("model") or ""),
        refused=refused,
    )


def routes_of(calls: list[Call]) -> Iterator[Route]:
    """Give the routes of calls that got as far as routing."""
    return (call.route for call in calls if call.route is not None)


def _model_of(request: Any, user: str) -> str:
    owner = Caller(user).resolve(request.user_app_id.user_id)
    return "/".join((owner, request.user_app_id.app_id, request.model_id))


def _error_of(heard: HeardCall, status: Any | None) -> str:
    if status is not None:
        return str(status.details or status.description)
    if heard.error is not None:
        return f"gRPC {heard.error.name}: {heard.error.message}"
    return "the client went away before it was answered" if heard.cancelled else ""
