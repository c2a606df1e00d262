"""Who may see a resource."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Visibility


def can_see(caller: str, owner: str, visibility: Visibility) -> bool:
    """True for the owner, and for everybody when the resource is PUBLIC.

    ORG counts as private: organizations have no members here yet (docs/fidelity.md, "Visibility").
    Source: comment of ``Visibility.Gettable`` in the proto.
    """
    return caller == owner or visibility.gettable == Visibility.PUBLIC
