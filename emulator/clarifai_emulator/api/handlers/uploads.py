"""Takes the upload of a model version: a stream of its archive's parts, kept on disk, then built."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.received_parts import ReceivedParts, first_message
from clarifai_emulator.api.handlers.resource_verbs import require_owner, target
from clarifai_emulator.errors import CallerError, describe
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.models.versions import BUILDING
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

Build = Callable[[Key], None]


def handlers(resources: Resources, files: UploadedFiles, build: Build, *, max_bytes: int) -> dict[str, Handler]:
    """PostModelVersionsUpload. ``build`` is told of each version whose archive is complete."""
    return {"PostModelVersionsUpload": _Uploads(resources, files, build, max_bytes).upload}


@dataclass(frozen=True, slots=True)
class _Uploads:
    resources: Resources
    files: UploadedFiles
    build: Build
    max_bytes: int

    async def upload(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """PostModelVersionsUpload: an answer for each part; the last one has the version, which is being built."""
        config = await first_message(requests, holds="the model, the version and total_size", what="archive")
        model, version = self._check(call, config)
        path = await asyncio.to_thread(self.files.incoming)
        try:
            part = ReceivedParts(config.total_size, "archive", StatusCode.MODEL_UPLOADING_FAILED)
            with path.open("wb") as file:
                async for request in requests:
                    await part.receive(request, file)
                    if part.left:
                        yield _progress(call, part)
            part.require_all()
            key = self.resources.post(Kind.MODEL_VERSION, model[0], model[1:], [version])[0]
            try:
                self.files.keep(path, key)
            except BaseException:
                self.resources.delete(Kind.MODEL_VERSION, [key])
                raise
        finally:
            path.unlink(missing_ok=True)
        call.notes["bytes"] = part.received
        self.build(key)
        yield _accepted(call, key)

    def _check(self, call: ApiCall, config: Any) -> tuple[Key, ModelVersion]:
        """The model, and the version as it will be; refused before a byte of the archive is taken."""
        require_owner(self.resources, call, config)
        model = target(self.resources, self.resources.row(Kind.MODEL), call, config)
        if not 0 < config.total_size <= self.max_bytes:
            raise CallerError(
                StatusCode.MODEL_INVALID_ARGUMENT,
                f"upload_config.total_size: {config.total_size} bytes; an archive may have 1 to {self.max_bytes}.",
                hint="Leave checkpoints out of the archive: `checkpoints.when: runtime` in config.yaml.",
            )
        version = ModelVersion()
        version.CopyFrom(config.model_version)
        version.ClearField("completed_at")
        version.status.CopyFrom(Status(code=StatusCode.MODEL_BUILDING, description=BUILDING))
        try:
            self.resources.check(Kind.MODEL_VERSION, model[0], model[1:], [version])
        except CallerError as error:
            where = error.details.replace("model_versions[0]", "upload_config.model_version")
            raise CallerError(error.code, where, hint=error.hint) from None
        return model, version


def _progress(call: ApiCall, part: ReceivedParts) -> Any:
    response = call.rpc.response_type(bytes_remaining=part.left)
    response.status.code = StatusCode.UPLOAD_IN_PROGRESS
    response.status.description = describe(StatusCode.UPLOAD_IN_PROGRESS)
    response.status.percent_completed = part.received * 100 // part.total
    return response


def _accepted(call: ApiCall, key: Key) -> Any:
    response = call.rpc.response_type(model_version_id=key[-1])
    response.status.code = StatusCode.MODEL_BUILDING
    response.status.description = BUILDING
    response.status.percent_completed = 100
    return response
