"""Turns the credential of a request into a user.

Accepts ``authorization: Key <PAT>``, ``authorization: Bearer <PAT>`` and ``x-clarifai-session-token: <token>``,
with the statuses the platform is publicly known to answer (docs/fidelity.md, "Requests, answers and credentials").
"""

from __future__ import annotations

import hashlib
import hmac
import string
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.local_users import LocalUsers, needs_token_of_run
from clarifai_emulator.api.access.replica_rights import why_withheld
from clarifai_emulator.api.rpc import Auth, Rpc
from clarifai_emulator.api.transport.peer import NO_PEER, Peer
from clarifai_emulator.errors import CallerError

TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-_.~+/=:")
_SCHEMES = ("Key ", "Bearer ")
_REPLICA_HINT = (
    "A model may ask models and workflows of its owner and read about them. For more, give it a token of its own, "
    "from a secret."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated user (or organisation) of a request, by final id, and what its credential may do.

    ``scopes`` and ``endpoints`` (gRPC paths) are None for everything, ``expires_at`` (seconds since the epoch) is
    None for never. ``app_id`` is None for a token, the one app of an app key; empty for an app key without one.
    ``barred``: names of RPCs that it may not be used for. ``replica_id``: the replica that asks, in its owner's
    name; empty for anybody else.
    """

    user_id: str
    scopes: frozenset[str] | None = None
    expires_at: float | None = None
    endpoints: frozenset[str] | None = None
    app_id: str | None = None
    barred: frozenset[str] = frozenset()
    replica_id: str = ""

    def resolve(self, user_id: str) -> str:
        """A user id from a request with the alias ``me`` (and the empty id) replaced by the caller."""
        return self.user_id if user_id in ("", "me") else user_id

    def resolve_user(self, user_app_id: Any) -> str:
        """Return the user a request is about: ``user_app_id.user_id``, or the caller for ``me`` and empty. An app
        key brings its app, filled in where the request names none (documentation: "already part of the key").
        Raises ``CallerError`` when the request is about another app."""
        user_id = self.resolve(user_app_id.user_id)
        if self.app_id and not user_app_id.app_id:
            user_app_id.app_id = self.app_id
        self.require_app(user_id, user_app_id.app_id)
        return user_id

    def covers(self, other: Caller) -> bool:
        """Tell whether another credential may do no more than this one, and no longer."""
        if self == Caller(self.user_id):
            return True
        return (
            self.user_id == other.user_id
            and _is_within(other.scopes, self.scopes)
            and _is_within(other.endpoints, self.endpoints)
            and self.app_id in (None, other.app_id)
            and self.outlives(other.expires_at)
            and self.barred <= other.barred
        )

    def outlives(self, expires_at: float | None) -> bool:
        """Tell whether the credential is good for at least as long as one that expires then; None is never."""
        return self.expires_at is None or (expires_at is not None and expires_at <= self.expires_at)

    def may_add(self, stem: str) -> bool:
        """Tell whether the credential may create resources of this kind (``App``) beside what an RPC is for."""
        return self.scopes is None or f"{stem}s_Add" in self.scopes

    def require(self, rpc: Rpc) -> None:
        """Raise ``CallerError`` unless the credential may be used for an RPC."""
        if self.scopes is not None and not rpc.required <= self.scopes:
            missing = sorted(rpc.required - self.scopes)
            raise _insufficient(
                f"{rpc.name} needs the {'scope' if len(missing) == 1 else 'scopes'} {', '.join(missing)}, "
                f"which {self._credential} does not have.",
                _REPLICA_HINT
                if self.replica_id
                else "Add to its scopes, or use a key without a list of scopes: it has all.",
            )
        if self.replica_id and (why := why_withheld(rpc.name)):
            raise _insufficient(why, _REPLICA_HINT)
        if rpc.name in self.barred:
            raise needs_token_of_run(rpc.name)
        if self.endpoints is not None and rpc.path not in self.endpoints:
            raise _insufficient(
                f"This key of user {self.user_id!r} is limited to certain endpoints; {rpc.path} is none of them.",
                "Add it to the key's endpoints.",
            )
        if self.app_id is not None and rpc.auth is not Auth.KEY:
            raise _insufficient(
                f"{rpc.name} needs a personal access token; this is an app key of user {self.user_id!r}.",
                "Use a key of type personal_access_token.",
            )

    @property
    def _credential(self) -> str:
        if self.replica_id:
            return f"the credential of replica {self.replica_id[:8]} of user {self.user_id!r}"
        return f"this key of user {self.user_id!r}"

    def require_app(self, user_id: str, app_id: str) -> None:
        """Raise ``CallerError`` 11008 when this is an app key and that is not its app."""
        if self.app_id is not None and (user_id != self.user_id or self.app_id not in ("", app_id)):
            app = f"app {self.app_id!r}" if self.app_id else "the apps"
            raise CallerError(
                StatusCode.CONN_KEY_INVALID,
                f"This app key gives access to {app} of user {self.user_id!r} only, not to app {app_id!r} of user "
                f"{user_id!r}.",
                hint="Name the key's own app in user_app_id, or use a personal access token.",
                row="requests.app-key",
            )


# Who asks, before a credential was looked at.
NOBODY = Caller("")
FindKey = Callable[[str], Caller | None]


class Authenticator:
    """Checks credentials against the tokens that are known, or accepts every well-formed one as one user.

    ``callers``: who shows up with each token; empty accepts every token, over connections that ``local_users``
    takes it from, and ``run_token`` over all. ``find_key`` knows the keys that PostKeys made, ``find_replica`` the
    credentials of replicas, for which ``is_replica``. ``now`` gives the time, in seconds since the epoch.
    """

    def __init__(
        self,
        *,
        user_id: str,
        callers: Mapping[str, Caller],
        is_replica: Callable[[str], bool] = lambda token: False,
        find_replica: FindKey = lambda token: None,
        find_key: FindKey = lambda token: None,
        now: Callable[[], float] = time.time,
        local_users: LocalUsers | None = None,
        run_token: str = "",
    ) -> None:
        self._local_users = local_users or LocalUsers()
        self._run_token = run_token.encode()
        self._guessable: set[str] = set()
        self._anyone = Caller(user_id)
        self._callers = dict(callers)
        self._is_replica = is_replica
        self._find_replica = find_replica
        self._find_key = find_key
        self._now = now

    @property
    def takes_any(self) -> bool:
        """Tell whether every well-formed token is accepted, as one and the same user's."""
        return not self._callers

    def find(self, tokens: Iterable[str], digest: str) -> Caller | None:
        """The caller of the known token with this SHA-256, in hexadecimal digits; ``tokens``: further ones, such as
        keys that were issued. None for a token that is not known."""
        for token in (*self._callers, *tokens):
            if hashlib.sha256(token.encode()).hexdigest() == digest:
                return self._callers.get(token) or self._find_key(token)
        return None

    def admit(self, token: str, user_id: str) -> None:
        """Accept a further token, a user's; from then on, only those that are known. Others could guess it, so it
        is taken as any token is: not from other users of this machine."""
        self._callers[token] = Caller(user_id)
        self._guessable.add(token)

    def authenticate(self, metadata: Mapping[str, str], peer: Peer = NO_PEER) -> Caller:
        """The caller of a request with this metadata (lower-case names), which came from this peer.

        Raises ``CallerError`` 11102 for a missing or malformed header, 11008 for a token that no key can look
        like or that has expired, 11009 for one that is not known, 11007 for a replica's.
        """
        token = token_of(metadata)
        caller = self._callers.get(token)
        if caller is None:
            caller = self._unlisted(token, peer)
        elif token in self._guessable:
            caller = self._local_users.taken(caller, peer)
        if caller.expires_at is not None and caller.expires_at <= self._now():
            when = datetime.fromtimestamp(caller.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            raise CallerError(
                StatusCode.CONN_KEY_INVALID,
                f"The key has expired, at {when}.",
                hint="Use another one, or give it a later expires_at.",
                row="requests.expired-token",
            )
        return caller

    def _unlisted(self, token: str, peer: Peer) -> Caller:
        if not token:
            raise CallerError(
                StatusCode.CONN_INVALID_REQUEST,
                "Empty or malformed authorization header. Please provide an API key or session token.",
                row="requests.credential-malformed",
            )
        if not _is_well_formed(token):
            raise CallerError(
                StatusCode.CONN_KEY_INVALID, "Invalid format of key.", row="requests.credential-malformed"
            )
        if self._is_replica(token):
            caller = self._find_replica(token)
            if caller is None:
                raise _insufficient(
                    "This credential belonged to a replica that has ended.",
                    "A model asks with the CLARIFAI_PAT of its own environment, as long as it runs.",
                )
            return caller
        caller = self._find_key(token)
        if caller is None and not self._callers:
            if self._run_token and hmac.compare_digest(token.encode(), self._run_token):
                return self._anyone
            return self._local_users.taken(self._anyone, peer)
        if caller is None:
            raise CallerError(
                StatusCode.CONN_KEY_NOT_FOUND,
                "invalid key(None).",
                hint="The emulator was started with --pat or --pats and accepts only those tokens, and keys made "
                "with PostKeys; set CLARIFAI_PAT to one.",
                row="requests.credential-malformed",
            )
        return caller


@lru_cache(maxsize=256)
def _is_well_formed(token: str) -> bool:
    return TOKEN_CHARACTERS.issuperset(token)


def _is_within(some: frozenset[str] | None, limit: frozenset[str] | None) -> bool:
    return limit is None or (some is not None and some <= limit)


def _insufficient(details: str, hint: str) -> CallerError:
    return CallerError(StatusCode.CONN_INSUFFICIENT_SCOPES, details, hint=hint)


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
