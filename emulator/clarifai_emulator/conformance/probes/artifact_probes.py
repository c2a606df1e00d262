"""Probes of artifacts and of model types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe


def _artifact(client: PlatformClient) -> tuple[str, str]:
    """Make an artifact in an app of its own; the ids of both."""
    app, artifact = scenes.app(client), client.name("artifact")
    client.do("PostArtifacts", app=app, artifacts=[{"id": artifact}])
    return app, artifact


def _upload(
    client: PlatformClient, where: tuple[str, str], *parts: bytes, total: int = -1, **version: Any
) -> list[Any]:
    """Upload a version in these parts; every answer. ``total``: the size that is said."""

    def requests() -> Iterator[dict[str, Any]]:
        config = {
            "user_app_id": {"user_id": client.user_id, "app_id": where[0]},
            "artifact_id": where[1],
            "artifact_version": version,
            "total_size": sum(map(len, parts)) if total < 0 else total,
        }
        yield {"upload_config": config}
        at = 0
        for number, data in enumerate(parts, 1):
            yield {"content_part": {"part_number": number, "range_start": at, "data": data}}
            at += len(data)

    return list(client.stream("PostArtifactVersionsUpload", requests=requests()))


def _get(client: PlatformClient, where: tuple[str, str], version: str) -> Any:
    return client.call("GetArtifactVersion", app=where[0], artifact_id=where[1], artifact_version_id=version)


@probe("artifacts.upload-answers")
def upload_answers(client: PlatformClient) -> Any:
    """Upload a version in two parts."""
    found = _upload(client, _artifact(client), b"ab", b"cd")
    ids = {each.message.artifact_version_id for each in found}
    left = [each.message.bytes_remaining for each in found]
    return {"answers": [each.status for each in found], "left": left, "ids": len(ids), "an id": "" not in ids}


@probe("artifacts.upload-again")
def upload_again(client: PlatformClient) -> Any:
    """Upload a version under an id that is taken, and break an upload off."""
    where = _artifact(client)
    _upload(client, where, b"abcd", id="v1")
    again = _upload(client, where, b"efgh", id="v1")
    broken = _upload(client, where, b"ab", total=4, id="v2")
    return {
        "again": again[-1].status,
        "the first is there": _get(client, where, "v1").status,
        "broken off": broken[-1].status,
        "of that": _get(client, where, "v2").status,
    }


@probe("artifacts.size")
def sizes(client: PlatformClient) -> Any:
    """Upload nothing, and more than was said."""
    where = _artifact(client)
    nothing, more = _upload(client, where, total=0), _upload(client, where, b"abcd", total=2)
    return {"nothing": nothing[-1].status, "more": more[-1].status}


@probe("artifacts.content-name")
def content_name(client: PlatformClient) -> Any:
    """Look at the content of a version."""
    where = _artifact(client)
    _upload(client, where, b"abcd", id="v1")
    upload = _get(client, where, "v1").message.artifact_version.upload
    return {"name": upload.content_name, "bytes": upload.content_length, "an address": bool(upload.content_url)}


@probe("artifacts.newest")
def newest(client: PlatformClient) -> Any:
    """Upload two versions, and get the artifact."""
    where = _artifact(client)
    for version in ("v1", "v2"):
        _upload(client, where, b"abcd", id=version)
    got = client.call("GetArtifact", app=where[0], artifact_id=where[1]).message.artifact
    (listed,) = client.call("ListArtifacts", app=where[0]).message.artifacts
    changed = got.modified_at.ToNanoseconds() > got.created_at.ToNanoseconds()
    return {"got": got.artifact_version.id, "listed": listed.artifact_version.id, "it was modified": changed}


@probe("artifacts.expiry")
def expiry(client: PlatformClient) -> Any:
    """Upload a version without an expiry and one with."""
    where = _artifact(client)
    _upload(client, where, b"abcd", id="v1")
    _upload(client, where, b"abcd", id="v2", expires_at={"seconds": 2_000_000_000})
    said = [_get(client, where, each).message.artifact_version for each in ("v1", "v2")]
    return {"not said": said[0].HasField("expires_at"), "said": said[1].expires_at.seconds}


@probe("artifacts.visibility")
def visibility(client: PlatformClient) -> Any:
    """Upload a version that does not say whom it is for."""
    where = _artifact(client)
    _upload(client, where, b"abcd", id="v1")
    return _get(client, where, "v1").message.artifact_version.visibility.gettable


@probe("artifacts.missing")
def missing(client: PlatformClient) -> Any:
    """Get an artifact and a version that are not there."""
    where = _artifact(client)
    gone = client.name("gone")
    return {
        "artifact": client.call("GetArtifact", app=where[0], artifact_id=gone),
        "version": _get(client, where, "gone"),
        "versions": client.call("ListArtifactVersions", app=where[0], artifact_id=gone),
    }


@probe("artifacts.model-types")
def model_types(client: PlatformClient) -> Any:
    """Ask what models of three types take."""
    app = client.shared(scenes.app)

    def takes(name: str) -> Any:
        answer = client.call("GetModelType", app=app, model_type_id=name)
        return {"status": answer.status, "takes": list(answer.message.model_type.input_fields)}

    return {name: takes(name) for name in ("visual-classifier", "multimodal-to-text", "no-such-type")}
