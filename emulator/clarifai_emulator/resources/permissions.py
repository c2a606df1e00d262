"""Decides who may see and who may change a resource: its owner, the owner's organisation, everybody.

By the proto's comments PRIVATE asks for collaborator or team permissions, ORG for the same organisation, PUBLIC for
nothing. The members of an organisation are its team (docs/fidelity.md, "Resources: reading").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clarifai_grpc.grpc.api.resources_pb2 import Visibility

from clarifai_emulator.resources.roles import ADMINISTRATOR, Role
from clarifai_emulator.store import Kind

_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Organisations:
    """The memberships of users in organisations. An organisation is a user too, and owns resources as one.

    ``roles``: of members by (user, organisation); who has none there is an administrator.
    """

    of_user: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    roles: Mapping[tuple[str, str], Role] = field(default_factory=dict[tuple[str, str], Role])

    @classmethod
    def of_members(
        cls, members: Mapping[str, tuple[str, ...]], roles: Mapping[tuple[str, str], Role] | None = None
    ) -> Organisations:
        """The organisations with these members, by organisation id."""
        users = {user for each in members.values() for user in each}
        of_user = {user: frozenset(org for org, each in members.items() if user in each) for user in users}
        # An organisation is in its own circle, so that what it owns can be for the organisation.
        circles = {org: frozenset({org}) | of_user.get(org, _NOBODY) for org in members}
        return cls(of_user | circles, dict(roles or {}))

    def role(self, caller: str, owner: str) -> Role:
        """Return the role of a member in its organisation."""
        return self.roles.get((caller, owner), ADMINISTRATOR)

    def may_change(self, caller: str, owner: str) -> bool:
        """Tell whether ``caller`` may read and write all of ``owner``: itself, or an organisation it is in."""
        return caller == owner or owner in self.of_user.get(caller, _NOBODY)

    def may_change_kind(self, caller: str, owner: str, kind: Kind) -> bool:
        """Tell whether ``caller`` may change what ``owner`` has of a kind: by its role, in an organisation."""
        return self.may_change(caller, owner) and self.role(caller, owner).may_change(kind)

    def can_see(self, caller: str, owner: str, visibility: Visibility) -> bool:
        """Tell whether ``caller`` may see a resource of ``owner`` with this visibility of its own."""
        if caller == owner or visibility.gettable == Visibility.PUBLIC:
            return True
        circle = self.of_user.get(caller, _NOBODY)
        if owner in circle:
            return True
        return visibility.gettable == Visibility.ORG and not circle.isdisjoint(self.of_user.get(owner, _NOBODY))
