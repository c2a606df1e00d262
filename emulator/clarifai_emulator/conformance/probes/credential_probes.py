"""Probes of secrets, keys and log entries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scripted_runner import ScriptedItem, asked, scripted_runner


@probe("keys.secret-value")
def value_of_a_secret(client: PlatformClient) -> Any:
    """Make a secret, change it, and look at it each time."""
    name = client.name("secret")
    posted = client.call("PostSecrets", secrets=[{"id": name, "value": "first"}])
    time.sleep(0.01)
    patched = client.call("PatchSecrets", secret=[{"id": name, "value": "second"}], action="overwrite")
    made, changed = posted.message.secrets[0], patched.message.secrets[0]
    paths = ("value", "version")
    return {
        "posted": posted.pick(*(f"secrets.0.{path}" for path in paths)),
        "patched": patched.pick(*(f"secrets.0.{path}" for path in paths)),
        "its time is another": made.modified_at != changed.modified_at,
        "got": client.call("GetSecret", id=name).pick(*(f"secret.{path}" for path in paths)),
        "empty": client.call("PostSecrets", secrets=[{"id": f"{name}2"}]),
    }


@probe("keys.id-shown")
def id_of_a_key(client: PlatformClient) -> Any:
    """Make a key, list it, and get one that is not there."""
    made = client.do("PostKeys", keys=[{"description": client.name("key"), "scopes": ["Apps_Get"]}]).message.keys[0]
    listed = [each.id for each in client.do("ListKeys", per_page=1000).message.keys]
    missing = client.call("GetKey", key_id="f" * 32)
    return {
        "the answer has it": bool(made.id),
        "the list has it": made.id in listed,
        "missing": missing,
        "its text has it": "f" * 32 in missing.details,
    }


@probe("keys.my-scopes")
def scopes_of_a_key(client: PlatformClient) -> Any:
    """Ask a limited key what it may do, about an app that it is for and one that it is not."""
    app = client.shared(scenes.app)
    scopes = ["Apps_Get", "Models_Get", "Concepts_Get"]
    key = {"description": client.name("key"), "scopes": scopes, "apps": [{"id": app, "user_id": client.user_id}]}
    limited = client.with_token(client.do("PostKeys", keys=[key]).message.keys[0].id)

    def told(of: str) -> Any:
        answer = limited.call("MyScopes", app=of)
        return {"status": answer, "scopes": sorted(answer.fields.get("scopes", []))}

    return {"its app": told(app), "no app": told("")}


def _written(client: PlatformClient, *lines: str) -> dict[str, Any]:
    """Write log entries as a runner of this user does; the fields that find them."""
    place = scenes.nodepool(client, cluster=scenes.cluster(client))
    where = {"compute_cluster_id": place.cluster, "nodepool_id": place.id}
    meta = {"user_app_id": {"user_id": client.user_id}, "compute_cluster_user_id": client.user_id, **where}
    for line in lines:
        client.do("PostLogEntries", log_entries=[{"log_type": "runner", "message": line, "meta": meta}])
    return {"log_type": "runner", "compute_cluster_user_id": client.user_id, **where}


@probe("logs.url")
def url_of_an_entry(client: PlatformClient) -> Any:
    """Write the same line twice, and one of several lines."""
    asked_for = _written(client, "same", "same", "one\ntwo")
    answer = client.call("ListLogEntries", **asked_for, page=1)
    entries = answer.message.log_entries
    return {
        "status": answer,
        "messages": [each.message for each in entries],
        "urls differ": len({each.url for each in entries}) == len(entries),
    }


@probe("logs.lines")
def lines_of_an_entry(client: PlatformClient) -> Any:
    """Write an entry of two lines and one of none."""
    asked_for = _written(client, "one\ntwo", "")
    answer = client.call("ListLogEntries", **asked_for, page=1)
    return {"status": answer, "messages": [each.message for each in answer.message.log_entries]}


@probe("logs.page")
def pages_of_a_log(client: PlatformClient) -> Any:
    """List three entries by two, without a page, by page, and past the end."""
    asked_for = _written(client, "first", "second", "third")

    def page(**fields: Any) -> Any:
        answer = client.call("ListLogEntries", **asked_for, per_page=2, **fields)
        return {"status": answer, "messages": [each.message for each in answer.message.log_entries]}

    return {
        "no page": page(),
        **{f"page {number}": page(page=number) for number in (1, 2, 3)},
        "no type": client.call("ListLogEntries"),
    }


@probe("logs.whose")
def log_of_another(client: PlatformClient) -> Any:
    """List a stranger's entries."""
    asked_for = _written(client, "mine")
    answer = client.other.call("ListLogEntries", user=client.user_id, **asked_for)
    return {"status": answer, "entries": len(getattr(answer.message, "log_entries", ()))}


@probe("logs.not-there")
def rpcs_that_are_rare(client: PlatformClient) -> Any:
    """Call the RPCs of these families that few need, with nothing to do."""
    return {rpc: client.call(rpc) for rpc in ("PatchAppsIds", "PatchModelIds", "PostNodepoolStatus")}


@probe("uploads.stream-log-entries")
def follow_a_log(client: PlatformClient) -> Any:
    """Follow a log that has an entry, until another one comes."""
    asked_for = _written(client, "before")
    messages: list[str] = []
    for answer in client.stream("StreamLogEntries", **asked_for, timeout=20):
        if not answer.succeeded:
            return {"status": answer, "messages": messages}
        found = [each.message for each in answer.message.log_entries]
        messages += found
        if found == ["before"]:
            meta = {"user_app_id": {"user_id": client.user_id}, **_place(asked_for)}
            client.do("PostLogEntries", log_entries=[{"log_type": "runner", "message": "after", "meta": meta}])
        if "after" in messages:
            break
    return {"messages": messages}


def _place(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "log_type"}


@probe("containers.request-secrets")
def secret_of_a_request(client: PlatformClient) -> Any:
    """Send a secret for one request, and look at what reaches the runner."""
    secret = {"id": "token", "secret_type": "req", "env_var": "TOKEN", "value": "of-this-request"}
    model, seen = scenes.version(client), list[Any]()

    def script(item: ScriptedItem) -> Iterator[str]:
        params = item.request.model.model_version.output_info.params
        seen.append([dict(each.struct_value.items()) for each in params.fields["secrets"].list_value.values])
        yield "answered"

    with scripted_runner(client, model, script) as runner:
        asked(client, runner, model)
        answer = client.call(
            "PostModelOutputs",
            **model.address_of_version,
            inputs=[scenes.said("hi")],
            runner_selector=runner.place.selector(client),
            model={"model_version": {"output_info": {"params": {"secrets": [secret]}}}},
        )
    return {"status": answer, "secrets of the item": seen[-1]}
