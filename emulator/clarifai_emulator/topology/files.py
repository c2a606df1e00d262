"""Reads topology files: the users, clusters, nodepools, models, deployments, workflows and faults that an emulator
starts with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from clarifai_grpc.grpc.api.resources_pb2 import (
    App,
    ComputeCluster,
    Deployment,
    Model,
    ModelVersion,
    Nodepool,
    Secret,
    User,
    Workflow,
)
from yaml.nodes import MappingNode, Node

from clarifai_emulator.backend_table import BACKEND_KEY, BACKENDS, DOCKER_HOST_KEY
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.faults import Fault, InvalidFault
from clarifai_emulator.faults.fault import NAMES as FAULT_NAMES
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.messages.yaml import YamlFile, unknown
from clarifai_emulator.topology.stand_ins import StandIn, read_stand_in
from clarifai_emulator.topology.workflow_form import to_platform_form

Message = TypeVar("Message")

SINGULAR = {
    "user": User,
    "app": App,
    "secret": Secret,
    "compute_cluster": ComputeCluster,
    "nodepool": Nodepool,
    "model": Model,
    "deployment": Deployment,
    "workflow": Workflow,
}
PLURAL = {f"{name}s": name for name in SINGULAR}
FAULTS = "faults"
STAND_INS = "stand_ins"
MODEL_KEYS = ("path", "deploy")
# What a nodepool says about running its replicas here, as keys of its metadata.
NODEPOOL_KEYS = {
    "backend": BACKEND_KEY,
    "docker_host": DOCKER_HOST_KEY,
    "share_accelerators": "emulator_share_accelerators",
}
_BESIDES = {"model": MODEL_KEYS, "nodepool": tuple(NODEPOOL_KEYS)}
DEPLOY_KEYS = (
    "nodepool",
    "nodepool_id",
    "instance",
    "compute_cluster",
    "compute_cluster_id",
    "deployment_id",
    "min_replicas",
    "max_replicas",
)


@dataclass(frozen=True, slots=True)
class Entry(Generic[Message]):
    """A resource of a topology. ``user_id``: its owner, empty for the emulator's own user. ``where``: ``file:line``
    of it, to name in an error."""

    message: Message
    user_id: str
    where: str


@dataclass(frozen=True, slots=True)
class ModelDeploy:
    """The deployment of a model of a topology. Empty or None: not said. ``instance``: the instance type whose
    nodepool is made for it."""

    instance: str = ""
    nodepool_id: str = ""
    compute_cluster_id: str = ""
    deployment_id: str = ""
    min_replicas: int | None = None
    max_replicas: int | None = None


@dataclass(frozen=True, slots=True)
class ModelEntry(Entry[Model]):
    """A model of a topology. ``path``: its directory (absolute), None for a model that is only named: there is
    nothing to run for it. ``deploy``: None when it is not to be deployed."""

    path: Path | None = None
    deploy: ModelDeploy | None = None


@dataclass(frozen=True, slots=True)
class FaultEntry:
    """A fault of a topology, and ``file:line`` of it."""

    fault: Fault
    where: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that the files name, each kind in the order of the files."""

    users: tuple[Entry[User], ...] = ()
    apps: tuple[Entry[App], ...] = ()
    secrets: tuple[Entry[Secret], ...] = ()
    compute_clusters: tuple[Entry[ComputeCluster], ...] = ()
    nodepools: tuple[Entry[Nodepool], ...] = ()
    models: tuple[ModelEntry, ...] = ()
    deployments: tuple[Entry[Deployment], ...] = ()
    workflows: tuple[Entry[Workflow], ...] = ()
    faults: tuple[FaultEntry, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()


def load_topology(paths: Sequence[Path]) -> Topology:
    """Read topology files. Raises ``ConfigError`` with every problem of every file, each with file and line."""
    reading = _Reading()
    problems: list[str] = []
    for path in paths:
        file = YamlFile(path)
        for document in file.documents():
            reading.read(file, document)
        problems.extend(file.problems)
    problems.extend(reading.settle())
    if problems:
        raise ConfigError("The topology cannot be used:", problems)
    return reading.topology()


@dataclass(slots=True)
class _Item:
    """A resource while its owner and cluster are not settled yet."""

    kind: str
    message: Any
    where: str
    path: Path | None = None
    deploy: ModelDeploy | None = None


@dataclass(slots=True)
class _Reading:
    items: list[_Item] = field(default_factory=list[_Item])
    faults: list[FaultEntry] = field(default_factory=list[FaultEntry])
    stand_ins: list[StandIn] = field(default_factory=list[StandIn])

    def read(self, file: YamlFile, document: Node) -> None:
        """Take in one document."""
        for name, (name_node, value) in file.mapping(document, "").items():
            if name in SINGULAR:
                self._add(file, name, value, name)
            elif name in PLURAL:
                for index, item in enumerate(file.items(value, name)):
                    self._add(file, PLURAL[name], item, f"{name}[{index}]")
            elif name == FAULTS:
                for index, item in enumerate(file.items(value, name)):
                    self._add_fault(file, item, f"{name}[{index}]")
            elif name == STAND_INS:
                for index, item in enumerate(file.items(value, name)):
                    self._add_stand_in(file, item, f"{name}[{index}]")
            else:
                file.complain(name_node, name, unknown(name, [*SINGULAR, *PLURAL, FAULTS, STAND_INS]))

    def _add_stand_in(self, file: YamlFile, node: Node, key: str) -> None:
        stand_in = read_stand_in(file, node, key)
        if stand_in is None:
            return
        if stand_in.model in {each.model for each in self.stand_ins}:
            name = ModelAddress(*stand_in.model).name
            file.complain(node, key, f"model {name} has two stand-ins in the topology")
        self.stand_ins.append(stand_in)

    def _add_fault(self, file: YamlFile, node: Node, key: str) -> None:
        fault = _read_fault(file, node, key)
        if fault is None:
            return
        if fault.id and fault.id in {entry.fault.id for entry in self.faults}:
            file.complain(node, key, f"fault {fault.id!r} is named twice in the topology")
        self.faults.append(FaultEntry(fault, file.where(node)))

    def _add(self, file: YamlFile, kind: str, node: Node, key: str) -> None:
        message: Any = SINGULAR[kind]()
        if kind == "workflow":
            to_platform_form(file, node, key)
        file.message(node, message, key, besides=_BESIDES.get(kind, ()))
        item = _Item(kind, message, file.where(node))
        if kind == "model":
            _read_model_keys(file, node, key, item)
        elif kind == "nodepool":
            _read_nodepool_keys(file, node, key, message)
        if not message.id and item.path is None:
            file.complain(node, key, "needs an id")
        if kind == "model" and not item.path and not message.app_id:
            file.complain(node, key, "needs an app_id (or a path, whose config.yaml has it)")
        if kind == "workflow" and not message.app_id:
            file.complain(node, key, "needs an app_id: the app that it is to be in")
        self.items.append(item)

    def settle(self) -> list[str]:
        """Find for each nodepool its cluster and for each resource its owner; what stays open is a problem."""
        problems = list(self._settle_clusters())
        self._settle_owners()
        seen: Counter[tuple[str, ...]] = Counter()
        for item in self.items:
            identity = _identity(item)
            if item.message.id and seen[identity]:
                problems.append(f"{item.where}: {item.kind} {item.message.id!r} is named twice in the topology")
            seen[identity] += 1
        return problems

    def _settle_clusters(self) -> Iterable[str]:
        clusters = [item.message.id for item in self._of("compute_cluster")]
        for item in self._of("nodepool"):
            if item.message.compute_cluster.id:
                continue
            if len(set(clusters)) == 1:
                item.message.compute_cluster.id = clusters[0]
                continue
            choices = f"one of {', '.join(clusters)}" if clusters else "the topology has no compute cluster"
            yield f"{item.where}: nodepool {item.message.id!r} needs compute_cluster.id ({choices})"
        homes: dict[str, set[str]] = {}
        for item in self._of("nodepool"):
            homes.setdefault(item.message.id, set()).add(item.message.compute_cluster.id)
        for reference in self._references():
            found = homes.get(reference.id, set())
            if not reference.compute_cluster.id and len(found) == 1:
                reference.compute_cluster.id = next(iter(found))

    def _settle_owners(self) -> None:
        """Settle one owner per cluster id: where a file leaves the user out, another may have said it."""
        said: dict[str, set[str]] = {}
        for cluster in [*(item.message for item in self._of("compute_cluster")), *self._mentioned_clusters()]:
            if cluster.user_id:
                said.setdefault(cluster.id, set()).add(cluster.user_id)
        owners = {cluster_id: next(iter(users)) for cluster_id, users in said.items() if len(users) == 1}
        for cluster in [*(item.message for item in self._of("compute_cluster")), *self._mentioned_clusters()]:
            cluster.user_id = cluster.user_id or owners.get(cluster.id, "")
        for item in self._of("deployment"):
            users = {reference.compute_cluster.user_id for reference in _nodepools_of(item.message)}
            if not item.message.user_id and len(users) == 1:
                item.message.user_id = users.pop()

    def _of(self, kind: str) -> list[_Item]:
        return [item for item in self.items if item.kind == kind]

    def _references(self) -> list[Any]:
        return [reference for item in self._of("deployment") for reference in _nodepools_of(item.message)]

    def _mentioned_clusters(self) -> list[Any]:
        nodepools = [item.message for item in self._of("nodepool")]
        return [each.compute_cluster for each in (*nodepools, *self._references())]

    def topology(self) -> Topology:
        """Return the topology that was read."""
        entries = {
            plural: tuple(Entry(item.message, _owner(item), item.where) for item in self._of(singular))
            for plural, singular in PLURAL.items()
            if singular != "model"
        }
        models = tuple(
            ModelEntry(item.message, _owner(item), item.where, item.path, item.deploy) for item in self._of("model")
        )
        return Topology(models=models, faults=tuple(self.faults), stand_ins=tuple(self.stand_ins), **entries)


def _read_model_keys(file: YamlFile, node: Node, key: str, item: _Item) -> None:
    entries = file.mapping(node, key)
    if "path" in entries:
        path_node = entries["path"][1]
        path = (file.path.parent / file.text(path_node, f"{key}.path")).resolve()
        if not path.is_dir():
            file.complain(path_node, f"{key}.path", f"{path} is not a directory")
        item.path = path
        _complain_of_settings(file, entries, key)
    if "deploy" in entries:
        item.deploy = _read_deploy(file, entries["deploy"][1], f"{key}.deploy")
        if item.deploy is not None and item.path is None:
            file.complain(node, key, "has deploy but no path: there is nothing to run")


def _complain_of_settings(file: YamlFile, entries: dict[str, tuple[Node, Node]], key: str) -> None:
    """Complain of what a file cannot say about a version that is made of code: it would be ignored."""
    if "model_version" not in entries or not isinstance(entries["model_version"][1], MappingNode):
        return
    for name, (name_node, _) in file.mapping(entries["model_version"][1], f"{key}.model_version").items():
        if name != "id" and name in ModelVersion.DESCRIPTOR.fields_by_name:
            text = "cannot be given beside path: it is what the code there makes it; only id can"
            file.complain(name_node, f"{key}.model_version.{name}", text)


def _read_nodepool_keys(file: YamlFile, node: Node, key: str, message: Any) -> None:
    entries = file.mapping(node, key)
    if "backend" in entries:
        backend_node = entries["backend"][1]
        backend = file.text(backend_node, f"{key}.backend")
        if backend not in BACKENDS:
            file.complain(backend_node, f"{key}.backend", f"{backend!r} is none of {', '.join(BACKENDS)}")
        message.metadata[NODEPOOL_KEYS["backend"]] = backend
    if "docker_host" in entries:
        host_node = entries["docker_host"][1]
        backend = file.text(entries["backend"][1], f"{key}.backend") if "backend" in entries else "docker"
        if backend != "docker":
            text = f"names a container engine, and the nodepool's backend is {backend!r}: write backend: docker"
            file.complain(host_node, f"{key}.docker_host", text)
        message.metadata[NODEPOOL_KEYS["docker_host"]] = file.text(host_node, f"{key}.docker_host")
    if "share_accelerators" in entries:
        share_node = entries["share_accelerators"][1]
        share = file.value(share_node)
        if not isinstance(share, bool):
            file.complain(share_node, f"{key}.share_accelerators", f"must be true or false, got {share!r}")
        message.metadata[NODEPOOL_KEYS["share_accelerators"]] = share is True


def _read_deploy(file: YamlFile, node: Node, key: str) -> ModelDeploy | None:
    value = file.value(node)
    if isinstance(value, bool):
        return ModelDeploy() if value else None
    texts: dict[str, str] = {}
    numbers: dict[str, int | None] = {}
    for name, (name_node, inner) in file.mapping(node, key).items():
        if name not in DEPLOY_KEYS:
            file.complain(name_node, f"{key}.{name}", unknown(name, DEPLOY_KEYS))
        elif name.endswith("_replicas"):
            numbers[name] = file.integer(inner, f"{key}.{name}")
        else:
            field = name if name.endswith("_id") or name == "instance" else f"{name}_id"
            texts[field] = file.text(inner, f"{key}.{name}")
    return ModelDeploy(**texts, min_replicas=numbers.get("min_replicas"), max_replicas=numbers.get("max_replicas"))


def _read_fault(file: YamlFile, node: Node, key: str) -> Fault | None:
    """Read a fault; None after complaints."""
    entries = file.mapping(node, key)
    known = {name: value for name, (_, value) in entries.items() if name in FAULT_NAMES}
    for name, (name_node, _) in entries.items():
        if name not in FAULT_NAMES:
            file.complain(name_node, f"{key}.{name}", unknown(name, FAULT_NAMES))
    if len(known) < len(entries) or not entries:
        if not entries and isinstance(node, MappingNode):
            file.complain(node, key, "is empty")
        return None
    values: dict[str, Any] = {name: file.value(value) for name, value in known.items()}
    try:
        return Fault(**values)
    except InvalidFault as error:
        for name, text in error.found:
            file.complain(known.get(name, node), f"{key}.{name}" if name else key, text)
        return None


def _nodepools_of(deployment: Deployment) -> list[Any]:
    return [*deployment.nodepools, *deployment.deployment_nodepools]


def _owner(item: _Item) -> str:
    message = item.message
    if item.kind == "user":
        user_id = message.id
    elif item.kind == "nodepool":
        user_id = message.compute_cluster.user_id
    else:
        user_id = message.user_id
    return "" if user_id == "me" else user_id


def _identity(item: _Item) -> tuple[str, ...]:
    message = item.message
    inside = {"nodepool": lambda: message.compute_cluster.id, "model": lambda: message.app_id}
    inside["workflow"] = inside["model"]
    # The code of several versions of one model may be here, each in a directory of its own.
    version = message.model_version.id if item.kind == "model" and item.path else ""
    return (item.kind, _owner(item), inside.get(item.kind, str)(), message.id, version)
