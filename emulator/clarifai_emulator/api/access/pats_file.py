"""Reads the file of ``up --pats``: users, organisations, and the tokens that are accepted.

    users:         [{id: ada, first_name: Ada, email: ada@example.com}]
    organisations: [{id: acme, members: [ada, {user: bob, role: organization-user}]}]
    tokens:
      - {token: ada-token, user: ada}
      - {token: ci-token, user: ada, scopes: [Predict, Models_Get], expires_at: 2030-01-31T00:00:00Z}
      - {token: acme-token, organisation: acme}

Every problem is said with its line. What may be a token never stands in an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import User, Visibility
from yaml.nodes import MappingNode, Node, SequenceNode

from clarifai_emulator.api.access.accounts import Accounts
from clarifai_emulator.api.access.auth import TOKEN_CHARACTERS, Caller
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.messages.yaml import YamlFile
from clarifai_emulator.resources.identifiers import id_problem
from clarifai_emulator.resources.permissions import Organisations
from clarifai_emulator.resources.roles import ROLES, Role
from clarifai_emulator.resources.scopes import granted, scope_problems
from clarifai_emulator.spelling import did_you_mean_or

_SECTIONS = ("users", "organisations", "organizations", "tokens")
_USER_TEXTS = ("first_name", "last_name", "company_name", "job_title")
_USER_KEYS = ("id", *_USER_TEXTS, "email", "visibility")
_ORGANISATION_KEYS = ("id", "name", "members", "visibility")
_MEMBER_KEYS = ("user", "role")
_TOKEN_KEYS = ("token", "user", "organisation", "organization", "scopes", "expires_at", "description")
_VISIBILITIES = {"private": Visibility.PRIVATE, "org": Visibility.ORG, "public": Visibility.PUBLIC}


def load_accounts(path: Path) -> Accounts:
    """Read a pats file. Raises ``ConfigError`` with every problem in it, each with file and line."""
    reading = _Reading(YamlFile(path))
    for document in reading.file.documents():
        reading.read(document)
    reading.settle()
    if reading.file.problems:
        raise ConfigError("The pats file cannot be used:", reading.file.problems)
    return Accounts(
        users=tuple(reading.users.values()),
        organisations=Organisations.of_members(
            {org: tuple(users) for org, users in reading.members.items()}, reading.roles
        ),
        callers=reading.callers,
    )


@dataclass(slots=True)
class _Reading:
    """A pass over the file. Names that are used before or after their definition are looked up in ``settle``."""

    file: YamlFile
    users: dict[str, User] = field(default_factory=dict[str, User])
    members: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    roles: dict[tuple[str, str], Role] = field(default_factory=dict[tuple[str, str], Role])
    callers: dict[str, Caller] = field(default_factory=dict[str, Caller])
    _mentioned: list[tuple[Node, str, str, str]] = field(default_factory=list[tuple[Node, str, str, str]])
    _memberships: list[tuple[Node, str, str, str]] = field(default_factory=list[tuple[Node, str, str, str]])

    def read(self, document: Node) -> None:
        """Take in one document."""
        for name, value in self._entries(document, "", _SECTIONS).items():
            take = {"users": self._user, "tokens": self._token}.get(name, self._organisation)
            if not isinstance(value, SequenceNode):
                self.file.complain(value, name, "expected a list")
                continue
            for index, item in enumerate(value.value):
                take(item, f"{name}[{index}]")

    def settle(self) -> None:
        """Complain of users and organisations that are mentioned and not there."""
        for node, key, kind, name in self._mentioned:
            known = (
                list(self.members) if kind == "organisation" else [u for u in self.users if u not in self.members]
            )
            if name in known:
                continue
            hint = did_you_mean_or(name, known, f"add it under {kind}s")
            self.file.complain(node, key, f"there is no {kind} {name!r} in this file; {hint}")
        for node, key, user, organisation in self._memberships:
            if user not in self.members.get(organisation, [user]):
                text = f"user {user!r} is not a member of {organisation!r}; add it to members, or leave user out"
                self.file.complain(node, key, text)
        if not self.callers and not self.file.problems:
            self.file.problems.append(
                f"{self.file.path}:1: tokens: the file has no token, so nobody could call; add one"
            )

    def _entries(self, node: Node, key: str, known: tuple[str, ...]) -> dict[str, Node]:
        """The values of a mapping by name. A name that is not known may be a token: it is not shown."""
        if not isinstance(node, MappingNode):
            self.file.complain(node, key, f"expected a mapping with {', '.join(known)}")
            return {}
        found: dict[str, Node] = {}
        for name_node, value in node.value:
            name = str(name_node.value)
            if name not in known:
                hint = did_you_mean_or(name, known, f"known: {', '.join(known)}")
                self.file.complain(name_node, key, f"has a name that is not known; {hint}")
            elif name in found:
                self.file.complain(name_node, f"{key}.{name}".strip("."), "is given twice")
            else:
                found[name] = value
        return found

    def _user(self, node: Node, key: str) -> None:
        entries = self._entries(node, key, _USER_KEYS)
        user = self._new_user(node, entries, key)
        for name in _USER_TEXTS:
            if name in entries:
                setattr(user, name, self.file.text(entries[name], f"{key}.{name}"))
        if "email" in entries:
            user.primary_email = self.file.text(entries["email"], f"{key}.email")

    def _organisation(self, node: Node, key: str) -> None:
        entries = self._entries(node, key, _ORGANISATION_KEYS)
        user = self._new_user(node, entries, key)
        if "name" in entries:
            user.company_name = self.file.text(entries["name"], f"{key}.name")
        members = self.members.setdefault(user.id, []) if user.id else []
        if "members" in entries:
            for index, member in enumerate(self.file.items(entries["members"], f"{key}.members")):
                members.append(self._member(member, f"{key}.members[{index}]", user.id))

    def _member(self, node: Node, key: str, organisation: str) -> str:
        """Read a member: the id of a user, or a mapping of that and the user's role."""
        if not isinstance(node, MappingNode):
            return self._mention(node, key, "user")
        entries = self._entries(node, key, _MEMBER_KEYS)
        if "user" not in entries:
            self.file.complain(node, f"{key}.user", "must not be empty; name the user that is a member")
            return ""
        user = self._mention(entries["user"], f"{key}.user", "user")
        if "role" in entries:
            name = self.file.text(entries["role"], f"{key}.role")
            if name in ROLES:
                self.roles[user, organisation] = ROLES[name]
            else:
                hint = did_you_mean_or(name, ROLES, f"there are {', '.join(ROLES)}")
                self.file.complain(entries["role"], f"{key}.role", f"there is no role {name!r}; {hint}")
        return user

    def _new_user(self, node: Node, entries: dict[str, Node], key: str) -> User:
        user = User(id=self.file.text(entries["id"], f"{key}.id") if "id" in entries else "")
        where = entries.get("id", node)
        if problem := id_problem(user.id):
            self.file.complain(where, f"{key}.id", problem)
        elif user.id in self.users:
            self.file.complain(
                where, f"{key}.id", f"{user.id!r} is given twice; ids of users and organisations differ"
            )
        else:
            self.users[user.id] = user
        if "visibility" in entries:
            said = self.file.text(entries["visibility"], f"{key}.visibility").lower()
            if said in _VISIBILITIES:
                user.visibility.gettable = _VISIBILITIES[said]
            else:
                text = f"{said!r} is none of {', '.join(_VISIBILITIES)}"
                self.file.complain(entries["visibility"], f"{key}.visibility", text)
        return user

    def _token(self, node: Node, key: str) -> None:
        entries = self._entries(node, key, _TOKEN_KEYS)
        token = self.file.text(entries["token"], f"{key}.token") if "token" in entries else ""
        where = entries.get("token", node)
        if not token:
            self.file.complain(where, f"{key}.token", "must not be empty; write the token that clients will send")
        elif not TOKEN_CHARACTERS.issuperset(token):
            text = "has characters that no key has; use letters, digits and any of -_.~+/=:"
            self.file.complain(where, f"{key}.token", text)
        elif token in self.callers:
            self.file.complain(where, f"{key}.token", "is given twice in this file; each token is one user's")
        owner = self._owner(node, entries, key)
        scopes = self._scopes(entries, key)
        expires_at = self._expiry(entries["expires_at"], f"{key}.expires_at") if "expires_at" in entries else None
        if "description" in entries:
            self.file.text(entries["description"], f"{key}.description")
        self.callers[token] = Caller(owner, scopes=granted(scopes), expires_at=expires_at)

    def _owner(self, node: Node, entries: dict[str, Node], key: str) -> str:
        """Find who calls with the token: the organisation it acts for, else the user."""
        user = self._mention(entries["user"], f"{key}.user", "user") if "user" in entries else ""
        spelling = "organization" if "organization" in entries else "organisation"
        if spelling not in entries:
            if not user:
                self.file.complain(node, key, "says neither user nor organisation; name whose token it is")
            return user
        organisation = self._mention(entries[spelling], f"{key}.{spelling}", "organisation")
        if user:
            self._memberships.append((entries["user"], f"{key}.user", user, organisation))
        return organisation

    def _scopes(self, entries: dict[str, Node], key: str) -> list[str]:
        if "scopes" not in entries:
            return []
        nodes = self.file.items(entries["scopes"], f"{key}.scopes")
        scopes = [self.file.text(each, f"{key}.scopes[{index}]") for index, each in enumerate(nodes)]
        if not scopes:
            self.file.complain(entries["scopes"], f"{key}.scopes", "is empty; leave it out to give every scope")
        for problem in scope_problems(scopes):
            self.file.complain(entries["scopes"], f"{key}.scopes", problem)
        return scopes

    def _expiry(self, node: Node, key: str) -> float | None:
        """Seconds since the epoch; a time without a zone is UTC, a date its first second."""
        value: object = self.file.value(node)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                value = None
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if not isinstance(value, datetime):
            self.file.complain(node, key, "expected a time such as 2030-01-31T00:00:00Z")
            return None
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()

    def _mention(self, node: Node, key: str, kind: str) -> str:
        name = self.file.text(node, key)
        self._mentioned.append((node, key, kind, name))
        return name
