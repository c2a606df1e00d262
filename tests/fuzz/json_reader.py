"""Reads JSON as REST does: a body is refused in words, or is a message that comes out and goes in the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

from clarifai_emulator.api.rest.paths import Bound
from clarifai_emulator.api.rest.transcoding import as_json, read_json, read_request
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.json import as_dict

_RPCS = (
    "PostModelOutputs", "PostModels", "PatchModels", "PostModelVersions", "PostComputeClusters", "PostNodepools",
    "PostDeployments", "PostRunners", "PostKeys", "PostApps", "PostInputs", "PostModelsSearches",
)  # fmt: skip


@cache
def _bound() -> list[Bound]:
    found = [(rpc_table()[name]) for name in _RPCS if name in rpc_table()]
    return [Bound(rpc, next(each for each in rpc.http if each.body), ()) for rpc in found]


def read(data: bytes) -> None:
    """Read the body of a request. The first byte says of which."""
    bound, body = _bound()[(data[0] if data else 0) % len(_bound())], data[1:]
    try:
        message = read_request(bound, (), (), body)
    except CallerError as refusal:
        _look_at(refusal)
        return
    assert json.loads(as_json(message)) is not None
    written = json.dumps(as_dict(message, numeric_enums=True)).encode()
    assert read_request(bound, (), (), written) == message, "it comes out as another message"
    if body.strip():
        assert read_json(bound.rpc.name, body) == json.loads(body), "it is read otherwise than by Python"


def _look_at(refusal: CallerError) -> None:
    assert refusal.details, "a refusal that says nothing"
    assert len(str(refusal)) < 5_000, "a refusal longer than anybody reads"


def seeds() -> Iterator[bytes]:
    """Yield bodies that use every kind of value, each with its first byte."""
    names = [bound.rpc.name for bound in _bound()]
    in_app = {"user_app_id": {"user_id": "me", "app_id": "a"}}
    data = {"text": {"raw": "x"}, "metadata": {"a": [1.5, None, True, {"b": "é\U0001f600"}]}}
    more = {"image": {"base64": "AA=="}, "parts": [{"id": "n", "data": {"int_value": "3", "float_value": 1e-3}}]}
    for name, body in (
        ("PostModelOutputs", {**in_app, "inputs": [{"id": "i", "data": {**data, **more}}]}),
        (
            "PostModelOutputs",
            {"runner_selector": {"nodepool": {"id": "n"}}, "model": {"output_info": {"params": {}}}},
        ),
        (
            "PostModels",
            {"models": [{"id": "m", "visibility": {"gettable": 10}, "created_at": "2001-01-01T00:00:00Z"}]},
        ),
        ("PatchModels", {"action": "overwrite", "models": [{"id": "m", "metadata": {"x": -1}}]}),
        ("PostComputeClusters", {"compute_clusters": [{"id": "c", "cloud_provider": {"id": "aws"}}]}),
        (
            "PostNodepools",
            {"nodepools": [{"id": "n", "node_capacity_type": {"capacity_types": ["ON_DEMAND_TYPE"]}}]},
        ),
        ("PostDeployments", {"deployments": [{"id": "d", "autoscale_config": {"min_replicas": 1}}]}),
        ("PostKeys", {"keys": [{"description": "\\u0000", "scopes": ["All"], "expires_at": None}]}),
    ):
        yield bytes([names.index(name)]) + json.dumps(body).encode()
    for odd in (b'{"a":1,"a":2}', b"[[[[]]]]", b'{"inputs":[NaN,1e999,-0]}', b'"\\ud800"', b"\xff\xfe{\0}\0"):
        yield b"\0" + odd


@cache
def words() -> list[str]:
    """Return the names of fields of all these requests, and of their choices."""
    found, unseen = dict[str, None](), [bound.rpc.request_type.DESCRIPTOR for bound in _bound()]
    seen = set[str]()
    while unseen:
        descriptor = unseen.pop()
        if descriptor.full_name in seen:
            continue
        seen.add(descriptor.full_name)
        for field in descriptor.fields:
            found[f'"{field.name}":'] = None
            if field.enum_type is not None:
                found |= dict.fromkeys(f'"{name}"' for name in list(field.enum_type.values_by_name)[:3])
            if field.message_type is not None:
                unseen.append(field.message_type)
    return [*found, "null", "true", "1e400", "[{", "}]"]
