"""Defines a fault: which requests it concerns, what it does to them, and how often. Checked whole, never
changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Literal

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import GRPC_CODES, ConfigError, describe
from clarifai_emulator.faults.latency import Latency, read_latency
from clarifai_emulator.faults.selectors import INFERENCE, STREAMS, name_parts, rpcs_like

_FORMS = {"model": "USER/APP/ID", "deployment": "USER/ID", "nodepool": "USER/CLUSTER/ID", "replica": "ID"}
_WHOSE = {**_FORMS, "caller": "USER/APP/ID"}
# How a request can end; a fault has one of them at most.
_ENDINGS = ("status", "grpc", "throttle", "lose_replica")
_EFFECTS = ("status", "grpc", "throttle", "latency", "cut_after", "lose_replica", "cold_start", "scale_to_zero")
# What a cold start knows nothing of: no replica has taken the request yet.
_PLACES = ("nodepool", "replica")
_THROTTLED = "exceeded limit of 15 requests per second"

Problem = tuple[str, str]  # the name of a field (empty: the fault as a whole), and what is wrong with it


class Moment(Enum):
    """The moment at which it is decided whether a fault is injected, from what is known by then."""

    ARRIVED = "arrived"  # authenticated: the RPC
    ROUTED = "routed"  # also the model and the deployment
    TAKEN = "taken"  # also the nodepool and the replica


class InvalidFault(ConfigError):
    """A fault that cannot be used. ``found`` holds each problem with the name of its field."""

    def __init__(self, found: list[Problem]) -> None:
        self.found = tuple(found)
        super().__init__("The fault cannot be used:", [f"{name}: {text}" if name else text for name, text in found])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault: what goes wrong, for whom, and how often. Raises ``InvalidFault`` with every problem.

    Whom: ``rpc`` is a name or a pattern; empty means the three inference RPCs. ``model``, ``deployment``,
    ``nodepool`` are ids, or ids with their owners before them; ``replica`` is a replica id or the beginning of one.
    ``caller`` is a model, named as ``model`` is: only requests that it makes while it answers others.

    What: ``status`` answers with a status of the platform, by number or name, ``grpc`` with a gRPC status instead
    of an answer, both with ``message``; ``throttle`` answers 11005. ``latency`` delays: seconds, or a distribution
    as text (``latency.py``). ``cut_after`` ends a stream after so many chunks, with ``status`` or ``grpc``
    (UNAVAILABLE when neither is given) or by losing its replica. ``lose_replica`` kills the replica that takes the
    request. ``scale_to_zero`` ends all replicas of the deployment before the request is queued. ``cold_start``
    treats the request as one that finds no replica: ``bounce`` answers 21351, ``hold`` lets it wait.

    How often: not for the first ``after`` requests it concerns, then with ``probability`` for each, at most
    ``times`` times. ``seed`` is for everything that is drawn.
    """

    id: str = ""
    rpc: str = ""
    model: str = ""
    deployment: str = ""
    nodepool: str = ""
    replica: str = ""
    caller: str = ""
    status: int | str = ""
    grpc: str = ""
    message: str = ""
    throttle: bool = False
    latency: float | str = ""
    cut_after: int | None = None
    lose_replica: bool = False
    cold_start: Literal["", "hold", "bounce"] = ""
    scale_to_zero: bool = False
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    # What the above means.
    rpcs: frozenset[str] = field(default=frozenset(), init=False, repr=False)
    code: int = field(default=0, init=False, repr=False)
    delay: Latency | None = field(default=None, init=False, repr=False)
    moment: Moment = field(default=Moment.ARRIVED, init=False, repr=False)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise InvalidFault(problems)
        set_field = object.__setattr__  # the fields that follow from the others
        rpcs = rpcs_like(self.rpc)
        if self.is_about_models:
            rpcs &= INFERENCE
        set_field(self, "rpcs", rpcs & STREAMS if self.cut_after is not None else rpcs)
        set_field(self, "code", StatusCode.CONN_THROTTLED if self.throttle else _status_code(self.status))
        set_field(self, "delay", read_latency(self.latency) if self.latency != "" else None)
        set_field(self, "moment", _moment(self))

    @property
    def is_about_models(self) -> bool:
        """Tell whether only a request that a model answers can have the fault."""
        return any(getattr(self, name) for name in _FORMS) or self.cut_after is not None or _runs(self)

    @property
    def text(self) -> str:
        """Return what a client is told happened, without which fault it was."""
        if self.throttle:
            return self.message or _THROTTLED
        default = "The stream broke off" if self.cut_after is not None else "The connection failed"
        return self.message or (describe(self.code) if self.code else default)

    def name_of(self, kind: str, user_id: str) -> tuple[str, ...]:
        """The parts of the model, deployment or nodepool that it names, with ``me`` as the user that it is."""
        written: str = getattr(self, kind)
        if not written:
            return ()
        parts = name_parts(written, _WHOSE[kind])
        is_whole = len(parts) == _WHOSE[kind].count("/") + 1
        return (user_id, *parts[1:]) if is_whole and parts[0] == "me" else parts

    def as_dict(self) -> dict[str, Any]:
        """The fields that were given, as JSON that ``Fault(**…)`` takes."""
        given = {each.name: getattr(self, each.name) for each in _GIVEN}
        return {name: given[name] for name in given if given[name] != _DEFAULTS[name]}

    def __str__(self) -> str:
        """The rule in one line: ``PostModelOutputs of model hello: status 21351 MODEL_DEPLOYING, 2 times``."""
        whom = self.rpc or ("streams" if self.cut_after is not None else "inference")
        named = [f"{kind} {getattr(self, kind)}" for kind in _FORMS if getattr(self, kind)]
        asker = f" from model {self.caller}" if self.caller else ""
        limits = [
            *([f"after the first {self.after}"] if self.after else []),
            *([f"with probability {self.probability:g}"] if self.probability < 1 else []),
            *([f"{self.times} times" if self.times > 1 else "once"] if self.times else []),
        ]
        return f"{' of '.join([whom, *named])}{asker}: {', '.join([self.effect, *limits])}"

    @property
    def effect(self) -> str:
        """Describe in words what the fault does."""
        words = [f"latency {self.delay}"] if self.delay is not None else []
        if self.scale_to_zero:
            words.append("scale to zero")
        if self.cold_start:
            words.append(f"cold start: {self.cold_start}")
        if self.cut_after is not None:
            words.append(f"cut after {self.cut_after} chunk{'s' * (self.cut_after != 1)}")
        if self.code:
            words.append(f"status {self.code} {StatusCode.Name(self.code)}")  # pyright: ignore[reportArgumentType]
        elif self.grpc or (self.cut_after is not None and not self.lose_replica):
            words.append(f"gRPC {self.grpc or 'UNAVAILABLE'}")
        if self.lose_replica:
            words.append("replica lost")
        return ", ".join(words)


