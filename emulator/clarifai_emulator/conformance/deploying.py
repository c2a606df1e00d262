"""Uploads small models and deploys them on the smallest instances: what probes of the level ``deploys`` need."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import CannotTell, PlatformClient
from clarifai_emulator.conformance.scenes import MadeModel, MadeNodepool
from clarifai_emulator.conformance.seen import named

BUILDING, TRAINED, DEPLOYING = 21107, 21100, 21351

# The smallest that the platform rents out by the minute; a run says what it can cost at most.
CPU_INSTANCE = "t3a.medium"
GPU_INSTANCE = "g4dn.xlarge"
_CLOUD, _REGION = "aws", "us-east-1"
_BUILD_SECONDS, _START_SECONDS = 900.0, 900.0

ECHO = '''
import os
import time

from clarifai.runners.models.model_class import ModelClass


class Echo(ModelClass):
    """Answers with what it was asked; some words make it do something else."""

    @ModelClass.method
    def predict(self, prompt: str = "") -> str:
        word, _, rest = prompt.partition(" ")
        if word == "raise":
            raise ValueError(rest)
        if word == "sleep":
            time.sleep(float(rest))
        if word == "exit":
            os._exit(int(rest))
        if word == "environment":
            return " ".join(sorted(os.environ))
        return f"echo {prompt}"
'''


def archive_of(model_id: str, files: Mapping[str, str | bytes]) -> bytes:
    """Pack a model directory as the SDK does. ``files`` come to a ``config.yaml`` and ``requirements.txt`` that
    suffice, or in their place."""
    config = f"""
model: {{id: {model_id}, model_type_id: any-to-any}}
inference_compute_info: {{cpu_limit: 500m, cpu_memory: 500Mi, num_accelerators: 0}}
"""
    whole = {"config.yaml": config, "requirements.txt": "clarifai\n", "1/model.py": ECHO, **files}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in whole.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def upload(
    client: PlatformClient, of: MadeModel, data: bytes, *, parts: int = 1, total: int | None = None, **version: Any
) -> list[Any]:
    """Upload an archive as a version of the model; the answers. ``total``: the size that is said."""
    size = -(-len(data) // parts)

    def requests() -> Iterator[dict[str, Any]]:
        place = {"user_id": client.user_id, "app_id": of.app}
        said = len(data) if total is None else total
        yield {
            "upload_config": {
                "user_app_id": place,
                "model_id": of.id,
                "model_version": version,
                "total_size": said,
                "is_v3": True,
            }
        }
        for number in range(parts):
            chunk = data[number * size : (number + 1) * size]
            end = number * size + len(chunk)
            yield {"content_part": {"part_number": number + 1, "range_start": end, "data": chunk}}

    return list(client.stream("PostModelVersionsUpload", requests=requests(), timeout=_BUILD_SECONDS))


def uploaded(client: PlatformClient, of: MadeModel | None = None, **files: str | bytes) -> MadeModel:
    """Upload a version that answers with what it is asked, and wait until it is built. ``files`` as in
    ``**{"1/model.py": code}``."""
    of = of or scenes.model(client)
    answers = upload(client, of, archive_of(of.id, files))
    ids = [each.message.model_version_id for each in answers if each.message is not None]
    version = next((each for each in reversed(ids) if each), "")
    if not version:
        raise CannotTell(f"the upload was answered {answers[-1].status}: {answers[-1].details}")
    made = MadeModel(of.app, of.id, version)
    code = client.wait(lambda: _built(client, made), seconds=_BUILD_SECONDS, what="the end of the build")
    if code != TRAINED:
        raise CannotTell(f"the version was not built: {named(code)}")
    return made


def cpu_nodepool(client: PlatformClient, **fields: Any) -> MadeNodepool:
    """Make a nodepool of the smallest CPU instance. It costs while a replica runs in it."""
    return _cloud_nodepool(client, CPU_INSTANCE, fields)


def gpu_nodepool(client: PlatformClient, **fields: Any) -> MadeNodepool:
    """Make a nodepool of the smallest GPU instance. It costs while a replica runs in it."""
    return _cloud_nodepool(client, GPU_INSTANCE, fields)


def cloud_cluster(client: PlatformClient) -> str:
    """Make an empty cluster that Clarifai manages; its id."""
    return scenes.cluster(
        client,
        id=client.name("cloud"),
        cloud_provider={"id": _CLOUD},
        region=_REGION,
        managed_by="clarifai",
        cluster_type="dedicated",
    )


def answered(client: PlatformClient, of: MadeModel, text: str = "hi", **selector: Any) -> Any:
    """Call a model, and again while it starts, as the SDK does. ``selector``: its deployment or nodepool."""
    fields: dict[str, Any] = {**of.address_of_version, "inputs": [scenes.said(text)]}
    if selector:
        fields["runner_selector"] = selector

    def look() -> Any:
        answer = client.call("PostModelOutputs", timeout=_START_SECONDS, **fields)
        return None if answer.code == DEPLOYING else answer

    return client.wait(look, seconds=_START_SECONDS, what="an answer of the deployment")


def _built(client: PlatformClient, model: MadeModel) -> int:
    answer = client.do("GetModelVersion", **model.address_of_version)
    code = answer.message.model_version.status.code
    return 0 if code == BUILDING else code


def _cloud_nodepool(client: PlatformClient, instance: str, fields: dict[str, Any]) -> MadeNodepool:
    place = fields.pop("cluster", "") or client.shared(cloud_cluster)
    cloud = {"id": _CLOUD}
    made = {"instance_types": [{"id": instance, "cloud_provider": cloud, "region": _REGION}], **fields}
    return scenes.nodepool(client, cluster=place, **made)
