"""Gives probes the platform's public API: gRPC, REST and the other HTTP APIs, as one user.

Whatever a call makes stands in the ledger before the call is made, and carries the prefix of the run.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import grpc
from clarifai_grpc.grpc.api.status.status_pb2 import BaseResponse

from clarifai_emulator.api.rpc import Rpc, rpc_table
from clarifai_emulator.conformance.budget import Budget, NoBudget
from clarifai_emulator.conformance.http_client import HttpClient
from clarifai_emulator.conformance.ledger import Ledger, MadeThing
from clarifai_emulator.conformance.made_things import IN_APPS, made_by_answer, made_by_rest, made_by_rpc
from clarifai_emulator.conformance.seen import HttpAnswer, RpcAnswer
from clarifai_emulator.conformance.started_call import StartedCall, failed_call, trailers_of
from clarifai_emulator.errors import EmulatorError

T = TypeVar("T")
_SECONDS = 60.0
# The platform takes 15 requests a second, and says so.
_THROTTLED = 11005
_TRIES = 5
# A quota by the hour or the month is used up, or nothing is paid: no further request will do.
_USED_UP = frozenset({11003, 11004, 11006, 69000, 69001})
_MAX_BYTES = 128 * 1024 * 1024
_SERVICE = "/clarifai.api.V2/"


class CannotTell(EmulatorError):
    """Says why a probe could not observe what it is about: something before it was refused, or is missing."""


class QuotaEnded(EmulatorError):
    """Says that the target takes no further request of this account."""


class ProbeMistake(EmulatorError):
    """Says that a probe would touch what is not of its run."""


@dataclass(frozen=True, slots=True)
class TargetAccount:
    """An address, and a user there. ``pat`` is never shown. ``organisation``: one that the user is in, if known."""

    url: str
    user_id: str
    pat: str = field(repr=False)
    organisation: str = ""

    @property
    def host(self) -> str:
        """Return ``host:port``, as gRPC wants it."""
        host = self.url.partition("://")[2].strip("/")
        default = "443" if self.is_secure else "80"
        return host if re.search(r":\d+$", host) else f"{host}:{default}"

    @property
    def is_secure(self) -> bool:
        """Tell whether the address is one of TLS."""
        return self.url.startswith("https://")


def key_of_names(of: str) -> str:
    """Return what the names of a probe, or of a shared thing, begin with after the run's prefix."""
    return hashlib.sha256(of.encode()).hexdigest()[:4] + "-"


class Connections:
    """Holds the connections to one target, which every user of a run shares."""

    def __init__(self, account: TargetAccount) -> None:
        options = [("grpc.max_receive_message_length", _MAX_BYTES), ("grpc.enable_retries", 0)]
        if account.is_secure:
            self.channel = grpc.secure_channel(account.host, grpc.ssl_channel_credentials(), options)
        else:
            self.channel = grpc.insecure_channel(account.host, options)
        self.http = HttpClient(account.url)

    def close(self) -> None:
        """Close all of them."""
        self.channel.close()
        self.http.close()


@dataclass(frozen=True)
class RunScope:
    """Holds what the users of one run share. ``kept``: what ``shared`` has made, by what made it."""

    prefix: str
    ledger: Ledger
    budget: Budget
    connections: Connections
    kept: dict[Any, Any] = field(default_factory=dict[Any, Any])


