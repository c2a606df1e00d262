"""Decides who may see and who may change a resource: its owner, the owner's organisation, everybody.

By the proto's comments PRIVATE asks for collaborator or team permissions, ORG for the same organisation, PUBLIC for
nothing. The members of an organisation are its team (docs/fidelity.md, "Resources: reading").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clarifai_grpc.grpc.api.resources_pb2 import Visibility

_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Organisations:
    """The memberships of users in organisations. An organisation is a user too, and owns resources as one."""

    of_user: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    @classmethod
    def of_members(cls, members: Mapping[str, tuple[str, ...]]) -> Organisations:
        """The organisations with these members, by organisation id."""
        users = {user for each in members.values() for user in each}
        of_user = {user: frozenset(org for org, each in members.items() if user in each) for user in users}
        # An organisation is in its own circle, so that what it owns can be for the organisation.
        return cls(of_user | {org: frozenset({org}) | of_user.get(org, _NOBODY) for org in members})

    def may_change(self, caller: str, owner: str) -> bool:
        """Tell whether ``caller`` may read and write all of ``owner``: itself, or an organisation it is in."""
        return caller == owner or owner in self.of_user.get(caller, _NOBODY)

    def can_see(self, caller: str, owner: str, visibility: Visibility) -> bool:
        """Tell whether ``caller`` may see a resource of ``owner`` with this visibility of its own."""
        if caller == owner or visibility.gettable == Visibility.PUBLIC:
            return True
        circle = self.of_user.get(caller, _NOBODY)
        if owner in circle:
            return True
        return visibility.gettable == Visibility.ORG and not circle.isdisjoint(self.of_user.get(owner, _NOBODY))
