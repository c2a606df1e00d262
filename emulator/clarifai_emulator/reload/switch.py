"""Carries a plan out: the edited code becomes ready, then takes new requests; or everything stays as it was.

swap   every replica prepares the new class ─► all commit
fork   fresh replicas load the model ─► they take work ─► (the deployment moves to their version) ─► the old end
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion

from clarifai_emulator.backends.reload_link import CannotSwap, ReloadLink
from clarifai_emulator.background_work import beside
from clarifai_emulator.deploy.deployer import Deployer
from clarifai_emulator.deploy.model_versions import NewCode
from clarifai_emulator.deploy.pinned_versions import is_pinned
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.code import Code
from clarifai_emulator.models.directory import ModelDirectory, read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.nodepools.fleet import ReplicaRecord, ReplicaState
from clarifai_emulator.nodepools.replacement import Replacement
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.reload.plan import CodeEdit, Plan, ReloadKind
from clarifai_emulator.reload.project import Project
from clarifai_emulator.store import Kind, Store

T = TypeVar("T")


class Superseded(Exception):
    """The directory changed, or a newer save came, while the model was being loaded."""


class Switch:
    """Bring a project from one code to the next, in one emulator."""

    def __init__(self, *, store: Store, supervisor: Supervisor, deployer: Deployer) -> None:
        self._store = store
        self._supervisor = supervisor
        self._code = deployer.code
        self._versions = deployer.versions
        self._deployments = deployer.deployments

    async def do(
        self, project: Project, plan: Plan, after: Code, progress: Progress
    ) -> tuple[Plan, Sequence[Any], Sequence[Any]]:
        """Carry a plan out; gives what was done in the end, and the signatures where they changed."""
        try:
            if plan.kind is ReloadKind.NONE:
                await self.label(project, after)
                return plan, (), ()
            if plan.kind is ReloadKind.SWAP and await self._swap(project, plan, after):
                return plan, (), ()
        except CannotSwap as obstacle:
            plan = replace(plan, kind=ReloadKind.FORK, reason=f"{plan.reason}, but {obstacle}")
        else:
            if plan.kind is ReloadKind.SWAP:
                reason = f"{plan.reason}, and with it what clients see of the model"
                plan = replace(plan, kind=ReloadKind.FORK, reason=reason, may_change_signatures=True)
        return plan, *await self._renew(project, plan, after, progress)

    # ── swap ───────────────────────────────────────────────────────────────────────────────────────────

    async def _swap(self, project: Project, plan: Plan, after: Code) -> bool:
        """New code behind the loaded instances, in every replica or in none; False when it has other signatures.
        Raises ``ModelError`` for broken code, ``CannotSwap``."""
        links = self._links(project)
        edits = [_told(edit, after) for edit in plan.edits]
        answers = await asyncio.gather(
            *(link.prepare(code=after.digest, edits=edits) for link in links), return_exceptions=True
        )
        for answer in sorted(filter(_is_error, answers), key=lambda error: isinstance(error, CannotSwap)):
            raise answer  # pyright: ignore[reportGeneralTypeIssues]
        if _as_bytes(answers[0]) != _as_bytes(version_of(self._store, project).method_signatures):  # pyright: ignore[reportArgumentType]
            return False
        await asyncio.gather(*(link.commit(after.digest) for link in links))
        return True

    async def label(self, project: Project, after: Code) -> None:
        """Name the running code ``after`` from now on. Raises ``CannotSwap``."""
        await asyncio.gather(*(link.label(after.digest) for link in self._links(project)))

    def _links(self, project: Project) -> list[ReloadLink]:
        """Return the link of every replica; all of them have the code the edit began with. Raises
        ``CannotSwap``."""
        records = self._records(project)
        if not records:
            raise CannotSwap("no replica is live")
        return [_link(record, project.code) for record in records]

    def _records(self, project: Project) -> list[ReplicaRecord]:
        fleet = self._supervisor.fleets.get(project.lane)
        return fleet.active if fleet is not None else []

    # ── fork ───────────────────────────────────────────────────────────────────────────────────────────

    async def _renew(
        self, project: Project, plan: Plan, after: Code, progress: Progress
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Fresh replicas in the place of those that serve: of the same version where what the platform keeps of it
        is the same, else of a new one. Gives the signatures, old and new, where they changed."""
        directory = await asyncio.to_thread(read_model_directory, project.path)
        if directory.model_id != project.named:
            raise ModelError(
                f"config.yaml now names another model: {directory.model_id}.",
                hint="Stop `clarifai-emulator dev` and start it again for that, or take the change back.",
            )
        version = version_of(self._store, project)
        old = list(version.method_signatures)
        draft = self._versions.draft(directory, old, project.instance)
        kept = (draft.num_threads, draft.inference_compute_info) == (
            version.num_threads,
            version.inference_compute_info,
        )
        is_told = all(record.reload is not None for record in self._records(project))
        if kept and is_told and plan.kind is ReloadKind.FORK and not plan.may_change_signatures:
            found = await self._in_place(project, after)
            if _as_bytes(found) == _as_bytes(old):
                return (), ()
        new = await self._as_version(project, directory, after, progress)
        return (old, new) if _as_bytes(old) != _as_bytes(new) else ((), ())

    async def _in_place(self, project: Project, after: Code) -> Sequence[Any]:
        """Swap the code in the same fleet and return the signatures; where these are others, nothing else was
        done."""
        replacement = self._supervisor.replacement(project.lane)
        try:
            signatures = await self._loaded(project, replacement, after)
            if _as_bytes(signatures) == _as_bytes(version_of(self._store, project).method_signatures):
                await self._unless_newer(project, replacement.serve(after.digest))
                replacement.finish("edited code has taken its place")
            else:
                replacement.give_up("its signatures are those of another version")
        except BaseException:
            replacement.give_up("the edit is not used")
            raise
        return signatures

    async def _as_version(
        self, project: Project, directory: ModelDirectory, after: Code, progress: Progress
    ) -> Sequence[Any]:
        """Make a new model version, to which the deployment moves once it is live. Return its signatures."""
        if is_pinned(version_of(self._store, project)):
            return await self._as_same_version(project, directory, after, progress)
        version_id = secrets.token_hex(16)
        source, signatures = await self._read(project, directory, version_id, after, progress)
        draft = self._versions.draft(directory, signatures, project.instance)
        draft.id = version_id
        replacement = self._supervisor.replacement(project.lane, draft, source)
        try:
            await self._loaded(project, replacement, after)
            await self._unless_newer(project, replacement.serve(after.digest))
            # In one go: a request without a version means the newest, which the deployment must serve.
            code = NewCode(directory=directory, source=source, signatures=signatures, instance=project.instance)
            self._versions.put(project.model, version_id, code)
            self._deployments.move(project.lane[:2], project.model, version_id)
        except BaseException:
            replacement.give_up("the edit is not used")
            self._supervisor.cool(replacement.new)
            raise
        replacement.finish("edited code has taken its place")
        project.lane = project.lane._replace(version_id=version_id)
        return signatures

    async def _as_same_version(
        self, project: Project, directory: ModelDirectory, after: Code, progress: Progress
    ) -> Sequence[Any]:
        """Put the code behind the same version, whose id a topology gives. Return its signatures."""
        version_id = project.lane.version_id
        source, signatures = await self._read(project, directory, version_id, after, progress)
        code = NewCode(directory=directory, source=source, signatures=signatures, instance=project.instance)
        await self._unless_newer(project, self._versions.put_pinned(project.model, version_id, code))
        return signatures

    async def _read(
        self, project: Project, directory: ModelDirectory, version_id: str, after: Code, progress: Progress
    ) -> tuple[ModelSource, Sequence[Any]]:
        """Prepare the edited code for the backend that serves, and read its signatures. ``version_id``: of the
        version that it is to be."""
        known: ModelSource = self._store.get(Kind.SOURCE, (*project.model, project.lane.version_id))  # pyright: ignore[reportAssignmentType]
        tell = self._code.logging_builds(project.model, version_id, progress)
        source = await self._code.source_of(directory, tell, known.backend, known.watched)
        if source.content_hash != after.digest:
            raise Superseded
        return source, await self._unless_newer(project, self._code.signatures_of(source, source.backend))

    async def _loaded(self, project: Project, replacement: Replacement, after: Code) -> Sequence[Any]:
        code, signatures = await self._unless_newer(project, replacement.load())
        if code != after.digest:
            raise Superseded
        return signatures

    async def _unless_newer(self, project: Project, waiting: Coroutine[Any, Any, T]) -> T:
        """Wait, but not past a newer save. Raises ``Superseded``."""
        task = beside(waiting)
        newer = beside(project.newer.wait())
        try:
            await asyncio.wait([task, newer], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Superseded
            return task.result()
        finally:
            for each in (task, newer):
                each.cancel()
            await asyncio.gather(task, newer, return_exceptions=True)


def version_of(store: Store, project: Project) -> ModelVersion:
    """Return the version that serves. Raises ``ModelError`` when somebody deleted it."""
    version = store.get(Kind.MODEL_VERSION, (*project.model, project.lane.version_id))
    if version is None:
        raise ModelError(
            f"The version of {'/'.join(project.model)} that was served is gone.",
            hint="Start `clarifai-emulator dev` again.",
        )
    return version


def _told(edit: CodeEdit, after: Code) -> dict[str, Any]:
    """Return an edit as a replica takes it (``reload_main.py``)."""
    told: dict[str, Any] = {"file": edit.file, "content": after.files[edit.file].content}
    if edit.helper is None:
        return {**told, "class_name": edit.class_name}
    return {**told, **asdict(edit.helper)}


def _link(record: ReplicaRecord, code: Code) -> ReloadLink:
    if record.state is not ReplicaState.LIVE:
        raise CannotSwap("a replica is not live yet")
    if record.reload is None:
        raise CannotSwap("a replica is a container")
    if record.reload.code != code.digest:
        raise CannotSwap("a replica has other code than the edit began with")
    return record.reload


def _is_error(answer: object) -> bool:
    return isinstance(answer, BaseException)


def _as_bytes(signatures: Sequence[Any]) -> list[bytes]:
    return [signature.SerializeToString(deterministic=True) for signature in signatures]
