"""Takes the upload of a model version: a stream of its archive's parts, kept on disk, then built."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.resource_verbs import require_owner, target
from clarifai_emulator.api.transport.upload_parts import LongPart
from clarifai_emulator.errors import CallerError, describe
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.models.versions import BUILDING
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

_AGAIN = "Upload it again, whole."

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
        config = await self._config(requests)
        model, version = self._check(call, config)
        path = await asyncio.to_thread(self.files.incoming)
        try:
            part = _Parts(config.total_size)
            with path.open("wb") as file:
                async for request in requests:
                    await self._receive(part, request, file)
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

    async def _config(self, requests: AsyncIterator[Any]) -> Any:
        with contextlib.suppress(StopAsyncIteration):
            first = await anext(requests)
            if first.HasField("upload_config"):
                return first.upload_config
        raise CallerError(
            StatusCode.CONN_INVALID_REQUEST,
            "The first message of an upload must be upload_config: the model, the version and total_size.",
            hint="Send the archive's parts after it.",
        )

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

    async def _receive(self, part: _Parts, request: Any, file: BinaryIO) -> None:
        if isinstance(request, LongPart):
            part.take(request.request, request.size)
            while pieces := await request.read():
                await _write(file, pieces)
        else:
            data = request.content_part.data  # each look at it is a copy
            part.take(request, len(data))
            await _write(file, [data])


@dataclass(slots=True)
class _Parts:
    """The parts of one archive, as they come."""

    total: int
    received: int = 0
    number: int = 0

    @property
    def left(self) -> int:
        return self.total - self.received

    def take(self, request: Any, size: int) -> None:
        """Count the next part, with ``size`` bytes of data. Raises ``CallerError`` for one that cannot be it.

        ``range_start`` is not looked at: the SDK sends where a part ends, and parts come in order anyhow.
        """
        if not request.HasField("content_part"):
            raise CallerError(
                StatusCode.CONN_INVALID_REQUEST,
                "After upload_config, each message of an upload must be a content_part.",
                hint="Send upload_config once.",
            )
        given = request.content_part
        if given.part_number != self.number + 1:
            raise CallerError(
                StatusCode.MODEL_UPLOADING_FAILED,
                f"content_part.part_number: {given.part_number} came, {self.number + 1} was expected; parts are "
                "numbered from 1 and sent in order.",
                hint=_AGAIN,
            )
        self.number += 1
        self.received += size
        if self.received > self.total:
            raise CallerError(
                StatusCode.MODEL_UPLOADING_FAILED,
                f"{self.received} bytes came with part {self.number}; upload_config.total_size is {self.total}.",
                hint="Say the archive's real size in total_size.",
            )

    def require_all(self) -> None:
        """Raise ``CallerError`` unless the archive is complete."""
        if self.left:
            raise CallerError(
                StatusCode.MODEL_UPLOADING_FAILED,
                f"The upload ended after {self.received} of {self.total} bytes.",
                hint=_AGAIN,
            )


async def _write(file: BinaryIO, pieces: list[bytes]) -> None:
    """Other requests are served meanwhile."""
    try:
        await asyncio.to_thread(file.writelines, pieces)
    except OSError as error:
        raise CallerError(
            StatusCode.MODEL_UPLOADING_FAILED,
            f"The emulator cannot write the archive to its disk: {error.strerror or error}.",
            hint="Make room there, and upload it again.",
        ) from None


def _progress(call: ApiCall, part: _Parts) -> Any:
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
