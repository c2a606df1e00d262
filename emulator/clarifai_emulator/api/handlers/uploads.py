"""Takes the upload of a model version: a stream of its archive's parts, kept on disk, then built.

    upload_config ─► 68000, "Starting upload."                    each answer has the version's id
    part, part …  ─► 68000 with what is left, but for the last
    the last part ─► 68001, then 21107: it is being built

The three that a one-part upload gets are recorded, texts and percent included (Clarifai/docs
``code_snippets/python-sdk/model-upload/build_logs.txt``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.received_parts import (
    ReceivedParts,
    check_size,
    check_version,
    first_message,
    part_number,
)
from clarifai_emulator.api.handlers.resource_verbs import require_owner, target
from clarifai_emulator.errors import CallerError, describe
from clarifai_emulator.models.partial_uploads import PartialUpload, PartialUploads
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.models.versions import BUILDING
from clarifai_emulator.resources.identifiers import fresh_id
from clarifai_emulator.resources.model_rows import private_by_itself
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

Build = Callable[[Key], None]


def handlers(resources: Resources, files: UploadedFiles, build: Build, *, max_bytes: int) -> dict[str, Handler]:
    """PostModelVersionsUpload. ``build`` is told of each version whose archive is complete."""
    uploads = _Uploads(resources, files, PartialUploads(max_bytes), build, max_bytes)
    return {"PostModelVersionsUpload": uploads.upload}


@dataclass(frozen=True, slots=True)
class _Uploads:
    resources: Resources
    files: UploadedFiles
    partial: PartialUploads
    build: Build
    max_bytes: int

    async def upload(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """PostModelVersionsUpload: says which version it will be, takes the parts, and has it built."""
        config = await first_message(requests, holds="the model, the version and total_size", what="archive")
        model, version = self._check(call, config)
        key = (*model, version.id)
        upload = await self._begin(key, config.total_size)
        try:
            yield _in_progress(call, key, upload, _beginning(upload))
            async with aclosing(self._take(requests, upload)) as parts:
                async for _ in parts:
                    if upload.left:
                        yield _in_progress(call, key, upload, percent=upload.received * 100 // upload.total)
            self._require_all(key, upload)
            yield _done(call, key)
            self._keep(model, version, upload)
        except BaseException as error:
            self._end(key, upload, error)
            raise
        self.partial.end(key)
        call.notes["bytes"] = upload.received
        self.build(key)
        yield _accepted(call, key)

    def _check(self, call: ApiCall, config: Any) -> tuple[Key, ModelVersion]:
        """The model, and the version as it will be; refused before a byte of the archive is taken."""
        require_owner(self.resources, call, config, Kind.MODEL_VERSION)
        model = target(self.resources, self.resources.row(Kind.MODEL), call, config)
        check_size(
            config.total_size,
            self.max_bytes,
            StatusCode.MODEL_INVALID_ARGUMENT,
            what="an archive",
            hint="Leave checkpoints out of the archive: `checkpoints.when: runtime` in config.yaml.",
        )
        version = ModelVersion()
        version.CopyFrom(config.model_version)
        version.ClearField("completed_at")
        version.id = version.id or fresh_id()
        private_by_itself(version)
        version.status.CopyFrom(Status(code=StatusCode.MODEL_BUILDING, description=BUILDING))
        check_version(self.resources, Kind.MODEL_VERSION, model, version, field="model_version")
        return model, version

    async def _begin(self, key: Key, total: int) -> PartialUpload:
        """Return the upload, with what came of it before it was broken off."""
        if self.partial.is_under_way(key):
            raise CallerError(
                StatusCode.MODEL_UPLOADING,
                f"upload_config.model_version.id: version {key[-1]!r} is being uploaded just now.",
                hint="Wait for the end of that upload, or leave the id out to upload another version.",
            )
        known = self.partial.begin(key)
        if known is None:
            return PartialUpload(await asyncio.to_thread(self.files.incoming), total)
        if known.total != total:
            self.partial.break_off(key, known)
            raise CallerError(
                StatusCode.MODEL_UPLOADING_FAILED,
                f"upload_config.total_size: {total} bytes; the upload of version {key[-1]!r} that was broken off "
                f"has {known.total}.",
                hint="Go on with the same archive, or leave the id out to upload another version.",
            )
        return known

    async def _take(self, requests: AsyncIterator[Any], upload: PartialUpload) -> AsyncGenerator[None]:
        """Take the parts; yield after each that is on the disk."""
        upload.cut()
        parts: ReceivedParts | None = None
        with upload.path.open("ab") as file:
            async for request in requests:
                if parts is None and part_number(request) == 1:
                    upload.start_over()
                parts = parts or _parts_of(upload)
                await parts.receive(request, file)
                upload.take(parts.received - upload.received)
                yield

    def _require_all(self, key: Key, upload: PartialUpload) -> None:
        """Raise ``CallerError`` unless the archive is complete."""
        if upload.left:
            whence = f"after part {upload.parts}" if upload.parts else "from part 1"
            raise _EndedEarlyError(
                StatusCode.MODEL_UPLOADING_FAILED,
                f"The upload ended after {upload.received} of {upload.total} bytes.",
                hint=f"Send upload_config again with model_version.id {key[-1]!r} to go on {whence}, or upload the "
                "archive again, whole.",
            )

    def _keep(self, model: Key, version: ModelVersion, upload: PartialUpload) -> None:
        key = self.resources.post(Kind.MODEL_VERSION, model[0], model[1:], [version])[0]
        try:
            self.files.keep(upload.path, key)
        except BaseException:
            self.resources.delete(Kind.MODEL_VERSION, [key])
            raise

    def _end(self, key: Key, upload: PartialUpload, error: BaseException) -> None:
        """Keep what came of an upload that was broken off, and remove what came of one that was refused."""
        if isinstance(error, CallerError) and not isinstance(error, _EndedEarlyError):
            self.partial.end(key)
            upload.path.unlink(missing_ok=True)
        else:
            self.partial.break_off(key, upload)


class _EndedEarlyError(CallerError):
    """Says that an upload ended before all of its archive had come: it may go on later."""


def _parts_of(upload: PartialUpload) -> ReceivedParts:
    return ReceivedParts(
        upload.total, "archive", StatusCode.MODEL_UPLOADING_FAILED, received=upload.received, number=upload.parts
    )


def _beginning(upload: PartialUpload) -> str:
    """Return what the platform says of an upload that begins, and which part of one that goes on was the last."""
    return f"Resuming upload after part {upload.parts}." if upload.parts else "Starting upload."


def _in_progress(call: ApiCall, key: Key, upload: PartialUpload, details: str = "", percent: int = 0) -> Any:
    response = call.rpc.response_type(model_version_id=key[-1], bytes_remaining=upload.left)
    status = response.status
    status.code, status.description = StatusCode.UPLOAD_IN_PROGRESS, describe(StatusCode.UPLOAD_IN_PROGRESS)
    status.percent_completed, status.details = percent, details
    return response


def _done(call: ApiCall, key: Key) -> Any:
    response = call.rpc.response_type(model_version_id=key[-1])
    status = response.status
    status.code, status.description = StatusCode.UPLOAD_DONE, describe(StatusCode.UPLOAD_DONE)
    status.details = "Completed upload of files, initiating model version image build."
    return response


def _accepted(call: ApiCall, key: Key) -> Any:
    response = call.rpc.response_type(model_version_id=key[-1])
    status = response.status
    status.code, status.description = StatusCode.MODEL_BUILDING, BUILDING
    status.details = "Model version image is being built."
    return response
