"""Callers are known by every way to show a credential, and refused in every way that there is."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Authenticator, Caller, token_of
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.errors import CallerError

ANYONE = Authenticator(user_id="ada", callers={})
KNOWN = Authenticator(user_id="ada", callers={"ada-token": Caller("ada"), "bob-token": Caller("bob")})


def refusal(authenticator: Authenticator, metadata: dict[str, str]) -> CallerError:
    with pytest.raises(CallerError) as raised:
        authenticator.authenticate(metadata)
    return raised.value


@pytest.mark.parametrize(
    ("metadata", "token"),
    [
        ({"authorization": "Key abc"}, "abc"),
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "Key  abc "}, "abc"),
        ({"x-clarifai-session-token": "abc"}, "abc"),
        ({"x-clarifai-session-token": "session", "authorization": "Key abc"}, "session"),
        ({"x-clarifai-session-token": "", "authorization": "Key abc"}, "abc"),
        ({"authorization": "Basic abc"}, ""),
        ({"authorization": "abc"}, ""),
        ({"authorization": "Key"}, ""),
        ({}, ""),
    ],
)
def test_a_token_is_read_from_the_headers_of_the_platform_only(metadata: dict[str, str], token: str) -> None:
    assert token_of(metadata) == token


@pytest.mark.parametrize("metadata", [{}, {"authorization": "Key "}, {"authorization": "Basic abc"}])
def test_a_request_without_a_credential_is_refused(metadata: dict[str, str]) -> None:
    error = refusal(ANYONE, metadata)
    assert error.code == StatusCode.CONN_INVALID_REQUEST == 11102
    assert error.message == ("Empty or malformed authorization header. Please provide an API key or session token.")


@pytest.mark.parametrize("token", ["two words", "schlüssel", "a,b", "a\nb"])
def test_a_token_that_no_key_can_look_like_is_refused(token: str) -> None:
    error = refusal(ANYONE, {"authorization": f"Key {token}"})
    assert (error.code, error.message) == (StatusCode.CONN_KEY_INVALID, "Invalid format of key.")
    assert error.code == 11008


def test_without_configured_tokens_every_well_formed_one_is_the_one_user() -> None:
    assert ANYONE.authenticate({"authorization": "Key what-ever_1.2~3+4/5=6:7"}) == Caller("ada")


def test_with_configured_tokens_each_is_its_user_and_others_are_refused_with_what_to_do() -> None:
    assert KNOWN.authenticate({"authorization": "Key ada-token"}) == Caller("ada")
    assert KNOWN.authenticate({"authorization": "Key bob-token"}) == Caller("bob")
    error = refusal(KNOWN, {"authorization": "Key eve-token"})
    assert (error.code, error.description) == (11009, "API key not found")
    assert error.message == (
        "invalid key(None). The emulator was started with --pat or --pats and accepts only those tokens, and keys "
        "made with PostKeys; set CLARIFAI_PAT to one."
    )


def test_the_credential_of_a_replica_that_has_ended_is_refused() -> None:
    authenticator = Authenticator(user_id="ada", callers={}, is_replica=lambda token: token == "replica-1")
    error = refusal(authenticator, {"authorization": "Key replica-1"})
    assert error.code == StatusCode.CONN_INSUFFICIENT_SCOPES
    assert error.message == (
        "This credential belonged to a replica that has ended. A model asks with the CLARIFAI_PAT of its own "
        "environment, as long as it runs."
    )
    assert authenticator.authenticate({"authorization": "Key replica-2"}) == Caller("ada")


@pytest.mark.parametrize(("given", "final"), [("me", "ada"), ("", "ada"), ("ada", "ada"), ("bob", "bob")])
def test_me_is_the_caller(given: str, final: str) -> None:
    assert Caller("ada").resolve(given) == final


def test_a_token_ends_the_moment_it_expires() -> None:
    now = 1_700_000_000.0
    authenticator = Authenticator(
        user_id="ada", callers={"short": Caller("ada", expires_at=1_700_000_000.5)}, now=lambda: now
    )
    assert authenticator.authenticate({"authorization": "Key short"}).user_id == "ada"
    now = 1_700_000_000.5
    error = refusal(authenticator, {"authorization": "Key short"})
    assert error.code == StatusCode.CONN_KEY_INVALID == 11008
    assert error.message == (
        "The key has expired, at 2023-11-14T22:13:20Z. Use another one, or give it a later expires_at."
    )


def denied(caller: Caller, rpc: str) -> str:
    with pytest.raises(CallerError) as raised:
        caller.require(rpc_table()[rpc])
    assert raised.value.code == StatusCode.CONN_INSUFFICIENT_SCOPES == 11007
    return raised.value.message


def test_an_rpc_needs_every_scope_of_its_descriptor_and_the_refusal_names_those_that_lack() -> None:
    reader = Caller("ada", scopes=frozenset({"Models_Get", "Apps_Get", "Concepts_Get"}))
    reader.require(rpc_table()["GetModel"])
    assert denied(reader, "PostModelOutputs") == (
        "PostModelOutputs needs the scope Predict, which this key of user 'ada' does not have. "
        "Add to its scopes, or use a key without a list of scopes: it has all."
    )
    assert "needs the scopes ComputeClusters_Get, Deployments_Add, Deployments_Delete, " in denied(
        reader, "DeleteDeployments"
    )


@pytest.mark.parametrize("name", sorted(rpc_table()))
def test_every_rpc_is_refused_for_each_scope_that_lacks_and_for_no_other_reason(name: str) -> None:
    rpc = rpc_table()[name]
    Caller("ada").require(rpc)
    Caller("ada", scopes=rpc.required).require(rpc)
    for lacking in rpc.required:
        assert lacking in denied(Caller("ada", scopes=rpc.required - {lacking}), name)


def test_a_key_for_certain_endpoints_is_good_for_no_other() -> None:
    caller = Caller("ada", endpoints=frozenset({"/clarifai.api.V2/GetModel"}))
    caller.require(rpc_table()["GetModel"])
    assert "limited to certain endpoints; /clarifai.api.V2/GetUser is none of them" in denied(caller, "GetUser")


def test_an_app_key_is_good_for_its_app_only_and_for_no_rpc_that_asks_for_a_pat() -> None:
    caller = Caller("ada", app_id="main")
    caller.require(rpc_table()["GetModel"])
    assert "GetUser needs a personal access token; this is an app key of user 'ada'." in denied(caller, "GetUser")
    caller.require_app("ada", "main")
    for user, app in (("ada", "other"), ("bob", "main"), ("ada", "")):
        with pytest.raises(CallerError, match="gives access to app 'main' of user 'ada' only") as raised:
            caller.require_app(user, app)
        assert raised.value.code == StatusCode.CONN_KEY_INVALID
    Caller("ada", app_id="").require_app("ada", "any")
    Caller("ada").require_app("bob", "any")


def test_an_app_key_brings_its_user_and_its_app() -> None:
    caller = Caller("ada", app_id="main")
    for given in (UserAppIDSet(), UserAppIDSet(user_id="me"), UserAppIDSet(user_id="ada")):
        assert caller.resolve_user(given) == "ada"
        assert given.app_id == "main"
    other = UserAppIDSet(app_id="other")
    with pytest.raises(CallerError, match="not to app 'other' of user 'ada'"):
        caller.resolve_user(other)
    of_a_token = UserAppIDSet()
    Caller("ada").resolve_user(of_a_token)
    assert of_a_token.app_id == ""
