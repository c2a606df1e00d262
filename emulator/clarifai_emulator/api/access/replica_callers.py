"""Reads the credentials of replicas as those of callers: what a model may ask of the platform in its owner's name.

On the platform a hosted agent uses the ``CLARIFAI_PAT`` of its replica to ask models and to read about them
(docs/fidelity.md, "Runners and requests in flight").
"""

from __future__ import annotations

from collections.abc import Callable

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.access.replica_rights import REPLICA_SCOPES, ReplicaAccess
from clarifai_emulator.dispatch.dispatcher import Credential
from clarifai_emulator.errors import CallerError


def find_replica_caller(
    find: Callable[[str], Credential | None], access: ReplicaAccess = "owner"
) -> Callable[[str], Caller | None]:
    """Return what finds the caller that a token of a replica makes; None for a token that is none, or is of a
    replica that has ended. ``find``: who has a token (``Dispatcher.credential``). With ``access`` ``work-only``
    it raises ``CallerError`` 11007 for each."""

    def caller(token: str) -> Caller | None:
        credential = find(token)
        if credential is None:
            return None
        return Caller(credential.runner[0], scopes=REPLICA_SCOPES, replica_id=credential.replica_id)

    def refuse(_token: str) -> Caller | None:
        raise CallerError(
            StatusCode.CONN_INSUFFICIENT_SCOPES,
            "This credential belongs to a replica and is good for ProcessRunnerItems only: the emulator was "
            "started with --replica-access work-only.",
            hint="Give the model a token of its own, from a secret, or start the emulator with --replica-access "
            "owner, which lets replicas ask models in their owner's name.",
            row="dispatch.replica-credential",
        )

    return refuse if access == "work-only" else caller
