"""Blocks of header fields: what comes again is read once, and means what it meant only while the table stays."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder, HPACKError
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.api.transport.http2_fields import FieldReader, write_fields

CALL = [(":method", "POST"), (":path", "/a.B/C"), ("authorization", "Key abc")]
_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200)
_NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)


def test_a_block_that_changes_nothing_is_read_once() -> None:
    reader, encoder = FieldReader(), Encoder()
    first = reader.read(encoder.encode(CALL))
    assert first == dict(CALL)
    again = encoder.encode(CALL)
    once = reader.read(again)
    assert once == dict(CALL)
    assert reader.read(again) is once


def test_the_same_bytes_mean_something_else_once_the_table_has_changed() -> None:
    reader, encoder = FieldReader(), Encoder()
    reader.read(encoder.encode([("x-first", "1")]))
    newest = b"\xbe"  # whatever entered the table last
    assert reader.read(newest) == reader.read(newest) == {"x-first": "1"}
    reader.read(encoder.encode([("x-second", "2")]))
    assert reader.read(newest) == {"x-second": "2"}


def test_a_table_that_was_emptied_has_nothing_to_say() -> None:
    reader, encoder = FieldReader(), Encoder()
    reader.read(encoder.encode([("x-first", "1")]))
    assert reader.read(b"\xbe") == {"x-first": "1"}
    reader.read(b"\x20")  # its size is nothing now
    with pytest.raises(HPACKError):
        reader.read(b"\xbe")


@given(st.lists(st.lists(st.tuples(_NAMES, _TEXT), max_size=6), max_size=12))
def test_every_block_is_read_as_if_it_were_the_first_time(blocks: list[list[tuple[str, str]]]) -> None:
    reader, encoder = FieldReader(), Encoder()
    for fields in blocks:
        for _ in range(3):
            assert reader.read(encoder.encode(fields)) == dict(fields)


@given(
    st.lists(st.tuples(_NAMES, _TEXT), max_size=6),
    st.sampled_from(("200", "204", "206", "304", "400", "404", "500", "415", "101")),
)
def test_what_is_written_is_read_by_others(fields: list[tuple[str, str]], status: str) -> None:
    answer = [(":status", status), ("content-type", "application/grpc"), ("grpc-status", "0"), *fields]
    assert list(Decoder(1 << 20).decode(write_fields(answer))) == answer


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 16_000])
def test_values_of_any_length_are_written(size: int) -> None:
    answer = [("x-long", "y" * size), ("n" * max(size, 1), "")]
    assert list(Decoder(1 << 20).decode(write_fields(answer))) == answer


def test_of_fields_of_one_name_the_last_counts_and_odd_bytes_are_no_obstacle() -> None:
    fields = FieldReader().read(Encoder().encode([("x", "1"), ("x", "2"), ("y", b"\xff\xfe")]))
    assert fields == {"x": "2", "y": "\ufffd\ufffd"}


def test_a_last_field_that_is_another_each_time_leaves_the_others_read_once() -> None:
    reader, encoder, other = FieldReader(), Encoder(), Decoder(1 << 20)
    for _ in range(2):  # the second one changes nothing of the table
        head = encoder.encode(CALL)
        reader.read(head)
        other.decode(head)
    known = reader.read(head)
    for item in ("a" * 32, "b", "c" * 126, "d" * 127, "d" * 300):
        named = encoder.encode([("x-clarifai-emulator-parent", item)], huffman=False)
        length = write_fields([("x", item)])[3:]
        literal = b"\x00\x1ax-clarifai-emulator-parent" + length
        assert reader.read(head + literal) == {**dict(CALL), "x-clarifai-emulator-parent": item}
        assert reader.read(head + literal + literal) == {**dict(CALL), "x-clarifai-emulator-parent": item}
        assert reader.read(head) is known, named


@pytest.mark.parametrize("end", [b"", b"\x05abc", b"\x85abcde", b"\x7f"])
def test_a_last_field_that_breaks_off_is_what_it_always_was(end: bytes) -> None:
    """Nothing of it is taken for whole."""
    reader = FieldReader()
    block = b"\x83" + b"\x00\x1ax-clarifai-emulator-parent" + end
    try:
        expected = dict(Decoder(1 << 20).decode(block))
    except (HPACKError, IndexError) as error:
        with pytest.raises(type(error)):
            reader.read(block)
    else:
        assert reader.read(block) == expected
