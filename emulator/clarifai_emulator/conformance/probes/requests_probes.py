"""Probes of requests, answers and credentials."""

from __future__ import annotations

import time
import uuid
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.deploying import answered, cpu_nodepool, uploaded
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scripted_runner import ScriptedItem, asked, scripted_runner

PAT = "personal_access_token"
# What PostKeys asks for, and what a key may do that makes keys.
MAKES_KEYS = ["Apps_Get", "Keys_Add", "Keys_Get"]


@probe("requests.credential-malformed")
def credentials(client: PlatformClient) -> Any:
    """Show credentials that cannot be one."""

    def shown(header: str) -> Any:
        return client.call("ListApps", metadata={"authorization": header})

    return {
        "none": shown(""),
        "no scheme": shown("abc"),
        "lower-case key": shown("key abcdef0123456789abcdef0123456789"),
        "odd characters": shown("Key $$$"),
        "unknown": shown("Key 00000000000000000000000000000000"),
    }


def posted(client: PlatformClient, **fields: Any) -> Any:
    """Make a key that is good for all of the account, or what the fields say; the answer."""
    return client.call("PostKeys", keys=[{"description": client.name("key"), "type": PAT, **fields}])


def holder(client: PlatformClient, **fields: Any) -> PlatformClient:
    """Return a client that shows such a key."""
    key = {"description": client.name("key"), "type": PAT, **fields}
    return client.with_token(client.do("PostKeys", keys=[key]).message.keys[0].id)


@probe("requests.issued-keys")
def issued_keys(client: PlatformClient) -> Any:
    """Use a key, delete it, and use it again."""
    key = client.do("PostKeys", keys=[{"description": client.name("key"), "type": PAT}]).message.keys[0].id
    user = client.with_token(key)
    who = user.call("GetUser", user="me")
    deleted = client.call("DeleteKey", key_id=key)
    return {"who": who.pick("user.id"), "deleted": deleted, "after that": user.call("GetUser", user="me")}


@probe("requests.expired-token")
def expired_key(client: PlatformClient) -> Any:
    """Use a key until it has expired, and make one that has expired already."""
    now = int(time.time())
    user = holder(client, expires_at={"seconds": now + 1})
    ended = client.wait(
        lambda: None if (answer := user.call("GetUser", user="me")).succeeded else answer,
        seconds=60,
        what="the end of a key that expires in a second",
    )
    return {"used after its end": ended, "made with an end that is over": posted(client, expires_at={"seconds": 1})}


@probe("requests.scopes")
def scopes(client: PlatformClient) -> Any:
    """Use keys with some scopes and with all."""
    limited = holder(client, scopes=["Apps_Get", "Models_Get", "Concepts_Get"])
    listed, refused = limited.call("ListModels", app=client.shared(scenes.app)), limited.call("ListKeys")
    return {
        "what it needs": listed,
        "what lacks": refused,
        "names the scope": "Keys_Get" in refused.details,
        "All": holder(client, scopes=["All"]).call("ListKeys"),
        "none listed": holder(client).call("ListKeys"),
    }


@probe("requests.key-scopes")
def scopes_of_keys(client: PlatformClient) -> Any:
    """Make keys with scopes that cannot be."""
    return {
        "not known": posted(client, scopes=["Nonsense_Get"]),
        "without what it depends on": posted(client, scopes=["Apps_Add"]),
        "with it": posted(client, scopes=["Apps_Add", "Apps_Get"]),
    }


@probe("requests.key-endpoints")
def endpoints_of_keys(client: PlatformClient) -> Any:
    """Use a key that is limited to one RPC."""
    limited = holder(client, endpoints=["/clarifai.api.V2/ListKeys"])
    refused = limited.call("ListApps")
    return {
        "the endpoint": limited.call("ListKeys"),
        "another": refused,
        "names the path": "/clarifai.api.V2/ListApps" in refused.details,
    }


@probe("requests.no-wider-key")
def wider_keys(client: PlatformClient) -> Any:
    """Make keys with a limited key."""
    limited = holder(client, scopes=MAKES_KEYS)
    return {
        "as limited": posted(limited, scopes=MAKES_KEYS),
        "wider": posted(limited, scopes=[*MAKES_KEYS, "Models_Get"]),
        "without a list": posted(limited),
    }


@probe("requests.organisation-key")
def organisation_keys(client: PlatformClient) -> Any:
    """Make keys for an organisation that the user is not in."""
    strange = uuid.uuid4().hex[:12]
    return {
        "personal access token": posted(client, organization_id=strange),
        "app key": posted(client, organization_id=strange, type="app_specific_key"),
    }


