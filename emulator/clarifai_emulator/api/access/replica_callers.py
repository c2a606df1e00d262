"""Reads the credentials of replicas as those of callers: what a model may ask of the platform in its owner's name.

On the platform a hosted agent uses the ``CLARIFAI_PAT`` of its replica to ask models and to read about them
(docs/fidelity.md, "Replicas").
"""

from __future__ import annotations

from collections.abc import Callable

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.dispatch.dispatcher import Credential

# To ask models and workflows, and to read what a client reads to find out whom to ask, and how.
REPLICA_SCOPES = frozenset(
    (
        "Predict",
        "Apps_Get",
        "ComputeClusters_Get",
        "Concepts_Get",
        "Deployments_Get",
        "Inputs_Get",
        "InstanceTypes_Get",
        "Models_Get",
        "Nodepools_Get",
        "Runners_Get",
        "Workflows_Get",
    )
)


def find_replica_caller(find: Callable[[str], Credential | None]) -> Callable[[str], Caller | None]:
    """Return what finds the caller that a token of a replica makes; None for a token that is none, or is of a
    replica that has ended. ``find``: who has a token (``Dispatcher.credential``)."""

    def caller(token: str) -> Caller | None:
        credential = find(token)
        if credential is None:
            return None
        return Caller(credential.runner[0], scopes=REPLICA_SCOPES, replica_id=credential.replica_id)

    return caller
