"""Tells from the first bytes of a file what a browser may show as an image, or play: nothing that could run."""

from __future__ import annotations

import re

# What nothing is shown as: a browser saves it.
UNKNOWN = "application/octet-stream"
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
# The second word of a file that begins with RIFF.
_RIFF = {b"WAVE": "audio/wav", b"WEBP": "image/webp"}
# The brands of files that begin with a box "ftyp".
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}
# The first frame of an MPEG stream without a tag: layer III.
_MPEG_FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][^\xf0-\xff]")
_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/mp4": "m4a",
    "audio/webm": "weba",
    "video/webm": "webm",
    "video/mp4": "mp4",
    "video/ogg": "ogv",
}


def media_type(data: bytes, wanted: str = "") -> str:
    """Return the media type of a file by its first bytes; ``UNKNOWN`` for what is not certainly an image, a sound
    or a film. ``wanted``: ``image``, ``audio`` or ``video``, where that is known: some formats hold either."""
    found = _by_beginning(data)
    kind, _, name = found.partition("/")
    if wanted and {kind, wanted} == {"audio", "video"} and name in ("webm", "ogg", "mp4"):
        return f"{wanted}/{name}"
    return found


def ending_of(kind: str) -> str:
    """Return how the name of a file of this media type ends."""
    return _ENDINGS.get(kind, "bin")


def _by_beginning(data: bytes) -> str:
    found = next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), "")
    if found:
        return found
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], UNKNOWN)
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video/mp4")
    if data[:2] == b"BM" and len(data) > 26 and int.from_bytes(data[2:6], "little") == len(data):
        return "image/bmp"
    return "audio/mpeg" if _MPEG_FRAME.match(data) else UNKNOWN
