"""Uploads model versions as the official CLI does, and looks what becomes of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import grpc
from clarifai_grpc.grpc.api.service_pb2 import PostModelVersionsUploadRequest as Request
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rpc import rpc_table
from flow.driver import MODELS, Client, wait_for

NODEPOOL = {"id": "cpu", "compute_cluster": {"id": "local", "user_id": "me"}}


def archive_of(model: str = "hello", /, **more: bytes) -> bytes:
    """Pack a sample model as the official CLI does, with ``more`` files (``__`` stands for a slash)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", dereference=True) as tar:
        tar.add(MODELS / model, arcname=".", filter=lambda each: None if "__pycache__" in each.name else each)
        for name, data in more.items():
            info = tarfile.TarInfo(f"./{name.replace('__', '/')}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def config(total_size: int, model_id: str = "hello", **version: Any) -> Request:
    return Request(
        upload_config={  # pyright: ignore[reportArgumentType]
            "user_app_id": {"user_id": "me", "app_id": "demo"},
            "model_id": model_id,
            "model_version": version,
            "total_size": total_size,
        }
    )


def parts(data: bytes, count: int = 1) -> Iterator[Request]:
    """Yield the data in parts as the SDK sends them, ``range_start`` at the end of each."""
    size, sent = -(-len(data) // count), 0
    for number in range(1, count + 1):
        chunk = data[(number - 1) * size : number * size]
        sent += len(chunk)
        yield Request(content_part={"part_number": number, "range_start": sent, "data": chunk})


def whole(data: bytes, *, count: int = 1, **version: Any) -> list[Request]:
    return [config(len(data), **version), *parts(data, count)]


class Uploader:
    """Sends uploads, and says what an emulator holds."""

    def __init__(self, url: str) -> None:
        self.app: dict[str, Any] = {"user_app_id": {"user_id": "me", "app_id": "demo"}}
        self.url = url
        self.client = Client(url)
        self.channel = grpc.insecure_channel(
            url.removeprefix("http://"), options=[("grpc.max_send_message_length", -1)]
        )
        self.client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "demo"}])
        self.client.call("PostModels", **self.app, models=[{"id": "hello", "model_type_id": "text-to-text"}])

    def stream(self, requests: Any, pat: str = "any-token") -> Any:
        rpc = rpc_table()["PostModelVersionsUpload"]
        method = self.channel.stream_stream(
            rpc.path,
            request_serializer=rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )
        return method(iter(requests), metadata=[("authorization", f"Key {pat}")], timeout=30)  # pyright: ignore[reportArgumentType]

    def send(self, requests: Any, pat: str = "any-token") -> list[Any]:
        return list(self.stream(requests, pat))

    def versions(self) -> list[Any]:
        answer = self.client.call("ListModelVersions", **self.app, model_id="hello", per_page=1000)
        return list(answer.model_versions)

    def version(self, version_id: str) -> Any:
        answer = self.client.call("GetModelVersion", **self.app, model_id="hello", version_id=version_id)
        return answer.model_version

    def built(self, version_id: str) -> Any:
        """Return the version once its build has ended."""

        def done() -> Any:
            version = self.version(version_id)
            return version if version.status.code != StatusCode.MODEL_BUILDING else None

        return wait_for(done, seconds=60)

    def build_log(self, version_id: str) -> list[str]:
        asked = {**self.app, "log_type": "builder", "model_id": "hello", "model_version_id": version_id}
        asked |= {"page": 1, "per_page": 1000}
        return [each.message for each in self.client.call("ListLogEntries", **asked).log_entries]  # pyright: ignore[reportArgumentType]

    def deploy(self, version_id: str, deployment_id: str = "up") -> Any:
        worker = {"model": {"id": "hello", "app_id": "demo", "model_version": {"id": version_id}}}
        given = {
            "id": deployment_id,
            "worker": worker,
            "nodepools": [NODEPOOL],
            "autoscale_config": {"min_replicas": 1, "max_replicas": 1},
        }
        return self.client.call("PostDeployments", user_app_id={"user_id": "me"}, deployments=[given])

    def close(self) -> None:
        self.channel.close()
        self.client.close()
