"""Lists who may call an emulator: the tokens that are accepted, and whose they are.

They come from ``up --pat`` and from the file of ``up --pats`` (``pats_file.py``).
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import User

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.backends.replica_environ import unset_names
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.resources.permissions import Organisations


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one emulator. ``callers``: who shows up with each token. ``users``: organisations among
    them."""

    users: tuple[User, ...] = ()
    organisations: Organisations = field(default_factory=Organisations)
    callers: dict[str, Caller] = field(default_factory=dict[str, Caller])


def accounts_of(config: EmulatorConfig) -> Accounts:
    """The accounts that a configuration names. Raises ``ConfigError``."""
    if config.pats_file is None:
        return merged(Accounts(), config.pats.items())
    # YAML is for those who have such a file.
    from clarifai_emulator.api.access.pats_file import load_accounts

    return merged(load_accounts(config.pats_file), config.pats.items())


def security_warnings(config: EmulatorConfig) -> list[str]:
    """Say what whoever starts an emulator like this should know: who reaches it, who reads its tokens, and which
    variables replicas are to get and do not."""
    of_file = permission_warning(config.pats_file) if config.pats_file is not None else ""
    return [each for each in (config.exposure, of_file, _unset_warning(config)) if each]


def _unset_warning(config: EmulatorConfig) -> str:
    names = unset_names(config.environ(), config.env)
    if not names:
        return ""
    are, them = ("is", "it") if len(names) == 1 else ("are", "them")
    return (
        f"--env names {', '.join(names)}, which {are} not set here, so replicas do not get {them}. "
        f"Set {them} before the emulator starts, or write --env NAME=VALUE."
    )


def owner_warning(accounts: Accounts, user_id: str) -> str:
    """Warn if no token belongs to the emulator's own user; empty where one does, or any is accepted."""
    users = sorted({caller.user_id for caller in accounts.callers.values()})
    if not users or user_id in users:
        return ""
    return (
        f"No accepted token belongs to user {user_id!r}, whose account `deploy` and the topology use. Start with "
        f"--user-id and one of: {', '.join(users)}."
    )


def permission_warning(path: Path) -> str:
    """Warn of a pats file that others than its user may read; empty when nobody else may."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & (stat.S_IRGRP | stat.S_IROTH):
        return ""
    who = "every user of this machine" if mode & stat.S_IROTH else "its group"
    return f"{path} holds tokens and can be read by {who} (mode {mode:03o}). Close it: chmod 600 {path}"


def merged(accounts: Accounts, pats: Iterable[tuple[str, str]]) -> Accounts:
    """The accounts with further tokens, each of a user, that may do everything. Raises ``ConfigError`` for a token
    that both have."""
    further = dict(pats)
    if twice := further.keys() & accounts.callers.keys():
        count = "A token is" if len(twice) == 1 else f"{len(twice)} tokens are"
        raise ConfigError(
            "The accepted tokens contradict each other:",
            [f"{count} given both with --pat and in the pats file; give each in one place"],
        )
    callers = accounts.callers | {token: Caller(user) for token, user in further.items()}
    return Accounts(accounts.users, accounts.organisations, callers)
