"""Builds uploaded model versions: from the archive to something replicas can run.

    archive ─► unpacked ─► read as a model directory ─► Python environment ─► signatures ─► MODEL_TRAINED
       ▲                               any step fails ─► MODEL_BUILDING_FAILED, with the reason, and no files
       └─ a build that the emulator's end broke off begins again with the next (``resume``), unless it seems to be
          what ends it

The same steps as ``deploy``, on the archive instead of the user's directory. What a build says is its builder log,
which clients read while they poll the version's status.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.background_work import begin, beside, nobody_waits
from clarifai_emulator.contracts.saved_workflows import NewMethods, SavedWorkflows
from clarifai_emulator.deploy.code_preparation import CodePreparation
from clarifai_emulator.deploy.compute_needs import ComputeNeeds
from clarifai_emulator.errors import CallerError, ModelError
from clarifai_emulator.events import EventBus
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.archive import ArchiveLimits, unpack
from clarifai_emulator.models.directory import REQUIREMENTS_FILE, ModelDirectory, read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import unpin_unknown_sdk
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.versions import BUILDING, TRAINED, build_failed, is_building
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.state.records import cannot_run, why_it_cannot_run
from clarifai_emulator.store import Key, Kind

log = logging.getLogger(__name__)

_MOST_STARTS = 3


class UploadBuilds:
    """Runs the builds of one emulator. Each is a task; it ends with its version's status."""

    def __init__(
        self,
        *,
        files: UploadedFiles,
        resources: Resources,
        code: CodePreparation,
        needs: ComputeNeeds,
        workflows: SavedWorkflows,
        events: EventBus,
        is_run: Callable[[Key], bool],
        commit: Callable[[], None],
        limits: ArchiveLimits | None = None,
    ) -> None:
        self.files = files
        self._is_run = is_run
        self._commit = commit
        self._resources = resources
        self._store = resources.store
        self._code = code
        self._needs = needs
        self._workflows = workflows
        self._events = events
        self._limits = limits
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._removals: set[asyncio.Task[None]] = set()
        # Held by builds that did not end before: what they do to the emulator befalls none of the others.
        self._suspect = asyncio.Lock()
        self._store.watch(self._store_changed)

    def start(self, version: Key) -> None:
        """Build a version whose archive is there."""
        name = f"build of version {version[-1][:8]}"
        task = begin(self._run(version), name, partial(self._build_failed, version))
        self._tasks[version] = task
        task.add_done_callback(lambda _: self._tasks.pop(version, None))

    def resume(self) -> None:
        """Build what is not built, of versions that come from another run: those whose build was broken off, and
        those whose files are gone while their archives are there."""
        for key in list(self._store.keys(Kind.MODEL_VERSION)):
            if key not in self._tasks:
                self._take_up(key)

    def _take_up(self, key: Key) -> None:
        version: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, key)
        source: ModelSource | None = self._store.get(Kind.SOURCE, key)
        broken_off, starts = version is not None and is_building(version), self.files.starts(key)
        gone = why_it_cannot_run(source) if source is not None else ""
        if broken_off and starts >= _MOST_STARTS:
            self.files.note_end(key)
            self._give_up(
                key,
                f"The emulator ended unexpectedly each of the {starts} times that it built this version, which is "
                "therefore not built again. Perhaps the machine had too little memory for it, or its model.py ends "
                "other processes. Mend that, and upload it again.",
            )
        elif (broken_off or gone) and self.files.has(key):
            count = f" (start {starts + 1} of {_MOST_STARTS})" if starts else ""
            self._say(key)(f"{gone or 'its build was broken off'}: building it from its archive again{count}")
            self._store.delete(Kind.SOURCE, key)
            self._put_status(key, StatusCode.MODEL_BUILDING, BUILDING)
            self.start(key)
        elif broken_off:
            self._give_up(
                key, "Its build did not end where it was uploaded, and its archive is not here. Upload it again."
            )
        elif source is not None and gone:
            log.warning("%s", cannot_run(key, source))

    async def stop(self) -> None:
        """End every build; their versions stay as they are."""
        tasks = [*self._tasks.values(), *self._removals]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, version: Key) -> None:
        async with self._suspect if self.files.starts(version) else contextlib.nullcontext():
            try:
                await self._build_and_tell(version)
            finally:
                self.files.note_end(version)

    async def _build_and_tell(self, version: Key) -> None:
        say = self._say(version)
        try:
            directory, source, signatures = await self._build(version, say)
        except ModelError as error:
            # Clients read it, to whom a folder of ours says nothing.
            prefix = f"{self.files.model(version)}"
            for line in str(error).splitlines():
                say(line.replace(f"{prefix}/", "").replace(prefix, "that was uploaded"))
            reason = error.summary.replace(f"{prefix}/", "").replace(prefix, "that was uploaded")
            self._fail(version, StatusCode.MODEL_BUILDING_FAILED, reason)
        except Exception as error:
            log.exception("the build of version %s", version[-1])
            self._build_failed(version, repr(error))
        else:
            self._finish(version, directory, source, signatures)
            say(f"version {version[-1][:8]} is built: {', '.join(each.name for each in signatures)}")

    async def _build(self, version: Key, say: Progress) -> tuple[ModelDirectory, ModelSource, Sequence[Any]]:
        archive, path, stop = self.files.archive(version), self.files.model(version), threading.Event()
        self.files.note_start(version)
        say("unpacking the archive")
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)  # of a build that was broken off
        unpacking = beside(asyncio.to_thread(unpack, archive, path, self._limits, stop=stop))
        try:
            unpacked = await asyncio.shield(unpacking)
        except asyncio.CancelledError:
            stop.set()
            with contextlib.suppress(ModelError):
                await unpacking  # the thread writes below a folder that is about to be removed
            raise
        say(f"{unpacked.files} files and folders, {unpacked.bytes} bytes")
        if await asyncio.to_thread(unpin_unknown_sdk, path / REQUIREMENTS_FILE):
            say("clarifai==None in requirements.txt is taken as clarifai: the uploading client found no version")
        directory = await asyncio.to_thread(read_model_directory, path)
        source = await self._code.source_of(directory, say)
        say("reading the method signatures of model.py")
        signatures = await self._code.signatures_of(source, tell=say)
        user, app, model, _ = version
        new = NewMethods((user, app, model), "", signatures)
        for _, finding in self._workflows.broken_by(new):
            say(f"warning: {finding.rule}: {finding.message} {finding.hint}")
        try:
            self._workflows.require_fit(new)
        except CallerError as error:
            raise ModelError(str(error)) from None
        return directory, source, signatures

    def _finish(self, key: Key, directory: ModelDirectory, source: ModelSource, signatures: Sequence[Any]) -> None:
        version = self._copy(key)
        if version is None:
            return
        version.status.Clear()
        version.status.code = StatusCode.MODEL_TRAINED
        version.status.description = TRAINED
        version.completed_at.CopyFrom(self._resources.now())
        # The archive is what runs: what it says of itself counts, not what the client said of it.
        del version.method_signatures[:]
        version.method_signatures.extend(signatures)
        version.num_threads = version.num_threads or directory.num_threads or 0
        if not version.inference_compute_info.ByteSize():
            version.inference_compute_info.CopyFrom(self._needs.asked_for(directory))
        self._store.put(Kind.MODEL_VERSION, key, version)
        self._store.put(Kind.SOURCE, key, source)
        self._tell(key, "model_version.built", f"runs from its archive in {source.environment}")

    def _build_failed(self, key: Key, reason: str) -> None:
        text = f"The emulator failed while it built this version: {reason}. Its log has the trace."
        self._say(key)(text)
        self._fail(key, StatusCode.MODEL_BUILD_UNEXPECTED_ERROR, text)

    def _give_up(self, key: Key, reason: str) -> None:
        self._say(key)(reason)
        self._fail(key, StatusCode.MODEL_BUILDING_FAILED, reason)

    def _fail(self, key: Key, code: int, reason: str) -> None:
        if self._put_status(key, code, reason):
            self._tell(key, "model_version.failed", reason)
            self._begin_removal(key, self._remove_failed(key))

    def _put_status(self, key: Key, code: int, description: str) -> bool:
        """Set the status of a version; return whether there still is such a version."""
        version = self._copy(key)
        if version is not None:
            version.status.Clear()
            version.status.code = code  # pyright: ignore[reportAttributeAccessIssue]
            version.status.description = description
            self._store.put(Kind.MODEL_VERSION, key, version)
        return version is not None

    def _say(self, key: Key) -> Progress:
        """Return what adds a line to the builder log of a version."""
        return self._code.logging_builds(_model_of(key), key[-1], lambda _: None)

    def _copy(self, key: Key) -> ModelVersion | None:
        """Return the version, to be changed; None for one that was deleted meanwhile."""
        stored: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, key)
        if stored is None:
            return None
        version = ModelVersion()
        version.CopyFrom(stored)
        return version

    def _tell(self, key: Key, kind: str, text: str) -> None:
        self._events.emit(kind, model="/".join(_model_of(key)), version_id=key[-1], reason=text)

    def _store_changed(self, kind: Kind, key: Key) -> None:
        """Build a version that is deleted no further, and remove its files."""
        if kind != Kind.MODEL_VERSION or self._store.get(kind, key) is not None:
            return
        build = self._tasks.get(key)
        if build is not None:
            build.cancel()
        if build is not None or self.files.has(key):
            self._begin_removal(key, self._remove(key, build))

    def _begin_removal(self, key: Key, removal: Coroutine[Any, Any, None]) -> None:
        task = begin(removal, f"removal of version {key[-1][:8]}", nobody_waits)
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def _remove_failed(self, key: Key) -> None:
        """Remove the files of a version that could not be built, once it is kept why: a start without that would
        miss its archive."""
        try:
            self._commit()
        except CallerError as error:
            log.warning("the files of version %s stay, which could not be built: %s", key[-1], error)
            return
        if self._has_failed(key):
            await asyncio.to_thread(self.files.remove, key)

    def _has_failed(self, key: Key) -> bool:
        version: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, key)
        return version is not None and build_failed(version)

    async def _remove(self, key: Key, build: asyncio.Task[None] | None) -> None:
        """Remove the files of a version once nothing runs from them: a request in flight may still read one."""
        if build is not None:
            await asyncio.wait([build])
        changed = asyncio.Event()
        unsubscribe = self._events.subscribe(lambda _: changed.set())
        try:
            while self._is_run(key):
                changed.clear()
                await changed.wait()
        finally:
            unsubscribe()
        if self._store.get(Kind.MODEL_VERSION, key) is None:
            await asyncio.to_thread(self.files.remove, key)


def _model_of(version: Key) -> ModelKey:
    return (version[0], version[1], version[2])
