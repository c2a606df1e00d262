"""Checks ids and makes fresh ones, and finds the known id that a mistyped one is near to."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from clarifai_emulator.spelling import did_you_mean

MAX_ID_LENGTH = 64
_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_LENGTH}}}")
_RESERVED = frozenset({"me"})


def id_problem(identifier: str) -> str:
    """Say what is wrong with an id that a user chose; empty when nothing is.

    The characters are those that the SDK keeps when it makes an id; no length is published, 47 characters are known
    to be in use (docs/fidelity.md, "Ids").
    """
    if not identifier:
        return "must not be empty"
    if identifier in _RESERVED:
        return f"{identifier!r} is reserved: it stands for the caller; choose another id"
    if not _ID.fullmatch(identifier):
        rule = f"use 1 to {MAX_ID_LENGTH} characters out of letters, digits, '-' and '_'"
        return f"{identifier!r} is not a valid id: {rule}"
    return ""


def fresh_id() -> str:
    """A new id as the platform assigns them to versions and runners: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def id_hint(identifier: str, known: Iterable[str], *, noun: str) -> str:
    """A sentence that helps with an id that is not known: what was probably meant, or what there is."""
    names = sorted(set(known))
    if guess := did_you_mean(identifier, names):
        return guess
    if not names:
        return f"There is no {noun} yet."
    shown = ", ".join(repr(name) for name in names[:8])
    return f"There {'is' if len(names) == 1 else 'are'} {shown}{', …' if len(names) > 8 else ''}."
