"""Words the findings about names that a model does not have, and about arguments that a call does not give."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.spelling import did_you_mean

_LONGEST_NAME = 100


def unknown_argument(name: str, known: Collection[str]) -> Finding:
    """Report an argument that the method does not have. The message does not name the method."""
    takes = ", ".join(known) or "no arguments"
    guess = did_you_mean(name, known, lead=" ")
    return found("unknown-argument", f"there is no argument '{_cut(name)}'; it takes {takes}.{guess}")


def missing_argument(name: str, type_words: str) -> Finding:
    """Report a required argument that is not given. The message does not name the method."""
    return found("missing-argument", f"argument '{name}' ({type_words}) is required and not given.")


def unknown_method(name: str, known: Iterable[str]) -> Finding:
    """Report a method that the model does not have."""
    names = list(known)
    guess = did_you_mean(name, names, lead=" ")
    message = f"The model has no method '{_cut(name)}'; it has {', '.join(names) or 'none'}.{guess}"
    return found("unknown-method", message, method=_cut(name))


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
