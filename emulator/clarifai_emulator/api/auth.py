"""Who is calling: turns the credential of a request into a user.

Accepts ``authorization: Key <PAT>``, ``authorization: Bearer <PAT>`` and ``x-clarifai-session-token: <token>``,
with the statuses the platform is publicly known to answer (docs/fidelity.md, "Authentication").
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError

_TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-_.~+/=:")
_SCHEMES = ("Key ", "Bearer ")


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated user of a request, by final id."""

    user_id: str

    def resolve(self, user_id: str) -> str:
        """A user id from a request with the alias ``me`` (and the empty id) replaced by the caller."""
        return self.user_id if user_id in ("", "me") else user_id


class Authenticator:
    """Checks credentials against the configured tokens, or accepts every well-formed one as one user."""

    def __init__(
        self, *, user_id: str, pats: Mapping[str, str], is_replica: Callable[[str], bool] = lambda token: False
    ) -> None:
        self._is_replica = is_replica
        self._anyone = Caller(user_id)
        self._callers = {pat: Caller(user) for pat, user in pats.items()}

    def authenticate(self, metadata: Mapping[str, str]) -> Caller:
        """The caller of a request with this metadata (lower-case names).

        Raises ``CallerError`` 11102 for a missing or malformed header, 11008 for a token that no key can look
        like, 11009 for one that is not known.
        """
        token = token_of(metadata)
        if not token:
            raise CallerError(
                StatusCode.CONN_INVALID_REQUEST,
                "Empty or malformed authorization header. Please provide an API key or session token.",
            )
        if not _TOKEN_CHARACTERS.issuperset(token):
            raise CallerError(StatusCode.CONN_KEY_INVALID, "Invalid format of key.")
        if self._is_replica(token):
            raise CallerError(
                StatusCode.CONN_INSUFFICIENT_SCOPES,
                "This credential belongs to a replica and is good for ProcessRunnerItems only.",
                hint="A model that calls other models needs a token of its own, from a secret.",
            )
        if not self._callers:
            return self._anyone
        caller = self._callers.get(token)
        if caller is None:
            raise CallerError(
                StatusCode.CONN_KEY_NOT_FOUND,
                "invalid key(None).",
                hint="The emulator was started with --pat and accepts only those tokens; set CLARIFAI_PAT to one.",
            )
        return caller


def token_of(metadata: Mapping[str, str]) -> str:
    """The token a request carries; empty when there is none, or its scheme is not one of the platform's."""
    session = metadata.get("x-clarifai-session-token")
    if session:
        return session
    header = metadata.get("authorization", "")
    for scheme in _SCHEMES:
        if header.startswith(scheme):
            return header[len(scheme) :].strip()
    return ""
