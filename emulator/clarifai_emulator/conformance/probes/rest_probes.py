"""Probes of the REST API."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from typing import Any

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.probes.requests_probes import holder
from clarifai_emulator.conformance.scenes import MadeModel
from clarifai_emulator.conformance.scripted_runner import ScriptedRunner, asked, scripted_runner
from clarifai_emulator.conformance.seen import HttpAnswer

_SUCCESS = {"code": 10000, "description": "Ok"}


def _outputs(data: dict[str, Any]) -> dict[str, Any]:
    return {"status": _SUCCESS, "outputs": [{"status": _SUCCESS, "data": data}]}


def _predict(
    client: PlatformClient,
    runner: ScriptedRunner,
    model: MadeModel,
    form: str = "outputs",
    headers: dict[str, str] | None = None,
) -> HttpAnswer:
    """Call a model that a runner serves over REST; ``form``: the end of the path."""
    asked(client, runner, model)
    path = f"/v2/users/{{me}}/apps/{model.app}/models/{model.id}/versions/{model.version}/{form}"
    body = {"inputs": [scenes.said("hi")], "runner_selector": runner.place.selector(client)}
    return client.rest("POST", path, body, headers=headers)


@probe("rest.bindings")
def bindings(client: PlatformClient) -> Any:
    """Make, get, list, change and delete a model by its paths, and use a path with another method."""
    app = client.shared(scenes.app)
    models, name = f"/v2/users/{{me}}/apps/{app}/models", client.name("model")
    made = client.rest("POST", models, {"model": {"id": name, "model_type_id": "any-to-any"}})
    change = {"action": "overwrite", "models": [{"id": name, "notes": "changed"}]}
    return {
        "made": made.pick("model.id"),
        "got": client.rest("GET", f"{models}/{name}").pick("model.id"),
        "listed": client.rest("GET", f"{models}?per_page=1"),
        "changed": client.rest("PATCH", models, change).pick("models.0.notes"),
        "deleted": client.rest("DELETE", f"{models}/{name}"),
        "gone": client.rest("GET", f"{models}/{name}"),
        "another method": client.rest("PUT", models, {}),
        "no such path": client.rest("GET", f"{models}s"),
    }


@probe("rest.names-and-numbers")
def names_and_numbers(client: PlatformClient) -> Any:
    """Read the form of names, enums and 64-bit integers, and write them in others."""
    place, model = client.shared(scenes.cluster), scenes.version(client)
    path = f"/v2/users/{{me}}/compute_clusters/{place}/nodepools"
    camel = {
        "id": client.name("nodepool"),
        "instanceTypes": [{"id": "local"}],
        "nodeCapacityType": {"capacityTypes": ["ON_DEMAND_TYPE"]},
        "maxInstances": 1,
    }
    made = client.rest("POST", path, {"nodepools": [camel]})
    got = client.rest("GET", f"{path}/{camel['id']}")
    with scripted_runner(client, model, lambda item: [_outputs({"int_value": 2**53 + 1})]) as runner:
        answer = _predict(client, runner, model)
    return {
        "camelCase and names are read": made,
        "written": got.pick("nodepool.node_capacity_type", "nodepool.max_instances", "nodepool.min_instances"),
        "64 bits": answer.pick("outputs.0.data.int_value"),
        "status": sorted((got.json or {}).get("status", {})),
    }


@probe("rest.value-precedence")
def value_precedence(client: PlatformClient) -> Any:
    """Give a value in the path, the body and the query at once."""
    model = scenes.model(client)
    models = f"/v2/users/{{me}}/apps/{model.app}/models"
    body = {
        "user_app_id": {"app_id": "nowhere"},
        "model": {"id": client.name("model"), "model_type_id": "any-to-any"},
    }
    clusters = [scenes.cluster(client) for _ in range(3)]
    path = "/v2/users/{me}/compute_clusters"
    by_query = client.rest("DELETE", f"{path}?ids={clusters[0]}")
    by_both = client.rest("DELETE", f"{path}?ids={clusters[1]}", {"ids": [clusters[2]]})
    return {
        "path over body": client.rest("POST", models, body).pick("model.app_id") | {"app": model.app},
        "path over query": client.rest("GET", f"{models}/{model.id}?model_id=nothing").pick("model.id"),
        "query beside an empty body": by_query,
        "body over query": by_both,
        "left": [client.rest("GET", f"{path}/{each}").http_status for each in clusters],
    }


@probe("rest.unknown-field")
def unknown_field(client: PlatformClient) -> Any:
    """Misspell a field of a body, and a query parameter."""
    return {
        "field": client.rest("POST", "/v2/users/{me}/apps", {"appps": [{"id": client.name("app")}]}),
        "parameter": client.rest("GET", "/v2/users/{me}/apps?nonsense=1"),
    }


@probe("rest.base64-and-numbers")
def base64_and_numbers(client: PlatformClient) -> Any:
    """Send base64 that is none and a number that is too large; let a model answer with infinity."""
    model = scenes.version(client)
    path = f"/v2/users/{{me}}/apps/{model.app}/models/{model.id}/outputs"

    def sent(data: dict[str, Any]) -> HttpAnswer:
        return client.rest("POST", path, {"inputs": [{"data": data}]})

    endless = _outputs(
        {"float_value": float("inf"), "parts": [{"id": "nan", "data": {"float_value": float("nan")}}]}
    )
    with scripted_runner(client, model, lambda item: [endless]) as runner:
        answer = _predict(client, runner, model)
    return {
        "a data URL": sent({"image": {"base64": "data:image/png;base64,AAAA"}}),
        "beyond 32 bits": client.rest("GET", "/v2/users/{me}/apps?per_page=5000000000"),
        "infinity": "Infinity" in answer.text,
        "no number": "NaN" in answer.text,
        "http": answer.http_status,
    }


@probe("rest.min-runner-replicas")
def min_runner_replicas(client: PlatformClient) -> Any:
    """List nodepools with runners; one has none, one has."""
    empty, place, model = scenes.nodepool(client), scenes.nodepool(client), scenes.version(client)
    with scripted_runner(client, model, place=place) as runner:
        asked(client, runner, model)
        answer = client.rest("GET", "/v2/users/{me}/nodepools?min_runner_replicas=1&per_page=1000")
    listed = [each["id"] for each in (answer.json or {}).get("nodepools", [])]
    return {"http": answer.http_status, "with a runner": place.id in listed, "without": empty.id in listed}


@probe("rest.statuses.documented")
def documented_statuses(client: PlatformClient) -> Any:
    """Show tokens that are not known, or cannot be one."""
    return {
        "not known": client.with_token("0" * 32).rest("GET", "/v2/users/{me}/apps"),
        "malformed": client.with_token("$$$").rest("GET", "/v2/users/{me}/apps"),
    }


@probe("rest.statuses.by-name")
def statuses_by_name(client: PlatformClient) -> Any:
    """Ask for what is missing, what is there already, with an id that is none, and another method."""
    app = client.shared(scenes.app)
    path = f"/v2/users/{{me}}/apps/{app}"
    client.other.do("GetUser")  # who is there
    return {
        "no app": client.rest("GET", "/v2/users/{me}/apps/nowhere-at-all"),
        "no model": client.rest("GET", f"{path}/models/nothing"),
        "no cluster": client.rest("GET", "/v2/users/{me}/compute_clusters/nothing"),
        "twice": client.rest("POST", "/v2/users/{me}/apps", {"apps": [{"id": app}]}),
        "no id": client.rest("POST", "/v2/users/{me}/apps", {"apps": [{"id": "not an id"}]}, odd_ids=True),
        "method": client.rest("PUT", path, {}),
        "not for this key": client.rest("GET", f"/v2/users/{client.other.user_id}/apps"),
        "without its scope": holder(client, scopes=["Apps_Get"]).rest("GET", "/v2/users/{me}/keys"),
    }


@probe("rest.statuses.mixed-and-failure")
def mixed_and_failure(client: PlatformClient) -> Any:
    """Let a model fail for one of two inputs, and for all."""
    wrong = {"status": {"code": 10020, "description": "Failure", "details": "boom"}}
    some = {"status": {"code": 10010, "description": "Mixed"}, "outputs": [{"status": _SUCCESS}, wrong]}
    seen: dict[str, Any] = {}
    for name, answer in (("mixed", some), ("failure", wrong)):
        model = scenes.version(client)
        with scripted_runner(client, model, lambda item, answer=answer: [answer]) as runner:
            seen[name] = _predict(client, runner, model)
    return seen


@probe("rest.statuses.routing")
def routing_statuses(client: PlatformClient) -> Any:
    """Call models that nothing serves, or a deployment and a nodepool that are not there."""
    model, place = scenes.version(client), client.shared(scenes.nodepool)
    path = f"/v2/users/{{me}}/apps/{model.app}/models/{model.id}/outputs"
    inputs = [scenes.said("hi")]

    def called(selector: dict[str, Any] | None = None) -> HttpAnswer:
        return client.rest("POST", path, {"inputs": inputs, **({"runner_selector": selector} if selector else {})})

    user = {"user_id": client.user_id}
    return {
        "nothing named": called(),
        "a nodepool without it": called(place.selector(client)),
        "no such nodepool": called({"nodepool": {"id": "nothing", "compute_cluster": {"id": "nothing", **user}}}),
        "no such deployment": called({"deployment": {"id": "nothing", **user}}),
    }


@probe("rest.statuses.invalid-request")
def invalid_request(client: PlatformClient) -> Any:
    """Leave the credential out, and send a credential that cannot be read."""
    return {
        "none": client.rest("GET", "/v2/users/{me}/apps", headers={"authorization": ""}),
        "no scheme": client.rest("GET", "/v2/users/{me}/apps", headers={"authorization": "abc"}),
        "with one": client.rest("PATCH", "/v2/users/{me}/apps", {"action": "nonsense", "apps": [{"id": "a"}]}),
    }


@probe("rest.stream-framing")
def stream_framing(client: PlatformClient) -> Any:
    """Let a model generate two outputs, as lines and as events, and let it fail at once."""
    model = scenes.version(client)
    two = [_outputs({"string_value": text}) for text in ("one", "two")]
    wrong = {"status": {"code": 10020, "description": "Failure", "details": "boom"}}
    with scripted_runner(client, model, lambda item: two if item.method != "UNARY_UNARY" else two[:1]) as runner:
        lines = _predict(client, runner, model, "outputs/generate")
        events = _predict(client, runner, model, "outputs/generate", {"accept": "text/event-stream"})
    other = scenes.version(client)
    with scripted_runner(client, other, lambda item: [wrong]) as runner:
        failing = _predict(client, runner, other, "outputs/generate")
    return {
        "lines": [*_form(lines), lines.text.count("\n")],
        "events": [*_form(events), events.text.count("data: ")],
        "failing": failing,
    }


def _form(answer: HttpAnswer) -> list[Any]:
    return [answer.http_status, answer.headers.get("content-type", "").partition(";")[0]]


@probe("rest.path-with-several-rpcs")
def path_with_several_rpcs(client: PlatformClient) -> Any:
    """Get a runner's log, whose path belongs to a list and to a stream."""
    place, model = client.shared(scenes.nodepool), scenes.version(client)
    with scripted_runner(client, model) as runner:
        asked(client, runner, model)
        of_nodepool = f"/v2/users/{{me}}/compute_clusters/{place.cluster}/nodepools/{place.id}"
        listed = client.rest("GET", f"{of_nodepool}/runners/{runner.id}/runner/logs")
    return {"list": listed, "content type": _form(listed)}


