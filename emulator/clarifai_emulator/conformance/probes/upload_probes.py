"""Probes of uploads. Archives that cannot be built cost nothing; what is built is of the level ``deploys``."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.deploying import BUILDING, answered, archive_of, cpu_nodepool
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scenes import MadeModel
from clarifai_emulator.conformance.seen import named

_BROKEN = b"this is no archive"


def config(model: MadeModel, size: int, **version: Any) -> dict[str, Any]:
    """Return the first message of an upload to a model of this user."""
    where = {"user_app_id": {"user_id": "me", "app_id": model.app}, "model_id": model.id}
    return {"upload_config": {**where, "model_version": version, "total_size": size}}


def parts(data: bytes, *numbers: int) -> list[dict[str, Any]]:
    """Return the data in parts of these numbers."""
    size = -(-len(data) // len(numbers))
    chunks = [data[at * size : (at + 1) * size] for at in range(len(numbers))]
    return [{"content_part": {"part_number": n, "data": chunk}} for n, chunk in zip(numbers, chunks, strict=True)]


def sent(client: PlatformClient, *messages: Mapping[str, Any]) -> list[Any]:
    """Upload, and return every answer."""
    return list(client.stream("PostModelVersionsUpload", requests=messages))


def uploaded(client: PlatformClient, model: MadeModel, data: bytes, **version: Any) -> str:
    """Upload an archive whole, and return the version's id."""
    return sent(client, config(model, len(data), **version), *parts(data, 1))[-1].message.model_version_id


def built(client: PlatformClient, model: MadeModel, version: str, *, seconds: float = 60) -> str:
    """Wait for the end of a build, and return the version's status then. A build may end before the first look."""

    def look() -> str:
        answer = client.do("GetModelVersion", **model.address, version_id=version)
        code = answer.message.model_version.status.code
        return "" if code == BUILDING else named(code)

    return client.wait(look, seconds=seconds, what="the end of a build")


@probe("uploads.statuses")
def answers_of_an_upload(client: PlatformClient) -> Any:
    """Upload in one part, and look at every answer."""
    answers = sent(client, config(scenes.model(client), len(_BROKEN)), *parts(_BROKEN, 1))
    seen = [
        [*answer.pick("status.details", "status.percent_completed").values(), bool(answer.model_version_id)]
        for answer in answers
    ]
    return {"answers": seen, "ids": len({answer.model_version_id for answer in answers})}


@probe("uploads.statuses", part="several parts")
def answers_to_parts(client: PlatformClient) -> Any:
    """Upload in three parts, and look at every answer."""
    answers = sent(client, config(scenes.model(client), 300), *parts(bytes(300), 1, 2, 3))
    paths = ("status.percent_completed", "bytes_remaining")
    return [list(answer.pick(*paths).values()) for answer in answers]


@probe("uploads.resume")
def resume(client: PlatformClient) -> Any:
    """Break an upload off after two of three parts, and send the third with the version's id."""
    model, (first, second, third) = scenes.model(client), parts(bytes(300), 1, 2, 3)
    version = sent(client, config(model, 300), first, second)[0].model_version_id
    answers = sent(client, config(model, 300, id=version), third)
    return {
        "answers": answers,
        "the first says": answers[0].details,
        "the same version": {answer.model_version_id for answer in answers} == {version},
    }


@probe("uploads.parts")
def parts_out_of_order(client: PlatformClient) -> Any:
    """Send the second part first, and the first one twice."""
    model = scenes.model(client)
    return {
        "second first": sent(client, config(model, 200), *parts(bytes(200), 2, 1))[-1],
        "first twice": sent(client, config(model, 200), *parts(bytes(200), 1, 1))[-1],
        "a part before all": sent(client, *parts(bytes(200), 1))[-1],
    }


@probe("uploads.size")
def wrong_size(client: PlatformClient) -> Any:
    """Send more and fewer bytes than were announced."""
    model = scenes.model(client)
    more = sent(client, config(model, 199), *parts(bytes(200), 1))[-1]
    fewer = sent(client, config(model, 201), *parts(bytes(200), 1))[-1]
    versions = client.do("ListModelVersions", **model.address).message.model_versions
    return {"more": more, "fewer": fewer, "versions": len(versions)}


@probe("uploads.app-made")
def upload_to_nothing(client: PlatformClient) -> Any:
    """Upload to a model and to an app that are not there."""
    app = client.shared(scenes.app)
    return {
        "model": sent(client, config(MadeModel(app, client.name("missing")), 10), *parts(bytes(10), 1))[-1],
        "app": sent(client, config(MadeModel(client.name("app"), "model"), 10), *parts(bytes(10), 1))[-1],
    }


@probe("uploads.version-status")
def status_while_it_is_built(client: PlatformClient) -> Any:
    """Upload what cannot be built, and look at its version until it is said."""
    model = scenes.model(client)
    last = sent(client, config(model, len(_BROKEN)), *parts(_BROKEN, 1))[-1]
    return {"when it is uploaded": last, "in the end": built(client, model, last.message.model_version_id)}


@probe("uploads.failed-build")
def deploy_what_was_not_built(client: PlatformClient) -> Any:
    """Deploy a version whose build has failed."""
    model, place = scenes.model(client), client.shared(scenes.nodepool)
    version = uploaded(client, model, _BROKEN)
    built(client, model, version)
    served = {"id": model.id, "app_id": model.app, "model_version": {"id": version}}
    made = {"id": client.name("deployment"), "worker": {"model": served}, "nodepools": [place.message(client)]}
    return client.call("PostDeployments", deployments=[made])


