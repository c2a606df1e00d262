"""Serves what rows cannot say of pipelines: new versions, runs that begin, and uploads of steps.

    PostPipelines                  ─► a pipeline and its version; of one that is there, a further version
    PostPipelineVersionRuns        ─► JOB_QUEUED, and a log line that says who is to go on
    PostPipelineStepVersionsUpload ─► a step's version, PIPELINE_STEP_READY: no image is built of it

The emulator keeps pipelines and their runs; it runs none. A client that plays the platform's part does with
PatchPipelineVersionRuns and PostLogEntries what the platform would do.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from clarifai_grpc.grpc.api.resources_pb2 import PipelineStepVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler, UnaryHandler
from clarifai_emulator.api.handlers.received_parts import (
    ReceivedParts,
    check_size,
    check_version,
    first_message,
    say_progress,
)
from clarifai_emulator.api.handlers.resource_verbs import require_owner, target
from clarifai_emulator.errors import CallerError, describe
from clarifai_emulator.logbook import BUILDER, PIPELINE_RUN, LogBook
from clarifai_emulator.models.step_archive import step_archive_problem
from clarifai_emulator.resources.identifiers import fresh_id
from clarifai_emulator.resources.pipeline_rows import newest_version
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

NOT_RUN = (
    "The emulator runs no pipelines: this run stays JOB_QUEUED until PatchPipelineVersionRuns gives it another "
    "status."
)
NOT_BUILT = (
    "The emulator builds no image of a pipeline step: it has checked the archive, and keeps the version without it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipelines:
    """Serves pipelines beside their rows. ``served``: the handlers that rows gave. ``keep_logs`` makes lasting what
    the log book has, before an answer tells of it."""

    resources: Resources
    logbook: LogBook
    keep_logs: Callable[[], None]
    served: Mapping[str, Handler]
    max_bytes: int

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers."""
        return {
            "PostPipelines": self.post_pipelines,
            "PostPipelineVersionRuns": self._starting(),
            "PostPipelineStepVersionsUpload": self.upload,
        }

    def post_pipelines(self, call: ApiCall, request: Any) -> Any:
        """PostPipelines: create pipelines with their version, or a further version of one that is there.

        The SDK uploads a pipeline again by the same call (12.5 ``upload_dev_pipeline``: "or new version of it"):
        no RPC posts a version alone. All or none.
        """
        owner, app = require_owner(self.resources, call, request, Kind.PIPELINE), request.user_app_id.app_id
        given = list(request.pipelines)
        keys: list[Key] = [(owner, app, each.id) for each in given]
        made: list[Key] = []
        new = [each for each, key in zip(given, keys, strict=True) if not self._has_version_to_add(each, key)]
        if new or not given:
            makes = self.resources.behaviour.apps == "on-mention"
            made = self.resources.post(Kind.PIPELINE, owner, (app,), new, makes_parents=makes)
        try:
            self._post_versions([(key, each) for key, each in zip(keys, given, strict=True)])
        except CallerError:
            self.resources.delete(Kind.PIPELINE, made)
            raise
        response = call.rpc.response_type()
        response.pipelines.extend(self.resources.shown(Kind.PIPELINE, key, call.caller.user_id) for key in keys)
        return response

    def _has_version_to_add(self, pipeline: Any, key: Key) -> bool:
        return pipeline.HasField("pipeline_version") and self.resources.store.get(Kind.PIPELINE, key) is not None

    def _post_versions(self, pipelines: list[tuple[Key, Any]]) -> None:
        versions = [(key, each.pipeline_version) for key, each in pipelines if each.HasField("pipeline_version")]
        for key, version in versions:
            self.resources.check(Kind.PIPELINE_VERSION, key[0], key[1:], [version])
        for key, version in versions:
            self.resources.post(Kind.PIPELINE_VERSION, key[0], key[1:], [version])

    def _starting(self) -> UnaryHandler:
        """Return the handler of rows, which then says in each run's log that nobody runs it. A request that names
        no version is about the newest."""
        serve: Any = self.served["PostPipelineVersionRuns"]

        def start(call: ApiCall, request: Any) -> Any:
            owner = require_owner(self.resources, call, request, Kind.PIPELINE_RUN)
            pipeline = (owner, request.user_app_id.app_id, request.pipeline_id)
            newest = newest_version(self.resources, Kind.PIPELINE_VERSION, pipeline, call.caller.user_id)
            request.pipeline_version_id = request.pipeline_version_id or newest
            response = serve(call, request)
            for run in response.pipeline_version_runs:
                version = run.pipeline_version
                self.logbook.append(
                    PIPELINE_RUN,
                    NOT_RUN,
                    user_id=owner,
                    app_id=version.app_id,
                    pipeline_id=version.pipeline_id,
                    pipeline_version_id=version.id,
                    pipeline_version_run_id=run.id,
                )
            self.keep_logs()
            return response

        return start

    async def upload(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """PostPipelineStepVersionsUpload: an answer to the config, with the version's id, and one to each part but
        the last; then PIPELINE_STEP_BUILDING, which the SDK waits for."""
        config = await first_message(requests, holds="the step, its version and total_size", what="archive")
        step, version = self._check(call, config)
        part = ReceivedParts(config.total_size, "archive", StatusCode.PIPELINE_STEP_UPLOADING_FAILED)
        with await asyncio.to_thread(tempfile.TemporaryFile) as file:
            yield _answer(call, version, part, StatusCode.UPLOAD_IN_PROGRESS)
            async for request in requests:
                await part.receive(request, file)
                if part.left:
                    yield _answer(call, version, part, StatusCode.UPLOAD_IN_PROGRESS)
            part.require_all()
            await self._build(step, version, file)
        call.notes["bytes"] = part.received
        yield _answer(call, version, part, StatusCode.PIPELINE_STEP_BUILDING)

    def _check(self, call: ApiCall, config: Any) -> tuple[Key, PipelineStepVersion]:
        """Return the step, and the version as it will be; refuse before a byte of the archive is taken."""
        require_owner(self.resources, call, config, Kind.PIPELINE_STEP_VERSION)
        step = target(self.resources, self.resources.row(Kind.PIPELINE_STEP), call, config)
        check_size(
            config.total_size,
            self.max_bytes,
            StatusCode.PIPELINE_STEP_INVALID_ARGUMENT,
            what="an archive",
            hint="Say the archive's real size; `clarifai-emulator up --max-upload-bytes` sets the limit.",
        )
        version = PipelineStepVersion()
        version.CopyFrom(config.pipeline_step_version)
        version.id = version.id or fresh_id()
        check_version(self.resources, Kind.PIPELINE_STEP_VERSION, step, version, field="pipeline_step_version")
        return step, version

    async def _build(self, step: Key, version: PipelineStepVersion, file: BinaryIO) -> None:
        """Keep the version with what came of its archive, and say that in the builder's log."""
        problem = await asyncio.to_thread(step_archive_problem, file)
        code = StatusCode.PIPELINE_STEP_BUILDING_FAILED if problem else StatusCode.PIPELINE_STEP_READY
        version.status.Clear()
        version.status.code, version.status.description = code, describe(code)
        version.status.details = problem or NOT_BUILT
        self.resources.post(Kind.PIPELINE_STEP_VERSION, step[0], step[1:], [version])
        self.logbook.append(
            BUILDER,
            problem or NOT_BUILT,
            user_id=step[0],
            app_id=step[1],
            pipeline_step_id=step[2],
            pipeline_step_version_id=version.id,
        )
        self.keep_logs()


def _answer(call: ApiCall, version: PipelineStepVersion, part: ReceivedParts, code: int) -> Any:
    return say_progress(call.rpc.response_type(pipeline_step_version_id=version.id), part, code)
