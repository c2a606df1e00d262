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
    for text in ("", "the replica-credential of a replica", "replica-0123abcd"):
        assert hidden(text) == text
        assert not holds_token(text)


def test_what_is_left_of_a_token_in_a_text_that_was_cut_is_hidden_too() -> None:
    assert hidden(f"said {new_token()[:30]}") == "said replica-****"
    assert not holds_token(new_token()[:-1])


def test_bytes_are_looked_at_up_to_an_end() -> None:
    data = b"x" * 100 + new_token().encode()
    assert bytes_hold_token(data, len(data))
    assert bytes_hold_token(bytearray(data), 1_000_000)
    assert not bytes_hold_token(data, len(data) - 1)
    assert not bytes_hold_token(b"replica-credential", 100)
