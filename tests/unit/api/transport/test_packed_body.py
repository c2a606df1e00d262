"""Bodies in gzip and deflate unpack piece by piece, however they are cut, and never run away."""

from __future__ import annotations

import gzip
import random
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.api.transport.packed_body import Unpacking, is_packed
from clarifai_emulator.errors import CallerError


def unpacked(encoding: str, *parts: bytes) -> bytes:
    unpacking = Unpacking(encoding)
    whole = b"".join(piece for part in parts for piece in unpacking.feed(part))
    unpacking.end()
    return whole


@given(st.binary(max_size=300), st.integers(1, 40), st.sampled_from(["gzip", "zlib", "raw", "two members"]))
def test_it_may_be_cut_anywhere(body: bytes, size: int, form: str) -> None:
    packed = {
        "gzip": gzip.compress(body),
        "zlib": zlib.compress(body),
        "raw": zlib.compress(body, wbits=-15),
        "two members": gzip.compress(body[:7]) + gzip.compress(body[7:]),
    }[form]
    parts = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert unpacked("deflate" if form in ("zlib", "raw") else "gzip", *parts) == body


@pytest.mark.parametrize("size", [256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_much_of_the_same_comes_whole(size: int) -> None:
    assert unpacked("gzip", gzip.compress(b"x" * size)) == b"x" * size


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 512 * 1024, 1_000_000])
@pytest.mark.parametrize("members", [2, 3, 300])
def test_members_that_end_with_a_full_piece_come_whole(size: int, members: int) -> None:
    member = gzip.compress(b"x" * size)
    assert sum(map(len, Unpacking("gzip").feed(members * member))) == members * size


def test_a_large_body_that_does_not_shrink_is_not_copied_again_and_again() -> None:
    body = random.Random(7).randbytes(20_000_000)
    packed = gzip.compress(body, compresslevel=1)
    began = time.process_time()
    assert unpacked("gzip", packed) == body
    assert time.process_time() - began < 3


def test_a_bomb_is_unpacked_only_as_far_as_somebody_reads() -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 200_000_000))
    (inner,) = [b"".join(Unpacking("gzip").feed(bomb))]
    assert len(next(Unpacking("gzip").feed(inner))) == 256 * 1024


@pytest.mark.parametrize(
    ("encoding", "body", "what"),
    [
        ("gzip", gzip.compress(b"x", mtime=0)[:-1], "it breaks off"),
        ("gzip", b"\x1f", "it breaks off"),
        ("deflate", zlib.compress(b"x") + b"more", "something follows its end"),
        (
            "gzip",
            gzip.compress(b"x", mtime=0) + b"more",
            "Error -3 while decompressing data: incorrect header check",
        ),
        # a length and a checksum that lie
        (
            "gzip",
            gzip.compress(b"x", mtime=0)[:-4] + b"\1\0\1\0",
            "Error -3 while decompressing data: incorrect length check",
        ),
        (
            "gzip",
            gzip.compress(b"x", mtime=0)[:-8] + bytes(8),
            "Error -3 while decompressing data: incorrect data check",
        ),
    ],
)
def test_what_is_not_packed_as_it_says_is_refused(encoding: str, body: bytes, what: str) -> None:
    with pytest.raises(CallerError) as raised:
        unpacked(encoding, body)
    assert raised.value.message == f"The body is said to be {encoding} and is not: {what}."


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "x" * 200])
def test_another_encoding_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(CallerError) as raised:
        is_packed(encoding)
    assert raised.value.message.startswith(f"The body is encoded with '{encoding[:50]}'; gzip, deflate and plain")


def test_no_encoding_is_plain() -> None:
    assert not is_packed("")
    assert not is_packed("identity")
