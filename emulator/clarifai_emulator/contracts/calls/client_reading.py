"""Reads client files from the disk, whatever stands there, and says why one cannot be read.

path ─► a regular file of a size that fits into memory ─► its bytes ─► text ─► syntax tree of bounded depth
"""

from __future__ import annotations

import ast
import codecs
import errno
import io
import os
import stat
import sys
import tokenize
import warnings
from pathlib import Path

from clarifai_emulator.contracts.rules.shown_text import printable
from clarifai_emulator.python_source import parse_module

# Bytes of a file: notebooks hold their outputs.
_MOST_BYTES = 256 * 1024 * 1024
# Characters of code: a syntax tree takes some 300 times the memory of its text.
_MOST_CODE = 2 * 1024 * 1024
# Levels of a syntax tree: everything that follows a tree down has Python's own stack for it.
MOST_LEVELS = 150
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)
_LEAVE_OUT = "Leave it out of the paths."
_MEND = "Mend it, or leave it out of the paths."
_PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"


class UnreadableClient(ValueError):
    """A client file, or a cell of a notebook, cannot be read. ``reason`` completes the sentence "client.py …";
    ``line`` and ``column`` count from 1, 0 where there is none."""

    def __init__(self, reason: str, hint: str = _MEND, line: int = 0, column: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.line = line
        self.column = column


def read_client(path: Path) -> bytes:
    """Return what is in the file. Raises ``UnreadableClient``, also for what only looks like a file: opening it
    neither waits for somebody nor follows a link for ever."""
    try:
        _require_file(os.stat(path))
        # What was a file a moment ago may be a pipe now.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            _require_file(os.fstat(descriptor))
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _not_opened(path, error) from None
    if len(content) > _MOST_BYTES:
        raise _too_large(len(content))
    return content


def decode_client(content: bytes) -> str:
    """Return the text of a Python file, decoded as Python does, with line breaks as ``\\n``. Raises
    ``UnreadableClient``."""
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            raise UnreadableClient(f"is {name} text, which Python does not read", "Save it as UTF-8.")
    if b"\0" in content:
        raise UnreadableClient("holds NUL bytes: it is not text", _LEAVE_OUT)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableClient(
            f"is not {error.encoding.upper()} text: byte 0x{content[error.start]:02x} in line {line}",
            "Save it as UTF-8, or name its encoding in its first line: `# -*- coding: latin-1 -*-`.",
            line,
        ) from None
    except (SyntaxError, LookupError, UnicodeError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UnreadableClient(
            f"names an encoding that cannot be used: {said}", "Save it as UTF-8, without a `coding` line.", 1
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_client(text: str) -> ast.Module:
    """Return the syntax tree of Python text. Raises ``UnreadableClient``."""
    if len(text) > _MOST_CODE:
        raise UnreadableClient(
            f"has {len(text) / 2**20:.1f} MiB of code; what has more than {_MOST_CODE // 2**20} MiB is not read",
            "Split it, or leave it out of the paths where it is generated.",
        )
    try:
        with warnings.catch_warnings():
            # Invalid escapes in strings are the client's own affair.
            warnings.simplefilter("ignore")
            return parse_module(text)
    except SyntaxError as error:
        raise UnreadableClient(
            f"is not {_PYTHON}: {error.msg.rstrip('.')}", line=error.lineno or 0, column=max(error.offset or 0, 1)
        ) from None
    except (RecursionError, MemoryError):
        raise too_deep() from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise UnreadableClient("holds half of a surrogate pair, which is no character", line=line) from None
    except ValueError as error:
        raise UnreadableClient(f"is not {_PYTHON}: {error}") from None


def too_deep(line: int = 0) -> UnreadableClient:
    """Return the error for code that is nested deeper than what follows it down can go."""
    return UnreadableClient(
        f"has code that is nested deeper than {MOST_LEVELS} levels",
        "Write the long expression, or the long `elif`, as data and a loop.",
        line,
    )


def require_shallow(tree: ast.AST) -> None:
    """Raise ``UnreadableClient`` for a tree that is nested too deep."""
    level = [tree]
    for _ in range(MOST_LEVELS):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise too_deep(next((line for each in level if (line := getattr(each, "lineno", 0))), 0))


def _require_file(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for test, name in _KINDS if test(found.st_mode)), "no regular file")
        raise UnreadableClient(f"is {kind}, not a file", _LEAVE_OUT)
    if found.st_size > _MOST_BYTES:
        raise _too_large(found.st_size)


def _too_large(size: int) -> UnreadableClient:
    return UnreadableClient(
        f"has {size / 2**20:,.0f} MiB; files of more than {_MOST_BYTES // 2**20} MiB are not read", _LEAVE_OUT
    )


def _not_opened(path: Path, error: OSError) -> UnreadableClient:
    if error.errno == errno.ELOOP:
        return UnreadableClient("is a link that leads back to itself", "Remove the link, or leave it out.")
    if isinstance(error, FileNotFoundError):
        if path.is_symlink():
            return UnreadableClient(
                f"is a link to {printable(os.readlink(path))}, which is not there", "Mend or remove the link."
            )
        return UnreadableClient("was removed before it could be read", "Run the check again.")
    if isinstance(error, PermissionError):
        return UnreadableClient(
            "may not be read by this user", "Make it readable (`chmod +r`), or leave it out of the paths."
        )
    return UnreadableClient(f"cannot be opened: {error.strerror}", _LEAVE_OUT)
