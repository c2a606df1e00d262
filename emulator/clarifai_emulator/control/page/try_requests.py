"""Makes the requests of a call that a browser asks for, as the SDK would send them.

{model, version, method, arguments, deployment | nodepool}  ─►  Attempt: RPC, first request, further items
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

from clarifai_grpc.grpc.api.resources_pb2 import Data

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.contracts.rules.name_findings import unknown_method
from clarifai_emulator.contracts.signatures.shapes import MethodShape, method_shape
from clarifai_emulator.control.page.method_forms import SERVER_STREAM, STREAM, UNARY, kind_of_call
from clarifai_emulator.control.page.page_arguments import write_arguments, write_stream_item
from clarifai_emulator.control.page.page_topics import Asked, bad_request, not_there
from clarifai_emulator.messages.address import ModelAddress, parse_name
from clarifai_emulator.messages.data_values import METHOD_NAME
from clarifai_emulator.store import Kind, Store

RPCS: Mapping[str, str] = {
    UNARY: "PostModelOutputs",
    SERVER_STREAM: "GenerateModelOutputs",
    STREAM: "StreamModelOutputs",
}
_MOST_VERSIONS = 100


@dataclass(frozen=True, slots=True)
class NamedVersion:
    """A model version that a browser named. ``version``: the platform's message; None for a model without one."""

    address: ModelAddress
    version: Any

    @property
    def signatures(self) -> list[Any]:
        """Return the signatures of its methods."""
        return list(self.version.method_signatures) if self.version is not None else []

    def newest_versions(self, store: Store) -> list[str]:
        """Return the ids of the model's versions, the newest first, as many as a browser is to choose from."""
        return [each.id for each in islice(store.list(Kind.MODEL_VERSION, self.address.key), _MOST_VERSIONS)]


def named_version(store: Store, asked: Asked) -> NamedVersion:
    """Return the version that ``model`` and ``version`` name: the newest one where that is left out. Raises
    ``HttpProblem``."""
    name = asked.text("model")
    address = parse_name(name)
    if address is None:
        raise bad_request(f"'{name[:100]}' is no model's name: USER/APP/MODEL, as the list of models has it.")
    if store.get(Kind.MODEL, address.key) is None:
        raise not_there(f"There is no model '{name[:200]}': it was deleted, or has another name.")
    wanted = asked.text("version") or address.version_id
    if not wanted:
        return NamedVersion(address, store.newest(Kind.MODEL_VERSION, address.key))
    version = store.get(Kind.MODEL_VERSION, (*address.key, wanted))
    if version is None:
        raise not_there(f"Model '{name[:200]}' has no version '{wanted[:100]}'.")
    return NamedVersion(address, version)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call that a browser asks for. ``template``: its request without arguments."""

    shape: MethodShape
    signature: Any
    kind: str
    template: Any
    arguments: Mapping[str, Any]

    @property
    def rpc(self) -> str:
        """Return the name of the RPC that calls the method."""
        return RPCS[self.kind]

    def request(self) -> Any:
        """Return the request with all arguments. Raises ``EmulatorError``."""
        return self._filled(self.arguments)

    def require_sendable(self) -> None:
        """Look at the arguments beside a stream, before its first item comes. Raises ``EmulatorError``."""
        beside = {name: each for name, each in self.shape.inputs.items() if name != self.shape.stream}
        write_arguments(Data(), replace(self.shape, inputs=beside), self.arguments)

    def item(self, value: Any, *, is_first: bool) -> Any:
        """Return the request that brings one item of the stream: the first one brings all other arguments, too.
        Raises ``EmulatorError``."""
        if is_first:
            return self._filled({**self.arguments, self.shape.stream: value})
        request = self._copy()
        write_stream_item(request.inputs[0].data, self.shape, value)
        return request

    def _filled(self, arguments: Mapping[str, Any]) -> Any:
        request = self._copy()
        write_arguments(request.inputs[0].data, self.shape, arguments)
        return request

    def _copy(self) -> Any:
        request = type(self.template)()
        request.CopyFrom(self.template)
        return request


def attempt_of(store: Store, asked: Asked) -> Attempt:
    """Read the call that a browser asks for. Raises ``HttpProblem``."""
    named = named_version(store, asked)
    method = asked.text("method")
    signature = next((each for each in named.signatures if each.name == method), None)
    if signature is None:
        raise bad_request(unknown_method(method, [each.name for each in named.signatures]).message)
    arguments = asked.given.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise bad_request("'arguments' is an object with a value for each argument.")
    shape = method_shape(signature)
    kind = kind_of_call(shape)
    template = _template(named.address, asked, RPCS[kind], method)
    return Attempt(shape, signature, kind, template, cast("dict[str, Any]", arguments))


def _template(address: ModelAddress, asked: Asked, rpc: str, method: str) -> Any:
    request = rpc_table()[rpc].request_type(model_id=address.model_id)
    request.user_app_id.user_id, request.user_app_id.app_id = address.user_id, address.app_id
    # A version that nobody named is left to the platform, as the SDK leaves it.
    request.version_id = asked.text("version") or address.version_id
    selector = request.runner_selector
    if deployment := asked.text("deployment"):
        user, _, name = deployment.rpartition("/")
        selector.deployment.user_id, selector.deployment.id = user or "me", name
    if nodepool := asked.text("nodepool"):
        parts = nodepool.split("/")
        if len(parts) != 3:
            raise bad_request(
                f"'{nodepool[:100]}' is no nodepool's name: USER/CLUSTER/NODEPOOL, as the map has it."
            )
        cluster = selector.nodepool.compute_cluster
        cluster.user_id, cluster.id, selector.nodepool.id = parts
    request.inputs.add().data.metadata[METHOD_NAME] = method
    return request
