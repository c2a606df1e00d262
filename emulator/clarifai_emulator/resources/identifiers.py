"""What an id may look like, how fresh ones are made, and which known one a mistyped one is near to."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from difflib import get_close_matches

MAX_ID_LENGTH = 64
_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_LENGTH}}}")
_RESERVED = frozenset({"me"})


def id_problem(identifier: str) -> str:
    """What is wrong with an id that a user chose; empty when nothing is.

    The characters are those that the SDK keeps when it makes an id; no length is published, 47 characters are
    known to be in use (docs/fidelity.md, "Ids").
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


def nearest(identifier: str, known: Iterable[str], *, noun: str) -> str:
    """A sentence that helps with an id that is not known: what was probably meant, or what there is."""
    names = sorted(set(known))
    # Nothing is near to what is no id; looking for it would take as long as the text is.
    identifier = identifier[: 2 * MAX_ID_LENGTH]
    close = get_close_matches(identifier, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not names:
        return f"There is no {noun} yet."
    shown = ", ".join(repr(name) for name in names[:8])
    return f"There {'is' if len(names) == 1 else 'are'} {shown}{', …' if len(names) > 8 else ''}."
