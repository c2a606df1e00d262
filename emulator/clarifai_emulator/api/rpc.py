"""Tabulates the platform's RPCs, read from the service descriptor of ``clarifai_grpc``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.auth.scope import scope_pb2
from clarifai_grpc.grpc.auth.util import extension_pb2
from google.api import annotations_pb2
from google.protobuf.message_factory import GetMessageClass

SERVICE = "clarifai.api.V2"


class Auth(IntEnum):
    """The credential an RPC asks for; the numbers are those of ``clarifai.auth.types.AuthType``."""

    UNDEFINED = 0
    NONE = 1
    KEY = 2
    SESSION_TOKEN = 3
    ADMIN = 4
    PAT = 5


@dataclass(frozen=True, slots=True)
class HttpBinding:
    """A REST form of an RPC: ``method`` (``GET``…), ``path`` with ``{field.path}`` variables, ``body`` rule."""

    method: str
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC as the descriptor states it."""

    name: str
    request_type: type[Any]
    response_type: type[Any]
    client_streaming: bool
    server_streaming: bool
    auth: Auth
    scopes: tuple[str, ...]
    http: tuple[HttpBinding, ...]
    required: frozenset[str]  # its scopes, as a set: every one of them is needed

    @property
    def path(self) -> str:
        """The gRPC method path, ``/clarifai.api.V2/GetModel``."""
        return f"/{SERVICE}/{self.name}"


class RpcTable(Mapping[str, Rpc]):
    """Every RPC of the platform by name. Each is read from the descriptor when it is first asked for: most never
    are, and all of them take 10 ms."""

    def __init__(self) -> None:
        self._methods: Mapping[str, Any] = service_pb2.DESCRIPTOR.services_by_name["V2"].methods_by_name
        self._read: dict[str, Rpc] = {}

    def __getitem__(self, name: str) -> Rpc:
        rpc = self._read.get(name)
        if rpc is None:
            rpc = self._read[name] = _rpc(self._methods[name])
        return rpc

    def request_of(self, name: str) -> Any:
        """Return the descriptor of an RPC's request, without reading more of it."""
        return self._methods[name].input_type

    def __contains__(self, name: object) -> bool:
        return name in self._methods

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)


@cache
def rpc_table() -> RpcTable:
    """Return the table of this process."""
    return RpcTable()


def _rpc(method: Any) -> Rpc:
    options = method.GetOptions()
    scopes = tuple(scope_pb2.S.Name(s) for s in options.Extensions[extension_pb2.cl_depending_scopes])
    return Rpc(
        name=method.name,
        request_type=GetMessageClass(method.input_type),
        response_type=GetMessageClass(method.output_type),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        auth=Auth(options.Extensions[extension_pb2.cl_auth_type]),
        scopes=scopes,
        http=tuple(_bindings(options.Extensions[annotations_pb2.http])),
        required=frozenset(scopes),
    )


def _bindings(rule: Any) -> list[HttpBinding]:
    bindings: list[HttpBinding] = []
    for entry in (rule, *rule.additional_bindings):
        verb = entry.WhichOneof("pattern")
        if verb is not None:
            bindings.append(HttpBinding(verb.upper(), getattr(entry, verb), entry.body))
    return bindings
