"""Pats files: what they say, and what is said about every mistake in one, with its line and without its tokens."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Visibility

from clarifai_emulator.api.access.accounts import Accounts, merged, permission_warning, security_warnings
from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.access.pats_file import load_accounts
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.errors import ConfigError

WHOLE = """
users:
  - {id: ada, first_name: Ada, last_name: Lovelace, email: ada@example.com, visibility: private}
  - id: bob
organisations:
  - {id: acme, name: Acme Ltd., members: [ada]}
tokens:
  - {token: ada-token, user: ada, description: everything}
  - {token: ci-token, user: bob, scopes: [Predict, Models_Get], expires_at: 2030-01-31T12:00:00+02:00}
  - {token: acme-token, organization: acme}
  - {token: as-acme, user: ada, organisation: acme, scopes: [All], expires_at: 2030-01-31}
"""


def load(tmp_path: Path, text: str) -> Accounts:
    path = tmp_path / "pats.yaml"
    path.write_text(dedent(text))
    return load_accounts(path)


def test_users_organisations_and_tokens(tmp_path: Path) -> None:
    accounts = load(tmp_path, WHOLE)
    ada, bob, acme = accounts.users
    assert (ada.first_name, ada.last_name, ada.primary_email) == ("Ada", "Lovelace", "ada@example.com")
    assert ada.visibility.gettable == Visibility.PRIVATE
    assert (bob.id, acme.id, acme.company_name) == ("bob", "acme", "Acme Ltd.")
    assert accounts.organisations.may_change("ada", "acme")
    assert not accounts.organisations.may_change("bob", "acme")
    assert accounts.callers == {
        "ada-token": Caller("ada"),
        "ci-token": Caller("bob", scopes=frozenset({"Predict", "Models_Get"}), expires_at=1896084000.0),
        "acme-token": Caller("acme"),
        "as-acme": Caller("acme", expires_at=1896048000.0),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tokens: []", ":1: tokens: the file has no token, so nobody could call; add one"),
        ("tokens: s3cret", ":1: tokens: expected a list"),
        ("- s3cret", ":1: expected a mapping with users, organisations, organizations, tokens"),
        ("tokens:\n- s3cret", ":2: tokens[0]: expected a mapping with token, user, "),
        ("token:\n- s3cret", ":1: has a name that is not known; did you mean 'tokens'?"),
        ("tokens:\n- {s3cret: ada}", ":2: tokens[0]: has a name that is not known; known: token, user, "),
        ("tokens:\n- {token: s3cret, token: s3cret}", ":2: tokens[0].token: is given twice"),
        (
            "tokens:\n- {user: ada}",
            ":2: tokens[0].token: must not be empty; write the token",
        ),
        ("tokens:\n- {token: 5, user: ada}", ":2: tokens[0].token: expected a text, found int; write it in quotes"),
        ("tokens:\n- {token: s3 cret}", ":2: tokens[0].token: has characters that no key has; use letters, digits"),
        ("tokens:\n- {token: s3cret}", ":2: tokens[0]: says neither user nor organisation; name whose token it is"),
        (
            "tokens:\n- {token: s3cret, user: a}\n- {token: s3cret, user: a}",
            ":3: tokens[1].token: is given twice in this file; each token is one user's",
        ),
        (
            "users: [{id: ada}]\ntokens:\n- {token: s3cret, user: adda}",
            ":3: tokens[0].user: there is no user 'adda' in this file; did you mean 'ada'?",
        ),
        (
            "tokens:\n- {token: s3cret, organisation: acme}",
            ":2: tokens[0].organisation: there is no organisation 'acme' in this file; add it under organisations",
        ),
        (
            "tokens:\n- {token: s3cret, user: bob, organisation: acme}\n"
            "users: [{id: ada}, {id: bob}]\norganisations: [{id: acme, members: [ada]}]",
            ":2: tokens[0].user: user 'bob' is not a member of 'acme'; add it to members, or leave user out",
        ),
        ("organisations:\n- {id: acme, members: [ada]}", ":2: organisations[0].members[0]: there is no user 'ada'"),
        (
            "users: [{id: ada}]\norganisations:\n- {id: acme, members: [{user: ada, role: organisation-user}]}",
            ":3: organisations[0].members[0].role: there is no role 'organisation-user'; did you mean "
            "'organization-user'?",
        ),
        (
            "users: [{id: ada}]\norganisations:\n- {id: acme, members: [{role: administrator}]}",
            ":3: organisations[0].members[0].user: must not be empty; name the user that is a member",
        ),
        ("organisations:\n- {id: acme, members: ada}", ":2: organisations[0].members: expected a list"),
        ("users:\n- {first_name: Ada}", ":2: users[0].id: id must be between 1 and 48 characters long"),
        ("users:\n- {id: a b}", ":2: users[0].id: 'a b' is not a valid id: use letters, digits"),
        ("users:\n- {id: me}", ":2: users[0].id: 'me' is reserved"),
        (
            "users: [{id: ada}]\norganisations:\n- id: ada",
            ":3: organisations[0].id: 'ada' is given twice; ids of users and organisations differ",
        ),
        ("users:\n- {id: ada, mail: x}", ":2: users[0]: has a name that is not known; did you mean 'email'?"),
        (
            "users:\n- {id: ada, visibility: open}",
            ":2: users[0].visibility: 'open' is none of private, org, public",
        ),
        (
            "tokens:\n- token: s3cret\n  scopes: [Predcit]",
            ":3: tokens[0].scopes: 'Predcit' is not a scope of the platform; did you mean 'Predict'?",
        ),
        (
            "tokens:\n- token: s3cret\n  scopes: [Models_Delete]",
            ":3: tokens[0].scopes: 'Models_Delete' is of no use without Models_Add, Models_Get; add them",
        ),
        (
            "tokens:\n- token: s3cret\n  scopes: []",
            ":3: tokens[0].scopes: is empty; leave it out to give every scope",
        ),
        (
            "tokens:\n- token: s3cret\n  expires_at: soon",
            ":3: tokens[0].expires_at: expected a time such as 2030-01-31T00:00:00Z",
        ),
        ("tokens: [", ":1: is not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_to_do(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert str(raised.value).startswith("The pats file cannot be used:\n")
    said = [each.removeprefix(str(tmp_path / "pats.yaml")) for each in raised.value.problems]
    assert any(each.startswith(problem) for each in said), said
    assert "s3cret" not in str(raised.value)
    assert "s3 cret" not in str(raised.value)


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, "users: [{id: a b}]\ntokens:\n- {user: x}\n- {token: t, user: y, scopes: [Nope]}\n")
    assert len(raised.value.problems) == 5


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pats\.yaml:1: cannot be read"):
        load_accounts(tmp_path / "pats.yaml")


@pytest.mark.parametrize(
    ("mode", "who"), [(0o644, "every user of this machine"), (0o640, "its group"), (0o600, ""), (0o400, "")]
)
def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path, mode: int, who: str) -> None:
    path = tmp_path / "pats.yaml"
    path.touch()
    path.chmod(mode)
    expected = f"{path} holds tokens and can be read by {who} (mode {mode:03o}). Close it: chmod 600 {path}"
    assert permission_warning(path) == (expected if who else "")


def test_tokens_of_pat_come_on_top_and_none_is_given_in_both(tmp_path: Path) -> None:
    accounts = merged(load(tmp_path, WHOLE), [("further", "eve")])
    assert accounts.callers["further"] == Caller("eve")
    assert accounts.callers["ada-token"] == Caller("ada")
    with pytest.raises(ConfigError) as raised:
        merged(accounts, [("ada-token", "eve")])
    assert raised.value.problems == (
        "A token is given both with --pat and in the pats file; give each in one place",
    )


def test_a_variable_that_is_named_for_replicas_and_not_set_is_told() -> None:
    config = EmulatorConfig(env=("NOPE", "MODE=1", "PATH"), environ=lambda: {"PATH": "/bin"})
    assert security_warnings(config) == [
        "--env names NOPE, which is not set here, so replicas do not get it. Set it before the emulator starts, or "
        "write --env NAME=VALUE."
    ]
