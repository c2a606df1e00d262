"""Takes deployments away, by their own id or by the model they serve, and waits until nothing of them runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import Deployment
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import parse_name
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.resources.identifiers import id_hint
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.routing.candidate_deployments import model_key_of, served_model
from clarifai_emulator.store import Kind, Store

# Replicas are told to end, and killed when they do not; this is only for what nobody thought of.
_END_SECONDS = 30.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Undeployed:
    """A deployment that was taken away. ``model``: ``USER/APP/ID``."""

    user_id: str
    deployment_id: str
    model: str


class Undeployer:
    """Takes away deployments of one emulator. ``forget`` is called with each (its user and id), which is no longer
    in the dev loop then."""

    def __init__(
        self,
        *,
        store: Store,
        resources: Resources,
        supervisor: Supervisor,
        forget: Callable[[tuple[str, str]], None],
        user_id: str,
    ) -> None:
        self._store = store
        self._resources = resources
        self._supervisor = supervisor
        self._forget = forget
        self._user_id = user_id

    async def undeploy(self, name: str | None, *, user_id: str = "") -> Sequence[Undeployed]:
        """Delete the deployment with this id, or every deployment of the model with this name (its id,
        ``USER/APP/models/ID`` or its URL), and wait until their replicas have ended. The model and its versions
        stay. ``name`` None: every deployment. ``user_id``: whose deployments; the emulator's own user's if empty.
        Raises ``CallerError``."""
        user = user_id or self._user_id
        found = self._find(name.strip(), user) if name is not None else self._all_of(user)
        keys = [(each.user_id, each.deployment_id) for each in found]
        self._resources.delete(Kind.DEPLOYMENT, keys)
        for key in keys:
            self._forget(key)
        await self._until_ended(keys)
        return found

    def _find(self, name: str, user_id: str) -> Sequence[Undeployed]:
        mine = self._all_of(user_id)
        if not name:
            raise CallerError(StatusCode.DEPLOYMENT_INVALID_ARGUMENT, "The name of what to undeploy is empty.")
        by_id = [each for each in mine if each.deployment_id == name]
        if by_id:
            return by_id
        model = _model_of(name, user_id)
        found = [each for each in mine if model in (each.model, each.model.rpartition("/")[2])]
        if len({each.model for each in found}) > 1:
            models = ", ".join(sorted({each.model for each in found}))
            raise CallerError(
                StatusCode.MODEL_INVALID_ARGUMENT,
                f"Several models are called '{name}': {models}.",
                hint="Write USER/APP/models/ID, or the id of the deployment.",
            )
        if found:
            return found
        raise self._missing(name, model, mine, user_id)

    def _all_of(self, user_id: str) -> Sequence[Undeployed]:
        return [_described(each) for each in self._store.list(Kind.DEPLOYMENT, (user_id,))]

    def _missing(self, name: str, model: str, mine: Sequence[Undeployed], user_id: str) -> CallerError:
        known = {"/".join(key) for key in self._store.keys(Kind.MODEL)}
        is_model = any(model in (each, each.rpartition("/")[2]) for each in known)
        names = {each.deployment_id for each in mine} | {each.model.rpartition("/")[2] for each in mine}
        what = (
            f"User '{user_id}' has no deployment of model '{name}'."
            if is_model
            else f"User '{user_id}' has no deployment '{name}', and there is no model of this name."
        )
        return CallerError(
            StatusCode.DEPLOYMENT_DOES_NOT_EXIST,
            what,
            hint=id_hint(name, names, noun="deployment"),
        )

    async def _until_ended(self, keys: Sequence[tuple[str, str]]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                # No event says that a fleet was dropped.
                while any(self._supervisor.fleets.of_deployment(*key) for key in keys):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECONDS)


def _described(deployment: Deployment) -> Undeployed:
    served = served_model(deployment)
    model = "/".join(model_key_of(deployment, served)) if served is not None else ""
    return Undeployed(deployment.user_id, deployment.id, model)


def _model_of(name: str, user_id: str) -> str:
    """Return ``USER/APP/ID`` of a model's address; an id alone as it is."""
    address = parse_name(name)
    if address is None:
        return name
    owner = user_id if address.user_id == "me" else address.user_id
    return "/".join((owner, address.app_id, address.model_id))
