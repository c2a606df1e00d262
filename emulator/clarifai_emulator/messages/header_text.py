"""Writes text as one header field or trailer: printable ASCII, on one line, short enough for every client."""

from __future__ import annotations

from urllib.parse import quote

# gRPC clients refuse all metadata of an answer together at 8 to 16 KiB.
LONGEST = 500


def sendable(value: str) -> str:
    """Return a value as it may stand in a header: percent-encoded where it is not printable ASCII."""
    return value if value.isascii() and value.isprintable() else quote(value)


def header_text(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` with other characters written as ``\\xf6``, cut to ``longest`` characters."""
    plain = " ".join(text[: longest * 2].split()).encode("ascii", "backslashreplace").decode()
    plain = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in plain)
    is_cut = len(plain) > longest or len(text) > longest * 2
    return plain[: longest - 4].rstrip() + " ..." if is_cut else plain
