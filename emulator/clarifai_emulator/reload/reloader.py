"""Takes an edited model directory to where its code answers: plans the reload, does it, says what came of it.

    save ─► read the files ─► plan ─┬─ swap: every replica prepares, then all commit
                                    └─ fork, …: fresh replicas load it, then take the place of those that serve
                                 broken: what serves goes on serving, and says so

One reload of a directory at a time; a newer save ends one that still waits for a model to load.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import Clock
from clarifai_emulator.deployer import Deployed, Deployer, DeployRequest, ModelKey, Progress, require_methods
from clarifai_emulator.dispatch.lane import EditProblem, LaneKey
from clarifai_emulator.errors import CallerError, EmulatorError, ModelError
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import BUILDER, LogBook
from clarifai_emulator.models.code import Code, CodeReader
from clarifai_emulator.models.directory import ModelDirectory, ModelSource, Watched, read_model_directory
from clarifai_emulator.nodepools.capacity import NoRoom
from clarifai_emulator.nodepools.fleet import ReplicaRecord, ReplicaState
from clarifai_emulator.nodepools.renewal import Renewal
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.reload.failure import Failure, failure_of
from clarifai_emulator.reload.plan import Kind, Plan, make_plan
from clarifai_emulator.runners.reload_link import CannotSwap, ReloadLink
from clarifai_emulator.store import Kind as Stored
from clarifai_emulator.store import Store

T = TypeVar("T")

# A directory that changes each time it is being loaded is left to the next save.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Options:
    """``always``: at least this kind of reload. ``strict``: while an edit is broken, requests fail."""

    always: Kind = Kind.NONE
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reload came to. ``state``: ``ready``, ``failed``, ``unchanged`` or ``superseded`` (by a newer save).

    ``code``: the content hash of what answers now. ``old`` and ``new``: method signatures, where they differ.
    """

    state: str
    plan: Plan
    code: str = ""
    version_id: str = ""
    milliseconds: float = 0.0
    failure: Failure | None = None
    old: Sequence[Any] = ()
    new: Sequence[Any] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON, without the signatures."""
        fields: dict[str, Any] = {
            "state": self.state,
            "reload": self.plan.kind.value,
            "reason": self.plan.reason,
            "files": list(self.plan.files),
            "code": self.code,
            "version_id": self.version_id,
            "milliseconds": round(self.milliseconds, 1),
            "signatures_changed": bool(self.new),
        }
        if self.failure is not None:
            where = {"file": self.failure.file, "line": self.failure.line, "frame": self.failure.frame}
            fields["failure"] = {"message": self.failure.message, "hint": self.failure.hint, **where}
            fields["failure"]["traceback"] = self.failure.trace
        return fields


@dataclass(slots=True, eq=False)
class Project:
    """One directory in the dev loop. ``named``: the model's id in config.yaml. ``code`` is what serves; ``tried``
    the digest of what was tried last."""

    path: Path
    named: str
    model: ModelKey
    lane: LaneKey
    reader: CodeReader
    code: Code
    options: Options
    tried: str = ""
    last: Outcome | None = None
    newer: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def names(self) -> dict[str, str]:
        """For events."""
        return {"deployment_id": self.lane.deployment_id, "model_id": self.model[2], "directory": str(self.path)}


class _Superseded(Exception):
    """The directory changed, or a newer save came, while the model was being loaded."""


class Reloader:
    """The dev loop of one emulator: any number of directories."""

    def __init__(
        self,
        *,
        store: Store,
        supervisor: Supervisor,
        deployer: Deployer,
        events: EventBus,
        logbook: LogBook,
        clock: Clock,
    ) -> None:
        self._projects: dict[Path, Project] = {}
        self._store = store
        self._supervisor = supervisor
        self._deployer = deployer
        self._events = events
        self._logbook = logbook
        self._clock = clock

    @property
    def projects(self) -> Mapping[Path, Project]:
        """By their directory."""
        return self._projects

    def clear(self) -> None:
        """Forget every directory: nothing of them is deployed any more."""
        self._projects.clear()

    async def begin(self, request: DeployRequest, options: Options, progress: Progress) -> Deployed:
        """Deploy a directory so that its replicas are reloadable. Raises as ``Deployer.deploy``."""
        watched = request.watched or Watched()
        deployed = await self._deployer.deploy(replace(request, watched=watched), progress)
        lane = LaneKey(deployed.user_id, deployed.deployment_id, deployed.version_id)
        source: ModelSource = self._store.get(Stored.SOURCE, (*deployed.model, deployed.version_id))  # pyright: ignore[reportAssignmentType]
        reader = CodeReader(source.path, watched)
        code = await asyncio.to_thread(reader.read)
        named = (await asyncio.to_thread(read_model_directory, source.path)).model_id
        self._projects[source.path] = Project(source.path, named, deployed.model, lane, reader, code, options)
        return deployed

    async def reload(self, path: Path, progress: Progress) -> Outcome:
        """The files of a directory may have changed: bring them to where they answer. Raises ``ModelError`` for a
        directory that is not in the dev loop."""
        project = self._project(path)
        project.newer.set()
        async with project.lock:
            project.newer.clear()
            outcome, attempts = await self._bring(project, progress), 1
            while outcome.state == "superseded" and not project.newer.is_set() and attempts < _ATTEMPTS:
                outcome, attempts = await self._bring(project, progress), attempts + 1
            return outcome

    def _project(self, path: Path) -> Project:
        project = self._projects.get(path.resolve())
        if project is None:
            raise ModelError(f"{path} is not in the dev loop.", hint=f"Begin with `clarifai-emulator dev {path}`.")
        return project

    async def _bring(self, project: Project, progress: Progress) -> Outcome:
        began = self._clock.monotonic()
        after = await asyncio.to_thread(project.reader.read)
        plan = make_plan(project.code, after, always=project.options.always)
        if after.digest == project.code.digest:
            return self._back(project, plan)
        if after.digest == project.tried and project.last is not None and project.last.state == "failed":
            return replace(project.last, state="unchanged")
        try:
            plan, old, new = await self._do(project, plan, after, progress)
        except _Superseded:
            outcome = Outcome("superseded", plan, project.code.digest, project.lane.version_id)
            self._events.emit("reload.superseded", **project.names, **outcome.as_dict())
            return outcome
        except (EmulatorError, NoRoom) as error:
            return self._failed(project, plan, after, error, began)
        return self._ready(project, plan, after, began, old, new)

    async def _do(
        self, project: Project, plan: Plan, after: Code, progress: Progress
    ) -> tuple[Plan, Sequence[Any], Sequence[Any]]:
        """Carry a plan out; gives what was done in the end, and the signatures where they changed."""
        try:
            if plan.kind is Kind.NONE:
                await self._label(project, after)
                return plan, (), ()
            if plan.kind is Kind.SWAP and await self._swap(project, plan, after):
                return plan, (), ()
        except CannotSwap as obstacle:
            plan = replace(plan, kind=Kind.FORK, reason=f"{plan.reason}, but {obstacle}")
        else:
            if plan.kind is Kind.SWAP:
                reason = f"{plan.reason}, and with it what clients see of the model"
                plan = replace(plan, kind=Kind.FORK, reason=reason, may_change_signatures=True)
        return plan, *await self._renew(project, plan, after, progress)

    # ── swap ───────────────────────────────────────────────────────────────────────────────────────────

    async def _swap(self, project: Project, plan: Plan, after: Code) -> bool:
        """New code behind the loaded instances, in every replica or in none; False when it has other signatures.
        Raises ``ModelError`` for broken code, ``CannotSwap``."""
        links = self._links(project)
        file = plan.files[0]
        edit = {"file": file, "content": after.files[file].content, "class_name": plan.class_name}
        answers = await asyncio.gather(
            *(link.prepare(code=after.digest, **edit) for link in links), return_exceptions=True
        )
        for answer in sorted(filter(_is_error, answers), key=lambda error: isinstance(error, CannotSwap)):
            raise answer  # pyright: ignore[reportGeneralTypeIssues]
        if _as_bytes(answers[0]) != _as_bytes(self._version(project).method_signatures):  # pyright: ignore[reportArgumentType]
            return False
        await asyncio.gather(*(link.commit(after.digest) for link in links))
        return True

    async def _label(self, project: Project, after: Code) -> None:
        await asyncio.gather(*(link.label(after.digest) for link in self._links(project)))

    def _links(self, project: Project) -> list[ReloadLink]:
        """Of every replica; all of them have the code the edit began with. Raises ``CannotSwap``."""
        fleet = self._supervisor.fleets.get(project.lane)
        records = fleet.active if fleet is not None else []
        if not records:
            raise CannotSwap("no replica is live")
        return [_link(record, project.code) for record in records]

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
        version = self._version(project)
        old = list(version.method_signatures)
        draft = self._deployer.new_version(directory, old)
        kept = (draft.num_threads, draft.inference_compute_info) == (
            version.num_threads,
            version.inference_compute_info,
        )
        if kept and plan.kind is Kind.FORK and not plan.may_change_signatures:
            found = await self._in_place(project, directory, after)
            if _as_bytes(found) == _as_bytes(old):
                return (), ()
        new = await self._as_version(project, directory, after, progress)
        return (old, new) if _as_bytes(old) != _as_bytes(new) else ((), ())

    async def _in_place(self, project: Project, directory: ModelDirectory, after: Code) -> Sequence[Any]:
        """In the same fleet. Gives the signatures; where these are others, nothing else was done."""
        renewal = self._supervisor.renewal(project.lane)
        try:
            signatures = await self._loaded(project, renewal, after)
            require_methods(directory, signatures)
            if _as_bytes(signatures) == _as_bytes(self._version(project).method_signatures):
                await self._unless_newer(project, renewal.serve(after.digest))
                renewal.finish("edited code has taken its place")
            else:
                renewal.give_up("its signatures are those of another version")
        except BaseException:
            renewal.give_up("the edit is not used")
            raise
        return signatures

    async def _as_version(
        self, project: Project, directory: ModelDirectory, after: Code, progress: Progress
    ) -> Sequence[Any]:
        """As a new model version, to which the deployment moves once it is live. Gives its signatures."""
        version_id = secrets.token_hex(16)
        known: ModelSource = self._store.get(Stored.SOURCE, (*project.model, project.lane.version_id))  # pyright: ignore[reportAssignmentType]
        tell = self._deployer.logging_builds(project.model, version_id, progress)
        source = await self._deployer.source_of(directory, tell, known.watched)
        if source.content_hash != after.digest:
            raise _Superseded
        signatures = await self._unless_newer(project, self._deployer.signatures_of(directory, source))
        draft = self._deployer.new_version(directory, signatures)
        draft.id = version_id
        renewal = self._supervisor.renewal(project.lane, draft, source)
        try:
            await self._loaded(project, renewal, after)
            await self._unless_newer(project, renewal.serve(after.digest))
            # In one go: a request without a version means the newest, which the deployment must serve.
            self._deployer.put_version(directory, project.model, version_id, source, signatures)
            self._deployer.move(project.lane[:2], project.model, version_id)
        except BaseException:
            renewal.give_up("the edit is not used")
            self._supervisor.cool(renewal.new)
            raise
        renewal.finish("edited code has taken its place")
        project.lane = project.lane._replace(version_id=version_id)
        return signatures

    async def _loaded(self, project: Project, renewal: Renewal, after: Code) -> Sequence[Any]:
        code, signatures = await self._unless_newer(project, renewal.load())
        if code != after.digest:
            raise _Superseded
        return signatures

    async def _unless_newer(self, project: Project, waiting: Coroutine[Any, Any, T]) -> T:
        """Wait, but not past a newer save. Raises ``_Superseded``."""
        task = asyncio.create_task(waiting)
        newer = asyncio.create_task(project.newer.wait())
        try:
            await asyncio.wait([task, newer], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise _Superseded
            return task.result()
        finally:
            for each in (task, newer):
                each.cancel()
            await asyncio.gather(task, newer, return_exceptions=True)

    # ── what came of it ────────────────────────────────────────────────────────────────────────────────

    def _ready(
        self, project: Project, plan: Plan, after: Code, began: float, old: Sequence[Any], new: Sequence[Any]
    ) -> Outcome:
        project.code, project.tried = after, after.digest
        self._rename(project, after)
        self._tell_clients(project, None)
        took = (self._clock.monotonic() - began) * 1000
        state = "unchanged" if plan.kind is Kind.NONE else "ready"
        outcome = Outcome(state, plan, after.digest, project.lane.version_id, took, None, old, new)
        project.last = outcome
        if plan.kind is Kind.NONE:
            return outcome
        self._events.emit("reload.ready", **project.names, **outcome.as_dict())
        self._log(project, f"reload.ready: {plan.kind} of {plan.named}: {plan.reason}, {took:.0f} ms")
        return outcome

    def _rename(self, project: Project, after: Code) -> None:
        """What the version's code is called from now on; what starts later loads it."""
        key = (*project.model, project.lane.version_id)
        source: ModelSource | None = self._store.get(Stored.SOURCE, key)
        if source is None or source.content_hash == after.digest:
            return
        version = ModelVersion()
        version.CopyFrom(self._version(project))
        version.metadata.update({"content_hash": after.digest})
        self._store.put(Stored.MODEL_VERSION, key, version)
        self._store.put(Stored.SOURCE, key, replace(source, content_hash=after.digest))

    def _failed(self, project: Project, plan: Plan, after: Code, error: Exception, began: float) -> Outcome:
        known = error if isinstance(error, EmulatorError) else CallerError(StatusCode.MODEL_DEPLOYING, str(error))
        failure = failure_of(known, project.path)
        project.tried = after.digest
        took = (self._clock.monotonic() - began) * 1000
        outcome = Outcome("failed", plan, project.code.digest, project.lane.version_id, took, failure)
        project.last = outcome
        self._tell_clients(project, failure)
        self._events.emit("reload.failed", **project.names, **outcome.as_dict())
        for line in f"reload.failed: {failure.text}".splitlines():
            self._log(project, line)
        return outcome

    def _back(self, project: Project, plan: Plan) -> Outcome:
        """The files are what serves already, perhaps again."""
        outcome = Outcome("unchanged", plan, project.code.digest, project.lane.version_id)
        if project.last is not None and project.last.state == "failed":
            self._tell_clients(project, None)
            project.last = replace(outcome, state="ready")
            self._events.emit("reload.ready", **project.names, **project.last.as_dict())
        project.tried = project.code.digest
        return outcome

    def _tell_clients(self, project: Project, failure: Failure | None) -> None:
        """In the trailers of every answer, or, where that was asked for, instead of one."""
        fleet = self._supervisor.fleets.get(project.lane)
        if fleet is None:
            return
        problem = None
        if failure is not None:
            refusal = None
            if project.options.strict:
                refusal = CallerError(
                    StatusCode.MODEL_DEPLOYMENT_FAILED,
                    f"The code in {project.path} cannot be used: {failure.text}",
                    hint="Mend it and save; without --strict the last good code would have answered.",
                )
            problem = EditProblem(failure.summary, refusal)
        fleet.lane.edit_problem = problem

    def _log(self, project: Project, line: str) -> None:
        user, app, model = project.model
        version = project.lane.version_id
        self._logbook.append(BUILDER, line, user_id=user, app_id=app, model_id=model, model_version_id=version)

    def _version(self, project: Project) -> ModelVersion:
        version = self._store.get(Stored.MODEL_VERSION, (*project.model, project.lane.version_id))
        if version is None:
            raise ModelError(
                f"The version of {'/'.join(project.model)} that was served is gone.",
                hint="Start `clarifai-emulator dev` again.",
            )
        return version


def _link(record: ReplicaRecord, code: Code) -> ReloadLink:
    if record.state is not ReplicaState.LIVE or record.link is None:
        raise CannotSwap("a replica is not live yet")
    if record.link.code != code.digest:
        raise CannotSwap("a replica has other code than the edit began with")
    return record.link


def _is_error(answer: object) -> bool:
    return isinstance(answer, BaseException)


def _as_bytes(signatures: Sequence[Any]) -> list[bytes]:
    return [signature.SerializeToString(deterministic=True) for signature in signatures]