_GIVEN = tuple(each for each in fields(Fault) if each.init)
_DEFAULTS: dict[str, Any] = {each.name: each.default for each in _GIVEN}
NAMES = tuple(_DEFAULTS)


def _moment(fault: Fault) -> Moment:
    if fault.cold_start or fault.scale_to_zero:
        return Moment.ROUTED
    if fault.lose_replica or fault.nodepool or fault.replica:
        return Moment.TAKEN
    return Moment.ROUTED if fault.is_about_models else Moment.ARRIVED


def _runs(fault: Fault) -> bool:
    return bool(fault.lose_replica or fault.cold_start or fault.scale_to_zero)


def _status_code(status: int | str) -> int:
    """A status code by its number or name; 0 when none is given. Raises ``ValueError``."""
    if status == "":
        return 0
    code = int(status) if str(status).isdigit() else dict(StatusCode.items()).get(str(status).upper())
    if code not in StatusCode.values() or not code:
        raise ValueError(
            f"{status!r} is no status code of the platform; write one such as 21354 or MODEL_DEPLOYING"
        )
    if code == StatusCode.SUCCESS:
        raise ValueError("10000 SUCCESS is no fault")
    return code


# ── what can be wrong ──────────────────────────────────────────────────────────────────────────────────────


def _problems(fault: Fault) -> Iterator[Problem]:
    wrong_types = list(_wrong_types(fault))
    yield from wrong_types
    if not wrong_types:
        yield from _unreadable(fault)
        yield from _out_of_range(fault)
        yield from _contradictions(fault)


