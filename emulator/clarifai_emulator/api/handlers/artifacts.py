"""Takes the uploads of artifact versions, and says where each can be downloaded.

PostArtifactVersionsUpload ─► ``ArtifactFiles``
GetArtifactVersion ─► ``upload.content_url`` ─► rest/artifact_contents.py
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Artifact, ArtifactVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler, UnaryHandler
from clarifai_emulator.api.content_links import ContentLinks
from clarifai_emulator.api.handlers.received_parts import (
    ReceivedParts,
    check_size,
    check_version,
    first_message,
    say_progress,
)
from clarifai_emulator.api.handlers.resource_verbs import require_owner, target
from clarifai_emulator.errors import describe
from clarifai_emulator.models.artifact_files import ArtifactFiles
from clarifai_emulator.resources.identifiers import fresh_id
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """Serves what rows cannot say of artifacts. ``served``: the handlers that rows gave."""

    resources: Resources
    files: ArtifactFiles
    links: ContentLinks
    served: Mapping[str, Handler]
    max_bytes: int

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers."""
        return {
            "PostArtifactVersionsUpload": self.upload,
            "GetArtifactVersion": self._linked("GetArtifactVersion"),
            "ListArtifactVersions": self._linked("ListArtifactVersions"),
        }

    async def upload(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """PostArtifactVersionsUpload: an answer to the config, with the version's id, and one to each part.

        By the output that Clarifai's documentation shows of ``clarifai artifact cp``: one answer more would make
        the command warn, one less would leave its progress bar unfilled.
        """
        config = await first_message(requests, holds="the artifact, its version and total_size", what="file")
        artifact, version = self._check(call, config)
        path = await asyncio.to_thread(self.files.incoming)
        part = ReceivedParts(config.total_size, "file", StatusCode.UPLOAD_FAILED)
        try:
            yield _answer(call, version, part, StatusCode.UPLOAD_IN_PROGRESS)
            with path.open("wb") as file:
                async for request in requests:
                    await part.receive(request, file)
                    if part.left:
                        yield _answer(call, version, part, StatusCode.UPLOAD_IN_PROGRESS)
            part.require_all()
            key = self.resources.post(Kind.ARTIFACT_VERSION, artifact[0], artifact[1:], [version])[0]
            self.files.keep(path, key)
        finally:
            path.unlink(missing_ok=True)
        self._note_change(artifact)
        call.notes["bytes"] = part.received
        yield _answer(call, version, part, StatusCode.UPLOAD_DONE)

    def _check(self, call: ApiCall, config: Any) -> tuple[Key, ArtifactVersion]:
        """Return the artifact, and the version as it will be; refuse before a byte of the file is taken."""
        require_owner(self.resources, call, config, Kind.ARTIFACT_VERSION)
        artifact = target(self.resources, self.resources.row(Kind.ARTIFACT), call, config)
        check_size(
            config.total_size,
            self.max_bytes,
            StatusCode.ARTIFACT_VERSION_INVALID_ARGUMENT,
            what="a file",
            hint="Say the file's real size; `clarifai-emulator up --max-upload-bytes` sets the limit.",
        )
        version = ArtifactVersion()
        version.CopyFrom(config.artifact_version)
        version.id = version.id or fresh_id()
        version.upload.Clear()
        version.upload.content_name = f"artifact_{version.id}"
        version.upload.content_length = config.total_size
        version.upload.created_at.CopyFrom(self.resources.now())
        version.upload.status.code = StatusCode.UPLOAD_DONE
        version.upload.status.description = describe(StatusCode.UPLOAD_DONE)
        check_version(self.resources, Kind.ARTIFACT_VERSION, artifact, version, field="artifact_version")
        return artifact, version

    def _note_change(self, key: Key) -> None:
        artifact = Artifact()
        artifact.CopyFrom(self.resources.stored(Kind.ARTIFACT, key))
        artifact.modified_at.CopyFrom(self.resources.now())
        self.resources.store.put(Kind.ARTIFACT, key, artifact)

    def _linked(self, name: str) -> UnaryHandler:
        """Return the handler of rows, whose answers then say where each version can be downloaded."""
        serve = self.served[name]

        def with_links(call: ApiCall, request: Any) -> Any:
            response: Any = serve(call, request)
            one = "artifact_version" in response.DESCRIPTOR.fields_by_name
            for version in [response.artifact_version] if one else response.artifact_versions:
                inside = version.artifact
                path = self.links.link((inside.user_id, inside.app_id, inside.id, version.id))
                version.upload.content_url = f"{self._base(call)}{path}"
            return response

        return with_links

    def _base(self, call: ApiCall) -> str:
        """Return the address by which the client knows the emulator: another port or machine may lead to it."""
        host = call.metadata.get("host", "")
        return f"http://{host}" if _HOST.fullmatch(host) else ""


def _answer(call: ApiCall, version: ArtifactVersion, part: ReceivedParts, code: int) -> Any:
    return say_progress(call.rpc.response_type(artifact_version_id=version.id), part, code)