@probe("uploads.newest-built")
def newest_of_a_failed_build(client: PlatformClient) -> Any:
    """Get the newest version when the last upload could not be built."""
    model = scenes.version(client)
    failed = uploaded(client, model, _BROKEN)
    built(client, model, failed)
    newest = client.do("GetModelVersion", **model.address).message.model_version.id
    shown = client.do("GetModel", **model.address).message.model.model_version.id
    return {"GetModelVersion": newest == model.version, "GetModel": shown == model.version}


@probe("uploads.links")
def link_in_an_archive(client: PlatformClient) -> Any:
    """Upload an archive with a link that stays inside."""
    model, buffer = scenes.model(client), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("./link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "config.yaml"
        tar.addfile(entry)
    return built(client, model, uploaded(client, model, buffer.getvalue()))


@probe("uploads.signatures", level="deploys")
def signatures_of_an_upload(client: PlatformClient) -> Any:
    """Upload a model with signatures and needs that are not those of its files."""
    model = scenes.model(client)
    said = {"method_signatures": [{"name": "made_up"}], "inference_compute_info": {"cpu_memory": "300Mi"}}
    version = uploaded(client, model, archive_of(model.id, {}), **said)
    ended = built(client, model, version, seconds=600)
    answer = client.do("GetModelVersion", **model.address, version_id=version)
    found = answer.message.model_version
    return {
        "in the end": ended,
        "signatures": [each.name for each in found.method_signatures],
        "cpu_memory": found.inference_compute_info.cpu_memory,
    }


@probe("uploads.dockerfile", level="deploys")
def dockerfile_in_an_archive(client: PlatformClient) -> Any:
    """Upload a model with a Dockerfile that cannot be built."""
    model = scenes.model(client)
    version = uploaded(client, model, archive_of(model.id, {"Dockerfile": "FROM nowhere/at-all:never\n"}))
    return built(client, model, version, seconds=600)


@probe("uploads.clarifai-none", level="deploys")
def unpinned_sdk(client: PlatformClient) -> Any:
    """Upload a model whose requirements the CLI wrote without the network."""
    model = scenes.model(client)
    version = uploaded(client, model, archive_of(model.id, {"requirements.txt": "clarifai==None\n"}))
    return built(client, model, version, seconds=600)


_WITH_SECRETS = """
model: {{id: {model}, model_type_id: any-to-any}}
inference_compute_info: {{cpu_limit: 500m, cpu_memory: 500Mi, num_accelerators: 0}}
secrets:
  - {{id: {secret}, type: env, env_var: PROBED_SECRET}}
  - {{id: {secret}-missing, type: env, env_var: PROBED_MISSING}}
"""


def _variables(client: PlatformClient) -> dict[str, bool]:
    """Deploy a model that wants a secret that is there and one that is not; which variables it has."""
    secret, model = client.name("wanted-secret"), scenes.model(client, id=client.name("wants-secrets"))
    client.do("PostSecrets", secrets=[{"id": secret, "value": "v"}])
    data = archive_of(model.id, {"config.yaml": _WITH_SECRETS.format(model=model.id, secret=secret)})
    made = MadeModel(model.app, model.id, uploaded(client, model, data))
    built(client, made, made.version, seconds=600)
    deployment = scenes.deployment(client, made, cpu_nodepool(client), id=client.name("wants-secrets"))
    answer = answered(client, made, "environment", deployment={"id": deployment, "user_id": client.user_id})
    names = scenes.heard(answer).split()
    return {name: name in names for name in ("PROBED_SECRET", "PROBED_MISSING", "CLARIFAI_SECRETS_PATH")}


@probe("containers.secrets", level="deploys")
def secret_of_a_replica(client: PlatformClient) -> Any:
    """Ask a replica which variables it has of the secrets that it wants."""
    seen = client.shared(_variables)
    return {name: seen[name] for name in ("PROBED_SECRET", "CLARIFAI_SECRETS_PATH")}


@probe("containers.missing-secret", level="deploys")
def missing_secret_of_a_replica(client: PlatformClient) -> Any:
    """Ask a replica for a secret that it wants and that is not there."""
    return {name: client.shared(_variables)[name] for name in ("PROBED_SECRET", "PROBED_MISSING")}


def _found(answers: Iterator[Any]) -> list[str]:
    return sorted(each.id for each in answers)


@probe("uploads.searches")
def searches(client: PlatformClient) -> Any:
    """Search models and apps by a word of a name, a part of one, and a word of a description."""
    app = scenes.app(client, name="Zebra stripes")
    model = scenes.model(client, app=app, name="Zebra stripes", description="about okapis")

    def models(name: str) -> Any:
        answer = client.call("PostModelsSearches", app=app, model_query={"name": name})
        return {"status": answer, "found": [each.id == model.id for each in answer.message.models]}

    apps = client.call("PostAppsSearches", app_query={"name": "zebra"})
    return {
        "a word": models("zebra"),
        "a part": models("ebr"),
        "of the description": models("okapis"),
        "apps": {"status": apps, "found": app in _found(iter(apps.message.apps))},
    }
