"""Of all that an emulator keeps, a reset of one account forgets that account's; one of everything, all of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeInfo,
    Deployment,
    InstanceType,
    Model,
    ModelVersion,
    Nodepool,
)
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest
from google.protobuf.message import Message

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.taps import HeardCall
from clarifai_emulator.control.account import Account, UserAccount
from clarifai_emulator.control.call_records import CallLog
from clarifai_emulator.control.verbs import Verbs
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.faults import Fault
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.nodepools.fleet import Fleet, Target
from clarifai_emulator.resources.artifact_rows import ARTIFACT_VERSION
from clarifai_emulator.resources.kind_table import ROWS
from clarifai_emulator.resources.rows import Record
from clarifai_emulator.store import Kind

VERSION = next(row for row in ROWS if row.kind == Kind.MODEL_VERSION)
MINE, OTHERS = "me-gw0", "me-gw1"
DEPTHS = {"user": 1, "app": 2, "model": 3, "model_version": 4, "source": 4, "nodepool": 3, "runner": 4,
          "artifact": 3, "artifact_version": 4}  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """Something that an emulator keeps for a user: how it comes to be there, and whether it is."""

    put: Callable[[Emulator, str], object]
    has: Callable[[Emulator, str], bool]


def key_of(kind: str, user: str) -> tuple[str, ...]:
    return (user, *"abc"[: DEPTHS.get(kind, 2) - 1])


def a_resource(row: Record) -> Kept:
    def put(emulator: Emulator, user: str) -> None:
        is_message = issubclass(row.message, Message)
        item = row.message(id="x") if is_message else ModelSource(Path("/m"), Path(sys.executable), "h", "here")
        emulator.store.put(row.kind, key_of(row.kind, user), item)

    return Kept(put, lambda emulator, user: emulator.store.get(row.kind, key_of(row.kind, user)) is not None)


def put_room(emulator: Emulator, user: str) -> None:
    machine = InstanceType(id="t", compute_info=ComputeInfo(cpu_limit="1", cpu_memory="1Gi"))
    nodepool = Nodepool(id="pool", max_instances=1, instance_types=[machine])
    emulator.capacity.place((user, "c", "pool"), nodepool, ComputeInfo())


def put_fleet(emulator: Emulator, user: str) -> None:
    key = LaneKey(user, "d", "v")
    target = Target(Deployment(id="d"), Model(id="m"), ModelVersion(id="v"), None, ())
    emulator.supervisor.fleets[key] = Fleet(emulator.dispatcher.lane(key), target)


def put_debugger(emulator: Emulator, user: str) -> None:
    async def close() -> None: ...

    emulator.nodepools.debuggers._ports[(user, "d")] = SimpleNamespace(port=1, close=close)  # type: ignore


def put_project(emulator: Emulator, user: str) -> None:
    emulator.reloader._projects[Path(user)] = SimpleNamespace(lane=LaneKey(user, "d", "v"))  # type: ignore


def put_upload(emulator: Emulator, user: str) -> None:
    files = emulator._uploaded
    files.keep(files.incoming(), key_of("model_version", user))
    a_resource(VERSION).put(emulator, user)


def put_artifact(emulator: Emulator, user: str) -> None:
    files = emulator._artifacts
    files.keep(files.incoming(), key_of("artifact_version", user))
    a_resource(ARTIFACT_VERSION).put(emulator, user)


def put_build(emulator: Emulator, user: str) -> None:
    key = key_of("model_version", user)
    a_resource(VERSION).put(emulator, user)
    build = emulator.deploying.uploads._tasks[key] = asyncio.create_task(asyncio.Event().wait())  # type: ignore
    build.add_done_callback(lambda _: emulator.deploying.uploads._tasks.pop(key, None))


def put_call(emulator: Emulator, user: str) -> None:
    call = ApiCall(rpc_table()["PostModelOutputs"], {}, 0.0, request_id=user, caller=Caller(user))
    kept = emulator.api.kept_calls.begin(call, PostModelOutputsRequest(), "predict")
    emulator.api.kept_calls.routed(kept, SimpleNamespace(model=(user, "a", "m")))  # type: ignore


KEPT = {
    **{f"{row.kind} (resource)": a_resource(row) for row in ROWS},
    "fault": Kept(
        lambda emulator, user: emulator.faults.add(Fault(throttle=True), user_id=user),
        lambda emulator, user: user in [each.user_id for each in emulator.faults],
    ),
    "log line": Kept(
        lambda emulator, user: emulator.logbook.append("runner", "line", user_id=user),
        lambda emulator, user: any(emulator.logbook.lines("runner", user_id=user)),
    ),
    "call": Kept(put_call, lambda emulator, user: emulator.api.kept_calls.find(user) is not None),
    "count of calls": Kept(
        put_call, lambda emulator, user: bool(emulator.api.kept_calls.call_counts.of((user, "a", "m")))
    ),
    "room": Kept(put_room, lambda emulator, user: emulator.capacity.nodes_in_use((user, "c", "pool")) > 0),
    "fleet": Kept(put_fleet, lambda emulator, user: LaneKey(user, "d", "v") in emulator.supervisor.fleets),
    "lane": Kept(
        put_fleet, lambda emulator, user: emulator.dispatcher.find_lane(LaneKey(user, "d", "v")) is not None
    ),
    "debugger": Kept(put_debugger, lambda emulator, user: emulator.nodepools.debuggers.port((user, "d")) > 0),
    "dev loop": Kept(put_project, lambda emulator, user: Path(user) in emulator.reloader.projects),
    "hosted model": Kept(
        lambda emulator, user: emulator._hosted.add((user, "a", "m")),
        lambda emulator, user: (user, "a", "m") in emulator._hosted,
    ),
    "upload": Kept(put_upload, lambda emulator, user: emulator._uploaded.has(key_of("model_version", user))),
    "artifact's content": Kept(
        put_artifact, lambda emulator, user: emulator._artifacts.content(key_of("artifact_version", user)).exists()
    ),
    "build": Kept(
        put_build, lambda emulator, user: key_of("model_version", user) in emulator.deploying.uploads._tasks
    ),
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator(discovery=Discovery((), "a unit test has none"))
    yield emulator
    emulator._uploaded.close()
    emulator._artifacts.close()


async def is_forgotten(is_there: Callable[[], bool]) -> bool:
    """Files of a version that is gone go in a moment."""
    for _ in range(200):
        if not is_there():
            return True
        await asyncio.sleep(0.001)
    return False


@pytest.mark.parametrize("what", KEPT)
async def test_an_account_forgets_what_is_its_own(emulator: Emulator, what: str) -> None:
    kept, account = KEPT[what], UserAccount(emulator, MINE)
    for user in (MINE, f"{MINE}-bob", OTHERS, "me"):
        kept.put(emulator, user)
        assert kept.has(emulator, user)
    await account.reset()
    assert what.startswith("user") or await is_forgotten(lambda: kept.has(emulator, MINE))
    assert await is_forgotten(lambda: kept.has(emulator, f"{MINE}-bob"))
    assert kept.has(emulator, OTHERS)
    assert kept.has(emulator, "me")
    await emulator.reset()


@pytest.mark.parametrize("what", KEPT)
async def test_everything_forgets_what_is_anyones(emulator: Emulator, what: str) -> None:
    kept = KEPT[what]
    for user in (MINE, OTHERS):
        kept.put(emulator, user)
    await emulator.reset()
    for user in (MINE, OTHERS):
        assert await is_forgotten(lambda user=user: kept.has(emulator, user))


@pytest.mark.parametrize("whose", [MINE, None], ids=["account", "everything"])
async def test_what_belongs_to_nobody_goes_with_everything_only(emulator: Emulator, whose: str | None) -> None:
    emulator.events.emit("replica.ready", replica_id="r")
    seen = emulator.events.last_seq
    await (emulator.reset() if whose is None else UserAccount(emulator, whose).reset())
    is_there = seen in [event.seq for event in emulator.events.recent()]
    assert is_there is (whose is not None)
    assert emulator.events.last_seq >= seen, "numbers go on, for whoever follows"


async def test_the_calls_of_an_account_go_with_it(emulator: Emulator) -> None:
    log = CallLog()
    for user in (MINE, OTHERS):
        emulator.authenticator.admit(f"token-of-{user}", user)
        metadata = {"authorization": f"Key token-of-{user}"}
        log._heard.append(HeardCall(SimpleNamespace(metadata=metadata, request_id=user)))  # type: ignore
    await Verbs(UserAccount(emulator, MINE), log).reset()
    assert log.request_ids(lambda heard: True) == {OTHERS}
    await Verbs(Account(emulator), log).reset()
    assert log.request_ids(lambda heard: True) == set()


async def test_each_begins_again_with_its_own(emulator: Emulator) -> None:
    await emulator.reset()
    account = UserAccount(emulator, MINE)
    await account.reset()
    assert {key[0] for key in emulator.store.keys(Kind.NODEPOOL)} == {"clarifai", "me", MINE}
