"""Defines the fixture ``clarifai``: one test's account on the emulator, empty at first.

Tests deploy, make resources and look what happened with it.
"""

from __future__ import annotations

import contextlib
import secrets as tokens
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    CloudProvider,
    ComputeCluster,
    Deployment,
    InstanceType,
    Key,
    NodeCapacityType,
    Nodepool,
    Secret,
    User,
    Visibility,
)

from clarifai_emulator.catalogue import LOCAL_INSTANCE
from clarifai_emulator.clock import TurnableClock
from clarifai_emulator.control.call_records import Call, Route, routes_of
from clarifai_emulator.control.door import AddedFault
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.control.verbs import CassetteUse
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.events import Event
from clarifai_emulator.faults import Fault
from clarifai_emulator.messages.address import ModelAddress, ModelKey
from clarifai_emulator.resources.credential_rows import PAT as PAT_TYPE
from clarifai_emulator.routing import Ask, Decision
from clarifai_emulator.store import Kind
from pytest_clarifai_emulator.called import WantedCall, require_called
from pytest_clarifai_emulator.called_model import CalledModel, model_key
from pytest_clarifai_emulator.deployed import DeployedModel
from pytest_clarifai_emulator.model_paths import TestPaths
from pytest_clarifai_emulator.replaced import (
    ReplacedModel,
    model_named,
    named_among,
    replaced_by_directory,
    replaced_by_functions,
)
from pytest_clarifai_emulator.routed import require_routed
from pytest_clarifai_emulator.sdk_clock import Retries
from pytest_clarifai_emulator.serving import turn
from pytest_clarifai_emulator.test_environment import token_of

if TYPE_CHECKING:
    from pytest_clarifai_emulator.serving import Serving
    from pytest_clarifai_emulator.shared.joined import JoinedEmulator

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """A further user of the platform, with a token of its own."""

    id: str
    pat: str


