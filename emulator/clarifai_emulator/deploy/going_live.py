"""Makes a deployment serve something new: either a replica of that serves, or everything stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, ModelVersion

from clarifai_emulator.deploy.readiness import Overtaken
from clarifai_emulator.errors import CallerError, EmulatorError, ModelError
from clarifai_emulator.models.versions import is_on_trial
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind


@dataclass(slots=True)
class Change:
    """A change of what a deployment serves. ``version`` is user, app, model, version; ``is_new``: of code that was
    not there before, so that nobody else needs it. ``told``: the deployment as it was told so."""

    version: Key
    is_new: bool
    told: Deployment | None = None


class GoingLive:
    """Brings deployments to what they were told, or back."""

    def __init__(self, *, resources: Resources, supervisor: Supervisor) -> None:
        self._resources = resources
        self._store = resources.store
        self._supervisor = supervisor

    @contextmanager
    def or_back(self, deployment: Key, change: Change) -> Generator[None]:
        """Go back to what serves where telling the deployment something else, which is done within this, raises;
        the error says what is there then."""
        before: Deployment | None = self._store.get(Kind.DEPLOYMENT, deployment)
        try:
            yield
        except BaseException as error:
            self._go_back(deployment, before, change)
            if change.is_new:
                self._forget(change.version)
            if isinstance(error, EmulatorError) and not isinstance(error, Overtaken):
                raise self.said(error, deployment) from None
            raise

    @contextmanager
    def undone_if_cancelled(self, deployment: Key, change: Change) -> Generator[None]:
        """Delete a deployment whose maker goes away before a replica serves: then there was none, unless somebody
        else has changed it since."""
        is_first = self._store.get(Kind.DEPLOYMENT, deployment) is None
        try:
            yield
        except asyncio.CancelledError:
            if is_first and self._store.get(Kind.DEPLOYMENT, deployment) is change.told:
                self._resources.delete(Kind.DEPLOYMENT, [deployment])
            raise

    def said(self, error: EmulatorError, deployment: Key) -> EmulatorError:
        """Return the error, with what is there of the deployment all the same."""
        note = self._what_is_there(deployment)
        if not note:
            return error
        if isinstance(error, ModelError):
            return ModelError(error.summary, hint=f"{error.hint} {note}".strip(), log=error.log)
        if isinstance(error, CallerError):
            hint = f"{error.hint} {note}".strip()
            return CallerError(error.code, error.details, hint=hint, description=error.description)
        return error

    def _go_back(self, deployment: Key, before: Deployment | None, change: Change) -> None:
        """Tell it again what it was told before, where that still serves and nobody told it anything else."""
        now = self._store.get(Kind.DEPLOYMENT, deployment)
        if before is None or now is None or now is not change.told:
            return
        if self._supervisor.rollouts.get(deployment) is not None:
            self._store.put(Kind.DEPLOYMENT, deployment, before)

    def _forget(self, version: Key) -> None:
        """Delete a version that never served and that no deployment is told to serve."""
        stored: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, version)
        if stored is None or not is_on_trial(stored) or self._is_wanted(version):
            return
        self._store.delete(Kind.SOURCE, version)
        self._store.delete(Kind.MODEL_VERSION, version)

    def _is_wanted(self, version: Key) -> bool:
        deployments: Any = self._store.list(Kind.DEPLOYMENT)
        return any(each.desired_worker.model.model_version.id == version[-1] for each in deployments)

    def _what_is_there(self, deployment: Key) -> str:
        """Say in one sentence what there is; empty when there is no such deployment."""
        if self._store.get(Kind.DEPLOYMENT, deployment) is None:
            return ""
        name = deployment[1]
        fleets = self._supervisor.fleets.of_deployment(deployment[0], name)
        live = next((each for each in fleets if each.live and not each.retired), None)
        if live is not None:
            return f"Deployment '{name}' goes on with version {live.target.version.id[:8]}, which serves as before."
        is_refused = any(each.lane.refusal is not None for each in fleets)
        does = "serves nothing" if is_refused else "serves once it can"
        return (
            f"Deployment '{name}' is left in place and {does}; `clarifai-emulator undeploy {name}` takes it away."
        )
