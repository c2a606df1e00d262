"""Who is calling: every way to show a credential, and every way in which one is refused."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.auth import Authenticator, Caller, token_of
from clarifai_emulator.errors import CallerError

ANYONE = Authenticator(user_id="ada", pats={})
KNOWN = Authenticator(user_id="ada", pats={"ada-token": "ada", "bob-token": "bob"})


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
        "invalid key(None). The emulator was started with --pat and accepts only those tokens; set CLARIFAI_PAT to "
        "one."
    )


def test_a_replicas_credential_is_no_users_token() -> None:
    authenticator = Authenticator(user_id="ada", pats={}, is_replica=lambda token: token == "replica-1")
    error = refusal(authenticator, {"authorization": "Key replica-1"})
    assert error.code == StatusCode.CONN_INSUFFICIENT_SCOPES
    assert error.message == (
        "This credential belongs to a replica and is good for ProcessRunnerItems only. A model that calls other "
        "models needs a token of its own, from a secret."
    )
    assert authenticator.authenticate({"authorization": "Key replica-2"}) == Caller("ada")


@pytest.mark.parametrize(("given", "final"), [("me", "ada"), ("", "ada"), ("ada", "ada"), ("bob", "bob")])
def test_me_is_the_caller(given: str, final: str) -> None:
    assert Caller("ada").resolve(given) == final