@probe("rest.organizations")
def organizations(client: PlatformClient) -> Any:
    """List the user's organisations, and another user's."""
    client.other.do("GetUser")  # who is there
    own = client.rest("GET", "/v2/users/{me}/organizations")
    return {
        "own": own.http_status,
        "is a list": isinstance((own.json or {}).get("organizations"), list),
        "another's": client.rest("GET", f"/v2/users/{client.other.user_id}/organizations"),
    }


@probe("rest.packed-bodies")
def packed_bodies(client: PlatformClient) -> Any:
    """Send bodies in gzip and deflate, one that is not packed as it says, and one in another encoding."""
    app = client.shared(scenes.app)
    body = json.dumps({"inputs": [scenes.said("hi")]}).encode()
    path = f"/v2/users/{{me}}/apps/{app}/models/nothing/outputs"

    def sent(encoding: str, content: bytes) -> HttpAnswer:
        return client.rest("POST", path, content, headers={"content-encoding": encoding})

    return {
        "plain": client.rest("POST", path, body),
        "gzip": sent("gzip", gzip.compress(body)),
        "deflate": sent("deflate", zlib.compress(body)),
        "no gzip": sent("gzip", body),
        "br": sent("br", body),
    }


@probe("rest.grpc-web")
def grpc_web(client: PlatformClient) -> Any:
    """Call an RPC, one that streams, and one that is not there, as a page in a browser does."""
    request = rpc_table()["GetUser"].request_type(user_app_id={"user_id": client.user_id}).SerializeToString()
    frame = struct.pack(">BI", 0, len(request)) + request
    binary, text = "application/grpc-web+proto", "application/grpc-web-text"

    def sent(method: str, content_type: str) -> Any:
        body = base64.b64encode(frame) if content_type == text else frame
        headers = {"content-type": content_type, "accept": content_type}
        answer = client.rest("POST", f"/clarifai.api.V2/{method}", body, headers=headers)
        return [
            answer.http_status,
            answer.headers.get("content-type", ""),
            *_frames(answer.body, content_type == text),
        ]

    return {
        "binary": sent("GetUser", binary),
        "text": sent("GetUser", text),
        "a stream": sent("StreamLogEntries", binary),
        "no such RPC": sent("GetNothing", binary),
    }


def _frames(body: bytes, is_text: bool) -> list[Any]:
    """Return what each frame is: a message, or the trailers and the status in them."""
    if is_text:
        groups = [body[at : at + 4] for at in range(0, len(body), 4)]  # each part has padding of its own
        body = b"".join(base64.b64decode(group) for group in groups)
    found: list[Any] = []
    while len(body) >= 5:
        flag, size = struct.unpack_from(">BI", body)
        part, body = body[5 : 5 + size], body[5 + size :]
        status = [line for line in part.decode(errors="replace").split("\r\n") if line.startswith("grpc-status")]
        found.append(status if flag & 0x80 else "message")
    return found
