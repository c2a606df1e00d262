"""Reads and writes the header blocks of HTTP/2: HPACK, of which the ``hpack`` library reads what is new.

A client sends most of its blocks again and again, byte for byte. One that changed nothing of the table when it was
read means the same until the table changes: it is read once. So is one of a model, all but its last field, which
names another request each time. Answers are written without the table, and without the
Huffman code: both cost more time than their bytes do between two programs of one machine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache

from hpack import Decoder
from hpack.table import HeaderTable

# It would write every header at DEBUG, credentials among them.
logging.getLogger("hpack").setLevel(logging.INFO)

# The most that the fields of one request may have, each with 32 bytes for itself, as HPACK counts.
MOST_BYTES = 64 * 1024
# Blocks that are kept, and how large such a block may be.
_KEPT = 64
_KEPT_BYTES = 2048
# How the field begins that a model's calls have last (``api/inner_calls.py``): a literal that is not indexed.
_PARENT = "x-clarifai-emulator-parent"
_PARENT_FIELD = bytes((0, len(_PARENT))) + _PARENT.encode()
# What a field costs besides its characters.
_OF_A_FIELD = 200
# The first byte of a block after which no table is used (a size update to 0).
NO_TABLE = b"\x20"
DEFAULT_TABLE = 4096


class _NotingTable(HeaderTable):
    """Counts its changes."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        self.changes += 1
        HeaderTable.maxsize.fset(self, newmax)  # pyright: ignore[reportOptionalCall, reportFunctionMemberAccess]


class Fields(dict[str, str]):
    """The fields of one block: the same object each time that the block comes again, and not to be changed."""

    __slots__ = ("_metadata",)

    @property
    def metadata(self) -> Mapping[str, str]:
        """Return what a call of gRPC has as its metadata: all but the pseudo fields, with ``host``, as HTTP/1.1
        calls it."""
        try:
            return self._metadata
        except AttributeError:
            metadata = {name: value for name, value in self.items() if not name.startswith(":")}
            metadata.setdefault("host", self.get(":authority", ""))
            self._metadata: Mapping[str, str] = metadata
            return metadata


class _FieldsOfInner(Fields):
    """The fields of a call of a model: those that it always has, and what names the request around it."""

    __slots__ = ()

    def __init__(self, always: Fields, parent: str) -> None:
        super().__init__(always)
        self[_PARENT] = parent
        self._metadata = {**always.metadata, _PARENT: parent}


class FieldReader:
    """Reads the blocks of one connection, in the order in which they come. ``cost``: the bytes that the fields
    which were read last take in memory; nothing where they were known."""

    def __init__(self) -> None:
        self.cost = 0
        self._table = _NotingTable()
        self._decoder = Decoder(MOST_BYTES)
        self._decoder.header_table = self._table
        self._kept: dict[bytes, Fields] = {}

    def read(self, block: bytes) -> Fields:
        """Return the fields of a block; of several of one name, the last. Raises ``hpack.HPACKError``, after which
        nothing that this connection sends can be read."""
        known = self._kept.get(block)
        if known is not None:
            self.cost = 0
            return known
        at = block.find(_PARENT_FIELD)
        if at > 0 and (value := _plain_text(block[at + len(_PARENT_FIELD) :])):
            fields = _FieldsOfInner(self.read(block[:at]), value)
            self.cost += _OF_A_FIELD + len(value)
            return fields
        before = self._table.changes
        fields = Fields(
            (bytes(name).decode("ascii", "replace"), bytes(value).decode("utf-8", "replace"))
            for name, value in self._decoder.decode(block, raw=True)
        )
        self.cost = sum(len(name) + len(value) for name, value in fields.items()) + _OF_A_FIELD * len(fields)
        if self._table.changes != before:
            self._kept.clear()  # what the others mean has changed
        elif len(block) <= _KEPT_BYTES:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[block] = fields
        return fields


def _plain_text(string: bytes) -> str:
    """Return a string of HPACK, if it is a short one without the Huffman code and nothing is behind it."""
    is_one = len(string) > 1 and string[0] == len(string) - 1 < 127
    return string[1:].decode("utf-8", "replace") if is_one else ""


def write_fields(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the block of an answer's fields, in their order."""
    return b"".join(map(_field, fields))


@lru_cache(maxsize=512)
def _field(field: tuple[str, str]) -> bytes:
    """Return a field as it is written; most come again, such as the rule and the replica of a prediction."""
    known = _KNOWN.get(field)
    if known is not None:
        return known
    data = field[1].encode()
    return b"".join((_name(field[0]), _length(len(data)), data))


def _name(name: str) -> bytes:
    """Return the beginning of a field that no table remembers: a byte that says so, and the name."""
    data = name.encode()
    return b"\x10" + _length(len(data)) + data


def _length(size: int) -> bytes:
    """Write the length of a string that is not compressed: an integer with a prefix of seven bits."""
    if size < 0x7F:
        return bytes((size,))
    written = bytearray(b"\x7f")
    size -= 0x7F
    while size >= 0x80:
        written.append(size & 0x7F | 0x80)
        size >>= 7
    written.append(size)
    return bytes(written)


# What the table that both sides begin with has.
_KNOWN: dict[tuple[str, str], bytes] = {
    (":status", status): bytes([0x88 + at])
    for at, status in enumerate(("200", "204", "206", "304", "400", "404", "500"))
}
