"""Guesses which known name was meant by one that is not known."""

from __future__ import annotations

from collections.abc import Collection

# Looking for what is near takes as long as the text is, and a text as long as this is nobody's slip.
_LONGEST = 128


def nearest(name: str, known: Collection[str], *, longest: int = _LONGEST) -> str:
    """Return the known name most like ``name``; an empty text where none is like it."""
    if len(name) > longest:
        return ""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1)), "")


def did_you_mean(name: str, known: Collection[str], *, lead: str = "") -> str:
    """Return ``Did you mean 'x'?`` with ``lead`` before it; an empty text where no known name is like ``name``."""
    near = nearest(name, known)
    return f"{lead}Did you mean {near!r}?" if near else ""


def did_you_mean_or(name: str, known: Collection[str], otherwise: str) -> str:
    """Return ``did you mean 'x'?`` to end a sentence; ``otherwise`` where no known name is like ``name``."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else otherwise
