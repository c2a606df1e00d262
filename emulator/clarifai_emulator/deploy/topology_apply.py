"""Applies what an edit of topology files changed, kind by kind, and says in words what was done.

What is new in the files may be there already, from a restored state or by way of the API: then it is made to be as
the files say. What differs may be gone: then it is made anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.resources_pb2 import Deployment

from clarifai_emulator.deploy.deployer import Deployer
from clarifai_emulator.deploy.provision import Provisioner, collecting
from clarifai_emulator.errors import ConfigError, ModelError
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind
from clarifai_emulator.topology.file_changes import (
    KINDS,
    NOUNS,
    KindChanges,
    fields_said,
    fields_to_set,
    name_of,
    settings_of,
)
from clarifai_emulator.topology.files import Entry, ModelEntry, Topology

Item = TypeVar("Item")

_BEFORE_DEPLOYMENTS = ("apps", "secrets", "compute_clusters", "nodepools")


class Application:
    """An edit on its way into the store."""

    def __init__(
        self, provisioner: Provisioner, resources: Resources, deployer: Deployer, progress: Progress
    ) -> None:
        self._provisioner = provisioner
        self._resources = resources
        self._store = resources.store
        self._deployer = deployer
        self._progress = progress
        self._problems: list[str] = []
        self._done: dict[str, list[str]] = defaultdict(list)

    async def run(self, found: dict[str, KindChanges[Any]]) -> dict[str, list[str]]:
        """Do it, all but faults; what was done, by kind. Raises ``ConfigError``: some of it may be done then."""
        await self._put("users", found["users"])
        for kind in _BEFORE_DEPLOYMENTS:
            await self._create(kind, self._assign(kind, _pairs(found[kind])))
        self._require_no_problems()
        await self._set_models(found["models"])
        await self._put("stand_ins", found["stand_ins"])
        await self._create("deployments", self._assign("deployments", _pairs(found["deployments"])))
        for entry in found["deployments"].gone:
            if self._delete((self._provisioner.owner(entry), entry.message.id)):
                self._is_gone("deployments", entry)
        await self._create("workflows", self._assign("workflows", _pairs(found["workflows"])))
        self._require_no_problems()
        return self._done

    async def _create(self, kind: str, items: Sequence[Any]) -> None:
        try:
            await self._provisioner.apply(Topology(**{kind: tuple(items)}), self._progress)
        except ConfigError as error:
            self._problems += error.problems

    async def _put(self, kind: str, change: KindChanges[Any]) -> None:
        """Put again, as a whole, what is new or differs."""
        for each in change.new:
            self._is_new(kind, each)
        for was, now in change.changed:
            self._differs(
                kind, now, settings_of(was.message, now.message) if isinstance(now, Entry) else ["settings"]
            )
        await self._create(kind, (*change.new, *(now for _, now in change.changed)))

    def _assign(self, kind: str, pairs: Sequence[tuple[Entry[Any] | None, Entry[Any]]]) -> list[Entry[Any]]:
        """Set what the files say about what is there; what is not there yet."""
        missing: list[Entry[Any]] = []
        for before, after in pairs:
            owner = self._provisioner.owner(after)
            parents = _parents(kind, after.message)
            stored = self._store.get(KINDS[kind], (owner, *parents, after.message.id))
            if stored is None:
                missing.append(after)
                self._is_new(kind, after)
                continue
            with collecting(self._problems, after.where):
                wanted = self._provisioner.deployment_of(after) if kind == "deployments" else after.message
                names = (
                    fields_said(wanted, stored) if before is None else settings_of(before.message, after.message)
                )
                differing = self._resources.assign(KINDS[kind], owner, parents, wanted, fields_to_set(names))
                self._differs(kind, after, [name for name in names if name in differing])
        return missing

    async def _set_models(self, change: KindChanges[ModelEntry]) -> None:
        named = [(before, after) for before, after in _pairs(change) if after.path is None]
        await self._create("models", self._assign("models", named))
        with_code = [entry for entry in change.new if entry.path]
        before = [await self._shape_of(entry) for entry in with_code]
        await self._create("models", with_code)
        for entry, shape in zip(with_code, before, strict=True):
            if shape is None:
                self._is_new("models", entry)
            elif shape != await self._shape_of(entry):
                self._differs("models", entry, ["settings"])
        for was, now in change.changed:
            if now.path:
                with collecting(self._problems, now.where):
                    await self._redeploy(was, now)
        for entry in change.gone:
            if await self._undeploy(entry):
                self._is_gone("models", entry)

    async def _shape_of(self, entry: ModelEntry) -> tuple[str, Deployment] | None:
        """Describe which version of a model there is and how it is deployed, to tell whether that has changed; None
        if there is no such model."""
        try:
            key = await self._provisioner.model_key_of(entry)
        except ModelError:  # whoever creates it says so
            return None
        if self._store.get(Kind.MODEL, key) is None:
            return None
        version = self._store.newest(Kind.MODEL_VERSION, key)
        deployment = Deployment()
        if entry.deploy is not None:
            deployment.CopyFrom(self._store.get(Kind.DEPLOYMENT, self._deployment_key(entry, key)) or deployment)
            deployment.ClearField("modified_at")
        return version.id if version is not None else "", deployment

    async def _redeploy(self, before: ModelEntry, after: ModelEntry) -> None:
        """Other settings for the deployment of a model: what it runs stays as it is."""
        key = await self._provisioner.model_key_of(after)
        pins = before.message.model_version.id, after.message.model_version.id
        if pins[0] != pins[1]:
            if pins[0]:
                self._deployer.versions.pinned.release(key, pins[0])
            await self._create("models", [after])
        was, now = before.deploy, after.deploy
        is_same = was and now and (was.deployment_id, was.instance) == (now.deployment_id, now.instance)
        if is_same and self._store.get(Kind.DEPLOYMENT, self._deployment_key(after, key)) is not None:
            self._deployer.deployments.adjust(self._provisioner.request_of(after), key)
        else:
            await self._undeploy(before)
            await self._create("models", [after])
        self._differs("models", after, settings_of(before.message, after.message) or ["settings"])

    async def _undeploy(self, entry: ModelEntry) -> bool:
        """Undeploy a model; return whether it was deployed."""
        key = await self._known_model(entry) if entry.deploy is not None else None
        return key is not None and self._delete(self._deployment_key(entry, key))

    async def _known_model(self, entry: ModelEntry) -> ModelKey | None:
        """The model of an entry that was applied; its directory may be gone with the entry."""
        try:
            return await self._provisioner.model_key_of(entry)
        except ModelError:
            for user, app, model, version in self._store.keys(Kind.SOURCE):
                source: Any = self._store.get(Kind.SOURCE, (user, app, model, version))
                if source.path == entry.path:
                    return user, app, model
            return None

    def _deployment_key(self, entry: ModelEntry, model: ModelKey) -> Key:
        return self._deployer.deployments.key(self._provisioner.request_of(entry), model)

    def _delete(self, deployment: Key) -> bool:
        is_there = self._store.get(Kind.DEPLOYMENT, deployment) is not None
        self._resources.delete(Kind.DEPLOYMENT, [deployment])
        return is_there

    def _require_no_problems(self) -> None:
        if self._problems:
            raise ConfigError("The topology cannot be applied:", self._problems)

    # ── in words ───────────────────────────────────────────────────────────────────────────────────────

    def _is_new(self, kind: str, item: Any) -> None:
        self._done[kind].append(f"{NOUNS[kind]} {name_of(item)} is new")

    def _is_gone(self, kind: str, item: Any) -> None:
        self._done[kind].append(f"{NOUNS[kind]} {name_of(item)} is no longer deployed")

    def _differs(self, kind: str, item: Any, names: Sequence[str]) -> None:
        if names:
            self._done[kind].append(f"{NOUNS[kind]} {name_of(item)}: other {', '.join(names)}")


def _pairs(change: KindChanges[Item]) -> list[tuple[Item | None, Item]]:
    """Pair what may have to be set: as it was, None for what is new, and as it is now."""
    return [*((None, each) for each in change.new), *change.changed]


def _parents(kind: str, message: Any) -> tuple[str, ...]:
    """Return what an item lies in, besides its owner."""
    if kind == "nodepools":
        return (message.compute_cluster.id,)
    return (message.app_id,) if kind in ("models", "workflows") else ()
