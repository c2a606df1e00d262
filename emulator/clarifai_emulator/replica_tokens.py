"""Makes the tokens of replicas, and knows them again: they are hidden wherever texts of models are kept."""

from __future__ import annotations

import re
import secrets

_PREFIX = "replica-"
# What every text that holds one holds.
MARK = _PREFIX.encode()
_DIGITS = 48
LENGTH = len(_PREFIX) + _DIGITS
_TOKEN = re.compile(rf"{_PREFIX}[0-9a-f]{{{_DIGITS}}}")
# So much of one is hidden, too: texts are cut before they are kept.
_PART = re.compile(rf"{_PREFIX}[0-9a-f]{{16,{_DIGITS}}}")
_TOKEN_IN_BYTES = re.compile(_TOKEN.pattern.encode())
HIDDEN = f"{_PREFIX}****"


def new_token() -> str:
    """Return a token for one replica."""
    return _PREFIX + secrets.token_hex(_DIGITS // 2)


def is_replica_token(token: str) -> bool:
    """Tell whether a token is one that replicas get, also of one that has ended: it is nobody else's either."""
    return token.startswith(_PREFIX)


def holds_token(text: str) -> bool:
    """Tell whether a text has a replica's token in it."""
    return _PREFIX in text and _TOKEN.search(text) is not None


def bytes_hold_token(data: bytes, end: int) -> bool:
    """Tell whether a replica's token is among the first bytes, up to ``end``; ``data`` may be mapped memory."""
    return data.find(MARK, 0, end) >= 0 and _TOKEN_IN_BYTES.search(memoryview(data)[:end]) is not None


def hidden(text: str) -> str:
    """Return a text with the tokens of replicas in it hidden, and with the beginnings of tokens."""
    return _PART.sub(HIDDEN, text) if _PREFIX in text else text
