"""Takes an edited model directory to where its code answers: plans the reload, does it, says how it ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.backends.reload_link import CannotSwap
from clarifai_emulator.clock import Clock
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.deployer import Deployer
from clarifai_emulator.dispatch.lane import EditProblem, LaneKey
from clarifai_emulator.errors import CallerError, EmulatorError, ModelError, NoRoom
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import BUILDER, LogBook
from clarifai_emulator.models.code import Code
from clarifai_emulator.models.directory import read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource, Watched
from clarifai_emulator.models.written import WrittenFiles
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.reload.differences import as_dict as finding_as_dict
from clarifai_emulator.reload.differences import differences
from clarifai_emulator.reload.failure import BrokenCode, failure_of
from clarifai_emulator.reload.plan import Plan, ReloadKind, make_plan
from clarifai_emulator.reload.project import Options, Outcome, Project
from clarifai_emulator.reload.switch import Superseded, Switch, version_of
from clarifai_emulator.store import Kind, Store

# A directory that changes each time it is being loaded is left to the next save.
_ATTEMPTS = 5


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
        written: WrittenFiles,
    ) -> None:
        self._written = written
        self._projects: dict[Path, Project] = {}
        self._store = store
        self._supervisor = supervisor
        self._deployer = deployer
        self._switch = Switch(store=store, supervisor=supervisor, deployer=deployer)
        self._events = events
        self._logbook = logbook
        self._clock = clock

    @property
    def projects(self) -> Mapping[Path, Project]:
        """Return the projects by their directory."""
        return self._projects

    def clear(self, is_whose: Callable[[str], bool] | None = None) -> None:
        """Forget every directory, or those that these users' deployments run: nothing of them is deployed any
        more."""
        for path in [path for path, each in self._projects.items() if is_whose is None or is_whose(each.lane[0])]:
            del self._projects[path]

    def forget(self, deployment: tuple[str, str]) -> None:
        """Forget a deployment (its user and id) that is gone: its directory is no longer in the dev loop."""
        for path in [path for path, project in self._projects.items() if project.lane[:2] == deployment]:
            del self._projects[path]

    async def begin(self, request: DeployRequest, options: Options, progress: Progress) -> Deployed:
        """Deploy a directory so that its replicas are reloadable. Raises as ``Deployer.deploy``."""
        watched = request.watched or Watched()
        before = await asyncio.to_thread(self._written.reader(request.path.expanduser().resolve(), watched).read)
        deployed = await self._deployer.deploy(replace(request, watched=watched), progress)
        lane = LaneKey(deployed.user_id, deployed.deployment_id, deployed.version_id)
        source: ModelSource = self._store.get(Kind.SOURCE, (*deployed.model, deployed.version_id))  # pyright: ignore[reportAssignmentType]
        reader = self._written.reader(source.path, watched)
        now = await asyncio.to_thread(reader.read)
        # A save while it was deployed is one edit more; of code that nobody has seen any more, everything is.
        code = next((each for each in (now, before) if each.digest == source.content_hash), None)
        code = code.without(self._written.of(source.path)) if code else Code(digest=source.content_hash)
        named = (await asyncio.to_thread(read_model_directory, source.path)).model_id
        self._projects[source.path] = Project(
            source.path, named, deployed.model, lane, reader, code, options, request.instance
        )
        return deployed

    async def reload(self, path: Path, progress: Progress) -> Outcome:
        """Bring the files of a directory, which may have changed, to where they answer. Raises
        ``ModelError`` for a directory that is not in the dev loop."""
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
        after = await self._read(project)
        plan = await asyncio.to_thread(make_plan, project.code, after, always=project.options.always)
        if after.digest == project.code.digest:
            return self._back(project, plan)
        if after.digest == project.tried and project.last is not None and project.last.state == "failed":
            return replace(project.last, state="unchanged")
        try:
            plan, old, new = await self._switch.do(project, plan, after, progress)
        except Superseded:
            outcome = Outcome("superseded", plan, project.code.digest, project.lane.version_id)
            self._events.emit("reload.superseded", **project.names, **outcome.as_dict())
            return outcome
        except (EmulatorError, NoRoom) as error:
            return self._failed(project, plan, after, error, began)
        return self._ready(project, plan, after, began, old, new)

    async def _read(self, project: Project) -> Code:
        """Read the files as they are now, without those that the model itself writes."""
        after = await asyncio.to_thread(project.reader.read)
        self._written.find(project.path, project.code, after, partial(self._was_at_work, project))
        own = self._written.of(project.path)
        left = project.code.without(own)
        if left.digest != project.code.digest:
            with contextlib.suppress(CannotSwap):  # then what comes next is a fork, which is right
                await self._switch.label(project, left)
            project.code = left
        return after.without(own)

    def _was_at_work(self, project: Project, time: float) -> bool:
        """Tell whether a replica worked on a request at this time, in seconds since the epoch."""
        fleet = self._supervisor.fleets.get(project.lane)
        return fleet is not None and fleet.lane.was_at_work(self._clock.monotonic() - (self._clock.now() - time))

    # ── what came of it ────────────────────────────────────────────────────────────────────────────────

    def _ready(
        self, project: Project, plan: Plan, after: Code, began: float, old: Sequence[Any], new: Sequence[Any]
    ) -> Outcome:
        project.code, project.tried = after, after.digest
        self._rename(project, after)
        self._tell_clients(project, None)
        took = (self._clock.monotonic() - began) * 1000
        state = "unchanged" if plan.kind is ReloadKind.NONE else "ready"
        outcome = Outcome(state, plan, after.digest, project.lane.version_id, took, None, old, new)
        if new:
            outcome = replace(outcome, changes=_changes(project, after, old, new))
        project.last = outcome
        if plan.kind is ReloadKind.NONE:
            return outcome
        self._events.emit("reload.ready", **project.names, **outcome.as_dict())
        self._log(project, f"reload.ready: {plan.kind} of {plan.named}: {plan.reason}, {took:.0f} ms")
        for finding in outcome.changes:
            self._events.emit("contract.finding", **finding_as_dict(finding))
        return outcome

    def _rename(self, project: Project, after: Code) -> None:
        """Give the version's code its new content hash; replicas that start later load it."""
        key = (*project.model, project.lane.version_id)
        source: ModelSource | None = self._store.get(Kind.SOURCE, key)
        if source is None or source.content_hash == after.digest:
            return
        version = ModelVersion()
        version.CopyFrom(version_of(self._store, project))
        version.metadata.update({"content_hash": after.digest})
        self._store.put(Kind.MODEL_VERSION, key, version)
        self._store.put(Kind.SOURCE, key, replace(source, content_hash=after.digest))

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
        """Note that the files are what serves already, perhaps again."""
        outcome = Outcome("unchanged", plan, project.code.digest, project.lane.version_id)
        if project.last is not None and project.last.state == "failed":
            self._tell_clients(project, None)
            plan = replace(plan, reason="the broken edit is taken back, and what serves is what is on disk again")
            project.last = replace(outcome, state="ready", plan=plan)
            self._events.emit("reload.ready", **project.names, **project.last.as_dict())
        project.tried = project.code.digest
        return outcome

    def _tell_clients(self, project: Project, failure: BrokenCode | None) -> None:
        """Tell clients in the trailers of every answer, or, where that was asked for, instead of one."""
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
        fleet.lane.note_edit(problem)

    def _log(self, project: Project, line: str) -> None:
        user, app, model = project.model
        version = project.lane.version_id
        self._logbook.append(BUILDER, line, user_id=user, app_id=app, model_id=model, model_version_id=version)


def _changes(project: Project, after: Code, old: Sequence[Any], new: Sequence[Any]) -> Sequence[Finding]:
    file, source = project.path / after.model_file, after.text(after.model_file)
    return tuple(differences(old, new, model=project.model[2], file=file, source=source))
