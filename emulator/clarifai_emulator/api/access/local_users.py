"""Decides whom an emulator that takes any token takes it from: its own user and root, of all users of this machine.

Whoever may deploy runs code as the emulator's user. Where the system does not say whose a connection is, what leads
to code that runs needs the token of this run, which only that user can read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.errors import CallerError
from clarifai_emulator.machine.peer_users import NOBODYS, NOT_TOLD, Address, user_at

if TYPE_CHECKING:
    from clarifai_emulator.api.access.auth import Caller

# What makes code run that did not before, or makes a credential that may do that.
RUNS_CODE = frozenset(
    {
        "PatchDeployments",
        "PatchKeys",
        "PatchModelVersions",
        "PostDeployments",
        "PostKeys",
        "PostModelVersions",
        "PostModelVersionsUpload",
        "PostPipelineStepVersionsUpload",
        "PostPipelineVersionRuns",
    }
)
_WAYS_OUT = (
    "Ask that user for a token: --pats FILE (or --pat) names those that the emulator takes, and a key made with "
    "PostKeys is one, too. A container of that user's own may bring the one of this run, which "
    '`eval "$(clarifai-emulator env)"` sets (CLARIFAI_PAT).'
)


class LocalUsers:
    """Knows the user of an emulator, and looks up whose connections are. ``look_up``: tells a user's id by the two
    ends of a connection."""

    def __init__(self, look_up: Callable[[Address, Address], int] = user_at, *, own: int | None = None) -> None:
        self._look_up = look_up
        self._own = os.geteuid() if own is None else own

    def taken(self, anyone: Caller, peer: Peer) -> Caller:
        """Return who calls with any token over a connection, and what they may do. Raises ``CallerError`` for
        another user of this machine."""
        if not peer.is_on_this_machine:
            return anyone
        user = peer.user(self._look_up)
        if user in (self._own, 0):
            return anyone
        if user == NOT_TOLD:
            return replace(anyone, barred=RUNS_CODE)
        raise _stranger(user, self._own)


def _stranger(user: int, own: int) -> CallerError:
    if user == NOBODYS:
        return CallerError(
            StatusCode.CONN_KEY_NOT_FOUND,
            "The client closed its connection before it could be told whose it is.",
            hint="Keep it open until the answer is there.",
            row="requests.other-users",
        )
    return CallerError(
        StatusCode.CONN_KEY_NOT_FOUND,
        f"This connection comes from {_named(user)}, and the emulator belongs to {_named(own)}: of the users of "
        "this machine, only that one and root may bring any token.",
        hint=_WAYS_OUT,
        row="requests.other-users",
    )


def needs_token_of_run(rpc: str) -> CallerError:
    """Return the refusal of an RPC that runs code, where nobody knows whose connection it came by."""
    return CallerError(
        StatusCode.CONN_INSUFFICIENT_SCOPES,
        f"{rpc} leads to code that runs as the emulator's user, and this system does not tell whose connection "
        "this is: it needs the token of this run of the emulator, not any.",
        hint='`eval "$(clarifai-emulator env)"` sets it (CLARIFAI_PAT); --pats FILE names tokens that stay.',
        row="requests.other-users",
    )


def _named(user: int) -> str:
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        return f"user {pwd.getpwuid(user).pw_name!r}"
    return f"the user with id {user}"
