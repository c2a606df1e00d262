"""Tabulates the platform's RPCs, read from the service descriptor of ``clarifai_grpc``."""

from __future__ import annotations

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


@cache
def rpc_table() -> dict[str, Rpc]:
    """Every RPC of the platform by name. Built once; about 10 ms."""
    service = service_pb2.DESCRIPTOR.services_by_name["V2"]
    return {method.name: _rpc(method) for method in service.methods}


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
