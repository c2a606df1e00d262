"""Tokens of replicas are known again in any text, and hidden."""

from __future__ import annotations

from clarifai_emulator.replica_tokens import (
    LENGTH,
    bytes_hold_token,
    hidden,
    holds_token,
    is_replica_token,
    new_token,
)


def test_a_token_is_new_each_time_and_known_by_its_looks() -> None:
    token, other = new_token(), new_token()
    assert token != other
    assert len(token) == LENGTH
    assert is_replica_token(token)
    assert not is_replica_token("local-emulator-token")


def test_a_token_in_a_text_is_hidden_and_words_like_it_are_not() -> None:
    token = new_token()
    assert hidden(f"{token} and {{'pat': '{token}'}}") == "replica-**** and {'pat': 'replica-****'}"
    for text in ("", "the replica-credential of a replica", "replica-0123", token[:-1]):
        assert hidden(text) == text
        assert not holds_token(text)


def test_bytes_are_looked_at_up_to_an_end() -> None:
    data = b"x" * 100 + new_token().encode()
    assert bytes_hold_token(data, len(data))
    assert bytes_hold_token(bytearray(data), 1_000_000)
    assert not bytes_hold_token(data, len(data) - 1)
    assert not bytes_hold_token(b"replica-credential", 100)
