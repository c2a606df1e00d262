"""Says what a replica's credential is good for, RPC by RPC: to ask models and workflows in its owner's name, and to
read what a client reads to find out whom to ask. It changes nothing, and is shown no keys, secrets or people.
"""

from __future__ import annotations

from typing import Literal

ReplicaAccess = Literal["owner", "work-only"]

# What a request needs may be read, and models be asked. Not among them, and so refused: keys (compute clusters show
# theirs), secrets, logs, collaborators, data sets, inputs and annotations, pipelines, and the items of runners.
REPLICA_SCOPES = frozenset(
    (
        "Predict",
        "Apps_Get",
        "ComputeClusters_Get",
        "Concepts_Get",
        "Deployments_Get",
        "InstanceTypes_Get",
        "Models_Get",
        "Nodepools_Get",
        "Runners_Get",
        "Workflows_Get",
    )
)
# They need no scope, and are about people and their accounts.
WITHHELD = frozenset(("GetUser", "GetAppDuplication", "ListAppDuplications", "ListScopes"))
_CHANGES = ("Delete", "Patch", "Post", "Put")
_ASKS = ("Outputs", "Results", "Searches")


def changes(rpc: str) -> bool:
    """Tell whether an RPC changes something on the platform."""
    return rpc.startswith(_CHANGES) and not rpc.endswith(_ASKS)


def why_withheld(rpc: str) -> str:
    """Say why a replica's credential is not good for an RPC whose scopes it has; empty where it is."""
    if rpc in WITHHELD:
        return f"{rpc} tells of the user, and a replica's credential is for asking models and reading about them."
    if changes(rpc):
        return f"{rpc} changes something on the platform, and a replica's credential changes nothing."
    return ""
