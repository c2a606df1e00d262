"""Lists the roles of an organisation's members, and what each may read and change of the organisation.

The table is that of Clarifai/docs ``control/clarifai-organizations/security.md``. It says nothing of keys and
secrets: they are the administrators' (docs/fidelity.md, "Resources: reading").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clarifai_emulator.store import Kind

_COMPUTE = frozenset({Kind.COMPUTE_CLUSTER, Kind.NODEPOOL, Kind.RUNNER})
_PIPELINES = frozenset(
    {Kind.PIPELINE, Kind.PIPELINE_VERSION, Kind.PIPELINE_RUN, Kind.PIPELINE_STEP, Kind.PIPELINE_STEP_VERSION}
)
_WORKFLOWS = frozenset({Kind.WORKFLOW, Kind.WORKFLOW_VERSION})
_IN_APPS = (
    _PIPELINES | _WORKFLOWS | {Kind.APP, Kind.MODEL, Kind.MODEL_VERSION, Kind.ARTIFACT, Kind.ARTIFACT_VERSION}
)
_DEPLOYMENTS = frozenset({Kind.DEPLOYMENT})
_NONE: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Role:
    """Names a role, and the kinds of resource that it may read and change; ``None`` for every one there is."""

    name: str
    reads: frozenset[Kind] | None
    writes: frozenset[Kind] | None

    def may_read(self, kind: Kind) -> bool:
        """Tell whether members with this role see the organisation's resources of a kind."""
        return self.reads is None or kind in self.reads

    def may_change(self, kind: Kind) -> bool:
        """Tell whether members with this role create, change and delete resources of a kind."""
        return self.writes is None or kind in self.writes


ADMINISTRATOR = Role("administrator", None, None)
ROLES: Mapping[str, Role] = {
    role.name: role
    for role in (
        ADMINISTRATOR,
        Role("financial-manager", _NONE, _NONE),
        Role("organization-contributor", _COMPUTE | _IN_APPS | _DEPLOYMENTS, _IN_APPS | _DEPLOYMENTS),
        Role("organization-user", _COMPUTE | _IN_APPS, _NONE),
        Role("infrastructure-manager", _COMPUTE | _DEPLOYMENTS, _COMPUTE | _DEPLOYMENTS),
    )
}


def roles_that_change(kind: Kind) -> list[str]:
    """Return the names of the roles that may change resources of a kind."""
    return [role.name for role in ROLES.values() if role.may_change(kind)]