_INTEGER, _FLAG, _TEXT = "a whole number", "true or false", "a text"
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("id", *("rpc", "grpc", "message", "cold_start"), *_WHOSE), (str, _TEXT)),
    **dict.fromkeys(("throttle", "lose_replica", "scale_to_zero"), (bool, _FLAG)),
    **dict.fromkeys(("after", "seed"), (int, _INTEGER)),
    **dict.fromkeys(("times", "cut_after"), ((int, type(None)), _INTEGER)),
    "status": ((int, str), "the number or the name of a status"),
    "latency": ((int, float, str), "a number of seconds or a distribution"),
    "probability": ((int, float), "a number"),
}


def _wrong_types(fault: Fault) -> Iterator[Problem]:
    for name, (types, words) in _TYPES.items():
        value = getattr(fault, name)
        if not isinstance(value, types) or (isinstance(value, bool) and words != _FLAG):
            yield name, f"expected {words}, found {value!r}"


def _unreadable(fault: Fault) -> Iterator[Problem]:
    readers: dict[str, Any] = {"rpc": rpcs_like, "status": _status_code, "latency": read_latency}
    for name, read in readers.items():
        value = getattr(fault, name)
        try:
            if value != "":
                read(value)
        except ValueError as error:
            yield name, str(error)
    for name, form in _WHOSE.items():
        try:
            if getattr(fault, name):
                name_parts(getattr(fault, name), form)
        except ValueError as error:
            yield name, str(error)
    if fault.grpc and fault.grpc not in GRPC_CODES:
        yield "grpc", f"{fault.grpc!r} is no gRPC status that is a failure; there are {', '.join(GRPC_CODES)}"
    if fault.cold_start not in ("", "hold", "bounce"):
        yield "cold_start", f"expected hold or bounce, found {fault.cold_start!r}"


def _out_of_range(fault: Fault) -> Iterator[Problem]:
    if fault.times is not None and fault.times < 1:
        yield "times", f"must be at least 1, got {fault.times}"
    if fault.after < 0:
        yield "after", f"must not be negative, got {fault.after}"
    if fault.cut_after is not None and fault.cut_after < 0:
        yield "cut_after", f"must not be negative, got {fault.cut_after}"
    if not 0 < fault.probability <= 1:
        yield "probability", f"must be above 0 and at most 1, got {fault.probability:g}"
    if any(each.isspace() or each in "/'" for each in fault.id):
        yield "id", f"must have no spaces, quotes or slashes, got {fault.id!r}"


def _contradictions(fault: Fault) -> Iterator[Problem]:
    given = {name for name in _EFFECTS if getattr(fault, name) != _DEFAULTS[name]}
    if not given:
        yield "", f"does nothing; give one of {', '.join(_EFFECTS)}"
    endings = [name for name in _ENDINGS if name in given]
    if fault.cold_start == "bounce":
        endings.append("cold_start")
    if len(endings) > 1:
        yield endings[1], f"a request ends in one way; {endings[0]} is given too"
    if fault.message and not given & {"status", "grpc", "throttle"}:
        yield "message", "needs status, grpc or throttle, whose text it is"
    alone = [name for name in ("throttle", "cold_start", "scale_to_zero") if name in given]
    if fault.cut_after is not None and alone:
        yield "cut_after", f"a stream is cut by status, grpc or lose_replica, not by {alone[0]}"
    if fault.cold_start == "hold" and not given & {"latency", "scale_to_zero"}:
        yield "cold_start", "hold needs scale_to_zero, or a latency that says for how long"
    if fault.cold_start or fault.scale_to_zero:
        if endings and fault.cold_start != "bounce":
            yield endings[0], "after a cold start the request goes on; only cold_start: bounce ends it"
        for name in (name for name in _PLACES if getattr(fault, name)):
            yield name, "a cold start is before any replica; name the model or the deployment"
    yield from _rpc_contradictions(fault)


def _rpc_contradictions(fault: Fault) -> Iterator[Problem]:
    try:
        rpcs = rpcs_like(fault.rpc)
    except ValueError:
        return
    if fault.cut_after is not None and not rpcs & STREAMS:
        yield "cut_after", f"{fault.rpc} has no stream; {' and '.join(sorted(STREAMS))} have"
    elif fault.is_about_models and not rpcs & INFERENCE:
        yield (
            "rpc",
            f"no model answers {fault.rpc}, so only status, grpc, throttle and latency can be injected there",
        )
