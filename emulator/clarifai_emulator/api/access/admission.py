"""Admits runners to streams: a replica with its own credential, or a user's own runner.

A replica's credential is good for that replica of that runner and for nothing else. A runner that a user starts
(``clarifai model serve``, a ``local-dev`` cluster) shows its user's token and the id PostRunners gave it.

A user's runner outlives an emulator that is started again and knows nothing of it until PostRunners names it again.
One that is not known is therefore told to ask again (it does so each second), and only one that its user deleted is
told what the platform tells it, after which the genuine runner sleeps for five minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Authenticator, token_of
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.runner_items import CONTROL_PREFIX, Admission
from clarifai_emulator.api.transport.peer import NO_PEER, Peer
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import RunnerLink
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import RunnerKey
from clarifai_emulator.resources.permissions import Organisations
from clarifai_emulator.store import Key, Kind, Store

Adopt = Callable[[RunnerKey, Runner], RunnerLink]

_DELETED_REMEMBERED = 1000


class Admissions:
    """Decides on the first message of a runner's stream. ``adopt`` gives a user's runner its lane."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        authenticator: Authenticator,
        store: Store,
        adopt: Adopt,
        organisations: Organisations | None = None,
    ) -> None:
        self._organisations = organisations or Organisations()
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._store = store
        self._adopt = adopt
        self._deleted = dict[Key, None]()
        store.watch(self._store_changed)

    def admit_replica(self, metadata: Mapping[str, str], first: Any, _peer: Peer = NO_PEER) -> Admission | int:
        """The replica whose credential this is; else the status to refuse it with."""
        credential = self._dispatcher.credential(token_of(metadata))
        if credential is None or credential.runner[3] != first.runner_id.removeprefix(CONTROL_PREFIX):
            return StatusCode.RUNNER_PERMISSION_DENIED
        link = self._dispatcher.runner(credential.runner)
        if link is None:
            return StatusCode.RUNNER_DOES_NOT_EXIST
        return Admission(link, credential.replica_id)

    def refuse_replica(self, metadata: Mapping[str, str], _peer: Peer = NO_PEER) -> int:
        """Return the status with which a credential is refused that is no replica's; 0 for one that is."""
        is_replica = self._dispatcher.credential(token_of(metadata)) is not None
        return 0 if is_replica else StatusCode.RUNNER_PERMISSION_DENIED

    def refuse_anyone(self, metadata: Mapping[str, str], peer: Peer = NO_PEER) -> int:
        """Return the status with which a credential is refused that is no replica's and no user's; 0 for others."""
        if not self.refuse_replica(metadata):
            return 0
        try:
            self._authenticator.authenticate(metadata, peer)
        except CallerError as error:
            return error.code
        return 0

    def admit_anyone(self, metadata: Mapping[str, str], first: Any, peer: Peer = NO_PEER) -> Admission | int:
        """A replica, or a runner that belongs to the user whose token this is, or to an organisation it is in."""
        if self._dispatcher.credential(token_of(metadata)) is not None:
            return self.admit_replica(metadata, first, peer)
        try:
            caller = self._authenticator.authenticate(metadata, peer)
            caller.require(rpc_table()["ProcessRunnerItems"])
        except CallerError as error:
            return error.code
        key = (
            caller.resolve(first.user_app_id.user_id),
            first.compute_cluster_id,
            first.nodepool_id,
            first.runner_id.removeprefix(CONTROL_PREFIX),
        )
        if not self._organisations.may_change(caller.user_id, key[0]):
            return StatusCode.CONN_DOES_NOT_EXIST
        runner: Runner | None = self._store.get(Kind.RUNNER, key)
        if runner is None:
            # Its log then: "Runner got a CONN_DOES_NOT_EXIST status … Waiting for pod to terminate".
            return StatusCode.CONN_DOES_NOT_EXIST if key in self._deleted else StatusCode.RUNNER_DOES_NOT_EXIST
        return Admission(self._dispatcher.runner(key) or self._adopt(key, runner))

    def _store_changed(self, kind: Kind, key: Key) -> None:
        """Remember the runners that were deleted last, until they are registered again."""
        if kind != Kind.RUNNER:
            return
        self._deleted.pop(key, None)
        if self._store.get(kind, key) is None:
            self._deleted[key] = None
            if len(self._deleted) > _DELETED_REMEMBERED:
                del self._deleted[next(iter(self._deleted))]