@probe("requests.organisation-key", part="member")
def key_of_an_organisation(client: PlatformClient) -> Any:
    """Make a key for an organisation that the user is in, and ask with it who one is."""
    organisation = client.organisation
    answer = holder(client, organization_id=organisation).call("GetUser", user="me")
    return {"status": answer, "is the organisation": answer.succeeded and answer.message.user.id == organisation}


@probe("requests.duplicate-key")
def duplicate_keys(client: PlatformClient) -> Any:
    """Ask for a key id of one's own, and for the same with another account."""
    wanted = uuid.uuid4().hex
    mine, theirs = posted(client, id=wanted), posted(client.other, id=wanted)
    return {
        "mine": mine,
        "has the id": mine.succeeded and mine.message.keys[0].id == wanted,
        "again": posted(client, id=wanted),
        "the other's": theirs,
    }


@probe("requests.app-key")
def app_key(client: PlatformClient) -> Any:
    """Use a key of one app elsewhere."""
    own, another = client.shared(scenes.app), scenes.app(client)
    scopes = ["Apps_Get", "Models_Get", "Concepts_Get"]
    key = {"description": client.name("key"), "scopes": scopes, "apps": [{"id": own, "user_id": client.user_id}]}
    limited = client.with_token(client.do("PostKeys", keys=[key]).message.keys[0].id)
    return {
        "its app": limited.call("ListModels", app=own),
        "another app": limited.call("ListModels", app=another),
        "an RPC for users": limited.call("ListApps"),
        "a scope that it lacks": limited.call("PostModels", app=own, models=[{"id": client.name("model")}]),
    }


@probe("requests.schemes")
def schemes(client: PlatformClient) -> Any:
    """Show the same token in each way."""
    token = client.account.pat
    ways = {
        "Key": {"authorization": f"Key {token}"},
        "Bearer": {"authorization": f"Bearer {token}"},
        "session token": {"authorization": "", "x-clarifai-session-token": token},
    }
    paths = {"REST": "/v2/users/me", "OpenAI": "/v2/ext/openai/v1/models"}
    return {
        way: {
            "gRPC": client.call("GetUser", user="me", metadata=headers),
            **{name: client.rest("GET", path, headers=headers).http_status for name, path in paths.items()},
        }
        for way, headers in ways.items()
    }


@probe("requests.request-id")
def request_ids(client: PlatformClient) -> Any:
    """Ask with a prefix for the request id, and without."""
    prefix = {"x-clarifai-request-id-prefix": "probe-1.2"}
    over_rest = client.rest("GET", "/v2/users/me", headers=prefix)
    return {
        "gRPC": client.call("GetUser", user="me", metadata=prefix).message.status.req_id,
        "without": client.call("GetUser", user="me").message.status.req_id,
        "REST": over_rest.pick("status.req_id"),
        "differs": len({client.call("GetUser", user="me").message.status.req_id for _ in range(3)}),
    }


@probe("requests.status-in-response")
def statuses_in_responses(client: PlatformClient) -> Any:
    """Fail at once, as a stream, and in the middle of one."""
    model = scenes.version(client)
    missing: dict[str, Any] = {"model_id": client.name("missing"), "inputs": [scenes.said("hi")]}
    failure = {"status": {"code": 10020, "description": "Failure"}}
    with scripted_runner(client, model, lambda item: ["one", "two", failure]) as runner:
        asked(client, runner, model)
        request: dict[str, Any] = {**model.address_of_version, "inputs": [scenes.said("hi")]}
        place = runner.place.selector(client)
        broken = list(client.stream("GenerateModelOutputs", **request, runner_selector=place))
    return {
        "once": client.call("PostModelOutputs", app=model.app, **missing),
        "generate": list(client.stream("GenerateModelOutputs", app=model.app, **missing)),
        "stream": list(client.stream("StreamModelOutputs", app=model.app, **missing)),
        "in the middle": broken,
    }


@probe("requests.unimplemented")
def unimplemented(client: PlatformClient) -> Any:
    """Call an RPC that is not there."""
    return client.raw("PostNonsense", b"")


@probe("requests.malformed-message")
def malformed_messages(client: PlatformClient) -> Any:
    """Send bytes that are no message."""
    return {name: client.raw(name, b"\xff\xff\xff\xff") for name in ("GetUser", "PostModelOutputs")}


@probe("requests.signature-mismatch")
def mismatches(client: PlatformClient) -> Any:
    """Call a method with an argument that it has not, without one that it needs, and one that is not there."""
    signature = {
        "name": "predict",
        "method_type": "UNARY_UNARY",
        "input_fields": [{"name": "count", "type": "INT", "required": True}],
        "output_fields": [{"name": "return", "type": "STR"}],
    }
    model = scenes.version(client, method_signatures=[signature])
    with scripted_runner(client, model) as runner:
        named: dict[str, Any] = {
            **model.address_of_version,
            "inputs": [{"data": {"metadata": {"_method_name": "missing"}}}],
            "runner_selector": runner.place.selector(client),
        }
        answers = {
            "another argument": asked(client, runner, model),
            "another method": client.call("PostModelOutputs", **named),
        }
        return {**answers, "reached the runner": len(runner.items)}


