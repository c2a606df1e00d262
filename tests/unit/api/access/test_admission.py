"""Runners may open a stream by their credential, and as the user whom it names."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Runner
from clarifai_grpc.grpc.api.service_pb2 import PostRunnerItemOutputsRequest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.admission import Admissions
from clarifai_emulator.api.access.auth import Authenticator, Caller
from clarifai_emulator.api.runner_items import Admission
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import LaneKey, RunnerLink
from clarifai_emulator.events import EventBus
from clarifai_emulator.store import Kind, Store
from resource_api import StillClock

POOL = ("ada", "cluster", "pool")


class Scene:
    """Runner ``ours`` has replicas of the emulator; ``mine`` is the one that user ``ada`` starts."""

    def __init__(self) -> None:
        self.dispatcher = Dispatcher(events=EventBus(StillClock()), clock=StillClock(), queue_size=1)
        self.lane = self.dispatcher.lane(LaneKey("ada", "deploy-x", "v1"))
        self.ours = self.dispatcher.add_runner((*POOL, "ours"), self.lane)
        self.credential = self.dispatcher.issue_credential((*POOL, "ours"))
        self.store = Store()
        self.store.put(Kind.RUNNER, (*POOL, "mine"), Runner(id="mine"))
        self.admissions = Admissions(
            dispatcher=self.dispatcher,
            authenticator=Authenticator(
                user_id="", callers={"ada-token": Caller("ada"), "bob-token": Caller("bob")}
            ),
            store=self.store,
            adopt=self._adopt,
        )

    def _adopt(self, key: Any, runner: Runner) -> RunnerLink:
        return self.dispatcher.add_runner(key, self.lane)

    def replica(self, runner_id: str, token: str) -> Admission | int:
        return self.admissions.admit_replica(*_first(runner_id, token))

    def anyone(self, runner_id: str, token: str, **fields: Any) -> Admission | int:
        return self.admissions.admit_anyone(*_first(runner_id, token, **fields))


def _first(runner_id: str, token: str, user_id: str = "me") -> tuple[dict[str, str], Any]:
    message = PostRunnerItemOutputsRequest(
        runner_id=runner_id, compute_cluster_id="cluster", nodepool_id="pool", user_app_id={"user_id": user_id}
    )
    return {"authorization": f"Key {token}"} if token else {}, message


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("runner_id", ["ours", "control-ours"])
def test_a_replica_is_the_one_its_credential_was_made_for(scene: Scene, runner_id: str) -> None:
    expected = Admission(scene.ours, scene.credential.replica_id)
    assert scene.replica(runner_id, scene.credential.token) == expected
    assert scene.anyone(runner_id, scene.credential.token) == expected


def test_a_credential_is_good_for_no_other_runner(scene: Scene) -> None:
    assert scene.replica("mine", scene.credential.token) == StatusCode.RUNNER_PERMISSION_DENIED
    assert scene.anyone("mine", scene.credential.token) == StatusCode.RUNNER_PERMISSION_DENIED


def test_a_credential_that_was_revoked_opens_nothing(scene: Scene) -> None:
    scene.dispatcher.revoke(scene.credential)
    assert scene.replica("ours", scene.credential.token) == StatusCode.RUNNER_PERMISSION_DENIED
    assert scene.anyone("ours", scene.credential.token) == StatusCode.CONN_KEY_NOT_FOUND


@pytest.mark.parametrize("token", ["", "ada-token", "replica-guessed"])
def test_where_only_replicas_pull_their_work_no_users_token_is_good(scene: Scene, token: str) -> None:
    assert scene.replica("ours", token) == StatusCode.RUNNER_PERMISSION_DENIED


def test_a_replica_whose_runner_was_removed_is_told_so(scene: Scene) -> None:
    scene.dispatcher.remove_runner((*POOL, "ours"))
    assert scene.replica("ours", scene.credential.token) == StatusCode.RUNNER_DOES_NOT_EXIST


def test_a_users_runner_is_adopted_once_and_chooses_its_replica_id(scene: Scene) -> None:
    first = scene.anyone("mine", "ada-token")
    assert isinstance(first, Admission)
    assert (first.link.runner_id, first.link.nodepool, first.replica_id) == ("mine", POOL, "")
    assert scene.anyone("control-mine", "ada-token") == first


@pytest.mark.parametrize(
    ("runner_id", "token", "user_id"),
    [("mine", "bob-token", "ada"), ("unknown", "bob-token", "ada")],
)
def test_nobody_speaks_for_a_runner_that_is_not_theirs_or_learns_whether_it_is_there(
    scene: Scene, runner_id: str, token: str, user_id: str
) -> None:
    assert scene.anyone(runner_id, token, user_id=user_id) == StatusCode.CONN_DOES_NOT_EXIST


@pytest.mark.parametrize(("runner_id", "token"), [("unknown", "ada-token"), ("mine", "bob-token")])
def test_a_runner_that_is_not_known_yet_is_to_ask_again(scene: Scene, runner_id: str, token: str) -> None:
    assert scene.anyone(runner_id, token) == StatusCode.RUNNER_DOES_NOT_EXIST


def test_a_runner_that_its_user_deleted_is_told_so_until_it_is_registered_again(scene: Scene) -> None:
    key = (*POOL, "mine")
    scene.store.delete(Kind.RUNNER, key)
    assert scene.anyone("mine", "ada-token") == StatusCode.CONN_DOES_NOT_EXIST
    scene.store.put(Kind.RUNNER, key, Runner(id="mine"))
    assert isinstance(scene.anyone("mine", "ada-token"), Admission)


def test_the_runners_that_were_deleted_last_are_remembered(scene: Scene) -> None:
    for number in range(1001):
        key = (*POOL, f"runner-{number}")
        scene.store.put(Kind.RUNNER, key, Runner(id=key[-1]))
        scene.store.delete(Kind.RUNNER, key)
    assert scene.anyone("runner-0", "ada-token") == StatusCode.RUNNER_DOES_NOT_EXIST
    assert scene.anyone("runner-1", "ada-token") == StatusCode.CONN_DOES_NOT_EXIST


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", StatusCode.CONN_INVALID_REQUEST),
        ("a b", StatusCode.CONN_KEY_INVALID),
        ("x", StatusCode.CONN_KEY_NOT_FOUND),
    ],
)
def test_a_bad_token_is_refused_as_anywhere_else(scene: Scene, token: str, code: int) -> None:
    assert scene.anyone("mine", token) == code


@pytest.mark.parametrize(
    ("token", "replicas", "anyones"),
    [
        ("ada-token", StatusCode.RUNNER_PERMISSION_DENIED, 0),
        ("nobody", StatusCode.RUNNER_PERMISSION_DENIED, StatusCode.CONN_KEY_NOT_FOUND),
        ("", StatusCode.RUNNER_PERMISSION_DENIED, StatusCode.CONN_INVALID_REQUEST),
    ],
)
def test_a_credential_that_is_no_good_is_refused_before_a_message(
    scene: Scene, token: str, replicas: int, anyones: int
) -> None:
    metadata, _ = _first("ours", token)
    assert scene.admissions.refuse_replica(metadata) == replicas
    assert scene.admissions.refuse_anyone(metadata) == anyones
    own, _ = _first("ours", scene.credential.token)
    assert scene.admissions.refuse_replica(own) == scene.admissions.refuse_anyone(own) == 0