class EmulatorClock:
    """The emulator's clock: token expiry, cool-downs, scale-down delays and crash delays go by it."""

    def __init__(self, clock: TurnableClock | None, emulator: EmulatorThread | JoinedEmulator) -> None:
        self._clock = clock
        self._emulator = emulator

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._emulator.run(_now)

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once. What is due then happens now; it does not go back."""
        if seconds < 0:
            raise ValueError(f"time does not go back: advance() takes seconds that are not negative, got {seconds}")

        clock = self._clock
        if clock is None:
            pytest.fail(
                "clarifai.clock.advance() would move the time of every worker's tests: the emulator is one that "
                "all share. Run the test with --clarifai-scope worker.",
                pytrace=False,
            )
        self._emulator.run(partial(turn, clock, seconds))


class Clarifai:
    """The account of one test. Everything in it is gone when the test ends; models stay warm for the next."""

    def __init__(self, serving: Serving, user_id: str, paths: TestPaths, *, is_of_test: bool = True) -> None:
        self.serving = serving
        self._is_of_test = is_of_test
        self.paths = paths
        self.emulator = serving.thread
        self.clock = EmulatorClock(serving.clock, serving.thread)
        self._user_id = user_id
        self.deployed: list[DeployedModel] = []
        self._faults: list[AddedFault] = []
        self._replaced = contextlib.ExitStack()
        self.cassette: CassetteUse | None = None  # of the mark clarifai_cassette
        self.gpus: tuple[str, ...] = ()  # UUIDs of the devices that the mark clarifai_gpu holds
        self.replaying: Callable[[Path, str], tuple[str, str, str] | None] = lambda path, model: None

    # ── where it is ────────────────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        """The base URL: ``CLARIFAI_API_BASE``."""
        return self.emulator.url

    @property
    def pat(self) -> str:
        """The token of the account: ``CLARIFAI_PAT``."""
        return token_of(self._user_id)

    @property
    def user_id(self) -> str:
        """The user: ``CLARIFAI_USER_ID``."""
        return self._user_id

    # ── what it has ────────────────────────────────────────────────────────────────────────────────────

    def deploy(
        self,
        path: str | Path,
        *,
        nodepool: str | Nodepool = "cpu",
        cluster: str | ComputeCluster = "",
        instance: str = "",
        deployment: str = "",
        model: str = "",
        min_replicas: int = 1,
        max_replicas: int | None = None,
        wait: bool | float = True,
    ) -> DeployedModel:
        """Deploy a model directory; a relative path is one beside the test file, else in the working directory.

        ``model``: ``USER/APP/models/ID``, to serve it under another name than config.yaml's. ``instance``: an
        instance type (``t3a.medium``): its nodepool is made, and the model asks for what it has. ``wait`` until a
        replica is ready, or so many seconds at most; False also deploys what can never start. ``min_replicas=0``
        starts none before the first request. Raises ``ModelError`` and ``CallerError`` with what to mend."""
        __tracebackhide__ = True
        if instance and (nodepool != "cpu" or cluster):
            raise ValueError("instance= makes a nodepool of its own: leave nodepool= and cluster= out")
        options = {
            "nodepool_id": nodepool if isinstance(nodepool, str) else nodepool.id,
            "compute_cluster_id": _cluster_of(cluster, nodepool),
            "instance": instance,
            "deployment_id": deployment,
            "model": model,
            "min_replicas": min_replicas,
            "max_replicas": max_replicas,
            "wait": bool(wait),
            "wait_seconds": None if isinstance(wait, bool) else float(wait),
            "must_fit": bool(wait),
        }
        recorded = self.replaying(self.paths.resolved(path), model)
        directory = self.paths.resolved(path) if recorded else self.paths.model_directory(path)
        handle = DeployedModel(self.serving, directory, options, recorded=recorded)
        self.deployed.append(handle)
        return handle

    def stand_in(
        self,
        model: str,
        /,
        *,
        script: Sequence[Any] | None = None,
        answers: Sequence[Any] | None = None,
        path: str | Path | None = None,
    ) -> CalledModel:
        """Let something else serve a model under its name: ``script``, answers in the order of a conversation
        (texts, and ``{"tool": "add", "arguments": {…}}`` for a call of a tool; see docs/stand-ins.md), ``answers``,
        of which the first that fits is given, or a model directory. Raises ``ConfigError`` with what to mend."""
        __tracebackhide__ = True
        from pytest_clarifai_emulator.stood_in import set_up_stand_in

        given = self.paths.model_directory(path) if path is not None else None
        return set_up_stand_in(
            self.serving,
            model_key(model),
            self.user_id,
            self.deploy,
            script=script,
            answers=answers,
            path=given,
        )

    def handle(self, name: str) -> DeployedModel:
        """Return the handle of a model that was deployed, by its id, ``USER/APP/models/ID`` or its URL. Raises
        ``ConfigError``."""
        __tracebackhide__ = True
        key = named_among(
            [each.key for each in self.deployed], self.user_id, name, "The test has deployed no model"
        )
        return next(each for each in reversed(self.deployed) if each.key == key)

    def undeploy(self, model: DeployedModel | str) -> None:
        """Delete a deployment, or every deployment of a model: a handle of ``deploy``, or a name as `undeploy` of
        the command line takes it. Its replicas have ended then. Raises ``CallerError``."""
        self.serving.undeploy(model.deployment_id if isinstance(model, DeployedModel) else model)

    def replace(self, model: DeployedModel | str, substitute: Any, /) -> ReplacedModel:
        """Let something of the test answer for a model: calls of the test and of other models reach it.

        ``model``: a handle of ``deploy``, the model's id, ``USER/APP/models/ID`` or its URL. ``substitute``: a
        function (named as the method, or of a model that has one), ``{"METHOD": function}``, an object or class
        with methods of these names, or a model directory. Methods that are not named stay the model's own. As a
        context manager, until the end of the block. Raises ``ConfigError`` when it does not fit."""
        __tracebackhide__ = True
        real = model if isinstance(model, DeployedModel) else None
        key = real.key if real is not None else model_named(self.serving, self.user_id, str(model))
        if isinstance(substitute, str | Path):
            found = real or next((each for each in reversed(self.deployed) if each.key == key), None)
            stand_in = partial(self._stand_in, key, found, substitute)
            replacement = replaced_by_directory(self.serving, key, found, stand_in)
        else:
            replacement = replaced_by_functions(self.serving, key, substitute)
            self._replaced.callback(replacement.remove)
        return replacement

    def _stand_in(self, key: ModelKey, real: DeployedModel | None, path: str | Path) -> DeployedModel:
        placed: dict[str, Any] = {} if real is None else {"deployment": real.deployment_id, **real.placed}
        return self.deploy(path, model=ModelAddress(*key).name, **placed)

    def close(self) -> None:
        """End what would outlive the account: functions that replace models."""
        self._replaced.close()

    def cluster(self, id: str = "cluster", **fields: Any) -> ComputeCluster:
        """Create a compute cluster; ``fields`` are those of the platform's ``ComputeCluster``."""
        given: dict[str, Any] = {
            "cloud_provider": CloudProvider(id="local"),
            "region": "local",
            "cluster_type": "dedicated",
            "managed_by": "user",
            "visibility": Visibility(gettable=Visibility.PRIVATE),
            **fields,
        }
        return self._post(Kind.COMPUTE_CLUSTER, (), ComputeCluster(id=id, **given))

    def nodepool(
        self,
        id: str,
        *,
        cluster: str | ComputeCluster = "local",
        instance_type: str | InstanceType = "",
        min_instances: int = 0,
        max_instances: int = 1,
        **fields: Any,
    ) -> Nodepool:
        """Create a nodepool. ``instance_type``: its id (``g5.2xlarge``), or a message; else this machine."""
        cluster_id = cluster if isinstance(cluster, str) else cluster.id
        given: dict[str, Any] = {
            "instance_types": [self._instance_type(instance_type)],
            "min_instances": min_instances,
            "max_instances": max_instances,
            "node_capacity_type": NodeCapacityType(capacity_types=[NodeCapacityType.ON_DEMAND_TYPE]),
            "visibility": Visibility(gettable=Visibility.PRIVATE),
            **fields,
        }
        message = Nodepool(id=id, **given)
        message.compute_cluster.id, message.compute_cluster.user_id = cluster_id, self.user_id
        return self._post(Kind.NODEPOOL, (cluster_id,), message)

    def deployment(
        self,
        id: str,
        *,
        model: DeployedModel | str,
        nodepools: Sequence[str | Nodepool] = ("cpu",),
        min_replicas: int = 0,
        max_replicas: int = 5,
        **fields: Any,
    ) -> Deployment:
        """Create a further deployment of a model that is there; ``model``: a handle of ``deploy``, or its URL."""
        given: dict[str, Any] = {
            "scheduling_choice": Deployment.PERFORMANCE,
            "visibility": Visibility(gettable=Visibility.PRIVATE),
            **fields,
        }
        message = Deployment(id=id, **given)
        message.autoscale_config.min_replicas = min_replicas
        message.autoscale_config.max_replicas = max(max_replicas, min_replicas)
        served = message.worker.model
        served.user_id, served.app_id, served.id = model_key(model)
        if isinstance(model, DeployedModel):
            served.model_version.id = model.version_id
        for nodepool in nodepools:
            message.nodepools.append(self._nodepool_entry(nodepool))
        return self._post(Kind.DEPLOYMENT, (), message)

    def user(
        self, id: str, *, scopes: Iterable[str] = (), expires_in: float | None = None, **fields: Any
    ) -> Member:
        """A further user, with a token that clients can use; ``scopes`` limit what it is good for, ``expires_in``
        (seconds of ``clarifai.clock``) for how long. With ``--clarifai-scope shared``, ids of further users begin
        with ``clarifai.user_id``."""
        if not isinstance(self.emulator, EmulatorThread):
            self.emulator.require_own(id)
        key = Key(id=tokens.token_hex(16), description=f"token of {id}", type=PAT_TYPE, scopes=list(scopes))
        if expires_in is not None:
            key.expires_at.FromNanoseconds(int((self.clock.now() + expires_in) * 1e9))

        self.emulator.run(partial(_add_user, User(id=id, **fields), key))
        return Member(id, key.id)

    def secret(self, id: str, value: str, **fields: Any) -> Secret:
        """Store a secret of the account."""
        return self._post(Kind.SECRET, (), Secret(id=id, value=value, **fields))

    def topology(self, *files: str | Path) -> None:
        """Create everything that topology files name, which are found as model directories are. Raises
        ``ConfigError`` with file and line of each problem."""
        __tracebackhide__ = True
        self.emulator.apply(*map(self.paths.resolved, files))

    # ── what goes wrong, and what happened ─────────────────────────────────────────────────────────────

    def fault(self, fault: Fault | None = None, /, **fields: Any) -> AddedFault:
        """Make things go wrong from now on: ``clarifai.fault(status="MODEL_DEPLOYING", times=2)``. As a context
        manager, until the end of the block. ``.injected`` counts."""
        added = self.emulator.faults.add(fault if fault is not None else Fault(**fields))
        self._faults.append(added)
        return added

    def idle_faults(self) -> list[str]:
        """A sentence for each fault that concerned no request, as what it names is not there."""
        idle = [active.fault for active in self._faults if not active.seen]
        return [text for fault in idle for text in self.serving.unknown_names(fault)]

    @property
    def retries(self) -> Retries:
        """Return how often the SDK tried again in this test (``.count``), and how long it waited for that on its
        own clock (``.seconds``). Each try is one of ``calls``."""
        return self.serving.sdk_clock.retries

    @property
    def calls(self) -> list[Call]:
        """Every inference call of the test so far, oldest first; of an account that outlives tests, of them all."""
        return self.serving.test_calls() if self._is_of_test else self.serving.calls()

    @property
    def routes(self) -> list[Route]:
        """Return where each of the calls went, and why."""
        return list(routes_of(self.calls))

    @property
    def logs(self) -> list[str]:
        """Return what the models printed, oldest first."""
        return self.log_lines()

    def log_lines(self, log_type: str = "runner", **match: str) -> list[str]:
        """Lines of one log type (``runner``, ``builder``, ``runner.events``) whose source has these ids."""
        return self.serving.log_lines(log_type, **match)

    def events(self, prefix: str = "", **match: Any) -> list[Event]:
        """Return what happened: events whose kind begins with ``prefix`` and whose fields equal ``match``."""
        return self.emulator.events(prefix, **match)

    def status(self) -> dict[str, Any]:
        """Nodepools, deployments, replicas and faults as they are now."""
        return self.emulator.status()

    def route(self, model: DeployedModel | str, **ask: Any) -> Decision:
        """Return where a request for a model would go; ``ask`` are fields of ``Ask``. Raises ``RoutingError``."""
        user, app, model_id = model_key(model)
        asked: dict[str, Any] = {"caller": self.user_id, **ask}
        for name in ("deployment", "nodepool"):
            if asked.get(name) is not None and asked[name][0] == "me":
                asked[name] = (self.user_id, *asked[name][1:])
        user = self.user_id if user == "me" else user
        return self.emulator.route(Ask(model_user=user, model_app=app, model_id=model_id, **asked))

    def assert_routed(
        self,
        *,
        rule: str | None = None,
        deployment: str | None = None,
        nodepool: str | None = None,
        calls: Sequence[Call] | None = None,
    ) -> None:
        """Fail unless there was a call, and every call went this way: by this rule, to this deployment (its id, or
        ``USER/ID``), in this nodepool (its id, or ``USER/CLUSTER/ID``)."""
        __tracebackhide__ = True
        require_routed(
            self.calls if calls is None else calls, {"rule": rule, "deployment": deployment, "nodepool": nodepool}
        )

    def assert_called(
        self,
        model: CalledModel | str,
        /,
        method: str = "",
        *,
        tool: str = "",
        times: int | None = None,
        arguments: Mapping[str, Any] | None = None,
        by: CalledModel | str | None = None,
        **named: Any,
    ) -> None:
        """Fail unless a model was called, by the test or by another model: with this method, or, of an MCP server,
        this tool, and these arguments, among others; of ``times``, exactly so often. ``model``: a handle, its
        address, or its id alone; ``by``: the same of the model that makes the call, "" for the test itself.
        ``arguments``: those whose names are taken here."""
        __tracebackhide__ = True
        caller = None if by is None else self._name_in_calls(by)
        given = {**(arguments or {}), **named}
        require_called(self.calls, WantedCall(self._name_in_calls(model), method, tool, given, caller), times)

    def _name_in_calls(self, model: CalledModel | str) -> str:
        """Return a model as calls name it: its key, or the id alone that was given."""
        name = model if isinstance(model, str) and "/" not in model else "/".join(model_key(model))
        return f"{self.user_id}/{name.partition('/')[2]}" if name.startswith("me/") else name

    def assert_matches_contract(self, lock: str | Path) -> None:
        """Fail unless every model that ``deploy`` deployed keeps what a lock file says of it."""
        __tracebackhide__ = True
        for handle in self.deployed:
            handle.assert_matches_contract(self.paths.resolved(lock))

    # ── how ────────────────────────────────────────────────────────────────────────────────────────────

    def _post(self, kind: Kind, parents: tuple[str, ...], message: T) -> T:
        return self.emulator.run(partial(_posted, kind, self.user_id, parents, message))

    def _instance_type(self, wanted: str | InstanceType) -> InstanceType:
        if not isinstance(wanted, str):
            return wanted
        found = self.emulator.run(partial(_instance_type, wanted or LOCAL_INSTANCE))
        return found if found is not None else InstanceType(id=wanted)

    def _nodepool_entry(self, nodepool: str | Nodepool) -> Nodepool:
        """The nodepool as a deployment names it: with its cluster."""
        nodepool_id = nodepool if isinstance(nodepool, str) else nodepool.id
        cluster_id = "" if isinstance(nodepool, str) else nodepool.compute_cluster.id
        entry = Nodepool(id=nodepool_id)
        keys = self.emulator.run(partial(_nodepools, self.user_id))
        known = [key for key in keys if key[2] == nodepool_id and cluster_id in ("", key[1])]
        if len(known) != 1:
            names = ", ".join(sorted(f"{key[1]}/{key[2]}" for key in keys)) or "none"
            problem = "Several clusters have" if known else "There is no"
            raise ValueError(
                f"{problem} nodepool {nodepool_id!r}; there are: {names}. Pass what clarifai.nodepool() gave."
            )
        entry.compute_cluster.user_id, entry.compute_cluster.id = known[0][:2]
        return entry


ACCOUNT = pytest.StashKey[Clarifai]()  # of a test: for what looks at the test when it is through


# ── what is done in the emulator's event loop, in this process or in another one ───────────────────────────


def _now(emulator: Emulator) -> float:
    return emulator.clock.now()


def _add_user(user: User, key: Key, emulator: Emulator) -> None:
    emulator.resources.add_user(user)
    emulator.store.put(Kind.KEY, (user.id, key.id), key)


def _posted(kind: Kind, user_id: str, parents: tuple[str, ...], message: Any, emulator: Emulator) -> Any:
    key = emulator.resources.post(kind, user_id, parents, [message])[0]
    return emulator.resources.shown(kind, key)


def _instance_type(name: str, emulator: Emulator) -> InstanceType | None:
    return emulator.catalogue.find(name)


def _nodepools(user_id: str, emulator: Emulator) -> list[tuple[str, ...]]:
    return list(emulator.store.keys(Kind.NODEPOOL, (user_id,)))


def _cluster_of(cluster: str | ComputeCluster, nodepool: str | Nodepool) -> str:
    if not isinstance(cluster, str):
        return cluster.id
    return cluster or ("" if isinstance(nodepool, str) else nodepool.compute_cluster.id)
