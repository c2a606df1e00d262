"""Refuses a deploy that cannot work, and warns of what this machine lacks, before minutes go into a build."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.backend_table import abilities_of
from clarifai_emulator.deploy.compute_needs import ComputeNeeds
from clarifai_emulator.deploy.deploy_request import DeployRequest
from clarifai_emulator.deploy.nodepool_choice import DeployNodepools
from clarifai_emulator.errors import CallerError
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.models.needs import foreseen_needs, missing_needs
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import required_names
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.store import Key


class Preconditions:
    """Checks the deploys of one emulator."""

    def __init__(self, *, supervisor: Supervisor, nodepools: DeployNodepools, needs: ComputeNeeds) -> None:
        self._supervisor = supervisor
        self._nodepools = nodepools
        self._needs = needs

    def before_build(
        self, request: DeployRequest, nodepool: Key, progress: Progress, directory: ModelDirectory
    ) -> None:
        """Say what can be said before minutes go into an environment or an image. Raises ``CallerError``."""
        self._require_place(request, nodepool, directory)
        self._nodepools.ensure(nodepool, request.instance)
        if not abilities_of(self._nodepools.backend(nodepool, request.instance)).own_system:
            names = required_names(directory.requirements_file)
            for each in foreseen_needs(directory.path, names):
                progress(f"warning: {each.text}. {each.way_out}")

    def _require_place(self, request: DeployRequest, nodepool: Key, directory: ModelDirectory) -> None:
        """Fail unless a replica could ever start there. Raises ``CallerError``."""
        if request.must_fit:
            key = "" if request.instance else "inference_compute_info" if not directory.instance else "compute"
            message = self._nodepools.message(nodepool, request.instance)
            needs = self._needs.given(directory, request.instance)
            self._supervisor.require_fit(nodepool, message, needs, directory.model_id, key)


async def lacks_of(source: ModelSource) -> Sequence[str]:
    """Return what a model's code starts beside itself and that is not here, each with the way out. A container has
    its own."""
    if source.image:
        return ()
    missing = await asyncio.to_thread(missing_needs, source.path, source.python)
    return [f"{each.text}. {each.way_out}" for each in missing]


def require_bounds(request: DeployRequest) -> None:
    """Raise ``CallerError`` for fewer replicas at most than at least."""
    if request.max_replicas is not None and request.max_replicas < request.min_replicas:
        raise CallerError(
            StatusCode.DEPLOYMENT_INVALID_ARGUMENT,
            f"min_replicas {request.min_replicas} is more than max_replicas {request.max_replicas}.",
            hint="Raise max_replicas or lower min_replicas.",
        )


def require_debuggable(request: DeployRequest, backend: str) -> None:
    """Raise ``CallerError`` where an editor is to attach to a replica that it cannot attach to."""
    debugging = abilities_of(backend).debugging
    if request.debugging is None or debugging == "editor":
        return
    if debugging == "terminal":
        raise CallerError(
            StatusCode.NODEPOOL_INVALID_REQUEST,
            "The model would run in the emulator's own process, where --debug is not needed.",
            hint="Leave --debug out: breakpoint() stops in the emulator's terminal.",
        )
    raise CallerError(
        StatusCode.NODEPOOL_INVALID_REQUEST,
        "An editor cannot be attached to a replica in a container.",
        hint="Debug it as a process: deploy it to a nodepool of processes, or to an emulator that was started "
        "without --backend docker.",
    )
