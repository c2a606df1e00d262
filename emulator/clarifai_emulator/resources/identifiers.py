"""Checks ids and makes fresh ones, and finds the known id that a mistyped one is near to."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

from clarifai_emulator.spelling import did_you_mean

MAX_ID_LENGTH = 48
_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_LENGTH}}}")
_RESERVED = frozenset({"me"})


def id_problem(identifier: str) -> str:
    """Say what is wrong with an id that a user chose; empty when nothing is.

    The text about the length is the platform's (Clarifai/examples #154, of an input); the characters are those that
    the SDK keeps when it makes an id (docs/fidelity.md, "Resources: ids").
    """
    if not 1 <= len(identifier) <= MAX_ID_LENGTH:
        length = f"this one has {len(identifier)}" if identifier else "this one is empty"
        return f"id must be between 1 and {MAX_ID_LENGTH} characters long; {length}"
    if identifier in _RESERVED:
        return f"{identifier!r} is reserved: it stands for the caller; choose another id"
    if not _ID.fullmatch(identifier):
        return f"{identifier!r} is not a valid id: use letters, digits, '-' and '_'"
    return ""


def fresh_id() -> str:
    """A new id as the platform assigns them to versions and runners: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def derived_id(prefix: str, identifier: str) -> str:
    """Return an id that is made of another: the whole of it, or of a long one its beginning and what tells it from
    others that begin so."""
    derived = f"{prefix}-{identifier}"
    if len(derived) <= MAX_ID_LENGTH:
        return derived
    mark = hashlib.sha256(identifier.encode()).hexdigest()[:8]
    return f"{derived[: MAX_ID_LENGTH - len(mark) - 1].rstrip('-_')}-{mark}"


def id_hint(identifier: str, known: Iterable[str], *, noun: str) -> str:
    """A sentence that helps with an id that is not known: what was probably meant, or what there is."""
    names = sorted(set(known))
    if guess := did_you_mean(identifier, names):
        return guess
    if not names:
        return f"There is no {noun} yet."
    shown = ", ".join(repr(name) for name in names[:8])
    return f"There {'is' if len(names) == 1 else 'are'} {shown}{', …' if len(names) > 8 else ''}."