@probe("requests.method-raises")
def method_raises(client: PlatformClient) -> Any:
    """Call a model whose method raises."""
    failure = {"status": {"code": 10020, "description": "Failure", "details": "boom", "stack_trace": ["line 1"]}}
    model = scenes.version(client)
    with scripted_runner(client, model, lambda item: [failure]) as runner:
        scenes.deployment(client, model, runner.place)
        answer = asked(client, runner, model)
    return {**answer.pick("status.details", "status.stack_trace"), "outputs": len(answer.message.outputs)}


@probe("requests.model-told")
def model_told(client: PlatformClient) -> Any:
    """Name a model by its ids only, and look at what its runner is told."""
    model = scenes.version(client)
    with scripted_runner(client, model, place=scenes.nodepool(client)) as runner:
        asked(client, runner, model)
        told = runner.items[0].request.model
    return {"model": told.id == model.id, "version": told.model_version.id == model.version}


@probe("requests.batch-size")
def batch_size(client: PlatformClient) -> Any:
    """Send 128 inputs in one request, and 129."""
    model = scenes.version(client)

    def answer(item: ScriptedItem) -> Any:
        count = {"string_value": str(len(item.request.inputs))}
        return [{"status": {"code": 10000}, "outputs": [{"status": {"code": 10000}, "data": count}]}]

    with scripted_runner(client, model, answer) as runner:
        asked(client, runner, model)
        fields: dict[str, Any] = {**model.address_of_version, "runner_selector": runner.place.selector(client)}
        answers = [
            client.call("PostModelOutputs", **fields, inputs=[scenes.said("hi")] * count) for count in (128, 129)
        ]
    return [{"status": each, "came": scenes.heard(each)} for each in answers]


@probe("requests.output-fields")
def output_fields(client: PlatformClient) -> Any:
    """Look at which fields of an answer are there, when the runner sends a text and a status only."""
    model = scenes.version(client)
    with scripted_runner(client, model) as runner:
        answer = asked(client, runner, model).message

    def fields(message: Any) -> list[str]:
        return sorted(field.name for field, _ in message.ListFields())

    return {"answer": fields(answer), "output": fields(answer.outputs[0])}


@probe("requests.predict-cache")
def predict_cache(client: PlatformClient) -> Any:
    """Ask the same twice with the cache, then without it, for something else, and after the cached one failed."""
    model = scenes.version(client)
    failure = {"status": {"code": 10020, "description": "Failure", "details": "boom"}}
    with scripted_runner(client, model, lambda item: [failure] if item.text == "fail" else [item.text]) as runner:
        asked(client, runner, model, "first")

        def reached(text: str, cached: bool = True) -> bool:
            before = len(runner.items)
            client.call(
                "PostModelOutputs",
                **model.address_of_version,
                inputs=[scenes.said(text)],
                use_predict_cache=cached,
                runner_selector=runner.place.selector(client),
            )
            return len(runner.items) > before

        return {
            "after one without it": reached("first"),
            "again": reached("first"),
            "without it": reached("first", cached=False),
            "another input": reached("second"),
            "a failure": reached("fail"),
            "after a failure": reached("fail"),
        }


_LARGE = """
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Image


class Large(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str = "") -> str:
        return "x" * (130 * 1024 * 1024) if prompt == "large" else prompt

    @ModelClass.method
    def picture(self) -> Image:
        return Image(bytes=bytes(130 * 1024 * 1024))
"""


@probe("requests.answer-size", level="deploys")
def answer_size(client: PlatformClient) -> Any:
    """Let a model answer with 130 MiB of text, and of a picture."""
    files: dict[str, Any] = {"1/model.py": _LARGE}
    model = uploaded(client, **files)
    deployment = scenes.deployment(client, model, cpu_nodepool(client), id=client.name("large"))
    named: dict[str, Any] = {"deployment": {"id": deployment, "user_id": client.user_id}}
    answered(client, model, **named)
    text = answered(client, model, "large", **named)
    picture = {"data": {"metadata": {"_method_name": "picture"}}}
    failed = client.call(
        "PostModelOutputs", **model.address_of_version, inputs=[picture], runner_selector=named, timeout=300
    )
    (output,) = failed.message.outputs or [None]
    return {
        "text": text,
        "its end": scenes.heard(text)[-40:],
        "picture": failed,
        "its output": [output.status.code, output.status.description, output.status.details] if output else None,
    }