class PlatformClient:
    """Calls the target as one user. ``who``: ``me``, or ``other`` for the second account."""

    def __init__(
        self,
        account: TargetAccount,
        scope: RunScope,
        *,
        other: TargetAccount | None = None,
        who: str = "me",
        key: str = "",
    ) -> None:
        self.account = account
        self.scope = scope
        self._other = other
        self._who = who
        self._key = key
        self._counts: dict[str, int] = {}

    # -- who and what -------------------------------------------------------------------------------------------

    @property
    def user_id(self) -> str:
        """Return the user whose account it uses."""
        return self.account.user_id

    @property
    def organisation(self) -> str:
        """Return an organisation that the user is in. Raises ``CannotTell`` where none is known."""
        if not self.account.organisation:
            raise CannotTell("It needs an organisation that the user is in: CLARIFAI_ORGANIZATION_ID.")
        return self.account.organisation

    @property
    def other(self) -> PlatformClient:
        """Return a client of the second account. Raises ``CannotTell`` where there is none."""
        if self._other is None:
            raise CannotTell("It needs a second account: CLARIFAI_OTHER_PAT and CLARIFAI_OTHER_USER_ID.")
        return PlatformClient(self._other, self.scope, other=self.account, who="other", key=self._key)

    def with_token(self, token: str) -> PlatformClient:
        """Return a client that shows another token of this user."""
        return PlatformClient(replace(self.account, pat=token), self.scope, who=self._who, key=self._key)

    def without_budget(self) -> PlatformClient:
        """Return a client that is never out of budget, to remove what was made."""
        scope = replace(self.scope, budget=NoBudget())
        return PlatformClient(self.account, scope, other=self._other, who=self._who, key=self._key)

    def within(self, key: str) -> PlatformClient:
        """Return a client whose names no other probe uses. ``key``: four characters of this one."""
        return PlatformClient(self.account, self.scope, other=self._other, who=self._who, key=key)

    def name(self, word: str = "thing") -> str:
        """Return an id that is new on the target, and of this run."""
        count = self._counts[word] = self._counts.get(word, 0) + 1
        return f"{self.scope.prefix}{self._key}{word}" + (f"-{count}" if count > 1 else "")

    def shared(self, make: Any) -> Any:
        """Return what ``make(client)`` made, once in a run: for what probes only look at."""
        if make not in self.scope.kept:
            self.scope.kept[make] = make(self.within(key_of_names(f"{make.__module__}.{make.__qualname__}")))
        return self.scope.kept[make]

    # -- gRPC ---------------------------------------------------------------------------------------------------

    def call(
        self,
        rpc: str,
        *,
        app: str = "",
        user: str = "",
        odd_ids: bool = False,
        metadata: Mapping[str, str] | None = None,
        timeout: float = _SECONDS,
        **fields: Any,
    ) -> RpcAnswer:
        """Call an RPC that answers once. ``fields``: those of its request, messages as dicts.

        ``user_app_id`` names this user, ``app`` and ``user`` others. ``odd_ids``: ids that are to be refused, so
        that they need not begin with the run's prefix.
        """
        method = rpc_table()[rpc]
        request = self._request(method, app, user, fields)
        for thing in self._makes(rpc, request, odd_ids):
            self.scope.ledger.note(thing)
        invoke = self.scope.connections.channel.unary_unary(
            method.path, method.request_type.SerializeToString, method.response_type.FromString
        )
        answer = self._answered(lambda: _once(invoke, request, self._metadata(metadata), timeout))
        if answer.succeeded:
            for thing in made_by_answer(rpc, answer.message, request, self._who):
                self.scope.ledger.note(thing)
            if app.startswith(self.scope.prefix) and rpc != "DeleteApp":
                self.scope.ledger.note(MadeThing("app", app, who=self._who))  # a target may make what is only named
        return answer

    def start(
        self, rpc: str, *, app: str = "", user: str = "", timeout: float = _SECONDS, **fields: Any
    ) -> StartedCall:
        """Begin a call of an RPC that answers once and makes nothing, and do not wait for its answer."""
        method = rpc_table()[rpc]
        channel: Any = self.scope.connections.channel
        invoke = channel.unary_unary(
            method.path, method.request_type.SerializeToString, method.response_type.FromString
        )
        self.scope.budget.spend()
        request = self._request(method, app, user, fields)
        return StartedCall(invoke.future(request, metadata=self._metadata(None), timeout=timeout))

    def raw(self, rpc: str, body: bytes) -> RpcAnswer:
        """Send bytes to an RPC, which need not be there, as a message that may be none."""
        known = rpc_table().get(rpc)
        path = known.path if known is not None else f"{_SERVICE}{rpc}"
        answer_type = known.response_type if known is not None else BaseResponse
        invoke = self.scope.connections.channel.unary_unary(path, bytes, answer_type.FromString)
        return self._answered(lambda: _once(invoke, body, self._metadata(None), _SECONDS))

    def do(self, rpc: str, **fields: Any) -> RpcAnswer:
        """Call an RPC that has to succeed for a probe to go on. Raises ``CannotTell``."""
        answer = self.call(rpc, **fields)
        if not answer.succeeded:
            raise CannotTell(f"{rpc} was answered {answer.status}: {answer.description}. {answer.details}")
        return answer

    def stream(
        self,
        rpc: str,
        *,
        app: str = "",
        user: str = "",
        requests: Iterable[Mapping[str, Any]] | None = None,
        metadata: Mapping[str, str] | None = None,
        timeout: float = _SECONDS,
        **fields: Any,
    ) -> Iterator[RpcAnswer]:
        """Call an RPC that streams, and yield each answer; ``requests`` for one that takes a stream.

        Leaving the loop early cancels the call.
        """
        method = rpc_table()[rpc]
        channel: Any = self.scope.connections.channel
        kind = channel.stream_stream if method.client_streaming else channel.unary_stream
        invoke = kind(method.path, method.request_type.SerializeToString, method.response_type.FromString)
        given = (
            (self._request(method, app, user, {**fields, **each}) for each in requests or [{}])
            if method.client_streaming
            else self._request(method, app, user, fields)
        )
        self.scope.budget.spend()
        call = invoke(given, metadata=self._metadata(metadata), timeout=timeout)
        try:
            for message in call:
                yield RpcAnswer(message)
        except grpc.RpcError as error:
            yield failed_call(error)
        finally:
            call.cancel()

    # -- HTTP ---------------------------------------------------------------------------------------------------

    def rest(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        odd_ids: bool = False,
        timeout: float = _SECONDS,
    ) -> HttpAnswer:
        """Make a request over HTTP. ``{me}`` in the path is this user. A header with an empty value is left out."""
        path = path.replace("{me}", self.user_id)
        if method == "POST":
            for thing in made_by_rest(path, body, self._who):
                self._hold_to_prefix(thing, odd_ids)
                if not odd_ids:
                    self.scope.ledger.note(thing)
        named = {"authorization": f"Key {self.account.pat}", "content-type": "application/json", **(headers or {})}
        sent = {name: value for name, value in named.items() if value}
        answer = self._answered(lambda: self.scope.connections.http.ask(method, path, body, sent, timeout=timeout))
        if method == "POST" and answer.http_status == 200:
            for thing in made_by_rest(path, answer.json, self._who):
                self.scope.ledger.note(thing)
        return answer

    # -- how ----------------------------------------------------------------------------------------------------

    def wait(self, look: Any, *, seconds: float, what: str) -> Any:
        """Call ``look`` until it gives something true, and return that. Raises ``CannotTell``."""
        ends = time.monotonic() + seconds
        pause = 0.02
        while not (found := look()):
            if time.monotonic() > ends:
                raise CannotTell(f"{what} did not come within {seconds:g} seconds.")
            time.sleep(pause)
            pause = min(2 * pause, 5.0)
        return found

    def _request(self, method: Rpc, app: str, user: str, fields: Mapping[str, Any]) -> Any:
        names = method.request_type.DESCRIPTOR.fields_by_name
        if "user_app_id" in names and "user_app_id" not in fields:
            fields = {**fields, "user_app_id": {"user_id": user or self.user_id, "app_id": app}}
        try:
            return method.request_type(**fields)
        except (ValueError, TypeError) as error:
            raise ProbeMistake(f"{method.name} cannot be asked so: {error}") from None

    def _metadata(self, more: Mapping[str, str] | None) -> Sequence[tuple[str, str]]:
        named = {"authorization": f"Key {self.account.pat}", **(more or {})}
        return [(name, value) for name, value in named.items() if value]

    def _makes(self, rpc: str, request: Any, odd_ids: bool) -> Iterator[MadeThing]:
        app = request.user_app_id.app_id if rpc in IN_APPS else ""
        if app and not odd_ids and not app.startswith(self.scope.prefix):
            raise ProbeMistake(f"{rpc} into the app {app!r}, which the run did not make: it would stay there.")
        for thing in made_by_rpc(rpc, request, self._who):
            self._hold_to_prefix(thing, odd_ids)
            if thing.id and thing.id.startswith(self.scope.prefix):
                yield thing

    def _hold_to_prefix(self, thing: MadeThing, odd_ids: bool) -> None:
        if thing.kind == "key" and not thing.id:
            raise ProbeMistake("A key of a run has a description that client.name() made: it is removed by that.")
        if thing.id and not odd_ids and not thing.id.startswith(self.scope.prefix):
            raise ProbeMistake(
                f"The {thing.kind} {thing.id!r} has not the run's prefix: removing it could remove another's. "
                "Use client.name(), or odd_ids=True for an id that is to be refused."
            )

    def _answered(self, ask: Any) -> Any:
        """Return the answer, after a pause where the platform says that there were too many requests."""
        answer = None
        for number in range(_TRIES):
            self.scope.budget.spend()
            answer = ask()
            code = _code_of(answer)
            if code in _USED_UP:
                raise QuotaEnded(f"The target takes no more requests: {answer.status}. {answer.details}".strip())
            if code != _THROTTLED:
                return answer
            time.sleep(1.0 + number)
        raise QuotaEnded(f"The target has asked {_TRIES} times in a row to wait.")


def _once(invoke: Any, request: Any, metadata: Sequence[tuple[str, str]], timeout: float) -> RpcAnswer:
    try:
        message, call = invoke.with_call(request, metadata=metadata, timeout=timeout)
    except grpc.RpcError as error:
        return failed_call(error)
    return RpcAnswer(message, trailers=trailers_of(call))


def _code_of(answer: RpcAnswer | HttpAnswer) -> int:
    if isinstance(answer, RpcAnswer):
        return answer.code
    body = answer.json if answer.http_status in (402, 429) else None
    return body.get("status", {}).get("code", 0) if isinstance(body, dict) else 0
